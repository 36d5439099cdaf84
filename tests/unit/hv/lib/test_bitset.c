/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets against an array of booleans. */
/* At sizes on both sides of a word and of a summary word. */
#include "hv/lib/bitset.h"

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t sizes[] = { 1, 63, 64, 65, 4095, 4096, 4097, 9000 };
static uint64_t memory[200];
static bool has[9000];
static struct bitset set;

static uint32_t naive_next(uint32_t n)
{
	while (n < set.size && !has[n]) {
		n++;
	}
	return n < set.size ? n : set.size;
}

static uint32_t naive_run(uint32_t n, uint32_t max)
{
	uint32_t len = 0;

	while (len < max && n + len < set.size && has[n + len]) {
		len++;
	}
	return len;
}

static void check_all(void)
{
	for (uint32_t n = 0; n < set.size; n += 1 + (uint32_t)random() % 40) {
		uint32_t max = (uint32_t)random() % 200;

		assert_int_equal(bitset_next(&set, n), naive_next(n));
		assert_int_equal(bitset_run(&set, n, max), naive_run(n, max));
	}
	assert_int_equal(bitset_next(&set, set.size), set.size);
	assert_int_equal(bitset_run(&set, set.size, 5), 0);
}

/* Runs of members come and go, from an empty set to a full one and back. */
static void agrees_with_an_array(void **state)
{
	(void)state;
	srandom(5);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(memory, 0, sizeof(memory));
		memset(has, 0, sizeof(has));
		assert_true(bitset_words(sizes[i]) <= ARRAY_SIZE(memory));
		bitset_init(&set, memory, sizes[i]);
		check_all();
		for (unsigned int step = 0; step < 300; step++) {
			uint32_t from = (uint32_t)random() % set.size;
			uint32_t len = (uint32_t)random() % 300;
			bool add = step < 150 || random() % 5 == 0;

			for (uint32_t n = from; n < set.size && n < from + len; n++) {
				has[n] = add;
				(add ? bitset_add : bitset_remove)(&set, n);
			}
			check_all();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(agrees_with_an_array) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
