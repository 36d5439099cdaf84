/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the byte-order helpers at every alignment, and that they touch no byte beyond theirs. */
/* Does not check speed. */
#include "hv/lib/bytes.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_little_endian(void **state)
{
	const uint8_t raw[8] = { 1, 2, 3, 4, 5, 6, 7, 0x88 };

	(void)state;
	assert_int_equal(bytes_get_le16(raw), 0x0201);
	assert_int_equal(bytes_get_le32(raw), 0x04030201);
	assert_true(bytes_get_le64(raw) == 0x8807060504030201);
	assert_int_equal(bytes_get_le(raw + 5, 3), 0x880706);
	assert_int_equal(bytes_get_le(raw, 0), 0);
}

static void test_put_stays_inside(void **state)
{
	(void)state;
	for (unsigned int offset = 0; offset < 8; offset++) {
		uint8_t raw[16] = { 0 };

		bytes_put_le32(raw + offset, 0xa1b2c3d4);
		assert_int_equal(bytes_get_le32(raw + offset), 0xa1b2c3d4);
		for (unsigned int i = 0; i < 16; i++) {
			if (i < offset || i >= offset + 4) {
				assert_int_equal(raw[i], 0);
			}
		}
	}
}

static void test_round_trip(void **state)
{
	uint8_t raw[8];

	(void)state;
	bytes_put_le16(raw, 0xfffe);
	assert_int_equal(bytes_get_le16(raw), 0xfffe);
	bytes_put_le64(raw, 0xfedcba9876543210);
	assert_true(bytes_get_le64(raw) == 0xfedcba9876543210);
	assert_int_equal(raw[0], 0x10);
	assert_int_equal(raw[7], 0xfe);
}

static void test_sum(void **state)
{
	static const uint8_t raw[] = { 0xff, 0x80, 0x82, 0x01 };

	(void)state;
	assert_int_equal(bytes_sum(raw, 0), 0);
	assert_int_equal(bytes_sum(raw, 2), 0x7f);
	assert_int_equal(bytes_sum(raw, 4), 0x02);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_little_endian),
		cmocka_unit_test(test_put_stays_inside),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
