/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations are admitted if and only if they fit: judged by trying all sets of CPUs. */
/* Random masks on up to six CPUs. */
/* TEST_SOURCES: hv/sched_admit.c */
#include "hv/sched_admit.h"

#include <cmocka.h>
#include <stdlib.h>

#define CPUS 6u
#define MAX  8u

/* Every set of CPUs, not only unions of masks. */
static bool fits(const struct sched_claim *claims, unsigned int count)
{
	for (uint64_t set = 1; set < BIT(CPUS); set++) {
		uint32_t sum = 0;

		for (unsigned int i = 0; i < count; i++) {
			sum += (claims[i].cpus & ~set) == 0 ? claims[i].percent : 0;
		}
		if (sum > 100 * u64_bits(set)) {
			return false;
		}
	}
	return true;
}

static void all_that_fit_are_admitted(void **state)
{
	unsigned int refused = 0, admitted = 0;

	(void)state;
	srandom(4);
	for (unsigned int round = 0; round < 20000; round++) {
		struct sched_claim claims[MAX];
		struct sched_shortage s;
		unsigned int count = 1 + (unsigned int)random() % (MAX - 1);

		for (unsigned int i = 0; i < count; i++) {
			claims[i].cpus = 1 + (uint64_t)random() % (BIT(CPUS) - 1);
			claims[i].percent = (uint32_t)random() % 180;
		}
		if (!fits(claims + 1, count - 1)) {
			continue; /* the others fit without the new one */
		}
		assert_int_equal(sched_admit(claims, count, &s), fits(claims, count));
		refused += !fits(claims, count);
		admitted += fits(claims, count);
	}
	assert_true(refused > 500 && admitted > 500);
}

static void a_shortage_names_its_sums(void **state)
{
	struct sched_claim claims[] = { { 3, 60 }, { 3, 100 }, { 1, 50 }, { 4, 90 } };
	struct sched_shortage s;

	(void)state;
	assert_false(sched_admit(claims, 4, &s));
	assert_int_equal(s.cpus, 3);
	assert_int_equal(s.percent, 210);
	claims[0].percent = 50;
	assert_true(sched_admit(claims, 4, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_fit_are_admitted),
		cmocka_unit_test(a_shortage_names_its_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
