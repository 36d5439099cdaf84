/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the local APIC share among themselves: vlapic.c (priorities), vlapic_reg.c */
/* (registers), vlapic_timer.c, vlapic_ipi.c. Nobody else includes it. */
#ifndef ARCH_X86_HVM_VLAPIC_PARTS_H
#define ARCH_X86_HVM_VLAPIC_PARTS_H

#include "arch/x86/hvm/vlapic.h"

#define VLAPIC_SVR_ENABLE BIT(8)

#define VLAPIC_LVT_VECTOR   0xffu
#define VLAPIC_LVT_MODE	    (7u << 8)
#define VLAPIC_LVT_LEVEL    (1u << 15)
#define VLAPIC_LVT_MASKED   (1u << 16)
#define VLAPIC_LVT_PERIODIC (1u << 17)
#define VLAPIC_LVT_DEADLINE (1u << 18)

/* SDM "Error Status Register (ESR)". */
#define VLAPIC_ESR_SEND_VECTOR	  (1u << 5)
#define VLAPIC_ESR_RECEIVE_VECTOR (1u << 6)
#define VLAPIC_ESR_REGISTER	  (1u << 7)

static inline bool vlapic_is_enabled(const struct vlapic *l)
{
	return (l->s.base & VLAPIC_BASE_ENABLE) != 0;
}

static inline bool vlapic_is_x2apic(const struct vlapic *l)
{
	return (l->s.base & VLAPIC_BASE_X2APIC) != 0;
}

static inline bool vlapic_is_sw_enabled(const struct vlapic *l)
{
	return (l->s.svr & VLAPIC_SVR_ENABLE) != 0;
}

/* vlapic.c */
uint32_t vlapic_ppr(const struct vlapic *l);
/* What decides who does the work, the processor or we, may have changed: the next entry looks. */
void vlapic_new_mode(struct vlapic *l);
void vlapic_eoi(struct vlapic *l);
/* Something that gates interrupts changed: looks whether one is deliverable now. v's thread. */
void vlapic_update(struct vlapic *l);
/* Delivers what a local vector table entry says, unless it is masked. Any context. */
void vlapic_local(struct vlapic *l, enum vlapic_lvt lvt);
void vlapic_error(struct vlapic *l, uint32_t esr_bit);

/* vlapic_timer.c */
void vlapic_timer_init(struct vlapic *l);
void vlapic_timer_stop(struct vlapic *l);
uint32_t vlapic_timer_count(struct vlapic *l);
void vlapic_timer_set_initial(struct vlapic *l, uint32_t count);
void vlapic_timer_set_divide(struct vlapic *l, uint32_t val);
void vlapic_timer_set_lvt(struct vlapic *l, uint32_t val);

/* Arms it for that tick (0: not), which the rest of its state, just loaded, agrees with. */
void vlapic_timer_load(struct vlapic *l, uint64_t deadline);

/* vlapic_reg.c: could a guest have written these registers so? */
bool vlapic_reg_state_ok(const struct vlapic_state *s);

/* vlapic_ipi.c: carries out what was written to the ICR. */
void vlapic_ipi(struct vlapic *l, uint64_t icr);
/* The logical ID that x2APIC derives from the APIC ID. */
static inline uint32_t vlapic_x2apic_ldr(uint32_t id)
{
	return (id >> 4) << 16 | 1u << (id & 15);
}

#endif
