/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands about disk images, by the shell, over the store ram: and real formats; the files of */
/* ram: as what images lie in. */
/* TEST_SOURCES: hv/mgmt/cmd_disk_image.c hv/mgmt/cmd_disk_copy.c hv/mgmt/disk_file.c hv/mgmt/progress.c */
/* TEST_SOURCES: hv/mgmt/cmd_store.c hv/mgmt/base64.c */
/* TEST_SOURCES: hv/mgmt/store.c hv/mgmt/store_ram.c hv/mgmt/ram_bytes.c hv/mgmt/shell.c hv/mgmt/shell_words.c */
/* TEST_SOURCES: hv/mgmt/shell_out.c hv/mgmt/near.c hv/mgmt/json.c hv/mgmt/utf8.c hv/lib/errno.c hv/lib/fmt.c hv/lib/string.c */
/* TEST_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* TEST_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* TEST_SOURCES: drivers/block/tables.c drivers/block/tables_check.c drivers/block/fmt_raw.c */
/* TEST_SOURCES: drivers/block/fmt_vdi.c drivers/block/fmt_vhd.c drivers/block/fmt_qed.c drivers/block/fmt_qcow.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk.c drivers/block/fmt_vmdk_create.c drivers/block/fmt_vmdk_header.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk_text.c drivers/block/fmt_qcow2.c drivers/block/fmt_qcow2_create.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_l2.c drivers/block/fmt_qcow2_refcount.c drivers/block/fmt_qcow2_walk.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_check.c drivers/block/fmt_qcow2_rewrite.c drivers/block/fmt_qcow2_snapshot.c */
/* TEST_SOURCES: tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c */
/* TEST_SOURCES: tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "arch/clock.h"
#include "arch/paging.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/disk_file.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/store_ram.h"
#include "hv/mutex.h"
#include "hv/vm.h"
#include "tests/unit/fakes/fake_heap.h"
#include "tests/unit/fakes/fake_page.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHUNKS 18u

/* ---- the machine ---- */

static char *chunks;
static bool chunk_used[CHUNKS];
static uint64_t now;  /* ns */
static uint64_t tick; /* that each look at the clock takes */
static int ctrl_c_in; /* looks until Ctrl-C was typed; negative: never */
static char said[8192];
static struct vm vm; /* the only one */

unsigned int page_alloc_chunks(unsigned int want, hpa_t *base)
{
	(void)want;
	for (unsigned int i = 0; i < CHUNKS; i++) {
		if (!chunk_used[i]) {
			chunk_used[i] = true;
			base->v = (i + 1ul) * PAGE_CHUNK_SIZE;
			memset(chunks + i * PAGE_CHUNK_SIZE, 0xee, PAGE_CHUNK_SIZE);
			return 1;
		}
	}
	return 0;
}

void page_free_chunks(hpa_t base, unsigned int count)
{
	assert_int_equal(count, 1);
	assert_true(chunk_used[base.v / PAGE_CHUNK_SIZE - 1]);
	chunk_used[base.v / PAGE_CHUNK_SIZE - 1] = false;
}

void *paging_window(hpa_t hpa)
{
	return chunks + hpa.v - PAGE_CHUNK_SIZE;
}

void paging_window_close(void)
{
}

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
}

void mutex_lock(struct mutex *m)
{
	assert_null(m->owner);
	m->owner = (struct thread *)m;
}

void mutex_unlock(struct mutex *m)
{
	assert_non_null(m->owner);
	m->owner = NULL;
}

uint64_t clock_now(void)
{
	return now += tick;
}

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
	return ticks;
}

