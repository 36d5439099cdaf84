/* SPDX-License-Identifier: BSD-2-Clause */
/* Which event a guest gets next: exceptions we raise, NMIs, interrupts, in the manual's priority. */
/* Writing it into the VMCS or VMCB is the vendor's. */
#ifndef ARCH_X86_HVM_EVENT_H
#define ARCH_X86_HVM_EVENT_H

#include "hv/lib/types.h"

struct vcpu;

enum {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_NMI = 2,
	VEC_BP = 3,
	VEC_OF = 4,
	VEC_UD = 6,
	VEC_NM = 7,
	VEC_DF = 8,
	VEC_TS = 10,
	VEC_NP = 11,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_MF = 16,
	VEC_AC = 17,
	VEC_MC = 18
};

/* Numbers are those of the VMX interruption-information and SVM EVENTINJ type fields. */
enum event_type {
	EVENT_INTERRUPT = 0,
	EVENT_NMI = 2,
	EVENT_EXCEPTION = 3,
	EVENT_SOFT_INTERRUPT = 4
};

struct event {
	uint8_t type; /* enum event_type */
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

/*
 * Raises an exception for the next entry. A second one combines as SDM Vol. 3A, "Double Fault
 * Exception" says; a third one crashes the VM (triple fault).
 */
void event_exception(struct vcpu *v, uint8_t vector, uint32_t error);
/* Does that exception push an error code, outside of real mode? */
bool event_has_error_code(uint8_t vector);
void event_page_fault(struct vcpu *v, uint64_t linear, uint32_t error);

/*
 * Before an entry, only if v->pending is not 0. can_irq: RFLAGS.IF set and no interrupt shadow;
 * can_nmi: not blocked by NMI. Returns true with *ev to inject (it is taken from its source then).
 * *irq_window, *nmi_window: something still waits for the guest to open up: ask for that exit.
 */
bool event_pick(struct vcpu *v, bool can_irq, bool can_nmi, struct event *ev, bool *irq_window,
		bool *nmi_window);

#endif
