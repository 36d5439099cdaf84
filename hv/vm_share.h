/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's part of the host's CPUs: is there room for it, and what the scheduler is told of it. */
/* How it is kept is hv/sched_*. */
#ifndef HV_VM_SHARE_H
#define HV_VM_SHARE_H

#include "hv/lib/types.h"

struct vm;

/*
 * May the VM, which is off, run beside those that are not? -ENODEV: the machine lacks its CPUs;
 * -EBUSY: what it is promised does not fit beside what others are; -EINVAL: its windows are missing,
 * or it has a cap or a reservation beside them. *why says it. List locked.
 */
int vm_share_admit(struct vm *vm, const char **why);
/* Before the first VM: each runs in its window of frames of so many milliseconds only. */
void vm_share_use_windows(uint32_t frame_ms);
/* Of an admitted VM, before the list is given up: what the scheduler is told. List locked. */
void vm_share_begin(struct vm *vm);

#endif
