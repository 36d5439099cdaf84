/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of the vCPU that a VM crashed on, as text that stays with the VM until its next crash. */
/* What the lines say is the backend's (hvm_vcpu_dump); who shows them is hv/mgmt. */
#ifndef HV_VM_DUMP_H
#define HV_VM_DUMP_H

#include "hv/lib/types.h"

struct vcpu;
struct vm;

#define VM_DUMP_SIZE 8192u

struct vm_dump {
	uint32_t len;
	char text[VM_DUMP_SIZE - sizeof(uint32_t)]; /* lines, each ended by \n; no NUL at the end */
};

/*
 * The vCPU's own thread, no lock held, when it will not enter the guest again: it is long work with
 * checkpoints. Without memory there is no dump.
 */
void vm_dump_take(struct vcpu *v);
/* Once that thread has ended: what it wrote takes the place of vm->dump. VM list locked. */
void vm_dump_keep(struct vm *vm);
/* The VM is deleted. */
void vm_dump_free(struct vm *vm);

#endif
