/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUs that use memory while one of them gives it away and takes it back: each sees its own writes or zeros, */
/* all see the same, and none sees what was there before the memory left. */
#include "guests/balloon/balloon.h"
#include "guests/lib/cpu.h"
#include "guests/lib/lapic.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"

#define OLD 0x0ddba11ddba110ul

static unsigned int cpus;
static uint32_t ready, given, wrong; /* atomic */
static uint64_t last[SMP_CPUS][PAGES];

static void count_wrong(bool is)
{
	if (is) {
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
}

static void set(uint32_t *flag)
{
	__atomic_add_fetch(flag, 1, __ATOMIC_SEQ_CST);
}

static void wait_for(const uint32_t *flag, uint32_t val)
{
	while (__atomic_load_n(flag, __ATOMIC_SEQ_CST) < val) {
		__asm__ volatile("pause");
	}
}

/* In an order of its own, each CPU adds one to a word that all share. */
static void add_one(unsigned int cpu)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		unsigned int page = (i * (2 * cpu + 1) + cpu * 100) % PAGES;

		__atomic_add_fetch(balloon_word(CHUNK, page, 0), 1, __ATOMIC_SEQ_CST);
	}
}

static void check_sums(uint64_t expected)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		count_wrong(*balloon_word(CHUNK, i, 0) != expected);
	}
}

/* Where pages are not there any more, a word counts from 0; never does an old count come back. */
static void count_in_each(unsigned int cpu)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		uint64_t old = __atomic_fetch_add(balloon_word(CHUNK, i, cpu), 1, __ATOMIC_SEQ_CST);

		count_wrong(old != last[cpu][i] && old != 0);
		last[cpu][i] = old + 1;
	}
}

static void use_while_given(unsigned int cpu)
{
	if (cpu == 0) {
		wait_for(&ready, cpus - 1);
		balloon_send_chunk(CHUNK);
		set(&given);
		return;
	}
	count_in_each(cpu);
	set(&ready);
	while (__atomic_load_n(&given, __ATOMIC_SEQ_CST) == 0) {
		count_in_each(cpu);
	}
	count_in_each(cpu);
}

static bool sees_old(void)
{
	bool old = false;

	for (unsigned int i = 0; i < PAGES; i++) {
		old |= *(volatile uint64_t *)balloon_word(CHUNK, i, 7) == OLD;
	}
	return old;
}

/* The others have translated all of it; it leaves as one piece. */
static void learn(unsigned int cpu)
{
	if (cpu != 0) {
		count_wrong(!sees_old());
		set(&ready);
		wait_for(&given, 1);
		return;
	}
	wait_for(&ready, cpus - 1);
	balloon_send_chunk(CHUNK);
	set(&given);
}

static void stale_after_exit(unsigned int cpu)
{
	learn(cpu);
	(void)cpu_cpuid(0, 0); /* no hypervisor can enter it again with what it knew */
	count_wrong(sees_old());
}

/* The hypervisor ends it of its own accord, without an exit of the guest's making. */
static void stale_in_the_end(unsigned int cpu)
{
	uint64_t start = cpu_tsc();

	learn(cpu);
	while (sees_old()) {
		if (cpu_tsc() - start > SMP_PATIENCE) {
			count_wrong(true);
			return;
		}
	}
}

static void touch_while_taken_back(unsigned int cpu)
{
	if (cpu == 0) {
		balloon_begin(DEFLATE);
		balloon_send_chunk(CHUNK);
		balloon_begin(INFLATE);
	}
	add_one(cpu);
}

/* ---- rows ---- */

static void fill_old(void)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		*balloon_word(CHUNK, i, 7) = OLD;
	}
}

static void give(void)
{
	balloon_send_chunk(CHUNK);
}

static void clear(void)
{
	for (uint64_t *p = (uint64_t *)CHUNK; p < (uint64_t *)(CHUNK + PAGES * PAGE); p++) {
		*p = 0;
	}
	for (unsigned int i = 0; i < SMP_CPUS * PAGES; i++) {
		last[i / PAGES][i % PAGES] = 0;
	}
}

static const struct {
	const char *name;
	void (*before)(void);
	smp_job_fn *all;
	bool sums; /* afterwards each page has one of each CPU in its first word */
} rows[] = {
	{ "race: pages touched by all at once", give, add_one, true },
	{ "race: pages used while they go", clear, use_while_given, false },
	{ "race: no old page after an exit", fill_old, stale_after_exit, false },
	{ "race: no old page in the end", fill_old, stale_in_the_end, false },
	{ "race: pages touched while they come back", give, touch_while_taken_back, true },
};

void balloon_race(unsigned int count, unsigned int rounds)
{
	cpus = count;
	lapic_init();
	balloon_check(smp_start(cpus), "all CPUs came up");
	for (unsigned int i = 0; i < rounds * ARRAY_SIZE(rows); i++) {
		unsigned int n = i % ARRAY_SIZE(rows);

		ready = given = wrong = 0;
		rows[n].before();
		balloon_check(smp_all(rows[n].all), rows[n].name);
		if (rows[n].sums) {
			check_sums(cpus);
		}
		balloon_check(wrong == 0, rows[n].name);
	}
}