uint64_t clock_wall_seconds(void)
{
	return 1790000000;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

void vm_list_lock(void)
{
}

void vm_list_unlock(void)
{
}

struct vm *vm_next(const struct vm *prev)
{
	return prev == NULL ? &vm : NULL;
}

void line_edit_offer(struct line_edit *le, const char *word)
{
	(void)le;
	(void)word;
}

static int no_file(const char *name, struct store_file *f)
{
	(void)name;
	(void)f;
	return -ENOENT;
}

static int no_block(const char *name, bool readonly, struct block_file **out)
{
	(void)name;
	(void)out;
	return readonly ? -ENOENT : -EROFS;
}

static const struct store_ops boot_ops = { .open = no_file, .open_block = no_block };
const struct store bootfs_store = { .name = "boot", .what = "boot modules", .ops = &boot_ops };

const char *const config_disk_formats[] = {
	[VM_DISK_NO_FORMAT] = "", [VM_DISK_RAW] = "raw",   [VM_DISK_QCOW2] = "qcow2",
	[VM_DISK_VDI] = "vdi",	  [VM_DISK_VHD] = "vhd",   [VM_DISK_QED] = "qed",
	[VM_DISK_QCOW] = "qcow",  [VM_DISK_VMDK] = "vmdk", NULL,
};

/* ---- the shell ---- */

static void hear(void *arg, const char *text, size_t len)
{
	(void)arg;
	assert_true(strlen(said) + len < sizeof(said));
	strncat(said, text, len);
}

static bool typed(void *arg, char key)
{
	(void)arg;
	return key == SHELL_CTRL_C && ctrl_c_in >= 0 && ctrl_c_in-- == 0;
}

static void terminal(void *arg, enum shell_terminal use)
{
	(void)arg;
	(void)use;
}

static const struct shell_io io = { .typed = typed, .terminal = terminal };
static const struct shell_table *const tables[] = { &cmd_disk_image_table, &cmd_disk_copy_table };
static struct shell shell = {
	.tables = tables, .table_count = ARRAY_SIZE(tables), .io = &io, .out = { .write = hear }
};

static void run(const char *line, const char *want)
{
	int r;

	said[0] = '\0';
	r = shell_run(&shell, line);
	if (strstr(said, want) == NULL || (r != 0) != (strstr(said, "error: ") != NULL)) {
		fail_msg("%s: %d, \"%s\"", line, r, said);
	}
}

/* ---- helpers ---- */

static struct block_dev *open_disk(const char *path, const char *format, enum disk_file_use use)
{
	struct block_dev *d = NULL;
	char why[200] = "";

	if (disk_file_open(path, format, use, &d, why, sizeof(why)) != 0) {
		fail_msg("%s", why);
	}
	return d;
}

static void put(const char *path, const char *format, uint64_t off, uint8_t byte)
{
	struct block_dev *d = open_disk(path, format, DISK_FILE_WRITE);
	uint8_t buf[4096];
	struct block_vec v = { buf, sizeof(buf) };

	memset(buf, byte, sizeof(buf));
	assert_int_equal(block_write(d, off, &v, 1), 0);
	assert_int_equal(block_close(d), 0);
}

static void holds(const char *path, const char *format, uint64_t off, uint8_t byte)
{
	struct block_dev *d = open_disk(path, format, DISK_FILE_READ);
	uint8_t buf[4096];
	struct block_vec v = { buf, sizeof(buf) };

	assert_int_equal(block_read(d, off, &v, 1), 0);
	for (unsigned int i = 0; i < sizeof(buf); i++) {
		assert_int_equal(buf[i], byte);
	}
	assert_int_equal(block_close(d), 0);
}

static int setup(void **state)
{
	(void)state;
	chunks = chunks ? chunks : malloc(CHUNKS * PAGE_CHUNK_SIZE);
	tick = 0;
	ctrl_c_in = -1;
	return 0;
}

static const char *last_file(void)
{
	const char *last = NULL, *name = NULL;
	uint64_t size;

	while ((name = store_ram.ops->next(name, &size)) != NULL) {
		last = name;
	}
	return last;
}

/* Nothing is left of what a test made: what stands on others goes first. */
static int teardown(void **state)
{
	const char *name, *why;
	char path[STORE_FILE_MAX + 8];

	(void)state;
	while ((name = last_file()) != NULL) {
		snprintf(path, sizeof(path), "ram:%s", name);
		if (store_remove(path, &why) != 0) {
			return -1;
		}
	}
	return store_ram_used() != 0 || fake_heap_live != 0;
}

/* ---- create, delete ---- */

static void test_create(void **state)
{
	(void)state;
	run("disk create ram:a.qcow2 --size 10G", "ram:a.qcow2: created, qcow2, 10 GiB");
	run("disk create ram:a.qcow2 --size 10G", "there is a file ram:a.qcow2 already");
	run("disk create ram:b --size 1M --format vhd --fixed", "created, vhd, 1 MiB");
	run("disk create ram:c.img --size 1M --fixed", "created, raw, 1 MiB");
	run("disk create ram:d --size 1M", "--format is missing");
	run("disk create ram:d.vdi", "--size is missing");
	run("disk create ram:d.vdi --size 100", "a multiple of 512");
	run("disk create ram:d.vdi --size 0", "a multiple of 512");
	run("disk create ram:d --size 1M --format vmdk3", "found the format \"vmdk3\", allowed");
	run("disk create boot:d.vdi --size 1M", "read-only");
	run("disk create d.vdi --size 1M", "STORE:FILE");
	run("disk create ram:.x --size 1M --format vdi",
	    "cannot create ram:.x: found the file name \".x\"");
	run("disk create ram:e.qed --size 1M --fixed",
	    "--fixed is for vdi, vhd and vmdk; qed takes");
	run("disk create ram:e.vhd --size 4T", "cannot create ram:e.vhd: ");
	run("disk delete ram:e.vhd", "there is no ram:e.vhd"); /* nothing is left of it */
	run("disk delete ram:a.qcow2", "ram:a.qcow2: deleted");
	run("disk delete ram:a.qcow2", "there is no ram:a.qcow2");
}

static void test_create_flat(void **state)
{
	(void)state;
	run("disk create ram:w.vmdk --size 1M --fixed", "created, vmdk");
	put("ram:w.vmdk", "vmdk", 4096, 7);
	holds("ram:w.vmdk", "vmdk", 4096, 7);
	holds("ram:w-flat.vmdk", "raw", 4096, 7);
	run("disk check ram:w.vmdk", "nothing that could be compared");
	run("disk delete ram:w.vmdk", "deleted");
	run("disk create ram:w.vmdk --size 1M --fixed", "there is a file ram:w-flat.vmdk already");
	run("disk delete ram:w.vmdk", "there is no ram:w.vmdk"); /* the descriptor is not kept */
	run("disk delete ram:w-flat.vmdk", "deleted");
}

/* ---- who uses it ---- */

static void test_in_use(void **state)
{
	static const char *const lines[] = {
		"disk snapshot ram:a.qcow2 s",
		"disk rollback ram:a.qcow2 s",
		"disk check ram:a.qcow2",
		"disk check ram:a.qcow2 --repair",
		"disk clone ram:a.qcow2 ram:b.qcow2",
		"disk convert ram:a.qcow2 ram:b.vdi",
		"disk resize ram:a.qcow2 4M",
		"disk delete ram:a.qcow2",
	};
	struct block_dev *d;

	(void)state;
	run("disk create ram:a.qcow2 --size 1M", "created");
	d = open_disk("ram:a.qcow2", "qcow2", DISK_FILE_WRITE);
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++) {
		run(lines[i], "ram:a.qcow2 is in use");
	}
	assert_int_equal(block_close(d), 0);
	run("disk clone ram:a.qcow2 ram:b.qcow2", "a clone");
	d = open_disk("ram:b.qcow2", "qcow2", DISK_FILE_WRITE);
	run("disk snapshot ram:a.qcow2 s", "ram:a.qcow2 is in use"); /* b stands on it */
	run("disk check ram:a.qcow2", "clean");			     /* both read */
	run("disk delete ram:a.qcow2", "is in use");
	assert_int_equal(block_close(d), 0);
	run("disk delete ram:a.qcow2", "b.qcow2 stands on it");
}

