/* SPDX-License-Identifier: BSD-2-Clause */
/* A running VM's memory as it shrinks and grows: pages taken away, brought back, chunks reserved. */
/* Bits and chunks are hv/gpa_balloon's; what the guest is asked for is the balloon device's. */
#ifndef HV_VM_MEMORY_H
#define HV_VM_MEMORY_H

#include "hv/lib/types.h"

struct vm;
struct vcpu;

/* Once at boot: root mode's faults in guest memory come here. */
void vm_memory_init(void);

/* Both: vm's threads, devices' lock held; gpa is any page, 4 KiB aligned. */

/*
 * The guest gives this page away: it is gone from the second-level tables. -EINVAL, no RAM; -ENOMEM,
 * no hypervisor memory to note it: the guest keeps it.
 */
int vm_memory_take(struct vm *vm, gpa_t page);
/* It wants it back. Where the VM has no memory for it at hand, it comes when it is touched. */
void vm_memory_give(struct vm *vm, gpa_t page);

/*
 * The guest touched gpa, where nothing is mapped. False: that is no RAM. Else the guest may go on:
 * the page is there, or comes before the next entry, or the VM has crashed for lack of memory.
 */
bool vm_memory_touch(struct vm *vm, gpa_t gpa);
/* Root mode wants to touch RAM: brings back what lies in the balloon, a few pages at most. */
bool vm_memory_bring(struct vm *vm, gpa_t gpa, uint64_t len);
/* VCPU_REQ_MEMORY: v's thread, no lock. */
void vm_memory_work(struct vcpu *v);

/*
 * Makes sure that vm, claimed and up, can have `bytes` of RAM: what it lacks it gets now, and keeps for
 * its guest; what it has in reserve beyond that goes back. List not locked. -ENOSPC with *why; -ENOMEM.
 */
int vm_memory_reserve(struct vm *vm, uint64_t bytes, const char **why);

#endif
