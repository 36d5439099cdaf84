/* SPDX-License-Identifier: BSD-2-Clause */
/* Which CPU a thread runs on: placing the woken, balancing the busy, stealing for the idle. */
/* When a thread runs there is thread_run.c's, in what order the policy's. */
#include "hv/thread_place.h"

#include "arch/clock.h"
#include "hv/thread_run.h"

bool thread_place_may(const struct thread *t, unsigned int cpu)
{
	return t->p.cpus == 0 || (t->p.cpus >> cpu & 1);
}

static unsigned int next_cpu(unsigned int cpu)
{
	return cpu + 1 < thread_run_count ? cpu + 1 : 0;
}

static bool may_go(struct sched_entity *e, void *arg)
{
	const struct thread *t = thread_of(e);

	return thread_place_may(t, *(const unsigned int *)arg) &&
	       !__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE);
}

/* [r->lock] How far it has come; UINT64_MAX while it idles. */
static uint64_t level_of(struct cpu_run *r, uint64_t now)
{
	struct thread *t = r->current;

	if (t != &r->idle) {
		return thread_policy->level(&r->q, &t->se, now > t->since ? now - t->since : 0);
	}
	return r->q.count == 0 ? UINT64_MAX : thread_policy->level(&r->q, NULL, 0);
}

/* [r->lock] What it is owed, `level` being how far another has come, is kept within limits. */
static void catch_up(struct cpu_run *r, uint64_t now, uint64_t level)
{
	struct thread *t = r->current;

	if (level == UINT64_MAX) {
		return;
	}
	if (t == &r->idle) {
		thread_policy->catch_up(&r->q, NULL, 0, level);
	} else {
		thread_policy->catch_up(&r->q, &t->se, now > t->since ? now - t->since : 0, level);
	}
}

/* How far `cpu` has come, which is told how far this one has; 0 if that cannot be known now. */
static uint64_t ask_level(unsigned int cpu, uint64_t mine, uint64_t now)
{
	struct cpu_run *r = &thread_runs[cpu];
	uint64_t level;

	if (!r->online || !spin_trylock(&r->lock)) {
		return 0;
	}
	level = level_of(r, now);
	if (level != UINT64_MAX) {
		catch_up(r, now, mine);
	}
	spin_unlock(&r->lock);
	return level;
}

/* Moves e, in r's queue or NULL, to that CPU's. [r->lock, given up]; false if there is none. */
static bool hand_over(struct cpu_run *r, unsigned int cpu, struct sched_entity *e)
{
	if (e != NULL) {
		thread_policy->dequeue(&r->q, e);
		thread_policy->migrate(&thread_runs[cpu].q, e);
		__atomic_store_n(&thread_of(e)->cpu, cpu, __ATOMIC_RELEASE);
	}
	spin_unlock(&r->lock);
	if (e != NULL) {
		thread_run_enqueue(thread_of(e), false);
	}
	return e != NULL;
}

/* Gives a thread that lags behind that level to the CPU that has it. */
static bool give_away(struct cpu_run *r, unsigned int cpu, uint64_t level)
{
	spin_lock(&r->lock);
	catch_up(r, clock_now(), level);
	return hand_over(r, cpu, thread_policy->surplus(&r->q, level, may_go, &cpu));
}

static uint64_t my_level(struct cpu_run *r, uint64_t now)
{
	uint64_t level;

	spin_lock(&r->lock);
	level = level_of(r, now);
	spin_unlock(&r->lock);
	return level;
}

/* [r->lock] */
static unsigned int urgent_count(struct cpu_run *r, uint64_t now)
{
	struct thread *t = r->current;

	return thread_policy->urgent_count(&r->q, t != &r->idle ? &t->se : NULL,
					   now > t->since ? now - t->since : 0);
}

/* Gives one whose reservation presses to that CPU. */
static bool give_urgent(struct cpu_run *r, unsigned int cpu)
{
	spin_lock(&r->lock);
	return hand_over(r, cpu, thread_policy->urgent(&r->q, may_go, &cpu));
}

static bool has_urgent(unsigned int cpu, uint64_t now)
{
	struct cpu_run *r = &thread_runs[cpu];
	bool has;

	spin_lock(&r->lock);
	has = urgent_count(r, now) > 0;
	spin_unlock(&r->lock);
	return has;
}

/* Two reservations press on this CPU at once: one goes where none does. */
static void spread_urgent(struct cpu_run *r, uint64_t now)
{
	unsigned int me = cpu_id(), count;

	spin_lock(&r->lock);
	count = urgent_count(r, now);
	spin_unlock(&r->lock);
	if (count < 2) {
		return;
	}
	for (unsigned int cpu = next_cpu(me); cpu != me; cpu = next_cpu(cpu)) {
		if (thread_runs[cpu].online && !has_urgent(cpu, now) && give_urgent(r, cpu)) {
			return;
		}
	}
}