/* ---- snapshots ---- */

static void test_snapshots(void **state)
{
	(void)state;
	run("disk create ram:a.qcow2 --size 1M", "created");
	put("ram:a.qcow2", "qcow2", 0, 1);
	run("disk snapshot ram:a.qcow2 one", "ram:a.qcow2: snapshot one");
	run("disk snapshot ram:a.qcow2 one", "there is one of that name");
	put("ram:a.qcow2", "qcow2", 0, 2);
	run("disk check ram:a.qcow2", "clean");
	run("disk rollback ram:a.qcow2 two", "there is none of that name");
	run("disk rollback ram:a.qcow2 one", "holds again");
	holds("ram:a.qcow2", "qcow2", 0, 1);
	run("disk snapshot ram:a.qcow2 one --delete", "deleted snapshot one");
	run("disk rollback ram:a.qcow2 one", "there is none of that name");
	run("disk check ram:a.qcow2 --json",
	    "{\"file\":\"ram:a.qcow2\",\"corruptions\":0,\"leaks\":0,\"fixed\":0}\n");
	run("disk create ram:b.vdi --size 1M", "created");
	run("disk snapshot ram:b.vdi one", "only qcow2 has snapshots");
}

/* ---- clone, convert ---- */

static void test_clones(void **state)
{
	(void)state;
	run("disk create ram:a.vdi --size 1M", "created");
	put("ram:a.vdi", "vdi", 8192, 1);
	run("disk clone ram:a.vdi ram:b.qcow2", "a clone, qcow2; while it is there ram:a.vdi");
	put("ram:b.qcow2", "qcow2", 0, 2);
	holds("ram:b.qcow2", "qcow2", 8192, 1);
	holds("ram:a.vdi", "vdi", 0, 0);
	run("disk create ram:a.qed --size 1M", "created");
	put("ram:a.qed", "qed", 8192, 3);
	run("disk clone ram:a.qed ram:b.qed", "a clone, qed");
	holds("ram:b.qed", "qed", 8192, 3);
	run("disk clone ram:b.qcow2 ram:c.qcow2 --full", "a copy of ram:b.qcow2");
	run("disk delete ram:b.qcow2", "deleted");
	run("disk delete ram:a.vdi", "deleted");
	holds("ram:c.qcow2", "qcow2", 8192, 1);
	holds("ram:c.qcow2", "qcow2", 0, 2);
	run("disk check ram:c.qcow2", "clean");
	run("disk clone ram:c.qcow2 ram:d.raw",
	    "the clone is a qcow2, and ram:d.raw is named as raw");
	run("disk clone ram:c.qcow2 ram:d.vdi --full", "and ram:d.vdi is named as vdi");
	run("disk clone ram:c.qcow2 ram:d", "a clone");
	run("disk clone boot:x.qcow2 ram:d.qcow2", "boot:x.qcow2 is not among the boot modules");
}

