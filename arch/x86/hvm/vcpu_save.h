/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's registers, MSRs and FPU as blocks of a saved VM's file, and back, every field checked. */
/* The local APIC's block is vlapic_save.c's; files are hv/save.c's. */
#ifndef ARCH_X86_HVM_VCPU_SAVE_H
#define ARCH_X86_HVM_VCPU_SAVE_H

#include "arch/hvm.h"

/* The row of hvm_part() for the local APIC: vlapic_save.c. */
extern const struct hvm_part vlapic_save_part;

#endif
