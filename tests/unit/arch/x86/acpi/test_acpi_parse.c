/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the ACPI table readers with good tables and with hostile ones. */
/* Memory is a small buffer at a made-up address; reads outside it are the sanitizer's to find. */
/* TEST_SOURCES: arch/x86/acpi/acpi_parse.c arch/x86/acpi/acpi_madt.c arch/x86/acpi/acpi_s5.c */
#include "arch/x86/acpi/acpi_parse.h"
#include "arch/x86/acpi/acpi_tables.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BASE	 0x7fe0000ul
#define MEM_SIZE 16384u

static uint8_t mem[MEM_SIZE];
static size_t used;
static unsigned int complaints;
static struct acpi_info info;
static void *copies[1024]; /* what map handed out: exact size, so that any overrun is caught */
static unsigned int copy_count;

static const void *map(uint64_t hpa, uint64_t size)
{
	if (hpa < BASE || !range_within(hpa - BASE, size, MEM_SIZE)) {
		return NULL;
	}
	void *copy = malloc(size);

	memcpy(copy, mem + (hpa - BASE), size);
	assert_true(copy_count < ARRAY_SIZE(copies));
	copies[copy_count++] = copy;
	return copy;
}

static void complain(const char *signature, const char *why)
{
	assert_non_null(signature);
	assert_non_null(why);
	complaints++;
}

static const struct acpi_source source = { map, complain };

static int setup(void **state UNUSED)
{
	memset(mem, 0, sizeof(mem));
	used = 0;
	complaints = 0;
	return 0;
}

static int teardown(void **state UNUSED)
{
	while (copy_count > 0) {
		free(copies[--copy_count]);
	}
	return 0;
}

static void fix_checksum(uint8_t *p, size_t size, uint8_t *sum)
{
	uint8_t total = 0;

	*sum = 0;
	for (size_t i = 0; i < size; i++) {
		total = (uint8_t)(total + p[i]);
	}
	*sum = (uint8_t)-total;
}

/* A table with that body behind its header; returns its address. */
static uint64_t put(const char *signature, uint8_t revision, const void *body, size_t size)
{
	uint8_t *p = mem + used;

	memcpy(p, signature, 4);
	bytes_put_le32(p + 4, (uint32_t)(36 + size));
	p[8] = revision;
	memcpy(p + 36, body, size);
	fix_checksum(p, 36 + size, p + 9);
	used += ALIGN_UP(36 + size, 16);
	assert_true(used <= MEM_SIZE);
	return BASE + (uint64_t)(p - mem);
}

static void refresh(uint64_t table)
{
	uint8_t *p = mem + (table - BASE);

	fix_checksum(p, bytes_get_le32(p + 4), p + 9);
}

static uint64_t put_root(unsigned int entry, const uint64_t *tables, unsigned int count)
{
	uint8_t body[512];

	for (unsigned int i = 0; i < count; i++) {
		bytes_put_le(body + i * entry, entry, tables[i]);
	}
	return put(entry == 8 ? "XSDT" : "RSDT", 1, body, count * entry);
}

static void make_rsdp(uint8_t *r, uint8_t revision, uint64_t rsdt, uint64_t xsdt)
{
	memset(r, 0, 36);
	memcpy(r, "RSD PTR ", 8);
	r[15] = revision;
	bytes_put_le32(r + 16, (uint32_t)rsdt);
	bytes_put_le32(r + 20, 36);
	bytes_put_le64(r + 24, xsdt);
	fix_checksum(r, 20, r + 8);
	fix_checksum(r, 36, r + 32);
}

static int parse(unsigned int entry, const uint64_t *tables, unsigned int count)
{
	uint8_t rsdp[36];
	uint64_t root = put_root(entry, tables, count);

	make_rsdp(rsdp, entry == 8 ? 2 : 0, entry == 4 ? root : 0, entry == 8 ? root : 0);
	return acpi_parse(&source, rsdp, sizeof(rsdp), &info);
}