static void copy_file(const char *from, const char *to)
{
	static uint8_t buf[MIB];
	struct store_file f, g;
	const char *why;

	assert_int_equal(store_open(from, &f, &why), 0);
	assert_true(f.size <= sizeof(buf));
	assert_int_equal(f.store->ops->read(&f, 0, buf, f.size), 0);
	assert_int_equal(store_create(to, &g, &why), 0);
	assert_int_equal(g.store->ops->append(&g, buf, f.size), 0);
	g.store->ops->finish(&g, true);
}

static void is_kept(const char *path, const char *format, const char *above)
{
	char line[64], want[64], why[200];
	struct store_file f;
	struct block_dev *d;
	const char *text;

	snprintf(line, sizeof(line), "disk delete %s", path);
	snprintf(want, sizeof(want), "%s stands on it", above);
	run(line, want);
	snprintf(want, sizeof(want), "%s cannot be written: %s stands on it", path, above);
	snprintf(line, sizeof(line), "disk resize %s 2M", path);
	run(line, want);
	assert_int_equal(disk_file_open(path, format, DISK_FILE_WRITE, &d, why, sizeof(why)),
			 -EPERM);
	assert_int_equal(strncmp(why, want, strlen(want)), 0);
	assert_int_equal(store_replace(path, &f, &text), -EPERM);
}

