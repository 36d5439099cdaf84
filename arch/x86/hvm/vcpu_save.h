/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's state as blocks of a saved VM's file, and back, every field checked: what its parts share. */
/* vcpu_save.c has the list of them; files are hv/save.c's. */
#ifndef ARCH_X86_HVM_VCPU_SAVE_H
#define ARCH_X86_HVM_VCPU_SAVE_H

#include "arch/hvm.h"

/* Rows of hvm_part(), each in the file of its name. */
extern const struct hvm_part vcpuid_save_part;
extern const struct hvm_part fpu_save_part;
extern const struct hvm_part event_save_part;
extern const struct hvm_part vlapic_save_part;

/* vmsr_save.c: MSRs as a part of the registers' block. v's thread, or before it has one. */
#define VMSR_SAVED 34u
void vmsr_save_get(struct vcpu *v, uint64_t vals[VMSR_SAVED]);
/* False: one of them is no value that the guest could have written. */
bool vmsr_save_set(struct vcpu *v, const uint64_t vals[VMSR_SAVED]);

#endif
