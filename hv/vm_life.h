/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting, stopping and resetting a VM that is claimed already: for jobs and the manager. */
/* Decides nothing: why a VM stops is the caller's. */
#ifndef HV_VM_LIFE_H
#define HV_VM_LIFE_H

#include "hv/vm.h"

/*
 * All are for threads, of a VM that the caller has claimed (vm_claim), with the list locked before and
 * after: it is not locked while the work is done. 0 or -Exxx with *why as vm_start and its like.
 * A start forgets the crashes before it (vm.crashes).
 */
int vm_life_start(struct vm *vm, const char **why);
int vm_life_stop(struct vm *vm, const char **why);
int vm_life_reset(struct vm *vm, const char **why);
int vm_life_pause(struct vm *vm, const char **why);
int vm_life_resume(struct vm *vm, const char **why);

/* What a VM begins with in place of the loader's kernel: hv/save_vm.c. 0 or -Exxx and *why. */
struct vm_source {
	int (*memory)(struct vm *vm, void *arg, const char **why); /* RAM is there, all zero */
	int (*state)(struct vm *vm, void *arg, const char **why);  /* all is, nothing runs yet */
	void *arg;
	bool paused; /* it begins with a pause */
};
/* As vm_life_start. */
int vm_life_start_from(struct vm *vm, const struct vm_source *src, const char **why);

/*
 * Waits until the vCPUs of a paused VM have come to rest. -EBUSY: it has just ended by itself. The VM
 * is claimed by the caller, the list not locked.
 */
int vm_life_await_pause(struct vm *vm, const char **why);
/* Ends its threads and gives everything back; it is in `state` then. */
void vm_life_end(struct vm *vm, enum vm_state state);
/* The same, but its disks stay open: it is started again, or vm_life_stop closes them. */
void vm_life_end_for_now(struct vm *vm, enum vm_state state);

/* Sets request bits of every vCPU. The VM is up, or claimed by the caller. Any context. */
void vm_request_all(struct vm *vm, uint32_t bits);

#endif
