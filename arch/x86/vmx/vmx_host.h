/* SPDX-License-Identifier: BSD-2-Clause */
/* The host-state area of a VMCS: what an exit loads into the CPU. */
/* CR3, RSP and RIP are written elsewhere: they are the thread's, not the CPU's. */
#ifndef ARCH_X86_VMX_VMX_HOST_H
#define ARCH_X86_VMX_VMX_HOST_H

/* Into the current VMCS, from the executing CPU's registers: once for each CPU that it comes to. */
void vmx_host_write(void);

#endif