/* DSDT with Name (_S5, Package (4) { 5, Zero, 0, 0 }) between other code. */
static const uint8_t dsdt_aml[] = { 0x10, 0x20, '_',  'S',  '5',  '_', 0x08, '\\', '_', 'S', '5',
				    '_',  0x12, 0x07, 0x04, 0x0a, 5,   0x00, 0x0a, 0,	0x00 };

static uint64_t put_fadt(uint8_t revision, size_t size)
{
	uint8_t body[276 - 36] = { 0 };
	uint64_t dsdt = put("DSDT", 1, dsdt_aml, sizeof(dsdt_aml));

	bytes_put_le32(body + 40 - 36, (uint32_t)dsdt);
	bytes_put_le32(body + 48 - 36, 0xb2);
	body[52 - 36] = 0xf1;
	bytes_put_le32(body + 64 - 36, 0x604);
	bytes_put_le32(body + 76 - 36, 0x608);
	body[89 - 36] = 2;
	body[91 - 36] = 4;
	body[108 - 36] = 0x32;
	bytes_put_le16(body + 109 - 36, 2);
	bytes_put_le32(body + 112 - 36, 1u << 10 | 1u << 8);
	body[116 - 36] = ACPI_SPACE_IO;
	body[117 - 36] = 8;
	bytes_put_le64(body + 120 - 36, 0xcf9);
	body[128 - 36] = 6;
	bytes_put_le64(body + 140 - 36, dsdt);
	body[172 - 36] = ACPI_SPACE_IO;
	body[173 - 36] = 16;
	bytes_put_le64(body + 176 - 36, 0x1804);
	return put("FACP", revision, body, size - 36);
}

static const uint8_t madt_body[] = {
	0,  0,	0xe0, 0xfe, 1,	  0, 0,	   0, /* local APIC at FEE00000, 8259 present */
	0,  8,	0,    0,    1,	  0, 0,	   0, /* CPU 0, APIC id 0 */
	0,  8,	1,    4,    1,	  0, 0,	   0, /* CPU 1, APIC id 4 */
	0,  8,	2,    6,    0,	  0, 0,	   0, /* disabled */
	9,  16, 0,    0,    0x23, 1, 0,	   0,	 1,  0, 0, 0,
	3,  0,	0,    0, /* x2APIC id 123h, UID 3 */
	9,  16, 0,    0,    4,	  0, 0,	   0,	 1,  0, 0, 0,
	1,  0,	0,    0,				      /* APIC id 4 once more */
	1,  12, 2,    0,    0,	  0, 0xc0, 0xfe, 0,  0, 0, 0, /* I/O APIC 2 at FEC00000 */
	2,  10, 0,    0,    2,	  0, 0,	   0,	 0,  0,	      /* ISA 0 is GSI 2 */
	2,  10, 0,    9,    9,	  0, 0,	   0,	 15, 0,	      /* ISA 9: level, low */
	2,  10, 0,    200,  9,	  0, 0,	   0,	 15, 0,	      /* no such ISA interrupt */
	4,  6,	0xff, 5,    0,	  1, /* NMI on everybody's LINT1, edge, high */
	4,  6,	1,    0xf,  0,	  7, /* no such LINT */
	99, 3,	0,		     /* unknown */
};

