/* SPDX-License-Identifier: BSD-2-Clause */
/* Register state of a vCPU that has not run yet: as after a reset, or as a boot protocol wants it. */
/* Written through hvm_ops, so it is the same on both vendors. */
#ifndef ARCH_X86_HVM_HVM_START_H
#define ARCH_X86_HVM_HVM_START_H

#include "hv/lib/types.h"

struct vcpu;
struct vcpu_start;

/* SDM Vol. 3A, "Processor State After Reset". For vcpu_create of the backends. */
void hvm_reset_state(struct vcpu *v);
/* On top of it: what `start` says, and for all but vCPU 0 what firmware leaves behind. */
void hvm_start_state(struct vcpu *v, const struct vcpu_start *start);
/* The same section's column for INIT: what it leaves alone keeps its value. v's thread. */
void hvm_init_state(struct vcpu *v);
/* On top of that: real mode at vector 000h. */
void hvm_startup_state(struct vcpu *v, uint8_t vector);

#endif
