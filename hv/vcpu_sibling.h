/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU that waits for another one of its VM gives that one its CPU. */
/* Which of the VM's vCPUs waits for what is the guest's; here only who of them has no CPU. */
#ifndef HV_VCPU_SIBLING_H
#define HV_VCPU_SIBLING_H

#include "hv/lib/types.h"

struct vcpu;

/* Another vCPU of v's VM could run but has no CPU. A guess: v's thread, no lock. */
bool vcpu_sibling_waits(const struct vcpu *v);
/*
 * v's next vcpu_sibling_yield begins with vCPU id, whatever number that is. False, and nothing is
 * remembered, unless that is another one that waits for a CPU. v's thread.
 */
bool vcpu_sibling_favour(struct vcpu *v, uint64_t id);
/* The next of its VM's vCPUs that waits gets the CPU of v, whose thread calls; else a checkpoint. */
void vcpu_sibling_yield(struct vcpu *v);

#endif