void thread_place_balance(struct cpu_run *r)
{
	uint64_t now = clock_now();
	uint64_t mine;

	if (r->q.count == 0 || r->current == &r->idle || now < r->balance_at) {
		return;
	}
	r->balance_at = now + r->q.slice;
	if (r->q.reserved > 0) {
		spread_urgent(r, now);
	}
	mine = my_level(r, now);
	for (unsigned int i = 1; i < thread_run_count; i++) {
		uint64_t level;

		r->balance_to = next_cpu(r->balance_to);
		if (r->balance_to == cpu_id()) {
			r->balance_to = next_cpu(r->balance_to);
		}
		level = ask_level(r->balance_to, mine, now);
		if (level != 0 && give_away(r, r->balance_to, level)) {
			return;
		}
	}
}

unsigned int thread_place_choose(const struct thread *t)
{
	unsigned int cpu = t->cpu;

	for (unsigned int i = 0; i < thread_run_count; i++, cpu = next_cpu(cpu)) {
		if (thread_runs[cpu].online && thread_runs[cpu].current == &thread_runs[cpu].idle &&
		    thread_runs[cpu].q.count == 0 && thread_place_may(t, cpu)) {
			return cpu;
		}
	}
	return t->cpu;
}

void thread_place_woken(struct thread *t)
{
	unsigned int cpu = t->cpu;

	if (!__atomic_load_n(&t->on_cpu, __ATOMIC_ACQUIRE)) {
		cpu = thread_place_choose(t);
	}
	if (cpu != t->cpu) {
		thread_policy->migrate(&thread_runs[cpu].q, &t->se);
		__atomic_store_n(&t->cpu, cpu, __ATOMIC_RELEASE);
	}
}

/* ---- CPUs that idle ---- */

static uint64_t idlers; /* mask of the CPUs that sleep, or look for work a last time; atomic */

/* Those that wait there for others: one of them an idle CPU is about to run itself. */
static unsigned int waiting(const struct cpu_run *r)
{
	unsigned int count = __atomic_load_n(&r->q.count, __ATOMIC_RELAXED);

	return r->current == &r->idle && count > 0 ? count - 1 : count;
}

/* Takes one waiting thread from another CPU that may run here. */
static struct thread *steal_from(struct cpu_run *victim, unsigned int me)
{
	struct sched_entity *e;

	if (!victim->online || waiting(victim) == 0) {
		return NULL;
	}
	spin_lock(&victim->lock);
	e = waiting(victim) > 0 ? thread_policy->surplus(&victim->q, UINT64_MAX, may_go, &me)
				: NULL;
	if (e != NULL) {
		thread_policy->dequeue(&victim->q, e);
		thread_policy->migrate(&thread_runs[me].q, e);
		__atomic_store_n(&thread_of(e)->cpu, me, __ATOMIC_RELEASE);
	}
	spin_unlock(&victim->lock);
	return e != NULL ? thread_of(e) : NULL;
}

/*
 * It is announced first and looked for work then; whoever lets a thread wait does it the other way
 * round (thread_place_offer): one of the two sees the other.
 */
void thread_place_idle(void)
{
	unsigned int me = cpu_id();

	__atomic_fetch_or(&idlers, BIT(me), __ATOMIC_SEQ_CST);
	for (unsigned int cpu = next_cpu(me); cpu != me; cpu = next_cpu(cpu)) {
		struct thread *t = steal_from(&thread_runs[cpu], me);

		if (t != NULL) {
			thread_run_enqueue(t, false);
			return;
		}
	}
}

void thread_place_busy(void)
{
	__atomic_fetch_and(&idlers, ~BIT(cpu_id()), __ATOMIC_SEQ_CST);
}

/* One of the sleepers, which it wakes, may run one that waits in r. False if there is none. */
static bool offer_to(struct cpu_run *r, unsigned int cpu)
{
	struct sched_entity *e;

	spin_lock(&r->lock);
	e = thread_policy->surplus(&r->q, UINT64_MAX, may_go, &cpu);
	spin_unlock(&r->lock);
	if (e == NULL || !(__atomic_fetch_and(&idlers, ~BIT(cpu), __ATOMIC_SEQ_CST) & BIT(cpu))) {
		return false;
	}
	cpu_kick(cpu);
	return true;
}

void thread_place_offer(struct cpu_run *r)
{
	uint64_t asleep;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (waiting(r) == 0) {
		return;
	}
	asleep = __atomic_load_n(&idlers, __ATOMIC_RELAXED) & ~BIT(r - thread_runs);
	while (asleep != 0) {
		unsigned int cpu = (unsigned int)__builtin_ctzl(asleep);

		if (offer_to(r, cpu)) {
			return;
		}
		asleep &= asleep - 1;
	}
}