/* What others stand on stays as it is, as long as they are there. */
static void test_bases(void **state)
{
	(void)state;
	run("disk create ram:a.vdi --size 1M", "created");
	put("ram:a.vdi", "vdi", 8192, 1);
	run("disk clone ram:a.vdi ram:b.qcow2", "a clone");
	run("disk clone ram:b.qcow2 ram:c.qcow2", "a clone");
	is_kept("ram:a.vdi", "vdi", "b.qcow2");
	is_kept("ram:b.qcow2", "qcow2", "c.qcow2");
	run("disk snapshot ram:b.qcow2 s", "c.qcow2 stands on it");
	run("disk check ram:b.qcow2", "clean");
	run("disk delete ram:c.qcow2", "deleted");
	put("ram:b.qcow2", "qcow2", 0, 2);
	copy_file("ram:b.qcow2", "ram:d.qcow2");
	run("disk delete ram:b.qcow2", "deleted");
	put("ram:a.vdi", "vdi", 4096, 3); /* that d is of it was not seen yet */
	run("disk clone ram:d.qcow2 ram:e.qcow2", "a clone");
	copy_file("ram:e.qcow2", "ram:f.qcow2");
	run("disk delete ram:e.qcow2", "deleted");
	put("ram:d.qcow2", "qcow2", 4096, 4);
	put("ram:f.qcow2", "qcow2", 0, 5);
	holds("ram:f.qcow2", "qcow2", 8192, 1);
	is_kept("ram:d.qcow2", "qcow2", "f.qcow2");
	is_kept("ram:a.vdi", "vdi", "d.qcow2");
	run("disk delete ram:f.qcow2", "deleted");
	run("disk delete ram:d.qcow2", "deleted");
	run("disk delete ram:a.vdi", "deleted");
}

/* The file in which a base has its data is a part of it. */
static void test_flat_base(void **state)
{
	(void)state;
	run("disk create ram:x.vmdk --size 1M --fixed", "created");
	put("ram:x.vmdk", "vmdk", 0, 1);
	run("disk clone ram:x.vmdk ram:c.qcow2", "a clone");
	run("disk delete ram:x-flat.vmdk", "c.qcow2 stands on it");
	run("disk resize ram:x-flat.vmdk 2M --format raw", "c.qcow2 stands on it");
	run("disk delete ram:x.vmdk", "c.qcow2 stands on it");
	put("ram:c.qcow2", "qcow2", 0, 2);
	run("disk delete ram:c.qcow2", "deleted");
	put("ram:x.vmdk", "vmdk", 0, 3);
	run("disk delete ram:x-flat.vmdk", "deleted");
}

/* A header can say that a file stands on itself, as raw: it can be written and deleted all the same. */
static void test_base_of_itself(void **state)
{
	static uint8_t head[4096];
	struct block_file *f = NULL;

	(void)state;
	run("disk create ram:a.raw --size 1M", "created");
	run("disk clone ram:a.raw ram:b.qcow2", "a clone");
	assert_int_equal(store_open_block("ram:b.qcow2", false, &f), 0);
	assert_int_equal(block_file_read(f, 0, head, sizeof(head)), 0);
	head[19] = 1; /* the length of the name, */
	head[head[14] << 8 | head[15]] = 'd';
	assert_int_equal(block_file_write(f, 0, head, sizeof(head)), 0);
	block_file_close(f);
	copy_file("ram:b.qcow2", "ram:d");
	assert_int_equal(block_close(open_disk("ram:b.qcow2", "qcow2", DISK_FILE_WRITE)), 0);
	run("disk delete ram:d", "b.qcow2 stands on it");
	run("disk delete ram:b.qcow2", "deleted");
	run("disk info ram:d --format qcow2", "error: "); /* itself is open */
	put("ram:d", "raw", 8192, 1);
	run("disk delete ram:d", "deleted");
}

/* What could not be opened is not made. */
static void test_long_chain(void **state)
{
	char line[64];

	(void)state;
	run("disk create ram:c0.qcow2 --size 1M", "created");
	for (unsigned int i = 1; i < IMAGE_CHAIN_MAX; i++) {
		snprintf(line, sizeof(line), "disk clone ram:c%u.qcow2 ram:c%u.qcow2", i - 1, i);
		run(line, "a clone");
	}
	run("disk clone ram:c15.qcow2 ram:c16.qcow2", "cannot clone: ram:c16.qcow2: more than 16");
	run("disk delete ram:c16.qcow2", "there is no ram:c16.qcow2");
}

