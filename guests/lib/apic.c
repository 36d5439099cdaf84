/* SPDX-License-Identifier: BSD-2-Clause */
/* Bringing the local APIC or the PICs into service. */
/* Neither the IO-APIC nor other CPUs. */
#include "guests/lib/apic.h"

#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"

#include <stddef.h>

#define PIC1	   0x20u
#define PIC2	   0xa0u
#define PIC_ICW1   0x11u
#define PIC_EOI	   0x20u
#define SVR_ENABLE 0x100u
#define LVT_MASKED 0x10000u
#define LVT_EXTINT 0x700u

static void on_spurious(struct idt_frame *f)
{
	(void)f;
}

void apic_init(void)
{
	cpu_out8(PIC1 + 1, 0xff);
	cpu_out8(PIC2 + 1, 0xff);
	idt_set_handler(APIC_SPURIOUS, on_spurious);
	apic_write(APIC_SVR, SVR_ENABLE | APIC_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_TPR, 0);
}

/* 8259A data sheet, "Initialization Command Words": cascade on input 2, fully nested, 8086. */
void apic_use_pic(uint8_t base, uint16_t unmasked)
{
	cpu_out8(PIC1, PIC_ICW1);
	cpu_out8(PIC2, PIC_ICW1);
	cpu_out8(PIC1 + 1, base);
	cpu_out8(PIC2 + 1, (uint8_t)(base + 8));
	cpu_out8(PIC1 + 1, 4);
	cpu_out8(PIC2 + 1, 2);
	cpu_out8(PIC1 + 1, 1);
	cpu_out8(PIC2 + 1, 1);
	cpu_out8(PIC1 + 1, (uint8_t)~unmasked);
	cpu_out8(PIC2 + 1, (uint8_t) ~(unmasked >> 8));
	apic_write(APIC_SVR, SVR_ENABLE | APIC_SPURIOUS);
	apic_write(APIC_LVT_LINT0, LVT_EXTINT);
}

void apic_pic_eoi(unsigned int irq)
{
	if (irq >= 8) {
		cpu_out8(PIC2, PIC_EOI);
	}
	cpu_out8(PIC1, PIC_EOI);
}
