/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU in HLT is woken by whatever comes, at whatever moment; one that waits for a SIPI by that. */
/* The thread is a fake with the permit of hv/thread.h; interrupts come where that one lets them in. */
/* TEST_SOURCES: hv/vcpu.c hv/vcpu_sibling.c hv/mp_init.c hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_lock.c */
#include "hv/vcpu.h"

#include "arch/cpu.h"
#include "arch/hvm.h"
#include "hv/base/log.h"
#include "hv/thread.h"
#include "hv/vcpu_sibling.h"
#include "hv/vdev.h"
#include "hv/vm.h"
#include "hv/vm_dump.h"
#include <string.h>

#include <cmocka.h>

enum moment { NEVER, WHEN_ENTERING_PARK, WHILE_PARKED };

static struct thread thread;
static struct vm vm = { .cfg = { .name = "a", .cpus = 1 } };
static struct vcpu *vcpu;
static enum moment interrupt;
static bool parked_for_ever;
static unsigned int entries;

/* What the others do, one letter at each entry and at each park; "": the vCPU is stopped. */
static const char *script;
static char steps[32]; /* what it does: E(nters), I(NIT), S(tarts), P(arks) */

static unsigned int settled;
static bool calling;

static void note(char step)
{
	size_t n = strlen(steps);

	assert_true(n + 1 < sizeof(steps));
	steps[n] = step;
}

static void others_do(void)
{
	char what = *script != '\0' ? *script++ : 'x';

	switch (what) {
	case 'i':
		vcpu_send_init(vcpu);
		break;
	case 's':
		vcpu_send_startup(vcpu, 0x9a);
		break;
	case 'b': /* both, before it can look */
		vcpu_send_init(vcpu);
		vcpu_send_startup(vcpu, 0x9a);
		break;
	case 'c':
		vcpu_request(vcpu, VCPU_REQ_CLOCK);
		break;
	case 'p':
		vcpu_request(vcpu, VCPU_REQ_PAUSE);
		break;
	case 'r':
		__atomic_fetch_and(&vcpu->requests, ~VCPU_REQ_PAUSE, __ATOMIC_SEQ_CST);
		vcpu_kick(vcpu);
		break;
	case 'n': /* an interrupt */
		vcpu_set_pending(vcpu, VCPU_PENDING_IRQ);
		break;
	default:
		vcpu_request(vcpu, VCPU_REQ_STOP);
		break;
	}
}

/* An interrupt of the host, whose handler finds work for the vCPU. */
static void interrupt_at(enum moment now)
{
	if (interrupt == now) {
		interrupt = NEVER;
		vcpu_set_pending(vcpu, VCPU_PENDING_IRQ);
	}
}

/* ---- the thread ---- */

struct thread *thread_current(void)
{
	return &thread;
}

void thread_park(void)
{
	if (calling) { /* not the vCPU's thread but who waits for it: that comes now */
		calling = false;
		thread.p.body(thread.p.arg);
		return;
	}
	if (script != NULL) {
		note('P');
		others_do();
		thread.permit = false;
		return;
	}
	interrupt_at(WHEN_ENTERING_PARK);
	if (!thread.permit) {
		interrupt_at(WHILE_PARKED);
	}
	if (!thread.permit) {
		parked_for_ever = true;
		vcpu_request(vcpu, VCPU_REQ_STOP); /* so that the test ends */
	}
	thread.permit = false;
}

void thread_unpark(struct thread *t)
{
	assert_ptr_equal(t, &thread);
	t->permit = true;
}

void thread_checkpoint(void)
{
}

bool thread_waits(const struct thread *t)
{
	assert_non_null(t);
	return t->state == THREAD_RUNNABLE && !t->on_cpu;
}

static struct thread *yielded_to;

bool thread_yield_to(struct thread *t)
{
	if (!thread_waits(t)) {
		return false;
	}
	yielded_to = t;
	return true;
}

int thread_create(struct thread **out, const struct thread_params *p)
{
	thread = (struct thread){ .p = *p };
	*out = &thread;
	return 0;
}

void thread_join(struct thread *t)
{
	(void)t;
}

/* ---- the guest: its first entry ends with HLT, its second with the end ---- */

static enum hvm_next run(struct vcpu *v)
{
	if (script != NULL) {
		note('E');
		if (*script == 'h') {
			script++;
			return HVM_SPIN;
		}
		others_do();
		return HVM_AGAIN;
	}
	if (entries++ == 0) {
		return HVM_BLOCK;
	}
	vcpu_request(v, VCPU_REQ_STOP);
	return HVM_AGAIN;
}

static const struct hvm_ops ops = { .vcpu_run = run };
const struct hvm_ops *hvm = &ops;

bool hvm_vcpu_has_event(struct vcpu *v)
{
	return v->pending != 0;
}

