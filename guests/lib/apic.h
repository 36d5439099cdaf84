/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC by its page, and the two PICs as far as masking them. */
/* One CPU. */
#ifndef GUESTS_LIB_APIC_H
#define GUESTS_LIB_APIC_H

#include <stdint.h>

enum apic_reg { /* offsets: SDM Vol. 3A, "Local APIC Register Address Map" */
		APIC_ID = 0x20,
		APIC_VERSION = 0x30,
		APIC_TPR = 0x80,
		APIC_EOI = 0xb0,
		APIC_SVR = 0xf0,
		APIC_ICR_LOW = 0x300,
		APIC_ICR_HIGH = 0x310,
		APIC_LVT_TIMER = 0x320,
		APIC_LVT_LINT0 = 0x350,
		APIC_TIMER_INITIAL = 0x380,
		APIC_TIMER_CURRENT = 0x390,
		APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_SPURIOUS 0xffu

static inline uint32_t apic_read(enum apic_reg reg)
{
	return *(volatile uint32_t *)(0xfee00000ul + reg);
}

static inline void apic_write(enum apic_reg reg, uint32_t val)
{
	*(volatile uint32_t *)(0xfee00000ul + reg) = val;
}

/* Enables it, with the PICs masked and LINT0 off. */
void apic_init(void);
static inline void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* The PIC instead: vectors base .. base + 15, all masked but the bits in `unmasked`. */
void apic_use_pic(uint8_t base, uint16_t unmasked);
void apic_pic_eoi(unsigned int irq);

#endif