static void reads_everything_by_xsdt(void **state UNUSED)
{
	uint8_t hpet[20] = { 0 };

	bytes_put_le64(hpet + 8, 0xfed00000);
	const uint64_t tables[] = { put_fadt(4, 276), put("HPET", 1, hpet, sizeof(hpet)),
				    put("APIC", 3, madt_body, sizeof(madt_body)) };

	assert_int_equal(parse(8, tables, 3), 0);
	assert_int_equal(complaints, 0);
	assert_true(info.found);
	assert_int_equal(info.cpu_count, 3);
	assert_int_equal(info.cpus_ignored, 1);
	assert_int_equal(info.cpus[0].apic_id, 0);
	assert_int_equal(info.cpus[1].apic_id, 4);
	assert_int_equal(info.cpus[2].apic_id, 0x123);
	assert_int_equal(info.cpus[2].uid, 3);
	assert_int_equal(info.lapic_base, 0xfee00000);
	assert_true(info.has_8259);
	assert_int_equal(info.ioapic_count, 1);
	assert_int_equal(info.ioapics[0].id, 2);
	assert_int_equal(info.ioapics[0].base.v, 0xfec00000);
	assert_int_equal(info.isa[0].gsi, 2);
	assert_false(info.isa[0].level);
	assert_int_equal(info.isa[1].gsi, 1);
	assert_true(info.isa[9].level && info.isa[9].active_low);
	assert_int_equal(info.nmi_count, 1);
	assert_int_equal(info.nmis[0].uid, ACPI_ALL_CPUS);
	assert_int_equal(info.nmis[0].lint, 1);
	assert_false(info.nmis[0].active_low);
	assert_int_equal(info.hpet.v, 0xfed00000);
	assert_int_equal(info.pm_timer.address, 0x608);
	assert_true(info.pm_timer_32bit);
	assert_int_equal(info.pm1a_cnt.address, 0x1804); /* the extended field wins */
	assert_int_equal(info.pm1b_cnt.address, 0);
	assert_int_equal(info.reset.address, 0xcf9);
	assert_int_equal(info.reset_value, 6);
	assert_int_equal(info.century, 0x32);
	assert_true(info.has_8042);
	assert_true(info.has_s5);
	assert_int_equal(info.s5_typ_a, 5);
	assert_int_equal(info.s5_typ_b, 0);
}

static void reads_revision_1_by_rsdt(void **state UNUSED)
{
	const uint64_t tables[] = { put_fadt(1, 116) };

	assert_int_equal(parse(4, tables, 1), 0);
	assert_int_equal(info.pm1a_cnt.address, 0x604);
	assert_int_equal(info.pm1a_cnt.space, ACPI_SPACE_IO);
	assert_int_equal(info.reset.address, 0);
	assert_true(info.has_s5);
	assert_true(info.has_8042);
	assert_int_equal(info.cpu_count, 0);
	assert_int_equal(info.isa[4].gsi, 4);
}

static void bad_xsdt_falls_back_to_rsdt(void **state UNUSED)
{
	uint8_t rsdp[36];
	const uint64_t tables[] = { put("APIC", 1, madt_body, sizeof(madt_body)) };
	uint64_t rsdt = put_root(4, tables, 1);

	make_rsdp(rsdp, 2, rsdt, rsdt); /* the XSDT pointer leads to an RSDT */
	assert_int_equal(acpi_parse(&source, rsdp, 36, &info), 0);
	assert_int_equal(info.cpu_count, 3);
}

static void rsdp_is_found_on_16_byte_boundaries(void **state UNUSED)
{
	make_rsdp(mem + 8, 0, 1, 0); /* misplaced */
	assert_null(acpi_parse_find_rsdp(mem, 1024));
	make_rsdp(mem + 1024 - 32, 0, 1, 0);
	memset(mem, 0, 512);
	assert_ptr_equal(acpi_parse_find_rsdp(mem, 1024), mem + 1024 - 32);
	assert_null(acpi_parse_find_rsdp(mem, 1024 - 16)); /* cut off */
	mem[1024 - 32 + 9] ^= 1;
	assert_null(acpi_parse_find_rsdp(mem, 1024));
}

static void rsdp_checks_both_sums(void **state UNUSED)
{
	uint8_t rsdp[36];

	make_rsdp(rsdp, 2, 1, BASE);
	assert_true(acpi_parse_rsdp_valid(rsdp, 36));
	assert_false(acpi_parse_rsdp_valid(rsdp, 35));
	rsdp[25] ^= 0x10;
	assert_false(acpi_parse_rsdp_valid(rsdp, 36));
	rsdp[15] = 0; /* revision 0: what is behind byte 20 does not count */
	fix_checksum(rsdp, 20, rsdp + 8);
	assert_true(acpi_parse_rsdp_valid(rsdp, 36));
	assert_int_equal(acpi_parse(&source, "RSD PTX ", 8, &info), -ENOENT);
}

