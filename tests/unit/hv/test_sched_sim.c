/* SPDX-License-Identifier: BSD-2-Clause */
/* A simulator over the share policy as hv/thread.c drives it: caps, reservations, wake-up latency. */
/* Event by event in virtual time; thousands of random mixes with fixed seeds. */
/* TEST_SOURCES: hv/sched_share.c hv/sched_budget.c */
#include "hv/sched.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define HZ	   1000000000ul
#define MS	   (HZ / 1000)
#define CPUS_MAX   4u
#define GROUPS_MAX 24u
#define TASKS_MAX  48u
#define SLICE	   (5 * MS)
#define BUSY	   UINT64_MAX

struct task {
	struct sched_entity se;
	struct sched_group *group;
	unsigned int cpu;
	uint64_t burst; /* ticks it runs before it sleeps; BUSY: never */
	uint64_t rest;	/* ticks it sleeps */
	uint64_t left;	/* of its burst */
	uint64_t wakes; /* at; 0: it does not sleep */
	uint64_t woken; /* at; 0: it has run since */
	uint64_t ran;
	uint64_t longest; /* from waking to running */
};

struct cpu {
	struct sched_queue q;
	struct task *runs;
	uint64_t since;
};

static struct {
	struct cpu cpus[CPUS_MAX];
	struct task tasks[TASKS_MAX];
	struct sched_group groups[GROUPS_MAX];
	unsigned int cpu_count, task_count;
	uint64_t now;
} m;

static const struct sched_ops *const ops = &sched_share_ops;

static uint64_t until(const struct cpu *c)
{
	return ops->until(&c->q, c->runs != NULL ? &c->runs->se : NULL, c->since);
}

/* The running one stops; it goes on later or sleeps. */
static void stop(struct cpu *c)
{
	struct task *t = c->runs;
	uint64_t ran = m.now - c->since;

	ops->charge(&c->q, &t->se, ran);
	t->ran += ran;
	t->left -= t->burst != BUSY ? ran : 0;
	c->runs = NULL;
	if (t->left == 0 && t->burst != BUSY) {
		t->wakes = m.now + t->rest;
		t->group->runnable--;
	} else {
		ops->enqueue(&c->q, &t->se, false);
	}
}

static void run_next(struct cpu *c)
{
	struct sched_entity *e = ops->pick(&c->q);

	c->since = m.now;
	if (e != NULL) {
		c->runs = container_of(e, struct task, se);
		ops->begin(&c->q, e);
		if (c->runs->woken != 0) {
			c->runs->longest = u64_max(c->runs->longest, m.now - c->runs->woken);
			c->runs->woken = 0;
		}
	}
}

static void look(struct cpu *c)
{
	ops->advance(&c->q, m.now);
	if (c->runs != NULL) {
		stop(c);
	}
	run_next(c);
}

static void wake(struct task *t)
{
	struct cpu *c = &m.cpus[t->cpu];

	t->wakes = 0;
	t->woken = m.now;
	t->left = t->burst;
	t->group->runnable++;
	ops->advance(&c->q, m.now);
	ops->enqueue(&c->q, &t->se, true);
	if (c->runs == NULL || ops->preempts(&c->q, &c->runs->se, m.now - c->since)) {
		look(c);
	}
}

static uint64_t next_event(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int i = 0; i < m.cpu_count; i++) {
		const struct cpu *c = &m.cpus[i];

		next = u64_min(next, until(c));
		if (c->runs != NULL && c->runs->burst != BUSY) {
			next = u64_min(next, c->since + c->runs->left);
		}
	}
	for (unsigned int i = 0; i < m.task_count; i++) {
		next = u64_min(next, m.tasks[i].wakes != 0 ? m.tasks[i].wakes : UINT64_MAX);
	}
	return next;
}

static void run_until(uint64_t end)
{
	uint64_t next;

	while ((next = next_event()) < end) {
		m.now = u64_max(m.now, next);
		for (unsigned int i = 0; i < m.task_count; i++) {
			if (m.tasks[i].wakes != 0 && m.tasks[i].wakes <= m.now) {
				wake(&m.tasks[i]);
			}
		}
		for (unsigned int i = 0; i < m.cpu_count; i++) {
			struct cpu *c = &m.cpus[i];
			bool done = c->runs != NULL && c->runs->burst != BUSY &&
				    c->since + c->runs->left <= m.now;

			if (done || until(c) <= m.now) {
				look(c);
			}
		}
	}
	m.now = end;
}

