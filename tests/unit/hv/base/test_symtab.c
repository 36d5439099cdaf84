/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the look-up of function names on a table made by hand, and that mksymtab.py makes the same one. */
/* Does not check the image's own table: the build does, by making it twice. */
/* TEST_SOURCES: hv/base/symtab.c */
#include "hv/base/symtab.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A full group of functions of 16 bytes, fn_A and so on, and one of two with far distances. */
#define FN(c) 0x10, 3, c, 0
#define FAR   0xffffffff80000000ul
#define LONG  "a_name_of_47_characters_which_is_the_longest_it"

const uint8_t symtab_records[] = {
	0,	 0,	  'f',	   'n',	    '_',     'A',     0,       FN('B'), FN('C'), FN('D'),
	FN('E'), FN('F'), FN('G'), FN('H'), FN('I'), FN('J'), FN('K'), FN('L'), FN('M'), FN('N'),
	FN('O'), FN('P'), FN('Q'), FN('R'), FN('S'), FN('T'), FN('U'), FN('V'), FN('W'), FN('X'),
	FN('Y'), FN('Z'), FN('a'), FN('b'), FN('c'), FN('d'), FN('e'), FN('f'), 0,	 0,
	'f',	 'a',	  'r',	   0,	    0xc5,    0xc6,    0x04,    0,	'a',	 '_',
	'n',	 'a',	  'm',	   'e',	    '_',     'o',     'f',     '_',	'4',	 '7',
	'_',	 'c',	  'h',	   'a',	    'r',     'a',     'c',     't',	'e',	 'r',
	's',	 '_',	  'w',	   'h',	    'i',     'c',     'h',     '_',	'i',	 's',
	'_',	 't',	  'h',	   'e',	    '_',     'l',     'o',     'n',	'g',	 'e',
	's',	 't',	  '_',	   'i',	    't',     0
};
const struct symtab_group symtab_groups[] = { { 0x1000, 0 }, { FAR, 7 + 31 * 4 } };
const uint64_t symtab_count = SYMTAB_GROUP + 2;

static void finds(uint64_t addr, const char *name, uint64_t offset)
{
	struct symtab_hit hit;

	assert_true(symtab_lookup(addr, &hit));
	assert_string_equal(hit.name, name);
	assert_int_equal(hit.offset, offset);
}

static void test_before_the_first(void **state)
{
	struct symtab_hit hit;

	(void)state;
	assert_false(symtab_lookup(0, &hit));
	assert_false(symtab_lookup(0xfff, &hit));
}

static void test_first_and_last_byte(void **state)
{
	(void)state;
	finds(0x1000, "fn_A", 0);
	finds(0x100f, "fn_A", 15);
	finds(0x1010, "fn_B", 0);
	finds(0x11ef, "fn_e", 15);
	finds(0x11f0, "fn_f", 0);
	finds(FAR - 1, "fn_f", FAR - 1 - 0x11f0);
	finds(FAR, "far", 0);
	finds(FAR + 0x12344, "far", 0x12344);
	finds(FAR + 0x12345, LONG, 0);
	finds(UINT64_MAX, LONG, UINT64_MAX - FAR - 0x12345);
}

/* As nm would print them, not in order, with what the table leaves out. */
static void write_list(FILE *to)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef";

	fprintf(to, "%016lx t " LONG "_and_more\n%016lx T far\n", FAR + 0x12345, FAR);
	fprintf(to, "%016lx T image_text_start\n%016lx D data\n%016lx t .Llocal\n", FAR - 9,
		FAR + 1, FAR + 2);
	fprintf(to, "                 U nowhere\n0000000000001000 t later_by_alphabet\n");
	for (unsigned int i = 0; letters[i] != '\0'; i++) {
		fprintf(to, "%016x t fn_%c\n", 0x1000 + 16 * i, letters[i]);
	}
}

static void test_script_makes_this_table(void **state)
{
	static const char path[] = "build/unit/symtab_test.S";
	FILE *f = popen("hv/base/mksymtab.py >build/unit/symtab_test.S", "w");
	unsigned long bytes = 0, groups = 0, count = 0, addr, record;
	unsigned int byte;
	char line[200];

	(void)state;
	assert_non_null(f);
	write_list(f);
	assert_int_equal(pclose(f), 0);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, ".byte %u", &byte) == 1) {
			assert_in_range(bytes, 0, sizeof(symtab_records) - 1);
			assert_int_equal(byte, symtab_records[bytes++]);
		} else if (sscanf(line, ".quad %lx, %lu", &addr, &record) == 2) {
			assert_in_range(groups, 0, 1);
			assert_int_equal(addr, symtab_groups[groups].addr);
			assert_int_equal(record, symtab_groups[groups++].record);
		} else {
			sscanf(line, "symtab_count: .quad %lu", &count);
		}
	}
	fclose(f);
	assert_int_equal(bytes, sizeof(symtab_records));
	assert_int_equal(groups, 2);
	assert_int_equal(count, symtab_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_the_first),
		cmocka_unit_test(test_first_and_last_byte),
		cmocka_unit_test(test_script_makes_this_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
