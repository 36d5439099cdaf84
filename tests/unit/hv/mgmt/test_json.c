/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON: nesting, commas, and every kind of byte in a string. */
/* The system test has the values parsed by another implementation. */
/* TEST_SOURCES: hv/mgmt/json.c hv/mgmt/shell_out.c hv/mgmt/utf8.c hv/lib/fmt.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/hv/mgmt/capture.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hv/mgmt/capture.h"
#include "hv/mgmt/json.h"

static void test_nesting(void **state)
{
	struct capture c = { 0 };
	struct shell_out out = capture_out(&c);
	struct json j;

	(void)state;
	json_begin(&j, &out);
	json_array(&j, NULL);
	json_object(&j, NULL);
	json_string(&j, "name", "a");
	json_u64(&j, "n", UINT64_MAX);
	json_array(&j, "list");
	json_end(&j);
	json_bool(&j, "yes", true);
	json_end(&j);
	json_object(&j, NULL);
	json_i64(&j, "m", INT64_MIN);
	json_string(&j, "none", NULL);
	json_finish(&j);
	assert_string_equal(c.text, "[{\"name\":\"a\",\"n\":18446744073709551615,\"list\":[],"
				    "\"yes\":true},{\"m\":-9223372036854775808,\"none\":null}]\n");
}

static void test_strings(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "\"\\/", "\"\\\"\\\\/\"" },
		{ "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
		{ "\x01\x1b\x1f\x7f", "\"\\u0001\\u001b\\u001f\\u007f\"" },
		{ "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80",
		  "\"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\"" },
		{ "a\xff"
		  "b\xc3",
		  "\"a\\ufffdb\\ufffd\"" },
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct capture c = { 0 };
		struct shell_out out = capture_out(&c);
		struct json j;

		json_begin(&j, &out);
		json_string(&j, NULL, cases[i].in);
		assert_string_equal(c.text, cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
