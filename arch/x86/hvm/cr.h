/* SPDX-License-Identifier: BSD-2-Clause */
/* Which values control registers can have together, for a vCPU whose state comes from a file. */
/* Writes by the guest are exit.h's exit_write_cr. */
#ifndef ARCH_X86_HVM_CR_H
#define ARCH_X86_HVM_CR_H

#include "hv/lib/types.h"

struct vcpu;

struct cr_state {
	uint64_t cr0, cr3, cr4, efer;
};

/* Could a guest on v have come there? That EFER's bits are offered is vmsr_efer_offered()'s. */
bool cr_state_ok(const struct vcpu *v, const struct cr_state *s);
bool cr_xcr0_ok(const struct vcpu *v, uint64_t val);

#endif
