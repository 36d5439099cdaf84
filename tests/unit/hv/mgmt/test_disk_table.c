/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk that answers, one that answers late, one that never does: how long the console waits for each. */
/* Tables have a test of their own. */
/* TEST_SOURCES: hv/mgmt/disk_table.c tests/unit/fakes/fake_heap.c */
#include "arch/clock.h"
#include "drivers/host/host_disk.h"
#include "hv/lib/errno.h"
#include "hv/mgmt/disk_table.h"
#include "hv/thread.h"
#include "tests/unit/fakes/fake_heap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ul

static struct host_disk disk = { .name = "ahci0" }, other = { .name = "ahci1" };
static uint64_t now, answers_at; /* ns: when a disk answers whose table is being read */
static int answer;
static struct thread threads[2];
static bool alive[2];

uint64_t clock_now(void)
{
	return now;
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
	return ns;
}

struct thread *thread_current(void)
{
	return NULL;
}

void thread_unpark(struct thread *t)
{
	assert_null(t);
}

int thread_create(struct thread **out, const struct thread_params *p)
{
	unsigned int i = alive[0] ? 1 : 0;

	assert_false(alive[i]);
	alive[i] = true;
	threads[i].p = *p;
	*out = &threads[i];
	return 0;
}

void thread_join(struct thread *t)
{
	assert_true(alive[t - threads]);
	alive[t - threads] = false;
}

/* Lets time pass up to the answer, which wakes the console. */
void thread_park_until(uint64_t deadline)
{
	now = u64_min(deadline, u64_max(now, answers_at));
	for (unsigned int i = 0; i < ARRAY_SIZE(threads) && now >= answers_at; i++) {
		if (alive[i] && threads[i].p.body != NULL) {
			threads[i].p.body(threads[i].p.arg);
			threads[i].p.body = NULL;
		}
	}
}

int partition_read(struct block_dev *d, struct partition_table *out, const char **why)
{
	out->count = d == &disk.dev ? 3 : 4;
	*why = "the answer";
	return answer;
}

static int setup(void **state)
{
	(void)state;
	now = 100 * SECOND;
	answers_at = 0;
	answer = 0;
	fake_heap_limit = ~0ul;
	return 0;
}

/* Whatever was begun ends once the disk answers. */
static int teardown(void **state)
{
	struct partition_table t;
	const char *why;

	(void)state;
	answers_at = now;
	thread_park_until(now);
	(void)disk_table_read(&disk, &t, &why);
	(void)disk_table_read(&other, &t, &why);
	assert_int_equal(fake_heap_live, 0);
	assert_false(alive[0] || alive[1]);
	return 0;
}

static int look(struct host_disk *d, unsigned int *count, const char **why)
{
	struct partition_table t = { .count = 0 };
	int err = disk_table_read(d, &t, why);

	*count = t.count;
	return err;
}

static void test_answers(void **state)
{
	const char *why = NULL;
	unsigned int count;

	(void)state;
	answers_at = now + 4 * SECOND;
	assert_int_equal(look(&disk, &count, &why), 0);
	assert_int_equal(count, 3);
	assert_int_equal(now, answers_at);
	answer = -EIO;
	assert_int_equal(look(&disk, &count, &why), -EIO);
	assert_string_equal(why, "the answer");
}

/* It waits 5 s, once; others' tables are read meanwhile, and its own when it lives again. */
static void test_dead(void **state)
{
	uint64_t begun = now;
	const char *why = NULL;
	unsigned int count;

	(void)state;
	answers_at = now + 65 * SECOND;
	assert_int_equal(look(&disk, &count, &why), -ETIMEDOUT);
	assert_string_equal(why, "no answer in 5 s");
	assert_int_equal(now, begun + 5 * SECOND);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(look(&disk, &count, &why), -ETIMEDOUT);
		assert_string_equal(why, "still no answer");
	}
	assert_int_equal(now, begun + 5 * SECOND);
	assert_int_equal(look(&other, &count, &why), -ETIMEDOUT);
	assert_int_equal(now, begun + 10 * SECOND);
	answers_at = now;
	thread_park_until(now); /* both answer */
	assert_int_equal(look(&disk, &count, &why), 0);
	assert_int_equal(count, 3);
	assert_int_equal(look(&other, &count, &why), 0);
	assert_int_equal(count, 4);
}

static void test_no_memory(void **state)
{
	const char *why = NULL;
	unsigned int count;

	(void)state;
	fake_heap_limit = 0;
	assert_int_equal(look(&disk, &count, &why), -ENOMEM);
	assert_string_equal(why, "too little memory");
	fake_heap_limit = ~0ul;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
