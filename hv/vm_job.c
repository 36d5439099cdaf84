/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that each change one VM: begun, waited for or left alone, reaped. */
/* Knows no state of a VM. */
#include "hv/vm_job.h"

#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vm_manager.h"

static struct list_node ended = LIST_INIT(ended); /* [list of VMs] */

static void body(void *arg)
{
	struct vm_job *job = arg;
	const char *why = "no reason given";

	vm_list_lock();
	job->err = job->op(job->vm, &why);
	if (job->err != 0) {
		string_copy(job->why, why, sizeof(job->why));
	}
	job->state = job->vm->state;
	vm_release(job->vm);
	list_push_back(&ended, &job->node);
	__atomic_store_n(&job->done, true, __ATOMIC_RELEASE);
	if (job->waiter != NULL) {
		thread_unpark(job->waiter);
	}
	vm_list_unlock();
	vm_manager_wake();
}

static struct vm_job *begin(struct vm *vm, vm_op_fn *op, struct thread *waiter)
{
	struct vm_job *job = heap_alloc(sizeof(*job));
	struct thread_params p = { .name = "vm-job", .body = body, .arg = job };

	if (job == NULL) {
		return NULL;
	}
	*job = (struct vm_job){ .vm = vm, .op = op, .waiter = waiter, .left = waiter == NULL };
	if (thread_create(&job->thread, &p) != 0) {
		heap_free(job);
		return NULL;
	}
	return job;
}

int vm_job_begin(struct vm *vm, const char *doing, vm_op_fn *op, struct vm_job **out,
		 const char **why)
{
	int err = vm_claim(vm, doing, why);

	if (err != 0) {
		return err;
	}
	*out = begin(vm, op, thread_current());
	if (*out == NULL) {
		vm_release(vm);
		*why = "not enough hypervisor memory for a thread";
		return -ENOMEM;
	}
	return 0;
}

bool vm_job_run(struct vm *vm, vm_op_fn *op)
{
	return begin(vm, op, NULL) != NULL;
}

bool vm_job_is_done(const struct vm_job *job)
{
	return __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
}

void vm_job_leave(struct vm_job *job)
{
	vm_list_lock();
	job->waiter = NULL;
	job->left = true;
	if (job->reaped) {
		heap_free(job);
	}
	vm_list_unlock();
}

static struct vm_job *take_ended(void)
{
	struct vm_job *job = NULL;

	vm_list_lock();
	if (!list_empty(&ended)) {
		job = container_of(ended.next, struct vm_job, node);
		list_remove(&job->node);
	}
	vm_list_unlock();
	return job;
}

void vm_job_reap(void)
{
	struct vm_job *job;

	while ((job = take_ended()) != NULL) {
		thread_join(job->thread);
		vm_list_lock();
		job->reaped = true;
		if (job->left) {
			heap_free(job);
		}
		vm_list_unlock();
	}
}
