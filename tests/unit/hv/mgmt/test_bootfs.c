/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot store: modules as files, bundles as the files in them, and archives made to hurt. */
/* Boot modules lie in the test's own memory. */
/* TEST_SOURCES: hv/mgmt/bootfs.c hv/mgmt/cpio.c hv/lib/string.c */
/* TEST_SOURCES: drivers/block/memfile.c tests/unit/fakes/fake_checkpoint.c tests/unit/fakes/fake_heap.c */
#include "hv/mgmt/bootfs.h"

#include "arch/paging.h"
#include "boot/boot_info.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/mgmt/cpio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct boot_info info;
static unsigned int complaints;
static uint8_t archive[4096];
static size_t archive_len;

void *paging_direct(hpa_t hpa)
{
	return (void *)hpa.v;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	complaints++;
}

static void pad(void)
{
	while (archive_len % 4 != 0) {
		archive[archive_len++] = 0;
	}
}

static void add(const char *name, unsigned int mode, const char *data)
{
	char header[128];

	snprintf(header, sizeof(header),
		 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 0, mode, 0, 0, 1, 0,
		 (unsigned int)strlen(data), 0, 0, 0, 0, (unsigned int)strlen(name) + 1, 0);
	memcpy(archive + archive_len, header, 110);
	archive_len += 110;
	strcpy((char *)archive + archive_len, name);
	archive_len += strlen(name) + 1;
	pad();
	memcpy(archive + archive_len, data, strlen(data));
	archive_len += strlen(data);
	pad();
}

static int setup(void **state)
{
	(void)state;
	memset(&info, 0, sizeof(info));
	complaints = 0;
	archive_len = 0;
	add("dir", 0040755, "");
	add("./one", 0100644, "first");
	add("two", 0100600, "");
	add("link", 0120777, "one");
	add("sub/three", 0100644, "3rd");
	add("TRAILER!!!", 0, "");
	add("behind", 0100644, "never seen");
	return 0;
}

static void module(const char *name, const void *data, size_t size)
{
	struct boot_module *m = &info.modules[info.module_count++];

	m->base.v = (uint64_t)data;
	m->size = size;
	strcpy(m->name, name);
}

static void test_modules_are_files(void **state)
{
	struct bootfs_file f;

	(void)state;
	module("a", "xyz", 3);
	module("b", archive, archive_len);
	bootfs_init(&info);
	assert_int_equal(bootfs_find("boot:a", &f), 0);
	assert_int_equal(f.size, 3);
	assert_memory_equal(f.data, "xyz", 3);
	assert_int_equal(bootfs_find("boot:b", &f), 0); /* opaque: never looked into */
	assert_int_equal(f.size, archive_len);
	assert_int_equal(bootfs_find("boot:one", &f), -ENOENT);
	assert_int_equal(bootfs_find("main:a", &f), -EINVAL);
	assert_int_equal(bootfs_find("a", &f), -EINVAL);
}

static void check_bundle(void)
{
	struct bootfs_file f;

	assert_int_equal(bootfs_find("boot:one", &f), 0);
	assert_memory_equal(f.data, "first", 5);
	assert_int_equal(f.size, 5);
	assert_int_equal(bootfs_find("boot:two", &f), 0);
	assert_int_equal(f.size, 0);
	assert_int_equal(bootfs_find("boot:sub/three", &f), 0);
	assert_int_equal(bootfs_find("boot:dir", &f), -ENOENT);
	assert_int_equal(bootfs_find("boot:link", &f), -ENOENT);
	assert_int_equal(bootfs_find("boot:behind", &f), -ENOENT);
	assert_int_equal(complaints, 0);
}

static void test_named_bundle(void **state)
{
	struct bootfs_file f;

	(void)state;
	module("bundle", archive, archive_len);
	module("last", "z", 1);
	bootfs_init(&info);
	check_bundle();
	assert_int_equal(bootfs_find("boot:last", &f), 0);
	assert_int_equal(bootfs_find("boot:bundle", &f), -ENOENT);
}

static void test_single_unnamed_module(void **state)
{
	(void)state;
	module("", archive, archive_len);
	bootfs_init(&info);
	check_bundle();
}

static void test_walk_lists_everything_in_order(void **state)
{
	static const char *const want[] = { "a", "one", "two", "sub/three", "z" };
	struct bootfs_cursor c = { 0 };
	struct bootfs_file f;

	(void)state;
	module("a", "1", 1);
	module("bundle", archive, archive_len);
	module("z", "2", 1);
	bootfs_init(&info);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_true(bootfs_next(&c, &f));
		assert_string_equal(f.name, want[i]);
	}
	assert_false(bootfs_next(&c, &f));
	assert_false(bootfs_next(&c, &f));
}

static void test_damage_is_reported_and_files_before_it_stay(void **state)
{
	struct bootfs_file f;

	(void)state;
	assert_memory_equal(archive + 240, "070701", 6); /* "two" */
	memcpy(archive + 240, "07070x", 6);
	module("bundle", archive, archive_len);
	bootfs_init(&info);
	assert_int_equal(complaints, 1);
	assert_int_equal(bootfs_find("boot:one", &f), 0);
	assert_int_equal(bootfs_find("boot:sub/three", &f), -ENOENT);
}

/* Walks a copy that ends at the last allocated byte, so that the sanitizer sees any step too far. */
static void walk(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct cpio_file f;
	uint64_t cursor = 0;
	unsigned int files = 0;

	memcpy(copy, data, size);
	copy = realloc(copy, size > 0 ? size : 1);
	while (cpio_next(copy, size, &cursor, &f) == 1) {
		volatile uint8_t sum = 0;

		for (uint64_t i = 0; i < f.size; i++) {
			sum = (uint8_t)(sum + f.data[i]);
		}
		(void)strlen(f.name);
		assert_true(++files < 100);
	}
	free(copy);
}

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t size = 0; size <= archive_len; size++) {
		walk(archive, size);
	}
}

static void test_random_damage(void **state)
{
	static uint8_t bad[sizeof(archive)];

	(void)state;
	srand(7);
	for (unsigned int i = 0; i < 20000; i++) {
		memcpy(bad, archive, archive_len);
		for (unsigned int n = 0; n < 3; n++) {
			bad[(size_t)rand() % archive_len] =
				(uint8_t) "0123456789abcdefF\0x"[rand() % 19];
		}
		walk(bad, archive_len);
	}
}

static void test_impossible_sizes(void **state)
{
	struct cpio_file f;
	uint64_t cursor = 0;

	(void)state;
	memcpy(archive + 6 + 6 * 8, "FFFFFFFF", 8); /* file size */
	assert_int_equal(cpio_next(archive, archive_len, &cursor, &f), -EPROTO);
	setup(state);
	cursor = 0;
	memcpy(archive + 6 + 11 * 8, "FFFFFFFF", 8); /* name size */
	assert_int_equal(cpio_next(archive, archive_len, &cursor, &f), -EPROTO);
	cursor = 0;
	memcpy(archive + 6 + 11 * 8, "00000000", 8);
	assert_int_equal(cpio_next(archive, archive_len, &cursor, &f), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_modules_are_files, setup),
		cmocka_unit_test_setup(test_named_bundle, setup),
		cmocka_unit_test_setup(test_single_unnamed_module, setup),
		cmocka_unit_test_setup(test_walk_lists_everything_in_order, setup),
		cmocka_unit_test_setup(test_damage_is_reported_and_files_before_it_stay, setup),
		cmocka_unit_test_setup(test_every_truncation, setup),
		cmocka_unit_test_setup(test_random_damage, setup),
		cmocka_unit_test_setup(test_impossible_sizes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
