/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the tables of a guest without firmware: checksums, pointers, and iasl as the judge of AML. */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c */
/* TEST_SOURCES: hv/mgmt/guest_acpi.c hv/mgmt/guest_aml.c hv/mgmt/guest_mptable.c */
#include "hv/lib/bytes.h"
#include "hv/mgmt/guest_acpi.h"
#include "hv/mgmt/guest_aml.h"
#include "hv/mgmt/guest_mptable.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GPA 0xe0000u

static uint8_t buf[16384];

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len-- > 0) {
		s = (uint8_t)(s + *p++);
	}
	return s;
}

static size_t build(void)
{
	memset(buf, 0, sizeof(buf));
	return guest_acpi_build(buf, sizeof(buf), GPA, 2);
}

static uint8_t *at(uint32_t gpa)
{
	assert_in_range(gpa, GPA, GPA + sizeof(buf) - 1);
	return buf + (gpa - GPA);
}

static uint8_t *table(const char *signature)
{
	uint8_t *rsdt = at(bytes_get_le32(buf + 16));
	uint32_t count = (bytes_get_le32(rsdt + 4) - 36) / 4;

	for (uint32_t i = 0; i < count; i++) {
		uint8_t *t = at(bytes_get_le32(rsdt + 36 + 4 * i));

		if (memcmp(t, signature, 4) == 0) {
			assert_int_equal(sum(t, bytes_get_le32(t + 4)), 0);
			return t;
		}
	}
	fail_msg("no %s", signature);
	return NULL;
}

static void test_rsdp_and_roots(void **state)
{
	uint8_t *rsdt, *xsdt;

	(void)state;
	assert_true(build() > 0);
	assert_memory_equal(buf, "RSD PTR ", 8);
	assert_int_equal(sum(buf, 20), 0);
	assert_int_equal(sum(buf, 36), 0);
	rsdt = at(bytes_get_le32(buf + 16));
	xsdt = at((uint32_t)bytes_get_le64(buf + 24));
	assert_memory_equal(rsdt, "RSDT", 4);
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_int_equal(sum(rsdt, bytes_get_le32(rsdt + 4)), 0);
	assert_int_equal(sum(xsdt, bytes_get_le32(xsdt + 4)), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(bytes_get_le32(rsdt + 36 + 4 * i),
				 bytes_get_le64(xsdt + 36 + 8 * i));
	}
}

static void test_fadt_says_what_the_devices_do(void **state)
{
	uint8_t *f;

	(void)state;
	build();
	f = table("FACP");
	assert_memory_equal(at(bytes_get_le32(f + 36)), "FACS", 4);
	assert_int_equal(bytes_get_le32(f + 36) % 64, 0);
	assert_memory_equal(at(bytes_get_le32(f + 40)), "DSDT", 4);
	assert_int_equal(bytes_get_le16(f + 46), 9);
	assert_int_equal(bytes_get_le32(f + 56), 0xb000);
	assert_int_equal(bytes_get_le32(f + 64), 0xb004);
	assert_int_equal(bytes_get_le32(f + 76), 0xb008);
	assert_int_equal(bytes_get_le64(f + 120), 0xcf9);
	assert_int_equal(f[128], 6);
}

static void test_madt(void **state)
{
	const uint8_t timer[] = { 2, 10, 0, 0, 2, 0, 0, 0, 0, 0 };
	const uint8_t sci[] = { 2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0 };
	uint8_t *m;

	(void)state;
	build();
	m = table("APIC");
	assert_int_equal(bytes_get_le32(m + 36), 0xfee00000);
	assert_int_equal(m[44], 0);
	assert_int_equal(m[52], 0); /* the second processor */
	assert_int_equal(m[55], 1);
	assert_int_equal(m[60], 1); /* IO-APIC */
	assert_memory_equal(m + 72, timer, sizeof(timer));
	assert_memory_equal(m + 82, sci, sizeof(sci));
}

/* Too small a buffer gives 0, at every size, and nothing is written behind it. */
static void test_every_short_buffer_is_refused(void **state)
{
	size_t full = build();

	(void)state;
	for (size_t size = 0; size < full; size++) {
		uint8_t *small = calloc(1, size + 1);

		assert_int_equal(guest_acpi_build(small, size, GPA, 2), 0);
		free(small);
	}
}

static void run(const char *dir, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && { %s; }", dir, command);
	assert_int_equal(system(line), 0);
}

static bool have_iasl(void)
{
	return system("command -v iasl >/dev/null") == 0;
}