static void begin(unsigned int cpus)
{
	memset(&m, 0, sizeof(m));
	m.cpu_count = cpus;
	m.now = HZ; /* a machine that is up for a second */
	for (unsigned int i = 0; i < cpus; i++) {
		ops->init(&m.cpus[i].q, HZ);
		ops->advance(&m.cpus[i].q, m.now);
	}
}

static struct task *add(unsigned int group, unsigned int cpu, uint64_t burst, uint64_t rest)
{
	struct task *t = &m.tasks[m.task_count++];

	*t = (struct task){ .group = &m.groups[group], .cpu = cpu, .burst = burst, .rest = rest };
	t->se.group = t->group;
	t->se.weight = t->group->weight = t->group->weight != 0 ? t->group->weight : 256;
	t->left = burst;
	t->group->runnable++;
	ops->enqueue(&m.cpus[cpu].q, &t->se, false);
	return t;
}

static uint64_t ran(unsigned int group)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m.task_count; i++) {
		sum += m.tasks[i].group == &m.groups[group] ? m.tasks[i].ran : 0;
	}
	for (unsigned int i = 0; i < m.cpu_count; i++) {
		const struct task *t = m.cpus[i].runs;

		sum += t != NULL && t->group == &m.groups[group] ? m.now - m.cpus[i].since : 0;
	}
	return sum;
}

static void go(uint64_t ticks)
{
	for (unsigned int i = 0; i < m.cpu_count; i++) {
		if (m.cpus[i].runs == NULL) {
			look(&m.cpus[i]);
		}
	}
	run_until(m.now + ticks);
}

/* ---- work for a group that is not its own ---- */

/* It works for another group from now on, having none; a hypervisor's thread. */
static struct task *add_helper(unsigned int group, unsigned int cpu, uint64_t burst, uint64_t rest)
{
	struct task *t = add(group, cpu, burst, rest);

	t->se.group = NULL;
	ops->help(&m.cpus[cpu].q, &t->se, t->group);
	return t;
}

/*
 * Groups of random weights, each with one that is busy. The first has ten times as much done for it, by
 * up to four others that are busy or sleep at times: all get what they get without.
 */
static void what_is_done_for_one_others_do_not_pay(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 200; seed++) {
		unsigned int groups = 2 + seed % 4, helpers = 1 + seed % 3;
		uint64_t sum = 0;

		srand(seed);
		begin(1);
		for (unsigned int g = 0; g < groups; g++) {
			m.groups[g].weight = 128u << rand() % 3;
			sum += m.groups[g].weight;
			add(g, 0, BUSY, 0);
		}
		m.groups[0].cap.percent = seed % 2 != 0 ? 100 : 0; /* it does not hold them up */
		add_helper(0, 0, BUSY, 0);
		for (unsigned int i = 0; i < helpers; i++) {
			add_helper(0, 0, (1 + (unsigned int)rand() % 20) * MS, MS);
		}
		go(20 * HZ);
		for (unsigned int g = 0; g < groups; g++) {
			uint64_t ideal = 20 * HZ * m.groups[g].weight / sum;
			uint64_t spare = 20 * HZ / 100 + 4 * SLICE;

			assert_in_range(ran(g), g == 0 ? 0 : ideal - spare,
					g == 0 ? ideal + spare : 20 * HZ);
		}
	}
}

/* The console's thread saves a VM of the least weight; then it answers as it did before. */
static void what_a_helper_owes_stays_with_the_group(void **state)
{
	struct task *console;

	(void)state;
	begin(1);
	add(0, 0, BUSY, 0);
	m.groups[1].weight = 1;
	console = add_helper(1, 0, 3 * SLICE, 10 * MS);
	m.groups[1].runnable = 1;
	go(2 * HZ);
	console->group = &m.groups[2];
	console->burst = MS;
	console->left = u64_min(console->left, MS);
	ops->help(&m.cpus[0].q, &console->se, NULL);
	console->se.weight = 256;
	go(HZ / 10); /* it wakes, if it slept */
	console->longest = 0;
	go(HZ);
	assert_in_range(console->longest, 0, 2 * SLICE);
	assert_true(console->ran >= HZ / 20);
}

