/* SPDX-License-Identifier: BSD-2-Clause */
/* Silences the 8259s. */
/* Serves no interrupt but the spurious ones, which even a masked 8259 may raise. */
#include "arch/x86/irq/pic.h"

#include "arch/pio.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/irq/vectors.h"

#define MASTER 0x20u
#define SLAVE  0xa0u

/* "8259A Programmable Interrupt Controller", "Programming The 8259A" */
#define ICW1_INIT  0x11u /* ICW4 follows, cascaded, edge */
#define ICW4_8086  0x01u
#define OCW1_ALL   0xffu
#define CASCADE_AT 2u

static void on_spurious(uint8_t vector UNUSED, void *arg UNUSED)
{
}

static void init_one(uint16_t port, unsigned int vector, unsigned int icw3)
{
	pio_out8(port, ICW1_INIT);
	pio_out8((uint16_t)(port + 1), (uint8_t)vector);
	pio_out8((uint16_t)(port + 1), (uint8_t)icw3);
	pio_out8((uint16_t)(port + 1), ICW4_8086);
	pio_out8((uint16_t)(port + 1), OCW1_ALL);
}

void pic_mask(void)
{
	for (unsigned int i = 0; i < 16; i++) {
		idt_set_handler((uint8_t)(VECTOR_PIC + i), on_spurious, NULL);
	}
	init_one(MASTER, VECTOR_PIC, 1u << CASCADE_AT);
	init_one(SLAVE, VECTOR_PIC + 8, CASCADE_AT);
}