/* Runs iasl on one table; AML is compiled again from the result, warnings being errors. */
static void disassemble(const uint8_t *t, char *text, size_t size)
{
	char dir[] = "/tmp/insula-acpi-XXXXXX";
	char path[64];
	FILE *file;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t.dat", dir);
	file = fopen(path, "wb");
	fwrite(t, 1, bytes_get_le32(t + 4), file);
	fclose(file);
	run(dir, "iasl -d t.dat >log 2>&1 || { cat log; false; }");
	run(dir,
	    "! grep -q ^DefinitionBlock t.dsl || iasl -we t.dsl >log 2>&1 || { cat log; false; }");
	snprintf(path, sizeof(path), "%s/t.dsl", dir);
	file = fopen(path, "r");
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

static char text[262144];

static void test_iasl_reads_the_dsdt(void **state)
{
	(void)state;
	if (!have_iasl()) {
		skip();
	}
	build();
	disassemble(at(bytes_get_le32(table("FACP") + 40)), text, sizeof(text));
	assert_non_null(strstr(text, "Name (\\_S5, Package (0x04)"));
	assert_non_null(strstr(text, "EisaId (\"PNP0A03\")"));
	assert_non_null(strstr(text, "EisaId (\"PNP0501\")"));
	assert_non_null(strstr(text, "EisaId (\"PNP0B00\")"));
	assert_non_null(strstr(text, "EisaId (\"PNP0303\")"));
	assert_non_null(strstr(text, "IO (Decode16"));
	assert_non_null(strstr(text, "Name (_PRT, Package (0x7C)"));
	assert_non_null(strstr(text, "WordBusNumber"));
	assert_non_null(strstr(text, "DWordMemory"));
}

static void test_iasl_reads_the_other_tables(void **state)
{
	(void)state;
	if (!have_iasl()) {
		skip();
	}
	build();
	disassemble(table("FACP"), text, sizeof(text));
	assert_non_null(strstr(text, "Reset Register Supported (V2) : 1"));
	assert_null(strstr(text, "Invalid"));
	disassemble(table("APIC"), text, sizeof(text));
	assert_non_null(strstr(text, "Interrupt Source Override"));
	assert_null(strstr(text, "Invalid"));
}

static void test_aml_integers_are_shortest(void **state)
{
	const uint8_t want[] = { 0x00, 0x01, 0x0a, 2, 0x0a, 0xff, 0x0b, 0, 1, 0x0c, 0, 0, 1, 0 };
	uint8_t out[32];
	struct guest_aml a;

	(void)state;
	guest_aml_init(&a, out, sizeof(out));
	guest_aml_integer(&a, 0);
	guest_aml_integer(&a, 1);
	guest_aml_integer(&a, 2);
	guest_aml_integer(&a, 255);
	guest_aml_integer(&a, 256);
	guest_aml_integer(&a, 65536);
	assert_true(a.ok);
	assert_int_equal(a.len, sizeof(want));
	assert_memory_equal(out, want, sizeof(want));
}

static void test_aml_unbalanced_ends_are_seen(void **state)
{
	uint8_t out[64];
	struct guest_aml a;

	(void)state;
	guest_aml_init(&a, out, sizeof(out));
	guest_aml_end(&a);
	assert_false(a.ok);
	guest_aml_init(&a, out, sizeof(out));
	for (unsigned int i = 0; i <= GUEST_AML_DEPTH; i++) {
		guest_aml_package(&a, 1);
	}
	assert_false(a.ok);
}

static void test_mptable(void **state)
{
	size_t len;

	(void)state;
	memset(buf, 0, sizeof(buf));
	len = guest_mptable_build(buf, sizeof(buf), 0xf0000, 2);
	assert_true(len > 60);
	assert_memory_equal(buf, "_MP_", 4);
	assert_int_equal(sum(buf, 16), 0);
	assert_int_equal(bytes_get_le32(buf + 4), 0xf0010);
	assert_memory_equal(buf + 16, "PCMP", 4);
	assert_int_equal(bytes_get_le16(buf + 20), len - 16);
	assert_int_equal(sum(buf + 16, len - 16), 0);
	assert_int_equal(bytes_get_le16(buf + 16 + 34), 2 + 2 + 1 + 15 + 124 + 2);
	for (size_t size = 0; size < len; size++) {
		uint8_t *small = calloc(1, size + 1);

		assert_int_equal(guest_mptable_build(small, size, 0xf0000, 2), 0);
		free(small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsdp_and_roots),
		cmocka_unit_test(test_fadt_says_what_the_devices_do),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_every_short_buffer_is_refused),
		cmocka_unit_test(test_iasl_reads_the_dsdt),
		cmocka_unit_test(test_iasl_reads_the_other_tables),
		cmocka_unit_test(test_aml_integers_are_shortest),
		cmocka_unit_test(test_aml_unbalanced_ends_are_seen),
		cmocka_unit_test(test_mptable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
