/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulator over the share policy: fairness by weight, no starvation, bounded wake-up latency. */
/* Thousands of random workloads with fixed seeds. */
/* TEST_SOURCES: hv/sched_share.c hv/sched_budget.c */
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

/* Two that give each other their turn all the time, as vCPUs do that wait for one another. */
static void a_favour_costs_others_little(void **state)
{
	static struct sim s;
	uint32_t weights[] = { 256, 256, 256, 256 };
	struct task *t;

	(void)state;
	start(&s, 4, weights);
	t = &s.tasks[0];
	sched_share_ops.dequeue(&s.q, &t->se);
	while (s.now < 10 * HZ) {
		struct task *friend = &s.tasks[t == &s.tasks[0] ? 1 : 0];

		sched_share_ops.charge(&s.q, &t->se, 100000);
		t->ran += 100000;
		s.now += 100000;
		sched_share_ops.enqueue(&s.q, &t->se, false);
		if (t <= &s.tasks[1] && sched_share_ops.favours(&s.q, &friend->se)) {
			sched_share_ops.dequeue(&s.q, &friend->se);
			t = friend;
		} else {
			t = container_of(sched_share_ops.pick(&s.q), struct task, se);
		}
	}
	for (unsigned int i = 0; i < 4; i++) {
		assert_in_range(s.tasks[i].ran, s.now / 4 - 2 * s.q.slice,
				s.now / 4 + 2 * s.q.slice);
	}
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

/* ---- several CPUs ---- */

static void migration_keeps_what_is_owed_within_limits(void **state)
{
	struct sched_queue to;
	struct sched_entity e = { .weight = 256, .vruntime = 130 };

	(void)state;
	sched_share_ops.init(&to, HZ);
	to.min_vruntime = 100 * to.slice; /* 20 slices are the most */
	sched_share_ops.migrate(&to, &e);
	assert_int_equal(e.vruntime, 80 * to.slice);
	e.vruntime = 85 * to.slice;
	sched_share_ops.migrate(&to, &e);
	assert_int_equal(e.vruntime, 85 * to.slice);
	e.vruntime = 130 * to.slice;
	sched_share_ops.migrate(&to, &e);
	assert_int_equal(e.vruntime, 130 * to.slice);
}

#define CPUS_MAX 4u

/* As hv/thread.c does it: each CPU runs a slice, picks, then looks at the others. */
struct machine {
	struct sched_queue q[CPUS_MAX];
	struct task *runs[CPUS_MAX];
	struct task tasks[TASKS_MAX];
	unsigned int cpus, count, look[CPUS_MAX];
	uint64_t now;
};

static uint64_t level_of(const struct machine *m, unsigned int cpu)
{
	if (m->runs[cpu] == NULL) {
		return UINT64_MAX;
	}
	return sched_share_ops.level(&m->q[cpu], &m->runs[cpu]->se, 0);
}

static bool give_away(struct machine *m, unsigned int from, unsigned int to)
{
	uint64_t level = level_of(m, to);
	struct sched_entity *e;

	if (level != UINT64_MAX) {
		sched_share_ops.catch_up(&m->q[to], &m->runs[to]->se, 0, level_of(m, from));
		sched_share_ops.catch_up(&m->q[from], &m->runs[from]->se, 0, level);
	}
	e = sched_share_ops.surplus(&m->q[from], level, NULL, NULL);
	if (e != NULL) {
		sched_share_ops.dequeue(&m->q[from], e);
		sched_share_ops.migrate(&m->q[to], e);
		sched_share_ops.enqueue(&m->q[to], e, false);
	}
	return e != NULL;
}

static void balance(struct machine *m, unsigned int cpu)
{
	for (unsigned int i = 0; i < m->cpus; i++) {
		m->look[cpu] = (m->look[cpu] + 1) % m->cpus;
		if (m->look[cpu] != cpu && give_away(m, cpu, m->look[cpu])) {
			return;
		}
	}
}

static void end_slice(struct machine *m, unsigned int cpu)
{
	struct task *t = m->runs[cpu];

	if (t != NULL) {
		sched_share_ops.enqueue(&m->q[cpu], &t->se, false);
	}
	m->runs[cpu] = NULL;
	if (m->q[cpu].count > 0) {
		m->runs[cpu] = container_of(sched_share_ops.pick(&m->q[cpu]), struct task, se);
	}
	if (m->q[cpu].count > 0) {
		balance(m, cpu);
	}
}

static void run_slice(struct machine *m)
{
	uint64_t slice = m->q[0].slice;

	for (unsigned int cpu = 0; cpu < m->cpus; cpu++) {
		if (m->runs[cpu] != NULL) {
			sched_share_ops.charge(&m->q[cpu], &m->runs[cpu]->se, slice);
			m->runs[cpu]->ran += slice;
		}
	}
	m->now += slice;
	for (unsigned int cpu = 0; cpu < m->cpus; cpu++) {
		end_slice(m, cpu);
	}
}

/* Task i on CPU i / first to begin with: all on the first one, or spread. */
static void start_machine(struct machine *m, unsigned int cpus, unsigned int count,
			  unsigned int first)
{
	m->cpus = cpus;
	m->count = count;
	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		sched_share_ops.init(&m->q[cpu], HZ);
	}
	for (unsigned int i = 0; i < count; i++) {
		sched_share_ops.enqueue(&m->q[i / first % cpus], &m->tasks[i].se, false);
	}
	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		end_slice(m, cpu);
	}
}

