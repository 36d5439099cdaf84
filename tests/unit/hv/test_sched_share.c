/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulator over the share policy: fairness by weight, no starvation, bounded wake-up latency. */
/* Thousands of random workloads with fixed seeds. */
/* TEST_SOURCES: hv/sched_share.c */
#include "hv/sched.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define HZ	  1000000000ul
#define TASKS_MAX 20u

struct task {
	struct sched_entity se;
	uint64_t ran;
	uint64_t longest_wait, waits_since;
};

struct sim {
	struct sched_queue q;
	struct task tasks[TASKS_MAX];
	unsigned int count;
	uint64_t now;
};

static void start(struct sim *s, unsigned int count, const uint32_t *weights)
{
	*s = (struct sim){ .count = count };
	sched_share_ops.init(&s->q, HZ);
	for (unsigned int i = 0; i < count; i++) {
		s->tasks[i].se.weight = weights[i];
		sched_share_ops.enqueue(&s->q, &s->tasks[i].se, false);
	}
}

/* Runs the next task until the policy says that another's turn has come, `step` ticks at a time. */
static struct task *run_one(struct sim *s, uint64_t step)
{
	struct task *t = container_of(sched_share_ops.pick(&s->q), struct task, se);
	uint64_t wait = s->now - t->waits_since;
	uint64_t ran = 0;

	t->longest_wait = u64_max(t->longest_wait, wait);
	do {
		ran += step;
	} while (ran < s->q.slice || !sched_share_ops.preempts(&s->q, &t->se, ran));
	sched_share_ops.charge(&s->q, &t->se, ran);
	t->ran += ran;
	s->now += ran;
	t->waits_since = s->now;
	return t;
}

static void shares_follow_weights(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned int round = 0; round < 2000; round++) {
		static struct sim s;
		uint32_t weights[TASKS_MAX], sum = 0;
		unsigned int count = 2 + (unsigned int)random() % (TASKS_MAX - 2);

		for (unsigned int i = 0; i < count; i++) {
			weights[i] = 64 + (uint32_t)random() % 960;
			sum += weights[i];
		}
		start(&s, count, weights);
		while (s.now < 10 * HZ) {
			struct task *t = run_one(&s, 500000);

			sched_share_ops.enqueue(&s.q, &t->se, false);
		}
		for (unsigned int i = 0; i < count; i++) {
			int64_t ideal = (int64_t)(s.now / sum * weights[i]);

			/* Within two slices of the ideal, whatever the mix. */
			assert_in_range((int64_t)s.tasks[i].ran - ideal + 2 * (int64_t)s.q.slice, 0,
					4 * s.q.slice);
		}
	}
}

static void nobody_starves(void **state)
{
	static struct sim s;
	uint32_t weights[TASKS_MAX];

	(void)state;
	for (unsigned int i = 0; i < TASKS_MAX; i++) {
		weights[i] = i == 0 ? 16 : 4096;
	}
	start(&s, TASKS_MAX, weights);
	while (s.now < 200 * HZ) {
		sched_share_ops.enqueue(&s.q, &run_one(&s, 500000)->se, false);
	}
	assert_true(s.tasks[0].ran > 0);
	/* Its turn comes once in sum / weight slices. */
	assert_true(s.tasks[0].longest_wait < s.q.slice * (19 * 4096 / 16 + 2));
}

/* One that sleeps most of the time preempts a busy one soon after it wakes. */
static void a_sleeper_runs_soon(void **state)
{
	static struct sim s;
	uint32_t weights[] = { 256, 256 };
	struct sched_entity *busy, *sleeper;

	(void)state;
	start(&s, 2, weights);
	busy = sched_share_ops.pick(&s.q);
	sleeper = sched_share_ops.pick(&s.q);
	sched_share_ops.charge(&s.q, busy, HZ);
	sched_share_ops.enqueue(&s.q, sleeper, true);
	assert_true(sched_share_ops.preempts(&s.q, busy, 1));
}

/* Sleeping for long earns one early turn, not the whole time slept. */
static void sleep_is_no_savings_account(void **state)
{
	static struct sim s;
	uint32_t weights[] = { 256, 256 };
	struct sched_entity *busy, *sleeper;
	struct task *t;

	(void)state;
	start(&s, 2, weights);
	busy = sched_share_ops.pick(&s.q);
	sleeper = sched_share_ops.pick(&s.q);
	sched_share_ops.charge(&s.q, busy, 100 * HZ);
	sched_share_ops.enqueue(&s.q, sleeper, true);
	sched_share_ops.enqueue(&s.q, busy, false);
	s.now = 0;
	while (s.now < HZ) {
		t = run_one(&s, 500000);
		sched_share_ops.enqueue(&s.q, &t->se, false);
	}
	t = container_of(sleeper, struct task, se);
	assert_in_range(t->ran, HZ / 2 - 2 * s.q.slice, HZ / 2 + 2 * s.q.slice);
}

static void migration_keeps_the_lead(void **state)
{
	struct sched_queue a, b;
	struct sched_entity e = { .weight = 256, .vruntime = 130 };

	(void)state;
	sched_share_ops.init(&a, HZ);
	sched_share_ops.init(&b, HZ);
	a.min_vruntime = 100;
	b.min_vruntime = 5000;
	sched_share_ops.migrate(&a, &b, &e);
	assert_int_equal(e.vruntime, 5030);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(a_sleeper_runs_soon),
		cmocka_unit_test(sleep_is_no_savings_account),
		cmocka_unit_test(migration_keeps_the_lead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
