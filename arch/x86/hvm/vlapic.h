/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's local APIC, xAPIC and x2APIC: registers, priorities, timer, IPIs. */
/* Does not inject: event.c asks it what comes next. SDM Vol. 3A, "Advanced Programmable Interrupt
 * Controller (APIC)". */
#ifndef ARCH_X86_HVM_VLAPIC_H
#define ARCH_X86_HVM_VLAPIC_H

#include "arch/x86/hvm/pv_eoi.h"
#include "hv/base/lock.h"
#include "hv/lib/types.h"
#include "hv/timer.h"
#include "hv/virq.h"

struct vcpu;

#define VLAPIC_BASE 0xfee00000ul /* where it stays: moving it is refused */

#define VLAPIC_BASE_BSP	   BIT(8)
#define VLAPIC_BASE_X2APIC BIT(10)
#define VLAPIC_BASE_ENABLE BIT(11)

enum vlapic_lvt { /* order of the registers from 320h on */
		  VLAPIC_LVT_TIMER,
		  VLAPIC_LVT_THERMAL,
		  VLAPIC_LVT_PERF,
		  VLAPIC_LVT_LINT0,
		  VLAPIC_LVT_LINT1,
		  VLAPIC_LVT_ERROR,
		  VLAPIC_LVTS,
};

/* All that a guest can see; saved and restored as one block. */
struct vlapic_state {
	uint64_t base;	 /* IA32_APIC_BASE */
	uint64_t irr[4]; /* atomic */
	uint64_t isr[4]; /* [O] */
	uint64_t tmr[4]; /* atomic */
	uint64_t icr;
	uint32_t id; /* xAPIC: the register; x2APIC: the 32-bit ID */
	uint32_t tpr;
	uint32_t ldr; /* xAPIC only: x2APIC derives it */
	uint32_t dfr;
	uint32_t svr;
	uint32_t esr;	   /* as last latched by a write */
	uint32_t esr_next; /* atomic: errors since */
	uint32_t lvt[VLAPIC_LVTS];
	uint32_t divide;       /* divide configuration register */
	uint32_t initial;      /* timer's initial count */
	uint64_t started;      /* [timer_lock] ticks when the count was initial */
	uint64_t deadline;     /* [timer_lock] ticks when it fires next, 0: never */
	uint64_t tsc_deadline; /* [timer_lock] IA32_TSC_DEADLINE */
};

struct vlapic {
	struct vcpu *v;		    /* (c) */
	struct spinlock timer_lock; /* rank LOCK_VIRQ: vCPU against the timer's callback */
	struct timer timer;
	struct pv_eoi eoi;
	/* Where the processor virtualizes the local APIC, vlapic_page.h: */
	void *page;    /* (c) the backend's; NULL: software does it all */
	bool hardware; /* [O] writes: requests are given to the processor, not injected */
	bool live;     /* [O] writes, atomic: a part of s is in the page */
	struct vlapic_state s;
};

/* Once at boot: plugs into hv/virq. */
void vlapic_init(void);
/* v->lapic in reset state. -ENOMEM */
int vlapic_create(struct vcpu *v);
void vlapic_destroy(struct vcpu *v);
/* SDM "Local APIC State After Power-Up or Reset". Keeps nothing. */
void vlapic_reset(struct vcpu *v);
/* SDM "Local APIC State After It Has Been Reset by an INIT-Signal". v's thread. */
void vlapic_init_signal(struct vlapic *l);
/* As firmware leaves the boot processor's: LINT0 takes the PIC, LINT1 NMI, enabled (MP specification, "Virtual Wire
 * Mode"). For a guest that is started without firmware. */
void vlapic_virtual_wire(struct vcpu *v);

/*
 * The timer counts TSC ticks: what CPUID 15h calls the core crystal clock has the TSC's rate. So
 * nothing is converted and one-shot, periodic and TSC-deadline mode agree to the tick.
 */

/* Makes `vector` pending; any CPU, any context in which vcpu_set_pending may be called. */
void vlapic_accept(struct vlapic *l, uint8_t vector, bool level);
/* Highest pending vector that the priorities let through, or -1. Does not look at RFLAGS.IF. */
int vlapic_pending(const struct vlapic *l);
/* Does LINT0 (or a disabled local APIC) let the PIC's INTR through? */
bool vlapic_takes_pic(const struct vlapic *l);
/*
 * A guest may have ended its interrupt without an exit (pv_eoi.h), or the processor did that and more
 * (vlapic_page.h): brings l->s up to date, and takes that right back until the next entry. v's thread,
 * before it looks at priorities.
 */
void vlapic_sync(struct vlapic *l);
/* The vCPU takes `vector`, which vlapic_pending gave: IRR to ISR. */
void vlapic_take(struct vlapic *l, uint8_t vector);

/* CR8: bits 7:4 of the task priority. */
uint64_t vlapic_get_cr8(const struct vlapic *l);
void vlapic_set_cr8(struct vlapic *l, uint64_t cr8);

/* Registers in the MMIO page; offset 0-FFCh. v's thread, no lock held. */
uint32_t vlapic_mmio_read(struct vlapic *l, uint32_t offset);
void vlapic_mmio_write(struct vlapic *l, uint32_t offset, uint32_t val);
/* True if the page at VLAPIC_BASE is the local APIC now. */
bool vlapic_has_mmio(const struct vlapic *l);

/* MSRs. False: #GP. v's thread, no lock held. */
bool vlapic_msr_read(struct vlapic *l, uint32_t msr, uint64_t *val);
bool vlapic_msr_write(struct vlapic *l, uint32_t msr, uint64_t val);
bool vlapic_set_base(struct vlapic *l, uint64_t val);
uint64_t vlapic_get_tsc_deadline(struct vlapic *l);
void vlapic_set_tsc_deadline(struct vlapic *l, uint64_t guest_tsc);
/* The guest's TSC jumped: the deadline is counted again. */
void vlapic_tsc_changed(struct vlapic *l);

/* Sends to the local APICs of vm that msg addresses. */
void vlapic_send(struct vm *vm, const struct virq_msg *msg);
/*
 * Sends msg, whatever it addresses, to those with APIC ID first + n for each bit n of mask, any
 * values. How many can have taken it.
 */
unsigned int vlapic_send_mask(struct vm *vm, uint64_t first, const uint64_t mask[2],
			      const struct virq_msg *msg);
/* The message's vector is requested, and not taken yet, at one that it is for. */
bool vlapic_waits(struct vm *vm, const struct virq_msg *msg);
/* `vector` is in the request register. */
bool vlapic_requests(const struct vlapic *l, uint8_t vector);
/* The PIC's INTR output changed: it is wired to LINT0 of vCPU 0. */
void vlapic_pic_output(struct vm *vm, bool level);

#endif
