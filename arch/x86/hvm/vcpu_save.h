/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's registers, MSRs and FPU as blocks of a saved VM's file, and back, every field checked. */
/* Two parts are others': what is sent to it, and the local APIC; files are hv/save.c's. */
#ifndef ARCH_X86_HVM_VCPU_SAVE_H
#define ARCH_X86_HVM_VCPU_SAVE_H

#include "arch/hvm.h"

/* Rows of hvm_part(): event_save.c, vlapic_save.c. */
extern const struct hvm_part event_save_part;
extern const struct hvm_part vlapic_save_part;

#endif
