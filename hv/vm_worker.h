/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread of a VM's that does for a device what has to sleep, while the guest runs on. */
/* What it does is the device's. */
#ifndef HV_VM_WORKER_H
#define HV_VM_WORKER_H

#include "hv/lib/list.h"
#include "hv/lib/types.h"

struct thread;
struct vm;

/*
 * It runs in the VM's address space, so that it may touch guest memory, and is charged to the VM. While the
 * VM is paused it begins nothing new; hv/vm_life.c waits until what is under way has ended.
 */
struct vm_worker {
	struct list_node node; /* in vm->workers */
	struct vm *vm;
	struct thread *thread; /* NULL: it does not run */
	void (*work)(void *dev);
	void *dev;
	bool wanted;	      /* atomic: work() is to be called */
	bool busy;	      /* atomic: it is being called, or about to be */
	bool ending;	      /* atomic */
	unsigned int brought; /* pages from the balloon since work() was called */
};

/*
 * In a device's create(). work(dev) is called, no lock held, whenever vm_worker_wake() came since it last
 * began; it does a bounded part and wakes itself for more. name: of the device. -ENOMEM.
 */
int vm_worker_start(struct vm_worker *w, struct vm *vm, const char *name, void (*work)(void *dev),
		    void *dev);
/* In destroy(): returns when it has ended; harmless if it was never started. */
void vm_worker_stop(struct vm_worker *w);
/* Any context, devices' lock held too. */
void vm_worker_wake(struct vm_worker *w);
/* The executing thread's; NULL if that is none. */
struct vm_worker *vm_worker_current(void);
/* It is to end: what is under way need not be finished. */
static inline bool vm_worker_is_ending(const struct vm_worker *w)
{
	return __atomic_load_n(&w->ending, __ATOMIC_SEQ_CST);
}

/* By hv/vm_life.c: no worker of vm is at work. And, once they may go on: wakes them all. */
bool vm_worker_all_rest(const struct vm *vm);
void vm_worker_wake_all(struct vm *vm);
/* Ticks that vm's workers ran; vm_worker_stop adds them to vm->cpu_time. List locked, VM up. */
uint64_t vm_worker_time(const struct vm *vm);

#endif
