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
#include "hv/vcpu_sibling.h"
#include "hv/vdev.h"
#include "hv/vm.h"
#include "hv/vm_dump.h"
#include "hv/vm_memory.h"

static uint32_t requests(const struct vcpu *v)
{
	return __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);
}

struct vcpu_call {
	void (*fn)(struct vcpu *v, void *arg);
	void *arg;
	struct thread *caller;
	bool done; /* atomic; all of this is the caller's again */
};

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

static bool has_news(struct vcpu *v)
{
	return (requests(v) & ~(uint32_t)VCPU_REQ_START) != 0 || mp_init_has_news(&v->start);
}

static bool must_rest(const struct vcpu *v)
{
	return (requests(v) & (VCPU_REQ_PAUSE | VCPU_REQ_STOP | VCPU_REQ_CALL)) == VCPU_REQ_PAUSE;
}

static bool is_to_go_on(struct vcpu *v)
{
	return !must_rest(v);
}

/* Once per boot, off the fast path: the line by which `make run` knows that VM exits work here. */
static void note_first_exit(void)
{
	static bool noted;

	if (!__atomic_exchange_n(&noted, true, __ATOMIC_RELAXED)) {
		log_printf(LOG_INFO, "hvm: one VM exit done");
	}
}

static void set_request(struct vcpu *v, uint32_t bit)
{
	__atomic_fetch_or(&v->requests, bit, __ATOMIC_SEQ_CST);
}

static void clear_request(struct vcpu *v, uint32_t bit)
{
	__atomic_fetch_and(&v->requests, ~bit, __ATOMIC_SEQ_CST);
}

/* It may ask for more of the same: that comes before the next entry, others' turn in between. */
static void work_for_devices(struct vcpu *v)
{
	clear_request(v, VCPU_REQ_DEVICES);
	vdev_work_all(v->vm);
	thread_checkpoint();
}

/* The request stays set until the guest may be entered: that way the usual entry asks for nothing. */
static void start_over(struct vcpu *v)
{
	uint8_t vector;

	clear_request(v, VCPU_REQ_START);
	switch (mp_init_take(&v->start, v->id == 0, &vector)) {
	case MP_INIT_RESET:
		set_request(v, VCPU_REQ_START);
		hvm_vcpu_init(v);
		thread_checkpoint();
		break;
	case MP_INIT_WAIT:
		set_request(v, VCPU_REQ_START);
		sleep_unless(v, has_news);
		break;
	case MP_INIT_START:
		hvm_vcpu_startup(v, vector);
		break;
	case MP_INIT_NONE:
		break;
	}
}

static void answer(struct vcpu *v)
{
	struct vcpu_call *c = v->call;
	struct thread *caller = c->caller;

	clear_request(v, VCPU_REQ_CALL);
	c->fn(v, c->arg);
	__atomic_store_n(&c->done, true, __ATOMIC_SEQ_CST);
	thread_unpark(caller);
	thread_checkpoint();
}

/* A call ends it, too; who asked for the pause stands by it, so that it begins again. */
static void pause(struct vcpu *v)
{
	hvm_vcpu_settle(v);
	__atomic_store_n(&v->paused, true, __ATOMIC_SEQ_CST);
	sleep_unless(v, is_to_go_on);
	__atomic_store_n(&v->paused, false, __ATOMIC_SEQ_CST);
}

/* Nothing but a call and the end of the pause wakes it: what is pending is seen then. */
static bool sleeps_on(const struct vcpu *v)
{
	return __atomic_load_n(&v->paused, __ATOMIC_SEQ_CST) && must_rest(v);
}

void vcpu_call(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg)
{
	struct vcpu_call c = { .fn = fn, .arg = arg, .caller = thread_current() };

	v->call = &c;
	vcpu_request(v, VCPU_REQ_CALL);
	while (!__atomic_load_n(&c.done, __ATOMIC_SEQ_CST)) {
		thread_park();
	}
	v->call = NULL;
}

