/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of KVM's paravirtual interface: Linux, "Documentation/virt/kvm/x86/hypercalls.rst". */
/* Which there are, its caller asks CPUID. */
#ifndef GUESTS_LIB_KVM_CALL_H
#define GUESTS_LIB_KVM_CALL_H

#include <stdint.h>

/* VMMCALL on AMD's CPUs, else VMCALL; 64-bit mode. What the hypervisor leaves in RAX. */
uint64_t kvm_call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);

#endif
