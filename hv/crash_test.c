/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways to crash that tests/system/test_panic.py asks for, each in a thread of its own. */
/* What is then printed is the business of those who print it. */
#include "hv/crash_test.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "hv/base/log.h"
#include "hv/base/panic.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define OPTION	 "crash="
#define NOT_HERE 0xffffffff00000000ul /* canonical, never mapped */
#define NO_END	 (1ul << 40)	      /* depth never reached */
#define SETTLE	 1000000ul	      /* ns; lets the other CPUs go idle first */

static volatile uint64_t depth;

static __attribute__((noinline)) void crash_by_bug(void)
{
	BUG_ON(depth == 0);
}

static __attribute__((noinline)) void crash_by_fault(void)
{
	*(volatile uint64_t *)NOT_HERE = depth;
}

/* Its result is used after the call: no tail call, so each takes its piece of the stack. */
static __attribute__((noinline)) uint64_t crash_by_recursion(uint64_t n)
{
	volatile uint64_t piece[32];

	piece[n % 32] = n;
	if (n == NO_END) {
		return n;
	}
	return crash_by_recursion(n + 1) + piece[depth % 32];
}

static void crash_by_stack(void)
{
	depth = crash_by_recursion(0);
}

/* Never opens an interrupt window. */
static __attribute__((noinline)) void crash_by_hang(void)
{
	for (;;) {
		depth++;
	}
}

static const struct crash {
	const char *name;
	void (*crash)(void);
	bool elsewhere; /* on the last CPU, not the first */
} crashes[] = {
	{ "bug", crash_by_bug, false },
	{ "fault", crash_by_fault, true },
	{ "stack", crash_by_stack, false },
	{ "hang", crash_by_hang, true },
};

static void crash(void *arg)
{
	const struct crash *c = arg;

	thread_sleep(SETTLE);
	c->crash();
	log_printf(LOG_BUG, "crash=%s did not crash", c->name);
}

static const struct crash *wanted(const char *how)
{
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++) {
		if (string_starts_with(how, crashes[i].name)) {
			return &crashes[i];
		}
	}
	return NULL;
}

void crash_test_start(const char *options)
{
	const char *option = strstr(options, OPTION);
	const struct crash *c = option != NULL ? wanted(option + strlen(OPTION)) : NULL;
	struct thread_params p = { .name = "crash", .body = crash, .arg = (void *)(uintptr_t)c };
	struct thread *t;

	if (option == NULL) {
		return;
	}
	if (c == NULL) {
		log_printf(LOG_HOST, "the option %.40s is none of crash=bug, fault, stack, hang",
			   option);
		return;
	}
	log_printf(LOG_INFO, "as the boot options say: crashing by %s", c->name);
	p.cpus = 1ul << (c->elsewhere ? cpu_count() - 1 : 0);
	BUG_ON(thread_create(&t, &p) != 0);
}
