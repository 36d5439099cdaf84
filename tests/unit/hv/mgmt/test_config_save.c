/* SPDX-License-Identifier: BSD-2-Clause */
/* config save into the store ram: over fake chunks: the text, a file replaced when the new one is whole */
/* and kept when it is not, names that are refused. */
/* TEST_SOURCES: hv/mgmt/cmd_config_save.c hv/mgmt/store.c hv/mgmt/store_ram.c hv/mgmt/shell_buf.c */
/* TEST_SOURCES: hv/mgmt/ram_bytes.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: hv/mgmt/shell_out.c hv/lib/errno.c hv/lib/fmt.c hv/lib/string.c tests/unit/fakes/fake_heap.c */
#include "arch/paging.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/store_ram.h"
#include "hv/mutex.h"
#include "hv/vm.h"
#include "tests/unit/fakes/fake_heap.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_ops boot_ops;
const struct store bootfs_store = { .name = "boot", .what = "boot modules", .ops = &boot_ops };

static char chunks[2][PAGE_CHUNK_SIZE];
static bool chunk_used[2];
static unsigned int chunks_free;
static const char *config;
static int depth;
static char said[256], error[256];

static int no_file(const char *name, struct store_file *f)
{
	(void)name;
	(void)f;
	return -ENOENT;
}

static const struct store_ops boot_ops = { .open = no_file };

unsigned int page_alloc_chunks(unsigned int want, hpa_t *base)
{
	(void)want;
	for (unsigned int i = 0; i < 2 && chunks_free > 0; i++) {
		if (!chunk_used[i]) {
			chunk_used[i] = true;
			chunks_free--;
			base->v = (i + 1ul) * PAGE_CHUNK_SIZE;
			return 1;
		}
	}
	return 0;
}

void page_stats(struct page_stats *s)
{
	*s = (struct page_stats){ .free = GIB };
}

void page_free_chunks(hpa_t base, unsigned int count)
{
	assert_int_equal(count, 1);
	chunk_used[base.v / PAGE_CHUNK_SIZE - 1] = false;
	chunks_free++;
}

void *paging_window(hpa_t hpa)
{
	return chunks[hpa.v / PAGE_CHUNK_SIZE - 1];
}

void paging_window_close(void)
{
}

void thread_checkpoint(void)
{
}

void mutex_init(struct mutex *m)
{
	(void)m;
}

void mutex_lock(struct mutex *m)
{
	(void)m;
}

void mutex_unlock(struct mutex *m)
{
	(void)m;
}

void vm_list_lock(void)
{
	depth++;
}

void vm_list_unlock(void)
{
	depth--;
}

void cmd_config_write(struct shell_out *out)
{
	assert_int_equal(depth, 1);
	shell_out_puts(out, config);
}

int shell_error(struct shell_call *c, const char *fmt, ...)
{
	va_list ap;

	(void)c;
	va_start(ap, fmt);
	vsnprintf(error, sizeof(error), fmt, ap);
	va_end(ap);
	return -1;
}

static void hear(void *arg, const char *text, size_t len)
{
	(void)arg;
	strncat(said, text, len);
}

const char *disk_file_format(const char *path)
{
	return strstr(path, ".vmdk") != NULL ? "vmdk" : NULL;
}

static int save(const char *path)
{
	struct shell_out out = { hear, NULL };
	struct shell_call c = { .argc = path != NULL, .out = &out };

	c.argv[0] = path;
	said[0] = error[0] = '\0';
	return cmd_config_save_table.cmds[0].fn(&c);
}

static void assert_holds(const char *path, const char *text)
{
	struct store_file f;
	const char *why;
	char buf[64] = "";

	assert_int_equal(store_open(path, &f, &why), 0);
	assert_int_equal(f.size, strlen(text));
	assert_int_equal(f.store->ops->read(&f, 0, buf, f.size), 0);
	assert_string_equal(buf, text);
}

static int setup(void **state)
{
	(void)state;
	chunks_free = 2;
	config = "[host]\n\n[vm.a]\n";
	return 0;
}

static int teardown(void **state)
{
	const char *why;

	(void)state;
	(void)store_remove("ram:insula.conf", &why);
	(void)store_remove("ram:c", &why);
	return chunks_free == 2 && fake_heap_live == 0 && depth == 0 ? 0 : -1;
}

static void test_text_is_whole(void **state)
{
	(void)state;
	assert_int_equal(save(NULL), 0);
	assert_string_equal(said, "ram:insula.conf: saved, 15 bytes\n");
	assert_holds("ram:insula.conf", config);
}

static void test_replaces(void **state)
{
	(void)state;
	assert_int_equal(save("ram:c"), 0);
	config = "[host]\n";
	assert_int_equal(save("ram:c"), 0);
	assert_holds("ram:c", config);
	assert_int_equal(chunks_free, 1);
}

/* No room, or no memory: what was there stays as it was. */
static void test_failure_keeps_the_old(void **state)
{
	const char *old = config;

	(void)state;
	assert_int_equal(save("ram:c"), 0);
	chunks_free = 0;
	config = "[host]\n";
	assert_int_not_equal(save("ram:c"), 0);
	assert_non_null(strstr(error, "cannot save the configuration: "));
	assert_holds("ram:c", old);
	chunks_free = 1;
	for (unsigned long limit = 0; limit < 3; limit++) {
		fake_heap_limit = limit;
		assert_int_not_equal(save("ram:c"), 0);
		fake_heap_limit = ~0ul;
		assert_holds("ram:c", old);
	}
}

static void put_file(const char *path, const char *bytes, size_t len)
{
	struct store_file f;
	const char *why;

	assert_int_equal(store_create(path, &f, &why), 0);
	assert_int_equal(f.store->ops->append(&f, bytes, len), 0);
	f.store->ops->finish(&f, true);
}

/* A disk, or a saved VM, is not lost by a slip of the hand. */
static void test_only_configurations_go(void **state)
{
	const char *why;

	(void)state;
	put_file("ram:c", "QFI\xfb\0\0", 6);
	assert_int_not_equal(save("ram:c"), 0);
	assert_non_null(strstr(error, "no configuration"));
	assert_int_equal(store_remove("ram:c", &why), 0);
	put_file("ram:c.vmdk", "# Disk DescriptorFile\n", 22);
	assert_int_not_equal(save("ram:c.vmdk"), 0);
	assert_int_equal(store_remove("ram:c.vmdk", &why), 0);
	put_file("ram:c", "# B\xc3\xbcro\r\n\t", 10);
	assert_int_equal(save("ram:c"), 0);
	assert_holds("ram:c", config);
}

static void test_refused_names(void **state)
{
	(void)state;
	assert_int_not_equal(save("boot:insula.conf"), 0);
	assert_non_null(strstr(error, "read-only"));
	assert_int_not_equal(save("insula.conf"), 0);
	assert_non_null(strstr(error, "STORE:FILE"));
	assert_int_not_equal(save("ram:../x"), 0);
	assert_non_null(strstr(error, "found the file name"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_text_is_whole),	  TEST(test_replaces),
		TEST(test_failure_keeps_the_old), TEST(test_only_configurations_go),
		TEST(test_refused_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
