/* SPDX-License-Identifier: BSD-2-Clause */
/* The block function against the test vectors of RFC 8439, 2.3.2 and A.1. */
/* TEST_SOURCES: hv/lib/chacha20.c */
#include "hv/lib/chacha20.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_block(void **state)
{
	static const uint8_t want[] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
		0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
		0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
		0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
		0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
	};
	const uint32_t nonce[] = { 0x09000000, 0x4a000000, 0 };
	uint32_t key[CHACHA20_KEY];
	uint8_t out[CHACHA20_BLOCK];

	(void)state;
	for (uint32_t i = 0; i < CHACHA20_KEY; i++) {
		key[i] = (4 * i) | (4 * i + 1) << 8 | (4 * i + 2) << 16 | (4 * i + 3) << 24;
	}
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, want, sizeof(want));
}

static void test_zeros(void **state)
{
	static const uint8_t want[] = { 0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
					0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28 };
	const uint32_t key[CHACHA20_KEY] = { 0 }, nonce[CHACHA20_NONCE] = { 0 };
	uint8_t out[CHACHA20_BLOCK];

	(void)state;
	chacha20_block(key, 0, nonce, out);
	assert_memory_equal(out, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_zeros),
	};

	return cmocka_run_group_tests_name("chacha20", tests, NULL, NULL);
}