static void broken_tables_are_left_out(void **state UNUSED)
{
	uint64_t sum = put("APIC", 1, madt_body, sizeof(madt_body));
	uint64_t shorter = put("APIC", 1, madt_body, sizeof(madt_body));
	uint64_t longer = put("APIC", 1, madt_body, sizeof(madt_body));
	uint64_t huge = put("APIC", 1, madt_body, sizeof(madt_body));

	mem[sum - BASE + 9] ^= 1;
	bytes_put_le32(mem + (shorter - BASE) + 4, 35);
	bytes_put_le32(mem + (longer - BASE) + 4, MEM_SIZE);
	bytes_put_le32(mem + (huge - BASE) + 4, UINT32_MAX);
	const uint64_t tables[] = { sum,	   shorter, longer, huge, 0, 1, BASE + MEM_SIZE - 4,
				    UINT64_MAX - 3 };

	assert_int_equal(parse(8, tables, 8), 0);
	assert_int_equal(complaints, 8);
	assert_int_equal(info.cpu_count, 0);
}

/* A root table that lists itself, a DSDT that is the FADT: read once each, no circle. */
static void loops_end(void **state UNUSED)
{
	uint64_t fadt = put_fadt(4, 276);
	uint64_t self = BASE + used;
	const uint64_t tables[] = { self, fadt, self, fadt };

	bytes_put_le64(mem + (fadt - BASE) + 140, fadt);
	refresh(fadt);
	assert_int_equal(parse(8, tables, 4), 0);
	assert_false(info.has_s5);
}

static void madt_of_any_length_stays_inside(void **state UNUSED)
{
	for (size_t size = 0; size <= sizeof(madt_body); size++) {
		setup(NULL);
		const uint64_t tables[] = { put("APIC", 1, madt_body, size) };

		assert_int_equal(parse(8, tables, 1), 0);
		assert_true(info.cpu_count <= 3);
		teardown(NULL);
	}
}

static void madt_entry_lengths_are_checked(void **state UNUSED)
{
	static const uint8_t lengths[] = { 0, 1, 2, 7, 9, 200, 255 };
	uint8_t body[sizeof(madt_body)];

	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		setup(NULL);
		memcpy(body, madt_body, sizeof(body));
		body[8 + 1] = lengths[i]; /* of the first entry */
		const uint64_t tables[] = { put("APIC", 1, body, sizeof(body)) };

		assert_int_equal(parse(8, tables, 1), 0);
		teardown(NULL);
	}
}

static void too_many_of_everything(void **state UNUSED)
{
	uint8_t body[8 + 250 * 8 + 40 * 12 + 40 * 6] = { 0 };
	uint8_t *p = body + 8;

	for (unsigned int i = 0; i < 250; i++, p += 8) {
		memcpy(p, (uint8_t[]){ 0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0 }, 8);
	}
	for (unsigned int i = 0; i < 40; i++, p += 12) {
		memcpy(p, (uint8_t[]){ 1, 12 }, 2);
	}
	for (unsigned int i = 0; i < 40; i++, p += 6) {
		memcpy(p, (uint8_t[]){ 4, 6, 0xff, 0, 0, 1 }, 6);
	}
	const uint64_t tables[] = { put("APIC", 1, body, sizeof(body)) };

	assert_int_equal(parse(8, tables, 1), 0);
	assert_int_equal(info.cpu_count, CPU_MAX);
	assert_int_equal(info.cpus_ignored, 250 - CPU_MAX);
	assert_int_equal(info.ioapic_count, ACPI_IOAPICS_MAX);
	assert_int_equal(info.nmi_count, ACPI_NMIS_MAX);
}

