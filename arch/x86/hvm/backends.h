/* SPDX-License-Identifier: BSD-2-Clause */
/* The vendor backends that hvm_init chooses from. */
/* What they do is arch/hvm.h's contract. */
#ifndef ARCH_X86_HVM_BACKENDS_H
#define ARCH_X86_HVM_BACKENDS_H

#include "arch/hvm.h"

extern const struct hvm_ops vmx_hvm_ops;
extern const struct hvm_ops svm_hvm_ops;

/* By boot option: the processor's own virtual local APIC is used, where it has one. */
extern bool hvm_with_apicv;

#endif