int hvm_vcpu_create(struct vcpu *v, const struct vcpu_start *start)
{
	(void)v;
	(void)start;
	return 0;
}

void hvm_vcpu_destroy(struct vcpu *v)
{
	(void)v;
}

void hvm_vcpu_settle(struct vcpu *v)
{
	(void)v;
	settled++;
}

void hvm_vcpu_switched_in(struct vcpu *v)
{
	(void)v;
}

void hvm_vcpu_switched_out(struct vcpu *v)
{
	(void)v;
}

void hvm_vcpu_refresh_clock(struct vcpu *v)
{
	(void)v;
	note('C');
}

void hvm_vcpu_init(struct vcpu *v)
{
	assert_ptr_equal(v, vcpu);
	note('I');
}

void hvm_vcpu_startup(struct vcpu *v, uint8_t vector)
{
	assert_ptr_equal(v, vcpu);
	assert_int_equal(vector, 0x9a);
	note('S');
}

void cpu_work_for(uint64_t owner)
{
	(void)owner;
}

void cpu_kick(unsigned int cpu)
{
	(void)cpu;
}

void vm_dump_take(struct vcpu *v)
{
	(void)v;
}

void vm_memory_work(struct vcpu *v)
{
	(void)v;
}

void vdev_work_all(struct vm *v)
{
	(void)v;
}

void log_printf(enum log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

static void halt_and_interrupt(enum moment moment)
{
	interrupt = moment;
	parked_for_ever = false;
	entries = 0;
	assert_int_equal(vcpu_create(&vm, 0, &(struct vcpu_start){ 0 }), 0);
	vcpu = vm.vcpus[0];
	assert_int_equal(vcpu_launch(vcpu), 0);
	thread.p.body(thread.p.arg);
	assert_int_equal(interrupt, NEVER);
	vcpu_destroy(vcpu);
}

static void test_woken_while_parked(void **state)
{
	(void)state;
	halt_and_interrupt(WHILE_PARKED);
	assert_false(parked_for_ever);
	assert_int_equal(entries, 2);
}

/* thread_park lets interrupts in, on top of the thread that has looked for work and found none. */
static void test_woken_between_look_and_park(void **state)
{
	(void)state;
	halt_and_interrupt(WHEN_ENTERING_PARK);
	assert_false(parked_for_ever);
	assert_int_equal(entries, 2);
}

/* The fake can tell a lost wake-up: nothing comes, nothing wakes. */
static void test_sleeps_without_cause(void **state)
{
	(void)state;
	halt_and_interrupt(NEVER);
	assert_true(parked_for_ever);
	assert_int_equal(entries, 1);
}

/* ---- INIT and SIPI ---- */

static const struct {
	unsigned int id; /* 0: the boot processor */
	const char *script, *steps;
} starts[] = {
	{ 0, "", "E" },		 { 0, "s", "EE" }, /* it runs: a SIPI is nothing */
	{ 0, "i", "EIE" },			   /* no waiting for the boot processor */
	{ 1, "", "P" },				   /* stopped before it ever ran */
	{ 1, "s", "PSE" },	 { 1, "ss", "PSEE" },
	{ 1, "ns", "PPSE" }, /* an interrupt does not start it */
	{ 1, "is", "PIPSE" },	 { 1, "b", "PISE" },
	{ 1, "sis", "PSEIPSE" }, { 1, "sb", "PSEISE" },
	{ 1, "prs", "PPPSE" },			       /* paused while it waits: it waits on */
	{ 1, "psrx", "PPPSE" },			       /* the SIPI of a paused VM is kept */
	{ 0, "c", "ECE" },	 { 1, "cs", "PCPSE" }, /* the clock meanwhile */
	{ 1, "px", "PP" },	 { 1, "six", "PSEIP" },
};

static void test_starts(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(starts); i++) {
		memset(steps, 0, sizeof(steps));
		script = starts[i].script;
		assert_int_equal(vcpu_create(&vm, starts[i].id, &(struct vcpu_start){ 0 }), 0);
		vcpu = vm.vcpus[starts[i].id];
		assert_int_equal(vcpu_launch(vcpu), 0);
		thread.p.body(thread.p.arg);
		assert_string_equal(steps, starts[i].steps);
		vcpu_destroy(vcpu);
	}
	script = NULL;
}

/* ---- a pause ---- */

