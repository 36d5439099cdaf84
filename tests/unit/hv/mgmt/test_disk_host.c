/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may use which part of a host's disk beside whom, and what is said to those who may not. */
/* Tables of partitions have a test of their own. */
/* TEST_SOURCES: hv/mgmt/disk_host.c drivers/block/partition.c drivers/block/partition_gpt.c */
/* TEST_SOURCES: drivers/block/window.c drivers/block/block.c drivers/host/host_disk.c */
/* TEST_SOURCES: hv/lib/crc32.c hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c */
#include "drivers/host/host_disk.h"
#include "hv/base/log.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/mgmt/disk_host.h"
#include "hv/mutex.h"
#include "hv/vm_config.h"
#include "tests/unit/fakes/fake_heap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define S	BLOCK_SECTOR
#define SECTORS 1000u

static uint8_t content[SECTORS * S];
static int read_result;
static unsigned int logged, held;
static char why[160];
static struct block_dev *dev;

void mutex_init(struct mutex *m)
{
	(void)m;
}

void mutex_lock(struct mutex *m)
{
	(void)m;
	assert_int_equal(held++, 0);
}

void mutex_unlock(struct mutex *m)
{
	(void)m;
	assert_int_equal(--held, 0);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	logged++;
}

static int disk_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	(void)d;
	assert_int_equal(n, 1);
	memcpy(v->base, content + off, v->len);
	return read_result;
}

static int disk_flush(struct block_dev *d)
{
	(void)d;
	return 0;
}

static const struct block_dev_ops ops = { .read = disk_read, .flush = disk_flush };
static struct host_disk disks[] = {
	{ .model = "a", .dev = { .ops = &ops, .size = sizeof(content), .granularity = S } },
	{ .model = "b", .dev = { .ops = &ops, .size = sizeof(content), .granularity = S } },
};

static void put_partition(unsigned int i, uint32_t first, uint32_t count)
{
	uint8_t *e = content + 446 + 16 * (size_t)i;

	e[4] = 0x83;
	bytes_put_le32(e + 8, first);
	bytes_put_le32(e + 12, count);
}

static int group_setup(void **state)
{
	(void)state;
	disk_host_init();
	host_disk_add(&disks[0], "ide");
	host_disk_add(&disks[1], "ide");
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(content, 0, sizeof(content));
	put_partition(0, 100, 100);
	put_partition(1, 200, 100);
	content[510] = 0x55;
	content[511] = 0xaa;
	read_result = 0;
	fake_heap_limit = ~0ul;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_heap_live, 0);
	return 0;
}

static int use(const char *disk, unsigned int partition, bool readonly, const char *user)
{
	const struct disk_host_params p = { disk, partition, readonly, user };

	return disk_host_open(&p, &dev, why, sizeof(why));
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(disks[0].name, "ide0");
	assert_string_equal(disks[1].name, "ide1");
	assert_ptr_equal(host_disk_find("ide1"), &disks[1]);
	assert_null(host_disk_find("ide"));
	assert_int_equal(use("ide7", 0, true, "web1"), -ENOENT);
	assert_string_equal(why, "this machine has no disk ide7; disk list shows those it has");
	assert_int_equal(use("ide0", 3, true, "web1"), -ENOENT);
	assert_string_equal(why, "ide0 has no partition 3; disk list shows what it has");
}

static void test_parts(void **state)
{
	struct block_dev *first, *second, *other;

	(void)state;
	assert_int_equal(use("ide0", 1, false, "web1"), 0);
	first = dev;
	assert_int_equal(first->size, 100 * S);
	assert_int_equal(use("ide0", 1, true, "web2"), -EBUSY);
	assert_string_equal(why, "that part of ide0 is in use by web1");
	assert_int_equal(use("ide0", 0, true, "web2"), -EBUSY);
	assert_string_equal(why, "ide0 is in use by web1");
	assert_int_equal(use("ide0", 2, false, "web2"), 0);
	second = dev;
	assert_int_equal(use("ide1", 0, false, "web3"), 0); /* another disk */
	other = dev;
	assert_int_equal(use("ide1", 2, false, "web2"), -EBUSY); /* a part of what is all taken */
	assert_int_equal(block_close(first), 0);
	assert_int_equal(use("ide0", 1, false, "web4"), 0); /* given back */
	assert_int_equal(block_close(dev), 0);
	assert_int_equal(block_close(second), 0);
	assert_int_equal(block_close(other), 0);
}

static void test_readers(void **state)
{
	struct block_dev *first, *second;
	char name[VM_NAME_MAX];

	(void)state;
	assert_int_equal(use("ide0", 0, true, "web1"), 0);
	first = dev;
	assert_true(first->readonly);
	assert_int_equal(use("ide0", 1, true, "web2"), 0);
	second = dev;
	disk_host_user(&disks[0], 100 * S, S, name, sizeof(name));
	assert_string_equal(name, "web1");
	disk_host_user(&disks[1], 0, S, name, sizeof(name));
	assert_string_equal(name, "");
	assert_int_equal(block_close(first), 0);
	assert_int_equal(use("ide0", 1, false, "web3"), -EBUSY); /* who reads minds a writer */
	assert_null(dev);
	assert_int_equal(use("ide0", 2, false, "web3"), 0);
	assert_int_equal(block_close(dev), 0);
	assert_int_equal(block_close(second), 0);
}

/* Whoever would write hears of it at once, not from a guest. */
static void test_read_only(void **state)
{
	(void)state;
	disks[1].dev.readonly = true;
	assert_int_equal(use("ide1", 0, false, "web1"), -EROFS);
	assert_string_equal(why, "ide1 is read-only: its guest needs readonly = true there");
	assert_int_equal(use("ide1", 1, false, "web1"), -EROFS);
	assert_int_equal(use("ide1", 1, true, "web1"), 0);
	assert_int_equal(block_close(dev), 0);
	disks[1].dev.readonly = false;
}

static void test_trouble(void **state)
{
	(void)state;
	put_partition(1, 150, 10);
	assert_int_equal(use("ide1", 1, false, "web1"), -EINVAL);
	assert_string_equal(why, "ide1: its partition table: two partitions overlap");
	read_result = -EIO;
	assert_int_equal(use("ide1", 1, false, "web1"), -EIO);
	read_result = 0;
	for (unsigned long n = 0; n < 2; n++) {
		fake_heap_limit = n;
		assert_int_equal(use("ide1", 0, false, "web1"), -ENOMEM);
		assert_string_equal(why, "ide1: too little memory to open it");
	}
}

static void test_told_once(void **state)
{
	(void)state;
	logged = 0;
	for (unsigned int i = 0; i < 3; i++) {
		host_disk_failed(&disks[1], "read", 0, "a test");
	}
	assert_int_equal(logged, 1);
	assert_int_equal(disks[1].errors, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trouble, setup, teardown),
		cmocka_unit_test_setup_teardown(test_told_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