static void test_convert(void **state)
{
	static const char *const formats[] = {
		"vdi", "vhd", "qed", "qcow", "vmdk", "raw", "qcow2"
	};
	char line[128], path[32];

	(void)state;
	run("disk create ram:a.qcow2 --size 1000K", "created");
	put("ram:a.qcow2", "qcow2", 0, 5);
	put("ram:a.qcow2", "qcow2", 996 * 1024, 6);
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		snprintf(line, sizeof(line), "disk convert ram:a.qcow2 ram:x --format %s",
			 formats[i]);
		snprintf(path, sizeof(path), ", as %s", formats[i]);
		run(line, path);
		holds("ram:x", formats[i], 0, 5);
		holds("ram:x", formats[i], 512 * 1024, 0);
		holds("ram:x", formats[i], 996 * 1024, 6);
		run("disk delete ram:x", "deleted");
	}
	run("disk convert ram:a.qcow2 ram:y.vmdk --size 2M", "as vmdk");
	run("disk convert ram:y.vmdk ram:z.qed --size 1M", "cannot have less");
	run("disk convert ram:y.vmdk ram:z", "--format is missing");
	run("disk convert ram:y.vmdk ram:a.qcow2", "there is a file ram:a.qcow2 already");
	run("disk convert ram:nothing.vdi ram:z.vdi", "there is no ram:nothing.vdi");
	run("disk convert ram:y ram:z.vdi", "there is no ram:y");
	copy_file("ram:y.vmdk", "ram:y");
	run("disk convert ram:y ram:z.vdi", "no VM has the disk ram:y: --from says what it is");
	run("disk convert ram:y.vmdk ram:z.qcow2 --fixed", "--fixed is for vdi, vhd and vmdk");
	run("disk convert ram:y.vmdk ram:z.vdi --from qcow2", "no QCOW2");
}

/* What a VM's configuration says of a file counts more than its name. */
static void test_format_of_a_vm(void **state)
{
	(void)state;
	run("disk create ram:odd.img --size 1M --format qcow2", "created");
	run("disk snapshot ram:odd.img s", "only qcow2");
	vm.cfg.disk_count = 1;
	vm.cfg.disks[0] = (struct vm_disk_config){ .file = "ram:odd.img", .format = VM_DISK_QCOW2 };
	run("disk snapshot ram:odd.img s", "snapshot s");
	vm.cfg.disk_count = 0;
	run("disk check ram:odd.img --format qcow2", "clean");
}

/* An image may come from anybody, the terminal is ours. */
static void test_names_of_images(void **state)
{
	static uint8_t head[4096];
	struct block_file *f = NULL;
	uint8_t *name;

	(void)state;
	run("disk create ram:base.vdi --size 1M", "created");
	run("disk clone ram:base.vdi ram:b.qcow2", "a clone");
	assert_int_equal(store_open_block("ram:b.qcow2", false, &f), 0);
	assert_int_equal(block_file_read(f, 0, head, sizeof(head)), 0);
	name = head + (head[14] << 8 | head[15]); /* the header's backing_file_offset */
	assert_memory_equal(name, "base.vdi", 8);
	memcpy(name, "\x1b[2J\x9b\n", 6);
	assert_int_equal(block_file_write(f, 0, head, sizeof(head)), 0);
	block_file_close(f);
	run("disk check ram:b.qcow2", "backing file \"?[2J??di\"");
	memcpy(name, "b.qcow2", 8); /* what stands on itself can be deleted */
	assert_int_equal(store_open_block("ram:b.qcow2", false, &f), 0);
	assert_int_equal(block_file_write(f, 0, head, sizeof(head)), 0);
	block_file_close(f);
	run("disk check ram:b.qcow2", "error: ");
	run("disk delete ram:b.qcow2", "deleted");
}

/* ---- resize ---- */