/* ---- caps ---- */

/* One alone: exactly its cap, in ten seconds and in every tenth of one. */
static void a_cap_holds_alone(void **state)
{
	(void)state;
	for (uint32_t cap = 1; cap < 100; cap++) {
		uint64_t last = 0;

		begin(1);
		m.groups[0].cap.percent = cap;
		add(0, 0, BUSY, 0);
		for (unsigned int i = 0; i < 100; i++) {
			uint64_t now;

			go(HZ / 10);
			now = ran(0);
			assert_true(now - last <= HZ / 1000 * cap + 2 * SLICE);
			last = now;
		}
		/* Within 1 %, or the slice that it had at the start. */
		assert_in_range(last, cap * HZ / 10 - cap * HZ / 1000,
				cap * HZ / 10 + u64_max(cap * HZ / 1000, 2 * SLICE));
	}
}

/* Several vCPUs on several CPUs, others beside them: what is capped stays so, and gets it if it can. */
static void caps_hold_in_random_mixes(void **state)
{
	(void)state;
	srandom(5);
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int cpus = 1 + (unsigned int)random() % CPUS_MAX;
		unsigned int vcpus = 1 + (unsigned int)random() % cpus;
		uint32_t cap = 5 + (uint32_t)random() % (100 * vcpus - 5);
		uint64_t begun;

		begin(cpus);
		m.groups[0].cap.percent = cap;
		for (unsigned int i = 0; i < vcpus; i++) {
			add(0, i, BUSY, 0);
		}
		for (unsigned int i = vcpus; i < cpus; i++) {
			add(1, i, BUSY, 0);
		}
		go(HZ);
		begun = ran(0);
		go(10 * HZ);
		assert_in_range(ran(0) - begun, cap * HZ / 10 / 100 * 99,
				cap * HZ / 10 / 100 * 101);
	}
}

/* The vCPUs of a capped VM get the same, wherever they run. */
static void a_cap_is_shared_among_vcpus(void **state)
{
	struct task *a, *b;

	(void)state;
	for (uint32_t cap = 10; cap < 200; cap += 10) {
		begin(2);
		m.groups[0].cap.percent = cap;
		a = add(0, 0, BUSY, 0);
		b = add(0, 1, BUSY, 0);
		go(10 * HZ);
		assert_in_range(a->ran, b->ran / 100 * 97, b->ran / 100 * 103);
	}
}

/* What a VM that rested may do at once is a slice or two. */
static void rest_is_no_savings_account(void **state)
{
	uint64_t before;

	(void)state;
	begin(1);
	m.groups[0].cap.percent = 20;
	add(0, 0, 50 * MS, 5 * HZ);
	go(5 * HZ + HZ / 2);
	before = ran(0);
	go(100 * MS);
	assert_true(ran(0) - before <= 20 * MS + 2 * SLICE);
}

/* ---- reservations ---- */

static void a_reservation_holds_among_twenty(void **state)
{
	(void)state;
	for (uint32_t reserve = 10; reserve <= 90; reserve += 10) {
		uint64_t begun;

		begin(1);
		m.groups[0].reserve.percent = reserve;
		add(0, 0, BUSY, 0);
		for (unsigned int i = 1; i <= 20; i++) {
			add(i, 0, BUSY, 0);
		}
		go(HZ);
		begun = ran(0);
		go(10 * HZ);
		assert_true(ran(0) - begun >= reserve * HZ / 10 / 100 * 99);
		/* The others share what is left. */
		for (unsigned int i = 1; i <= 20; i++) {
			assert_true(ran(i) > (100 - reserve) * 11 * HZ / 100 / 20 / 2);
		}
	}
}

