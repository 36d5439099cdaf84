/* SPDX-License-Identifier: BSD-2-Clause */
/* The vCPU's thread: enter the guest, do what its exits ask for, sleep in HLT. */
/* Exits are decoded and handled by the backend and arch/x86/hvm. */
#include "hv/vcpu.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/hvm.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm.h"

static uint32_t requests(const struct vcpu *v)
{
	return __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);
}

/* Sleeps unless there is something to do already. */
static void sleep_unless(struct vcpu *v, bool (*awake)(struct vcpu *v))
{
	__atomic_store_n(&v->blocked, true, __ATOMIC_SEQ_CST);
	while (!awake(v)) {
		thread_park();
	}
	__atomic_store_n(&v->blocked, false, __ATOMIC_SEQ_CST);
}

static bool has_work(struct vcpu *v)
{
	return requests(v) != 0 || hvm_vcpu_has_event(v);
}

static bool not_paused(struct vcpu *v)
{
	return (requests(v) & VCPU_REQ_STOP) || !(requests(v) & VCPU_REQ_PAUSE);
}

/* Once per boot, off the fast path: the line by which `make run` knows that VM exits work here. */
static void note_first_exit(void)
{
	static bool noted;

	if (!__atomic_exchange_n(&noted, true, __ATOMIC_RELAXED)) {
		log_printf(LOG_INFO, "hvm: one VM exit done");
	}
}

/* It may ask for more of the same: that comes before the next entry, others' turn in between. */
static void work_for_devices(struct vcpu *v)
{
	__atomic_fetch_and(&v->requests, ~(uint32_t)VCPU_REQ_DEVICES, __ATOMIC_SEQ_CST);
	vdev_work_all(v->vm);
	thread_checkpoint();
}

static void vcpu_body(void *arg)
{
	struct vcpu *v = arg;
	uint32_t asked;

	thread_checkpoint(); /* making it was long enough */
	while (!((asked = requests(v)) & VCPU_REQ_STOP)) {
		if (asked & VCPU_REQ_PAUSE) {
			sleep_unless(v, not_paused);
			continue;
		}
		if (asked & VCPU_REQ_DEVICES) {
			work_for_devices(v);
			continue;
		}
		switch (hvm->vcpu_run(v)) {
		case HVM_AGAIN:
			break;
		case HVM_BLOCK:
			sleep_unless(v, has_work);
			break;
		case HVM_YIELD:
			note_first_exit();
			thread_checkpoint();
			break;
		}
	}
}

static void switched_in(void *arg)
{
	struct vm *vm = ((struct vcpu *)arg)->vm;

	if (unlikely(vm->entered == 0)) {
		vm->entered = clock_now();
	}
	hvm->vcpu_switched_in(arg);
}

static void switched_out(void *arg)
{
	hvm->vcpu_switched_out(arg);
}

struct vcpu *vcpu_current(void)
{
	struct thread *t = thread_current();

	return t->p.body == vcpu_body ? t->p.arg : NULL;
}

static int start_thread(struct vcpu *v)
{
	struct vm *vm = v->vm;
	char name[VM_NAME_MAX + 8];
	struct thread_params p = {
		.name = name,
		.body = vcpu_body,
		.arg = v,
		.weight = vm->cfg.weight / vm->cfg.cpus,
		.cpus = vm->cfg.pin,
		.space = &vm->mem.root,
		.switched_in = switched_in,
		.switched_out = switched_out,
	};

	fmt_snprintf(name, sizeof(name), "%s/%u", vm->cfg.name, v->id);
	return thread_create(&v->thread, &p);
}

int vcpu_create(struct vm *vm, unsigned int id, const struct vcpu_start *start)
{
	struct vcpu *v = heap_alloc(sizeof(*v));
	int err;

	if (v == NULL) {
		return -ENOMEM;
	}
	v->vm = vm;
	v->id = id;
	v->tsc_offset = vm->tsc_offset;
	err = hvm_vcpu_create(v, start);
	if (err != 0) {
		heap_free(v);
		return err;
	}
	thread_checkpoint();
	vm->vcpus[id] = v;
	vm->vcpu_count++;
	err = start_thread(v);
	if (err != 0) {
		vcpu_destroy(v);
	}
	return err;
}

void vcpu_destroy(struct vcpu *v)
{
	spin_lock(&v->vm->dev_lock); /* devices send it work */
	v->vm->vcpus[v->id] = NULL;
	v->vm->vcpu_count--;
	spin_unlock(&v->vm->dev_lock);
	hvm_vcpu_destroy(v); /* its local APIC's timer kicks the thread until then */
	if (v->thread != NULL) {
		thread_join(v->thread);
	}
	heap_free(v);
}

void vcpu_kick(struct vcpu *v)
{
	struct thread *t = v->thread;

	if (t == NULL) {
		return;
	}
	if (__atomic_load_n(&v->blocked, __ATOMIC_SEQ_CST)) {
		/* Also from an interrupt on top of the thread itself, between its look and its park. */
		thread_unpark(t);
	} else if (t != thread_current() && __atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE)) {
		cpu_kick(__atomic_load_n(&t->cpu, __ATOMIC_RELAXED));
	}
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
	__atomic_fetch_or(&v->requests, bits, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
}

void vcpu_set_pending(struct vcpu *v, uint32_t bits)
{
	__atomic_fetch_or(&v->pending, bits, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
}
