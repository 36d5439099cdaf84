/* SPDX-License-Identifier: BSD-2-Clause */
/* One entry into the guest and the exit that follows, handled. */
/* Uses the VMCS that vmx_vcpu made current. */
#ifndef ARCH_X86_VMX_VMX_EXIT_H
#define ARCH_X86_VMX_VMX_EXIT_H

#include "arch/hvm.h"

/* hvm_ops.vcpu_run. */
enum hvm_next vmx_exit_run(struct vcpu *v);
/* Names by basic exit reason, NULL where there is no row; VCPU_EXIT_REASONS of them, static. */
const char *const *vmx_exit_names(void);

#endif
