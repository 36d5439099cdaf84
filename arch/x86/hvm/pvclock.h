/* SPDX-License-Identifier: BSD-2-Clause */
/* kvmclock: the time since the VM's start as a guest computes it from its TSC, and the date of that */
/* start, in structures that the guest names by MSR. Linux, Documentation/virt/kvm, "KVM-specific MSRs". */
#ifndef ARCH_X86_HVM_PVCLOCK_H
#define ARCH_X86_HVM_PVCLOCK_H

#include "hv/lib/types.h"

struct vcpu;

struct pvclock {	      /* [O] */
	uint64_t system_time; /* the MSRs as written */
	uint64_t wall_clock;
	uint32_t version; /* of the structure in the guest's memory: even, odd while it changes */
};

/* ns = (ticks << shift) * mult / 2^32; shift < 0: to the right. */
struct pvclock_scale {
	uint32_t mult; /* bit 31 set, unless the rate is above 2^63 Hz */
	int8_t shift;
};

/* hz nonzero. Never fast, and slow by less than 2^-31. */
struct pvclock_scale pvclock_scale_make(uint64_t hz);

/* The two MSRs; false: #GP. v's thread. */
bool pvclock_read_system(struct vcpu *v, uint64_t *val);
bool pvclock_read_wall(struct vcpu *v, uint64_t *val);
bool pvclock_write_system(struct vcpu *v, uint64_t val);
bool pvclock_write_wall(struct vcpu *v, uint64_t val);

/* Has v's guest the clock in use? Any thread. */
bool pvclock_used(const struct vcpu *v);
/* Writes the guest's structure anew, if it has one. v's thread. */
void pvclock_refresh(struct vcpu *v);
/* The guest moved v's TSC. From then on no vCPU of the VM is told that all TSCs are one. v's thread. */
void pvclock_tsc_moved(struct vcpu *v);

#endif
