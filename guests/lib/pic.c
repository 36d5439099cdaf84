/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259As as an operating system drives them. */
/* No special modes. */
#include "guests/lib/pic.h"
#include "guests/lib/cpu.h"

#define MASTER	 0x20
#define SLAVE	 0xa0
#define ICW1	 0x11
#define OCW3_IRR 0x0a
#define OCW3_ISR 0x0b
#define EOI	 0x20

static uint16_t mask;

static void write_mask(void)
{
	pio_out8(MASTER + 1, (uint8_t)mask);
	pio_out8(SLAVE + 1, (uint8_t)(mask >> 8));
}

void pic_init(void)
{
	pio_out8(MASTER, ICW1);
	pio_out8(SLAVE, ICW1);
	pio_out8(MASTER + 1, PIC_VECTOR);
	pio_out8(SLAVE + 1, PIC_VECTOR + 8);
	pio_out8(MASTER + 1, 1 << 2);
	pio_out8(SLAVE + 1, 2);
	pio_out8(MASTER + 1, 1);
	pio_out8(SLAVE + 1, 1);
	mask = 0xffff;
	write_mask();
}

void pic_unmask(unsigned int irq)
{
	mask = (uint16_t)(mask & ~(1u << irq) & ~(irq >= 8 ? 1u << 2 : 0));
	write_mask();
}

void pic_mask(unsigned int irq)
{
	mask = (uint16_t)(mask | 1u << irq);
	write_mask();
}

void pic_eoi(unsigned int irq)
{
	if (irq >= 8) {
		pio_out8(SLAVE, EOI);
	}
	pio_out8(MASTER, EOI);
}

static uint16_t read_both(uint8_t ocw3)
{
	pio_out8(MASTER, ocw3);
	pio_out8(SLAVE, ocw3);
	return (uint16_t)(pio_in8(MASTER) | pio_in8(SLAVE) << 8);
}

uint16_t pic_irr(void)
{
	return read_both(OCW3_IRR);
}

uint16_t pic_isr(void)
{
	return read_both(OCW3_ISR);
}
