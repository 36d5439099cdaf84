/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a VM entry failed: the CPU says only "invalid guest state"; this names the check. */
/* For crash reports; never on the way in. */
#ifndef ARCH_X86_VMX_VMX_CHECK_H
#define ARCH_X86_VMX_VMX_CHECK_H

/* First check of the guest state in the current VMCS that fails; static text. */
const char *vmx_check_guest(void);

#endif