static void fadt_of_any_length_stays_inside(void **state UNUSED)
{
	for (size_t size = 36; size <= 276; size++) {
		setup(NULL);
		const uint64_t tables[] = { put_fadt(4, size) };

		assert_int_equal(parse(8, tables, 1), 0);
		assert_int_equal(info.has_fadt, size >= 116);
		teardown(NULL);
	}
}

struct s5_case {
	uint8_t aml[16];
	uint8_t size;
	bool found;
	uint8_t a;
	uint8_t b;
};

static void s5_forms(void **state UNUSED)
{
	static const struct s5_case cases[] = {
		{ { 8, '_', 'S', '5', '_', 0x12, 4, 2, 1, 0 }, 10, true, 1, 0 },
		{ { 8, '_', 'S', '5', '_', 0x12, 4, 1, 0x0a, 7 }, 10, true, 7, 7 },
		{ { 8, '_', 'S', '5', '_', 0x12, 0x40, 0, 2, 0x0b, 5, 0, 1 }, 13, true, 5, 1 },
		{ { 8, '_', 'S', '5', '_', 0x12, 9, 2, 0x0c, 6, 0, 0, 0, 0x0a, 3 },
		  15,
		  true,
		  6,
		  3 },
		{ { 8, '_', 'S', '5', '_', 0x12, 4, 0, 1, 0 }, 10, false, 0, 0 }, /* empty */
		{ { 8, '_', 'S', '5', '_', 0x11, 4, 2, 1, 0 }, 10, false, 0, 0 }, /* no package */
		{ { 9, '_', 'S', '5', '_', 0x12, 4, 2, 1, 0 }, 10, false, 0, 0 }, /* no Name */
		{ { 8, '_', 'S', '5', '_', 0x12, 4, 2, '_', 'A' }, 10, false, 0, 0 },
		{ { '_', 'S', '5', '_', 0x12, 4, 2, 1, 0 }, 9, false, 0, 0 },
	};
	uint8_t a;
	uint8_t b;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct s5_case *c = &cases[i];

		assert_int_equal(acpi_s5_find(c->aml, c->size, &a, &b), c->found);
		if (c->found) {
			assert_int_equal(a, c->a);
			assert_int_equal(b, c->b);
		}
	}
}

static void s5_cut_anywhere(void **state UNUSED)
{
	uint8_t a;
	uint8_t b;

	for (size_t size = 0; size < sizeof(dsdt_aml); size++) {
		uint8_t *cut = malloc(size + 1);

		memcpy(cut, dsdt_aml, size);
		/* The first two elements end at byte 18. */
		assert_int_equal(acpi_s5_find(cut, size, &a, &b), size >= 18);
		free(cut);
	}
}

/* Any single damaged byte, checksums made right again. */
static void damaged_bytes_stay_inside(void **state UNUSED)
{
	static const uint8_t values[] = { 0, 1, 2, 0x7f, 0x80, 0xff };

	for (size_t at = 36; at < 36 + sizeof(madt_body); at++) {
		for (unsigned int i = 0; i < sizeof(values); i++) {
			setup(NULL);
			uint64_t madt = put("APIC", 1, madt_body, sizeof(madt_body));
			const uint64_t tables[] = { madt };

			mem[madt - BASE + at] = values[i];
			refresh(madt);
			assert_int_equal(parse(8, tables, 1), 0);
			assert_true(info.cpu_count <= 8);
			teardown(NULL);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_everything_by_xsdt, setup, teardown),
		cmocka_unit_test_setup_teardown(reads_revision_1_by_rsdt, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_xsdt_falls_back_to_rsdt, setup, teardown),
		cmocka_unit_test_setup_teardown(rsdp_is_found_on_16_byte_boundaries, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rsdp_checks_both_sums, setup, teardown),
		cmocka_unit_test_setup_teardown(broken_tables_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(loops_end, setup, teardown),
		cmocka_unit_test_setup_teardown(madt_of_any_length_stays_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(madt_entry_lengths_are_checked, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_of_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(fadt_of_any_length_stays_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(s5_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(s5_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_bytes_stay_inside, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
