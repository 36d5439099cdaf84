/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC by MMIO, its timer above all. */
/* xAPIC mode only. */
#ifndef GUESTS_LIB_LAPIC_H
#define GUESTS_LIB_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#define LAPIC_BASE	0xfee00000u
#define LAPIC_ID	0x020u
#define LAPIC_VERSION	0x030u
#define LAPIC_TPR	0x080u
#define LAPIC_EOI	0x0b0u
#define LAPIC_SVR	0x0f0u
#define LAPIC_ISR	0x100u
#define LAPIC_IRR	0x200u
#define LAPIC_ESR	0x280u
#define LAPIC_ICR_LOW	0x300u
#define LAPIC_ICR_HIGH	0x310u
#define LAPIC_LVT_TIMER 0x320u
#define LAPIC_LVT_LINT0 0x350u
#define LAPIC_LVT_LINT1 0x360u
#define LAPIC_TIMER_ICR 0x380u
#define LAPIC_TIMER_CCR 0x390u
#define LAPIC_TIMER_DCR 0x3e0u

#define LAPIC_LVT_MASKED   0x10000u
#define LAPIC_LVT_NMI	   0x00400u
#define LAPIC_LVT_EXTINT   0x00700u
#define LAPIC_LVT_PERIODIC 0x20000u
#define LAPIC_LVT_DEADLINE 0x40000u
#define LAPIC_DIVIDE_1	   0xbu

#define LAPIC_TIMER_VECTOR    0x40u
#define LAPIC_SPURIOUS_VECTOR 0xffu

uint32_t lapic_read(uint32_t reg);
void lapic_write(uint32_t reg, uint32_t val);
void lapic_eoi(void);

/* Enabled in software, task priority 0, PIC by LINT0, timer masked with divisor 1. */
void lapic_init(void);

/* True if this vector is requested and not yet taken. */
bool lapic_requested(unsigned int vector);

/* Timer ticks at divisor 1 in this many PIT ticks, and how many TSC ticks these took. */
uint32_t lapic_calibrate(unsigned int pit_ticks, uint64_t *tsc);

#endif
