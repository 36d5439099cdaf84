/* SPDX-License-Identifier: BSD-2-Clause */
/* The pairing heap of timers: order, cancelling, moving, bounds of one alarm. */
/* Checked against a sorted model over random operations. */
/* TEST_SOURCES: hv/timer.c hv/base/lock.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
#include "hv/timer.h"

#include "arch/clock.h"
#include "hv/thread.h"
#include "tests/unit/fakes/fake_arch.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define TIMERS 200u

struct probe {
	struct timer t;
	unsigned int fired;
	uint64_t wanted; /* deadline that the model knows; 0: not set */
};

static struct probe probes[TIMERS];
static uint64_t last_fired;

/* The timer whose fn another CPU is about to finish, having set the timer again; or NULL. */
static struct timer *running_elsewhere;

void thread_checkpoint(void)
{
	struct timer *t = running_elsewhere;

	running_elsewhere = NULL;
	if (t != NULL) {
		timer_set(t, fake_now + 1);
		t->running--;
	}
}

static void note(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, t);

	p->fired++;
	assert_int_equal(p->wanted, t->deadline);
	assert_true(t->deadline >= last_fired);
	assert_true(t->deadline <= fake_now);
	last_fired = t->deadline;
	p->wanted = 0;
}

static int setup(void **state)
{
	(void)state;
	fake_cpu = 0;
	fake_now = 0;
	last_fired = 0;
	timer_init_cpu();
	for (unsigned int i = 0; i < TIMERS; i++) {
		probes[i] = (struct probe){ 0 };
		timer_init(&probes[i].t, note);
	}
	return 0;
}

static uint64_t model_next(void)
{
	uint64_t next = CLOCK_NEVER;

	for (unsigned int i = 0; i < TIMERS; i++) {
		if (probes[i].wanted != 0 && probes[i].wanted < next) {
			next = probes[i].wanted;
		}
	}
	return next;
}

static void drain(void)
{
	for (unsigned int i = 0; i < TIMERS; i++) {
		if (timer_cancel(&probes[i].t)) {
			probes[i].wanted = 0;
		}
	}
	assert_int_equal(timer_next(), CLOCK_NEVER);
}

static void random_operations_match_a_sorted_model(void **state)
{
	(void)state;
	srandom(7);
	for (unsigned int step = 0; step < 200000; step++) {
		struct probe *p = &probes[(unsigned long)random() % TIMERS];

		switch (random() % 4) {
		case 0:
		case 1:
			p->wanted = fake_now + 1 + (uint64_t)random() % 1000;
			timer_set(&p->t, p->wanted);
			break;
		case 2:
			assert_int_equal(timer_cancel(&p->t), p->wanted != 0);
			p->wanted = 0;
			break;
		default:
			fake_now += (uint64_t)random() % 20;
			timer_alarm();
			assert_true(fake_armed == timer_next());
			break;
		}
		assert_int_equal(timer_next(), model_next());
	}
	drain();
}

static void each_fires_once_in_order(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TIMERS; i++) {
		probes[i].wanted = 1 + i * 7919 % 1000;
		timer_set(&probes[i].t, probes[i].wanted);
	}
	fake_now = 1000;
	for (unsigned int i = 0; i < 10; i++) {
		timer_alarm();
	}
	for (unsigned int i = 0; i < TIMERS; i++) {
		assert_int_equal(probes[i].fired, 1);
	}
	assert_int_equal(fake_armed, CLOCK_NEVER);
}

static struct timer stubborn;
static unsigned int stubborn_fired;

static void set_in_the_past(struct timer *t)
{
	stubborn_fired++;
	timer_set(t, 1);
}

static void one_alarm_is_bounded(void **state)
{
	(void)state;
	timer_init(&stubborn, set_in_the_past);
	timer_set(&stubborn, 1);
	fake_now = 100;
	timer_alarm();
	assert_in_range(stubborn_fired, 1, 64);
	assert_int_equal(fake_armed, 1);
	assert_true(timer_cancel(&stubborn));
}

static void a_timer_moves_to_the_cpu_that_sets_it(void **state)
{
	(void)state;
	probes[0].wanted = 50;
	timer_set(&probes[0].t, 50);
	fake_cpu = 1;
	timer_init_cpu();
	probes[0].wanted = 60;
	timer_set(&probes[0].t, 60);
	assert_int_equal(timer_next(), 60);
	fake_cpu = 0;
	assert_int_equal(timer_next(), CLOCK_NEVER);
	assert_true(timer_cancel(&probes[0].t));
	fake_cpu = 1;
	assert_int_equal(timer_next(), CLOCK_NEVER);
}

static void a_destroyed_timer_is_not_set_again_by_its_last_call(void **state)
{
	struct timer *t = &probes[0].t;

	(void)state;
	t->running = 1;
	running_elsewhere = t;
	timer_destroy(t);
	assert_int_equal(t->running, 0);
	assert_false(timer_is_set(t));
	assert_true(timer_next() == CLOCK_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_operations_match_a_sorted_model, setup),
		cmocka_unit_test_setup(each_fires_once_in_order, setup),
		cmocka_unit_test_setup(one_alarm_is_bounded, setup),
		cmocka_unit_test_setup(a_destroyed_timer_is_not_set_again_by_its_last_call, setup),
		cmocka_unit_test_setup(a_timer_moves_to_the_cpu_that_sets_it, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
