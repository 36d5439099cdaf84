/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259As: ISA interrupt n at vector 20h + n. */
/* Everything masked until pic_unmask(). */
#ifndef GUESTS_LIB_PIC_H
#define GUESTS_LIB_PIC_H

#include <stdint.h>

#define PIC_VECTOR 0x20u

void pic_init(void);
void pic_unmask(unsigned int irq);
void pic_mask(unsigned int irq);
void pic_eoi(unsigned int irq);

/* Interrupt request registers of both chips, slave in the high byte. */
uint16_t pic_irr(void);
uint16_t pic_isr(void);

#endif