/* What is pending waits for its end; only that, or a stop, wakes it. */
static void test_sleeps_in_a_pause(void **state)
{
	struct vcpu v = { .thread = &thread, .blocked = true, .paused = true };

	(void)state;
	v.requests = VCPU_REQ_PAUSE;
	thread.permit = false;
	thread.state = THREAD_PARKED;
	vcpu_set_pending(&v, VCPU_PENDING_IRQ);
	vcpu_request(&v, VCPU_REQ_DEVICES);
	assert_false(thread.permit);
	assert_true(vcpu_is_parked(&v));
	thread.on_cpu = true;
	assert_false(vcpu_is_parked(&v));
	thread.on_cpu = false;
	vcpu_request(&v, VCPU_REQ_CALL);
	assert_true(thread.permit);
	thread.permit = false;
	v.requests &= ~VCPU_REQ_CALL;
	vcpu_request(&v, VCPU_REQ_STOP);
	assert_true(thread.permit);
	assert_false(vcpu_is_parked(&v));
	v.requests = 0; /* the pause is over */
	thread.permit = false;
	vcpu_kick(&v);
	assert_true(thread.permit);
	thread.permit = false;
}

static void called(struct vcpu *v, void *arg)
{
	assert_ptr_equal(v, vcpu);
	assert_ptr_equal(arg, steps);
	note('V');
}

/* Its own thread does what others want of its state, before all else, and rests again. */
static void test_is_called(void **state)
{
	static const struct {
		uint32_t requests;
		const char *script, *steps;
	} rows[] = {
		{ VCPU_REQ_PAUSE, "", "VP" },
		{ VCPU_REQ_PAUSE, "r", "VPE" },
		{ 0, "", "VE" },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(steps, 0, sizeof(steps));
		assert_int_equal(vcpu_create(&vm, 0, &(struct vcpu_start){ 0 }), 0);
		vcpu = vm.vcpus[0];
		assert_int_equal(vcpu_launch(vcpu), 0);
		vcpu->requests = rows[i].requests;
		script = rows[i].script;
		calling = true;
		vcpu_call(vcpu, called, steps);
		assert_string_equal(steps, rows[i].steps);
		assert_int_equal(vcpu->requests & VCPU_REQ_CALL, 0);
		vcpu_destroy(vcpu);
	}
	script = NULL;
}

/* ---- PAUSE ---- */

static struct thread *spin(void)
{
	vcpu->requests = 0;
	script = "h";
	yielded_to = NULL;
	thread.p.body(vcpu);
	return yielded_to;
}

/* vCPU 2: 1 and 3 wait for a CPU, 0 is not launched. The favour is for one time. */
static void check_favours(void)
{
	static const uint64_t none[] = { 0, 2, 4, 16, UINT32_MAX, 1ul << 32 | 1, UINT64_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		assert_false(vcpu_sibling_favour(vcpu, none[i]));
	}
	assert_ptr_equal(spin(), vm.vcpus[3]->thread);
	assert_true(vcpu_sibling_favour(vcpu, 1));
	assert_ptr_equal(spin(), vm.vcpus[1]->thread);
	assert_ptr_equal(spin(), vm.vcpus[3]->thread);
	assert_true(vcpu_sibling_favour(vcpu, 1));
	vm.vcpus[1]->thread->on_cpu = true; /* it has one by now */
	assert_ptr_equal(spin(), vm.vcpus[3]->thread);
}

/* The next vCPU, around, that waits for a CPU gets the turn; those that run or sleep do not want it. */
static void test_spins(void **state)
{
	static struct thread threads[4];
	static struct vcpu others[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		others[i] = (struct vcpu){ .id = i, .vm = &vm, .thread = &threads[i] };
		threads[i].state = THREAD_PARKED;
		vm.vcpus[i] = &others[i];
	}
	vm.vcpu_count = 4;
	vcpu = &others[2];
	assert_false(vcpu_sibling_waits(vcpu));
	threads[1].state = THREAD_RUNNABLE;
	threads[0].state = THREAD_RUNNABLE;
	threads[0].on_cpu = true;
	assert_true(vcpu_sibling_waits(vcpu));
	script = "h";
	memset(steps, 0, sizeof(steps));
	yielded_to = NULL;
	thread.p.body(vcpu);
	assert_ptr_equal(yielded_to, &threads[1]);
	assert_string_equal(steps, "EE");
	others[0].thread = others[3].thread = NULL; /* not launched yet */
	assert_true(vcpu_sibling_waits(vcpu));
	vcpu->requests = 0;
	script = "h";
	yielded_to = NULL;
	thread.p.body(vcpu);
	assert_ptr_equal(yielded_to, &threads[1]);
	others[3].thread = &threads[3];
	threads[3].state = THREAD_RUNNABLE;
	check_favours();
	memset(vm.vcpus, 0, sizeof(vm.vcpus));
	vm.vcpu_count = 0;
	script = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_woken_while_parked),
		cmocka_unit_test(test_woken_between_look_and_park),
		cmocka_unit_test(test_sleeps_without_cause),
		cmocka_unit_test(test_starts),
		cmocka_unit_test(test_sleeps_in_a_pause),
		cmocka_unit_test(test_is_called),
		cmocka_unit_test(test_spins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
