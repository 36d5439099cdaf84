/* SPDX-License-Identifier: BSD-2-Clause */
/* A slow change of one VM in a thread of its own, so that nobody else has to wait for it. */
/* What the change is comes from vm_life.h; who reaps the threads is vm_manager.c. */
#ifndef HV_VM_JOB_H
#define HV_VM_JOB_H

#include "hv/vm.h"

/* A change of a VM that is claimed, list locked before and after but perhaps not within. */
typedef int vm_op_fn(struct vm *vm, const char **why);

struct vm_job {
	struct vm *vm; /* not to be touched once it is done: it may be deleted then */
	vm_op_fn *op;
	struct thread *thread;
	struct thread *waiter; /* woken at the end */
	struct list_node node; /* when ended, until reaped */
	bool done, left, reaped;
	int err; /* below: valid when done */
	enum vm_state state;
	char why[160];
};

/*
 * Claims vm (`doing` as for vm_claim) and begins op; *out is then to be given to vm_job_leave. -EBUSY,
 * -ENOMEM with *why. Threads only, list locked by the caller, who is woken (thread_unpark) at the end.
 */
int vm_job_begin(struct vm *vm, const char *doing, vm_op_fn *op, struct vm_job **out,
		 const char **why);
/* List not locked. */
bool vm_job_is_done(const struct vm_job *job);
/* Looks no further at it; it goes on if it is not done. List not locked. */
void vm_job_leave(struct vm_job *job);

/* By the manager: the same for a VM that it has claimed, when nobody waits. False: out of memory. */
bool vm_job_run(struct vm *vm, vm_op_fn *op);
/* Frees what has ended. List not locked. */
void vm_job_reap(void);

#endif
