/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32C against the vectors of RFC 3720 and against a bit-by-bit one, at every split. */
/* TEST_SOURCES: hv/lib/crc32c.c */
#include "hv/lib/crc32c.h"

#include <cmocka.h>
#include <string.h>

/* RFC 3720, "CRC Examples" (there the sums are in byte order of the wire). */
static void vectors(void **state)
{
	uint8_t buf[32];

	(void)state;
	memset(buf, 0, sizeof(buf));
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x8a9136aa);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x62a8ab43);
	for (unsigned int i = 0; i < sizeof(buf); i++) {
		buf[i] = (uint8_t)i;
	}
	assert_int_equal(crc32c(0, buf, sizeof(buf)), 0x46dd794e);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

static uint32_t slow(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len * 8; i++) {
		uint32_t bit = (crc ^ p[i / 8] >> i % 8) & 1;

		crc = crc >> 1 ^ (bit != 0 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void splits(void **state)
{
	uint8_t buf[67];

	(void)state;
	for (unsigned int i = 0; i < sizeof(buf); i++) {
		buf[i] = (uint8_t)(i * 151 + 7);
	}
	for (size_t at = 0; at <= sizeof(buf); at++) {
		uint32_t crc = crc32c(crc32c(0, buf, at), buf + at, sizeof(buf) - at);

		assert_int_equal(crc, slow(buf, sizeof(buf)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(splits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
