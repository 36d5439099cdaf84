/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's part of the host's CPUs: is there room for it, and what the scheduler is told of it. */
/* How it is kept is hv/sched_*. */
#ifndef HV_VM_SHARE_H
#define HV_VM_SHARE_H

struct vm;

/*
 * May the VM, which is off, run beside those that are not? -ENODEV: the machine lacks its CPUs;
 * -EBUSY: what it is promised does not fit beside what others are. *why says it. List locked.
 */
int vm_share_admit(struct vm *vm, const char **why);
/* Tells the scheduler, before its first vCPU runs. List locked. */
void vm_share_begin(struct vm *vm);

#endif