static void test_resize(void **state)
{
	static const char *const paths[] = { "ram:a.qcow2", "ram:a.vdi", "ram:a.qed", "ram:a.raw" };
	static const char *const formats[] = { "qcow2", "vdi", "qed", "raw" };
	char line[128];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(paths); i++) {
		snprintf(line, sizeof(line), "disk create %s --size 3072K", paths[i]);
		run(line, "created");
		put(paths[i], formats[i], 3068 * 1024, 9);
		snprintf(line, sizeof(line), "disk resize %s 1M", paths[i]);
		run(line, "it can only grow");
		snprintf(line, sizeof(line), "disk resize %s 100G", paths[i]);
		run(line, "100 GiB");
		holds(paths[i], formats[i], 3068 * 1024, 9);
		holds(paths[i], formats[i], 3072 * 1024, 0);
		put(paths[i], formats[i], (100ul << 30) - 4096, 8);
		holds(paths[i], formats[i], (100ul << 30) - 4096, 8);
		snprintf(line, sizeof(line), "disk check %s", paths[i]);
		run(line, i == 3 ? "nothing that could be compared" : "clean");
	}
	run("disk create ram:b.vmdk --size 1M", "created");
	run("disk resize ram:b.vmdk 2M", "cannot grow in place");
	run("disk resize ram:b.vmdk 1M", "cannot grow in place");
	run("disk resize ram:a.vdi 10T", "cannot grow in place");
	run("disk resize ram:a.vdi 18446744073709551104", "cannot grow in place");
	run("disk resize ram:a.qcow2 1P", "error: ");
	run("disk snapshot ram:a.qcow2 s", "snapshot s");
	run("disk resize ram:a.qcow2 200G", "ram:a.qcow2 has snapshots, which are of its size now");
	run("disk rollback ram:a.qcow2 s", "holds again");
}

/* ---- long work ---- */

static void test_progress(void **state)
{
	(void)state;
	run("disk create ram:a.raw --size 6M", "created");
	tick = 400000000;
	run("disk convert ram:a.raw ram:b.qcow2", "] ");
	assert_non_null(strstr(said, "\r[####"));
	assert_non_null(strstr(said, "\r\x1b[Kram:b.qcow2: holds"));
	run("disk check ram:b.qcow2", "clean");
	tick = 1;
	run("disk convert ram:a.raw ram:c.qcow2", "holds");
	assert_null(strchr(said, '\r')); /* what is done soon says nothing */
}

static void test_ctrl_c(void **state)
{
	(void)state;
	run("disk create ram:a.qcow2 --size 6M", "created");
	ctrl_c_in = 10;
	run("disk convert ram:a.qcow2 ram:b.vmdk", "stopped: there is no ram:b.vmdk");
	run("disk delete ram:b.vmdk", "there is no ram:b.vmdk");
	ctrl_c_in = 10;
	run("disk convert ram:a.qcow2 ram:b.vmdk --fixed", "stopped: there is no ram:b.vmdk");
	run("disk delete ram:b-flat.vmdk", "there is no ram:b-flat.vmdk");
	ctrl_c_in = 0;
	run("disk check ram:a.qcow2", "error: stopped");
	put("ram:a.qcow2", "qcow2", 0, 1);
	run("disk check ram:a.qcow2", "clean");
}

static void test_no_memory(void **state)
{
	(void)state;
	run("disk create ram:a.raw --size 30M", "created");
	for (uint64_t off = 0; off < 24 * MIB; off += 2 * MIB) {
		put("ram:a.raw", "raw", off, 1);
	}
	run("disk convert ram:a.raw ram:b.vhd", "cannot copy ram:a.raw to ram:b.vhd: no space");
	fake_page_free = PAGE_HEADROOM + PAGE_CHUNK_SIZE - 1; /* what is left is for all else */
	run("disk convert ram:a.raw ram:b.qcow2", "no space");
	fake_page_free = GIB;
	run("disk delete ram:b.vhd", "there is no ram:b.vhd");
	assert_int_equal(store_ram_used(), 12 * PAGE_CHUNK_SIZE);
}

/* ---- files of ram: ---- */

static struct block_file *open_file(const char *path, bool readonly)
{
	struct block_file *f = NULL;

	assert_int_equal(store_open_block(path, readonly, &f), 0);
	return f;
}