/* It sleeps, and within its reservation it runs at once when it wakes. */
static void a_reserved_sleeper_wakes_within_a_slice(void **state)
{
	(void)state;
	srandom(6);
	for (unsigned int round = 0; round < 300; round++) {
		uint32_t reserve = 10 + (uint32_t)random() % 80;
		uint64_t burst = MS / 10 + (uint64_t)random() % (4 * MS);
		struct task *t;

		begin(1);
		m.groups[0].reserve.percent = reserve;
		t = add(0, 0, burst, burst * 100 / reserve + 1);
		for (unsigned int i = 1; i <= 20; i++) {
			add(i, 0, BUSY, 0);
		}
		go(20 * HZ);
		assert_true(t->longest <= SLICE);
	}
}

/* Any number of reservations that fit, busy or not: each has what it is promised. */
static void random_reservations_hold(void **state)
{
	(void)state;
	srandom(7);
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int count = 2 + (unsigned int)random() % 8;
		uint64_t begun[GROUPS_MAX];
		uint32_t left = 95;

		begin(1);
		for (unsigned int i = 0; i < count; i++) {
			uint32_t reserve = (uint32_t)random() % (left / 2 + 1);

			m.groups[i].weight = 16u << random() % 8;
			m.groups[i].reserve.percent = reserve;
			left -= reserve;
			add(i, 0, BUSY, 0);
		}
		go(2 * HZ);
		for (unsigned int i = 0; i < count; i++) {
			begun[i] = ran(i);
		}
		go(10 * HZ);
		for (unsigned int i = 0; i < count; i++) {
			uint64_t promised = m.groups[i].reserve.percent * HZ / 10;

			assert_true(ran(i) - begun[i] + SLICE >= promised / 100 * 99);
		}
	}
}

/* ---- latency and starvation ---- */

/* Who sleeps more than its share runs soon after it wakes, however many are busy. */
static void a_light_sleeper_preempts(void **state)
{
	(void)state;
	srandom(8);
	for (unsigned int round = 0; round < 500; round++) {
		unsigned int busy = 1 + (unsigned int)random() % 20;
		uint64_t burst = 10000 + (uint64_t)random() % MS;
		struct task *t;

		begin(1);
		t = add(0, 0, burst, 3 * burst * (busy + 1));
		for (unsigned int i = 1; i <= busy; i++) {
			add(i, 0, BUSY, 0);
		}
		go(HZ); /* until all have run */
		t->longest = 0;
		go(10 * HZ);
		assert_true(t->longest <= SLICE);
	}
}

/* Whatever the mix of weights, caps, reservations and sleeps: everybody runs. */
static void nobody_starves(void **state)
{
	(void)state;
	srandom(9);
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int count = 2 + (unsigned int)random() % 20;
		unsigned int cpus = 1 + (unsigned int)random() % CPUS_MAX;
		uint64_t sum = 0;

		begin(cpus);
		for (unsigned int i = 0; i < count; i++) {
			bool sleeps = random() % 3 == 0;

			m.groups[i].weight = 32u << random() % 6;
			m.groups[i].cap.percent =
				random() % 4 == 0 ? 5 + (uint32_t)random() % 90 : 0;
			m.groups[i].reserve.percent =
				random() % 4 == 0 ? 1 + (uint32_t)random() % (80 / count) : 0;
			add(i, i % cpus, sleeps ? 1 + (uint64_t)random() % (20 * MS) : BUSY,
			    sleeps ? 1 + (uint64_t)random() % (20 * MS) : 0);
		}
		go(5 * HZ);
		for (unsigned int i = 0; i < count; i++) {
			assert_true(ran(i) > 0);
			sum += ran(i);
		}
		assert_true(sum <= cpus * 5 * HZ);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_done_for_one_others_do_not_pay),
		cmocka_unit_test(what_a_helper_owes_stays_with_the_group),
		cmocka_unit_test(a_cap_holds_alone),
		cmocka_unit_test(caps_hold_in_random_mixes),
		cmocka_unit_test(a_cap_is_shared_among_vcpus),
		cmocka_unit_test(rest_is_no_savings_account),
		cmocka_unit_test(a_reservation_holds_among_twenty),
		cmocka_unit_test(a_reserved_sleeper_wakes_within_a_slice),
		cmocka_unit_test(random_reservations_hold),
		cmocka_unit_test(a_light_sleeper_preempts),
		cmocka_unit_test(nobody_starves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