/* What each should get, in CPUs: by weight, but nobody more than one CPU. */
static void fill_water(const uint32_t *weights, unsigned int count, double cpus, double *ideal)
{
	bool full[TASKS_MAX] = { false };

	for (bool again = true; again;) {
		double sum = 0, left = cpus;

		again = false;
		for (unsigned int i = 0; i < count; i++) {
			sum += full[i] ? 0 : weights[i];
			left -= full[i] ? 1 : 0;
		}
		for (unsigned int i = 0; i < count; i++) {
			ideal[i] = full[i] ? 1 : left * weights[i] / sum;
			if (!full[i] && ideal[i] > 1) {
				full[i] = true;
				again = true;
			}
		}
	}
}

static void check_start(unsigned int cpus, unsigned int count, const uint32_t *weights,
			double error, unsigned int first)
{
	static struct machine m;
	double ideal[TASKS_MAX];

	m = (struct machine){ .now = 0 };
	for (unsigned int i = 0; i < count; i++) {
		m.tasks[i].se.weight = weights[i];
	}
	start_machine(&m, cpus, count, first);
	while (m.now < 20 * HZ) {
		run_slice(&m);
	}
	fill_water(weights, count, cpus < count ? cpus : count, ideal);
	for (unsigned int i = 0; i < count; i++) {
		double got = (double)m.tasks[i].ran / (double)m.now;

		if (got < ideal[i] * (1 - error) || got > ideal[i] * (1 + error)) {
			print_error(
				"%u CPUs, %u to begin with, task %u of %u, weight %u: %.4f, not %.4f\n",
				cpus, first, i, count, weights[i], got, ideal[i]);
			fail();
		}
	}
}

static void check_shares(unsigned int cpus, unsigned int count, const uint32_t *weights,
			 double error)
{
	for (unsigned int first = 1; first <= count; first++) {
		check_start(cpus, count, weights, error, first);
	}
}

static void busy_ones_share_all_cpus(void **state)
{
	static const uint32_t same[TASKS_MAX] = {
		256, 256, 256, 256, 256, 256, 256, 256, 256, 256
	};
	static const uint32_t mix[] = { 256, 512, 1024 };
	static const uint32_t pairs[] = { 128, 128, 256, 256, 512, 512 };

	(void)state;
	check_shares(2, 5, same, 0.01);
	check_shares(2, 3, same, 0.01);
	check_shares(4, 10, same, 0.01);
	check_shares(4, 5, same, 0.01);
	check_shares(4, 3, same, 0.01);
	check_shares(2, 3, mix, 0.01); /* 1/3, 2/3, 1 */
	check_shares(1, 3, mix, 0.01);
	check_shares(2, 6, pairs, 0.01);
}

static void random_mixes_share_all_cpus(void **state)
{
	(void)state;
	srandom(2);
	for (unsigned int round = 0; round < 300; round++) {
		unsigned int cpus = 2 + (unsigned int)random() % (CPUS_MAX - 1);
		unsigned int count = cpus + 1 + (unsigned int)random() % 8;
		uint32_t weights[TASKS_MAX];

		for (unsigned int i = 0; i < count; i++) {
			weights[i] = 64u << (unsigned int)random() % 4;
		}
		check_shares(cpus, count, weights, 0.04);
	}
}

/* One that lags without end (alone, it cannot use more than a CPU) is not paid for that later. */
static void old_debts_are_forgotten(void **state)
{
	static struct machine m;
	uint64_t before[3];

	(void)state;
	m = (struct machine){ .now = 0 };
	m.tasks[0].se.weight = 65536;
	m.tasks[1].se.weight = 256;
	m.tasks[2].se.weight = 256;
	start_machine(&m, 2, 3, 3);
	while (m.now < 100 * HZ) {
		run_slice(&m);
	}
	m.tasks[0].se.weight = 256;
	for (unsigned int i = 0; i < 3; i++) {
		before[i] = m.tasks[i].ran;
	}
	while (m.now < 110 * HZ) {
		run_slice(&m);
	}
	for (unsigned int i = 0; i < 3; i++) {
		assert_in_range(m.tasks[i].ran - before[i], 60 * HZ / 10, 73 * HZ / 10);
	}
}

/* Two VMs of one weight, of one and of three vCPUs, on one CPU: half each, however many want to run. */
static void a_group_shares_one_weight(void **state)
{
	static struct sim s;
	struct sched_group group = { .weight = 256, .runnable = 3 };
	uint32_t weights[] = { 256, 256, 256, 256 };

	(void)state;
	start(&s, 4, weights);
	for (unsigned int i = 1; i < 4; i++) {
		s.tasks[i].se.group = &group;
	}
	while (s.now < 10 * HZ) {
		sched_share_ops.enqueue(&s.q, &run_one(&s, 500000)->se, false);
	}
	assert_in_range(s.tasks[0].ran, 49 * HZ / 10, 51 * HZ / 10);
	for (unsigned int i = 1; i < 4; i++) {
		assert_in_range(s.tasks[i].ran, 16 * HZ / 10, 17 * HZ / 10);
	}
	/* Two of the three go to sleep: the last has the VM's whole weight. */
	group.runnable = 1;
	sched_share_ops.dequeue(&s.q, &s.tasks[1].se);
	sched_share_ops.dequeue(&s.q, &s.tasks[2].se);
	while (s.now < 20 * HZ) {
		sched_share_ops.enqueue(&s.q, &run_one(&s, 500000)->se, false);
	}
	assert_in_range(s.tasks[0].ran, 98 * HZ / 10, 102 * HZ / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(a_favour_costs_others_little),
		cmocka_unit_test(a_sleeper_runs_soon),
		cmocka_unit_test(sleep_is_no_savings_account),
		cmocka_unit_test(migration_keeps_what_is_owed_within_limits),
		cmocka_unit_test(busy_ones_share_all_cpus),
		cmocka_unit_test(random_mixes_share_all_cpus),
		cmocka_unit_test(old_debts_are_forgotten),
		cmocka_unit_test(a_group_shares_one_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