static void test_file(void **state)
{
	uint8_t buf[1024];
	struct block_file *f, *g;

	(void)state;
	run("disk create ram:f.raw --size 8M", "created");
	assert_int_equal(store_ram_used(), 0); /* all holes */
	f = open_file("ram:f.raw", false);
	assert_int_equal(store_open_block("ram:f.raw", true, &g), -EBUSY);
	memset(buf, 7, sizeof(buf));
	assert_int_equal(block_file_write(f, 2 * MIB - 512, buf, 1024), 0);
	assert_int_equal(store_ram_used(), 2 * PAGE_CHUNK_SIZE);
	assert_int_equal(block_file_read(f, 2 * MIB - 1024, buf, 1024), 0);
	assert_int_equal(buf[511], 0); /* not what the chunk held before */
	assert_int_equal(buf[512], 7);
	block_file_discard(f, 512, 4 * MIB);
	assert_int_equal(store_ram_used(), PAGE_CHUNK_SIZE); /* the whole one only */
	assert_int_equal(block_file_truncate(f, 2 * MIB - 512), 0);
	assert_int_equal(block_file_truncate(f, 4 * MIB), 0);
	assert_int_equal(block_file_read(f, 2 * MIB - 1024, buf, 1024), 0);
	assert_int_equal(buf[512], 0);
	assert_int_equal(block_file_write(f, 5 * MIB, buf, 512), 0);
	assert_int_equal(f->size, 5 * MIB + 512);
	block_file_close(f);
	f = open_file("ram:f.raw", true);
	g = open_file("ram:f.raw", true);
	assert_int_equal(g->size, 5 * MIB + 512);
	assert_int_equal(block_file_write(g, 0, buf, 512), -EROFS);
	block_file_close(g);
	assert_int_equal(store_open_block("ram:f.raw", false, &g), -EBUSY);
	block_file_close(f);
	block_file_close(open_file("ram:f.raw", false));
	assert_int_equal(store_open_block("ram:none", true, &g), -ENOENT);
	assert_int_equal(store_open_block("boot:none", false, &g), -EROFS);
	assert_int_equal(store_open_block("none", true, &g), -EINVAL);
}

/* Of a size that its lists of chunks alone would take all memory for. */
static void test_too_large(void **state)
{
	uint8_t buf[512] = { 0 };
	struct block_file *f;
	unsigned long live;

	(void)state;
	run("disk create ram:h.raw --size 5T", "cannot create ram:h.raw: no space left");
	run("disk create ram:h.raw --size 4T", "created");
	run("disk resize ram:h.raw 8T", "no space left");
	f = open_file("ram:h.raw", false);
	live = fake_heap_live;
	assert_int_equal(block_file_write(f, 5ul << 40, buf, 512), -ENOSPC);
	assert_int_equal(fake_heap_live, live);
	assert_int_equal(f->size, 4ul << 40);
	block_file_close(f);
}

/* A file that is replaced while somebody reads it is there until that one closes it. */
static void test_replaced(void **state)
{
	struct store_file s;
	struct block_file *f;
	const char *why;
	uint8_t buf[512];

	(void)state;
	run("disk create ram:r.raw --size 4K", "created");
	put("ram:r.raw", "raw", 0, 3);
	assert_int_equal(store_replace("ram:r.raw", &s, &why), 0);
	f = open_file("ram:r.raw", true);
	s.store->ops->finish(&s, true);
	assert_int_equal(block_file_read(f, 0, buf, 512), 0);
	assert_int_equal(buf[0], 3);
	block_file_close(f);
	f = open_file("ram:r.raw", true);
	assert_int_equal(f->size, 0);
	assert_int_equal(store_replace("ram:r.raw", &s, &why), -EBUSY);
	block_file_close(f);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),	    TEST(test_create_flat),
		TEST(test_in_use),	    TEST(test_snapshots),
		TEST(test_clones),	    TEST(test_bases),
		TEST(test_long_chain),	    TEST(test_base_of_itself),
		TEST(test_flat_base),	    TEST(test_convert),
		TEST(test_format_of_a_vm),  TEST(test_resize),
		TEST(test_progress),	    TEST(test_ctrl_c),
		TEST(test_no_memory),	    TEST(test_file),
		TEST(test_too_large),	    TEST(test_replaced),
		TEST(test_names_of_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