bool vcpu_is_parked(const struct vcpu *v)
{
	const struct thread *t = v->thread;

	return sleeps_on(v) && __atomic_load_n(&t->state, __ATOMIC_ACQUIRE) == THREAD_PARKED &&
	       !__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE);
}

/* One of the things asked, the most urgent; not VCPU_REQ_STOP. */
static void serve(struct vcpu *v, uint32_t asked)
{
	if (asked & VCPU_REQ_CALL) {
		answer(v);
	} else if (asked & VCPU_REQ_PAUSE) {
		pause(v);
	} else if (asked & VCPU_REQ_DEVICES) {
		work_for_devices(v);
	} else if (asked & VCPU_REQ_MEMORY) {
		clear_request(v, VCPU_REQ_MEMORY);
		vm_memory_work(v);
		thread_checkpoint();
	} else if (asked & VCPU_REQ_CLOCK) {
		clear_request(v, VCPU_REQ_CLOCK);
		hvm_vcpu_refresh_clock(v);
	} else {
		start_over(v);
	}
}

static void vcpu_body(void *arg)
{
	struct vcpu *v = arg;

	thread_checkpoint(); /* making it was long enough */
	for (;;) {
		uint32_t asked = requests(v);

		if (unlikely(asked & VCPU_REQ_STOP)) {
			break;
		}
		if (unlikely(asked != 0)) {
			serve(v, asked);
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
		case HVM_SPIN:
			vcpu_sibling_yield(v);
			break;
		}
	}
	if (v->vm->crashed_on == v) {
		vm_dump_take(v);
	}
}

static void switched_in(void *arg)
{
	struct vm *vm = ((struct vcpu *)arg)->vm;

	if (unlikely(vm->entered == 0)) {
		vm->entered = clock_now();
	}
	cpu_work_for(vm->id);
	hvm_vcpu_switched_in(arg);
}

static void switched_out(void *arg)
{
	hvm_vcpu_switched_out(arg);
}

const char *vcpu_state_name(const struct vcpu *v)
{
	if (v->id != 0 && mp_init_waits(&v->start)) {
		return "waits for SIPI";
	}
	if (requests(v) & VCPU_REQ_PAUSE) {
		return "paused";
	}
	if (__atomic_load_n(&v->blocked, __ATOMIC_RELAXED)) {
		return "halted";
	}
	return v->thread != NULL && thread_waits(v->thread) ? "ready" : "running";
}

struct vcpu *vcpu_current(void)
{
	struct thread *t = thread_current();

	return t->p.body == vcpu_body ? t->p.arg : NULL;
}

int vcpu_launch(struct vcpu *v)
{
	struct vm *vm = v->vm;
	char name[VM_NAME_MAX + 8];
	struct thread_params p = {
		.name = name,
		.body = vcpu_body,
		.arg = v,
		.weight = vm->cfg.weight,
		.group = &vm->share,
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
	mp_init_reset(&v->start, id == 0);
	v->requests = id == 0 ? 0 : VCPU_REQ_START;
	err = hvm_vcpu_create(v, start);
	if (err != 0) {
		heap_free(v);
		return err;
	}
	thread_checkpoint();
	vm->vcpus[id] = v;
	vm->vcpu_count++;
	return 0;
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
		if (!sleeps_on(v)) {
			thread_unpark(t);
		}
	} else if (t != thread_current() && __atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE)) {
		cpu_kick(__atomic_load_n(&t->cpu, __ATOMIC_RELAXED));
	}
}

void vcpu_request(struct vcpu *v, uint32_t bits)
{
	__atomic_fetch_or(&v->requests, bits, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
}

void vcpu_send_init(struct vcpu *v)
{
	mp_init_send_init(&v->start);
	vcpu_request(v, VCPU_REQ_START);
}

void vcpu_send_startup(struct vcpu *v, uint8_t vector)
{
	if (mp_init_send_startup(&v->start, vector)) {
		vcpu_request(v, VCPU_REQ_START);
	}
}

void vcpu_set_pending(struct vcpu *v, uint32_t bits)
{
	__atomic_fetch_or(&v->pending, bits, __ATOMIC_SEQ_CST);
	vcpu_kick(v);
}
