/* SPDX-License-Identifier: BSD-2-Clause */
/* The formats beside QCOW2, all through the same mill: images of qemu-img and of ours, workloads, */
/* errors, damage to every byte of their headers and tables. */
/* TEST_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* TEST_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* TEST_SOURCES: drivers/block/tables.c drivers/block/fmt_raw.c drivers/block/fmt_vdi.c drivers/block/fmt_vhd.c */
/* TEST_SOURCES: drivers/block/fmt_qed.c drivers/block/fmt_qcow.c drivers/block/tables_check.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk.c drivers/block/fmt_vmdk_create.c drivers/block/fmt_vmdk_header.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk_text.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/block/lab.c tests/unit/drivers/block/lab_cut.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "drivers/block/lab.h"
#include "fakes/fake_fiber.h"
#include "fakes/fake_heap.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool soak(void)
{
	return getenv("INSULA_SOAK") != NULL;
}

/* ---- images of qemu-img ---- */

struct variant {
	const char *name;
	const char *format;
	const char *qemu; /* the same in qemu-img's words */
	const char *options;
	const char *size;
	const char *io;
	bool check; /* qemu-img can */
};

static const struct variant variants[] = {
	{ "raw", "raw", "raw", "", "1000k", "write -P 7 100k 200k", false },
	{ "raw, half a sector", "raw", "raw", "", "1000000", "write -P 7 100k 200k", false },
	{ "vdi, dynamic", "vdi", "vdi", "", "3M", "write -P 7 1500k 1M", true },
	{ "vdi, odd size", "vdi", "vdi", "", "3333k", "write -P 7 3300k 33k", true },
	{ "vdi, fixed", "vdi", "vdi", "-o static=on", "3M", "write -P 7 1500k 1M", true },
	{ "vhd, dynamic", "vhd", "vpc", "", "3M", "write -P 7 1500k 1M", false },
	{ "vhd, exact size", "vhd", "vpc", "-o force_size=on", "2501k", "write -P 7 2400k 101k",
	  false },
	{ "vhd, fixed", "vhd", "vpc", "-o subformat=fixed,force_size=on", "3M",
	  "write -P 7 1500k 1M", false },
	{ "qed", "qed", "qed", "", "1M", "write -P 7 100k 200k", true },
	{ "qed, 4 KiB clusters, zeros", "qed", "qed", "-o cluster_size=4096,table_size=2", "3M",
	  "write -P 7 1500k 1M' -c 'write -z 1600k 100k", true },
	{ "qed over raw", "qed", "qed", "-b base -F raw", "1M", "write -P 7 100k 200k", true },
	{ "qcow", "qcow", "qcow", "", "1M", "write -P 7 100k 200k", false },
	{ "vmdk", "vmdk", "vmdk", "", "3M", "write -P 7 100k 200k", true },
	{ "vmdk, odd size", "vmdk", "vmdk", "", "3333k", "write -P 7 3300k 33k", true },
	{ "vmdk, two tables", "vmdk", "vmdk", "", "33M", "write -P 7 31900k 200k", true },
	{ "vmdk, zeros", "vmdk", "vmdk", "-o zeroed_grain=on", "1M",
	  "write -P 7 100k 200k' -c 'write -z 128k 64k", true },
	{ "qcow, compressed", "qcow", "qcow", "", "1M",
	  "write -c -P 7 64k 4k' -c 'write -c -P 8 68k 4k", false },
	{ "qcow over raw", "qcow", "qcow", "-b base -F raw", "1M", "write -P 7 100k 200k", false },
};

static void workload(struct twin *t, unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++) {
		int r = twin_step(t);

		if (r) {
			fail_msg("step %u: %d", i, r);
		}
	}
	twin_check(t);
}

/* What lies on a partition, as a file again: without what nobody wrote behind it. */
static void trim(struct fake_file *ff)
{
	uint64_t size = ff->file.size;

	while (ff->file.ops->truncate == NULL && ff->data[size - 1] == 0xee) {
		size--;
	}
	fake_file_resize(ff, ALIGN_UP(size, 512));
}

/* Written and closed; then both sides find in it what they must. */
static void settle(struct fake_file *ff, struct twin *t, const struct variant *v)
{
	uint64_t size = t->d->size;

	lab_close(t->d);
	t->d = lab_open(ff, v->format);
	twin_check(t);
	lab_close(t->d);
	trim(ff);
	if (v->check) {
		lab_judge(ff, v->qemu, false);
	}
	lab_compare(ff, v->qemu, t->want, size);
	twin_end(t);
}

static void use_image(const struct variant *v, bool partition)
{
	struct fake_file *base = fake_file_new(), *ff = fake_file_new(), *raw = fake_file_new();
	struct twin t;

	lab_must("yes insula | head -c 700k >base");
	fake_file_load(base, lab_path("base"));
	lab_backing("base", base);
	lab_must("qemu-img create -q -f %s %s t %s && qemu-io -f %s -c '%s' t && "
		 "qemu-img convert -f %s -O raw t t.raw",
		 v->qemu, v->options, v->size, v->qemu, v->io, v->qemu);
	fake_file_load(ff, lab_path("t"));
	fake_file_load(raw, lab_path("t.raw"));
	if (partition) {
		fake_file_fix(ff, ff->file.size + raw->file.size + 5 * MIB);
	}
	twin_begin(&t, lab_open(ff, v->format), (uint32_t)(v - variants));
	assert_int_equal(t.d->size, ALIGN_UP(raw->file.size, 512));
	assert_memory_equal(t.want, raw->data, raw->file.size);
	workload(&t, 25);
	settle(ff, &t, v);
	fake_file_free(raw);
	fake_file_free(ff);
	lab_forget_backing();
	fake_file_free(base);
}

static void test_image_of_qemu(void **state)
{
	use_image(*state, false);
}

/* Its end is behind its tables and data, compressed ones as well; what lies there is garbage. */
static void test_image_on_partition(void **state)
{
	use_image(*state, true);
}

/* ---- images of ours ---- */

struct creation {
	struct image_create_params p;
	struct variant v; /* how it is judged */
	bool whole;	  /* takes its full space from the start */
};

static const struct creation creations[] = {
	{ { .format = "raw", .size = 1 * MIB }, { .format = "raw", .qemu = "raw" }, true },
	{ { .format = "vdi", .size = 3 * MIB },
	  { .format = "vdi", .qemu = "vdi", .check = true },
	  false },
	{ { .format = "vdi", .size = 512 },
	  { .format = "vdi", .qemu = "vdi", .check = true },
	  false },
	{ { .format = "vdi", .size = 1 * MIB + 512, .subformat = "fixed" },
	  { .format = "vdi", .qemu = "vdi", .check = true },
	  true },
	{ { .format = "vhd", .size = 3 * MIB + 512 }, { .format = "vhd", .qemu = "vpc" }, false },
	{ { .format = "vhd", .size = 1 * MIB, .subformat = "fixed" },
	  { .format = "vhd", .qemu = "vpc" },
	  true },
	{ { .format = "qed", .size = 1 * MIB },
	  { .format = "qed", .qemu = "qed", .check = true },
	  false },
	{ { .format = "qed", .size = 1 * MIB + 512, .cluster_size = 4096 },
	  { .format = "qed", .qemu = "qed", .check = true },
	  false },
	{ { .format = "vmdk", .size = 1 * MIB + 512 },
	  { .format = "vmdk", .qemu = "vmdk", .check = true },
	  false },
	{ { .format = "vmdk", .size = 3 * MIB, .cluster_size = 4096, .name = "a.vmdk" },
	  { .format = "vmdk", .qemu = "vmdk", .check = true },
	  false },
	{ { .format = "qcow", .size = 1 * MIB }, { .format = "qcow", .qemu = "qcow" }, false },
	{ { .format = "qcow", .size = 1 * MIB + 512, .cluster_size = 512 },
	  { .format = "qcow", .qemu = "qcow" },
	  false },
};

static void test_image_of_ours(void **state)
{
	const struct creation *c = *state;
	struct fake_file *ff = lab_create(&c->p);
	struct twin t;

	assert_int_equal(ff->file.size >= c->p.size, c->whole || c->p.size < MIB);
	twin_begin(&t, lab_open(ff, c->p.format), (uint32_t)(c - creations));
	assert_int_equal(t.d->size, c->p.size);
	workload(&t, 40);
	settle(ff, &t, &c->v);
	fake_file_free(ff);
}

static const struct image_backing base_name = { "base", "raw" };
static const struct image_create_params refused[] = {
	{ .format = "vdi", .size = MIB, .backing = &base_name },
	{ .format = "vdi", .size = MIB, .subformat = "sparse" },
	{ .format = "vdi", .size = MIB, .cluster_size = 512 },
	{ .format = "vdi", .size = 1ul << 50 },
	{ .format = "vdi", .size = -512ul }, /* rounding up gives 0 */
	{ .format = "vdi", .size = 100 },
	{ .format = "vhd", .size = MIB, .backing = &base_name },
	{ .format = "vhd", .size = 2041 * GIB },
	{ .format = "vhd", .size = 0 },
	{ .format = "raw", .size = MIB, .backing = &base_name },
	{ .format = "qed", .size = MIB, .cluster_size = 2048 },
	{ .format = "qed", .size = MIB, .cluster_size = 5000 },
	{ .format = "qed", .size = 1ul << 63 },
	{ .format = "qcow", .size = MIB, .cluster_size = 256 },
	{ .format = "qcow", .size = MIB, .cluster_size = 128 * KIB },
	{ .format = "qcow", .size = MIB, .cluster_size = 3 * KIB },
	{ .format = "qcow", .size = MIB, .cluster_size = 1 },
	{ .format = "qcow", .size = 0 },
	{ .format = "vmdk", .size = 0 },
	{ .format = "vmdk", .size = MIB, .backing = &base_name },
	{ .format = "vmdk", .size = MIB, .subformat = "streamOptimized" },
	{ .format = "vmdk", .size = MIB, .subformat = "monolithicFlat" }, /* no extent */
	{ .format = "vmdk", .size = MIB, .cluster_size = 2048 },
	{ .format = "vmdk", .size = MIB, .cluster_size = 12 * KIB },
	{ .format = "vmdk", .size = 64 * MIB, .cluster_size = 64 * MIB },
	{ .format = "vmdk", .size = 2048 * GIB },
	{ .format = "vmdk", .size = MIB, .name = "a\"b" },
	{ .format = "vmdk3", .size = MIB },
};

static void test_refused_creation(void **state)
{
	struct fake_file *ff = fake_file_new();

	memset(&lab_why, 0, sizeof(lab_why));
	assert_true(image_create(&ff->file, *state, &lab_why) < 0);
	assert_true(lab_why.text[0] != '\0');
	assert_int_equal(ff->writes, 0);
	fake_file_free(ff);
}

/* ---- errors ---- */

static const struct creation *writable(unsigned int i)
{
	return creations[i].whole ? NULL : &creations[i];
}

static void test_errors(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < ARRAY_SIZE(creations) * 3 * (soak() ? 60u : 3u); n++) {
		const struct creation *c = writable(n % ARRAY_SIZE(creations));
		unsigned int what = n / ARRAY_SIZE(creations) % 3;
		long when = n / ARRAY_SIZE(creations) / 3 * 2;
		struct fake_file *ff = c ? lab_create(&c->p) : NULL;
		uint64_t half;
		struct twin t;

		if (c == NULL || c->p.size < MIB) {
			if (ff != NULL) {
				fake_file_free(ff);
			}
			continue;
		}
		half = c->p.size / 1024 * 512;
		twin_begin(&t, lab_open(ff, c->p.format), n);
		twin_write(&t, half, 512, 7);
		assert_int_equal(block_flush(t.d), 0);
		t.area = half; /* the other half stays as it is */
		*(what == 0   ? &ff->fail_read_in
		  : what == 1 ? &ff->fail_write_in
			      : &ff->fail_flush_in) = when;
		for (unsigned int i = 0; i < 10; i++) {
			int r = twin_step(&t);

			assert_true(r == 0 || r == -EIO);
		}
		ff->fail_read_in = ff->fail_write_in = ff->fail_flush_in = -1;
		assert_int_equal(block_read(t.d, 0, &(struct block_vec){ t.want, half }, 1), 0);
		if (when % 12 == 0) {
			settle(ff, &t, &c->v);
		} else {
			twin_check(&t);
			lab_close(t.d);
			twin_end(&t);
		}
		fake_file_free(ff);
	}
}

/* A full partition: -ENOSPC, and all that was written before is there. */
static void test_full_partition(void **state)
{
	const struct creation *c = *state;
	struct fake_file *ff = lab_create(&c->p);
	uint64_t size = c->p.size, done = 0;
	struct twin t;
	int r = 0;

	fake_file_fix(ff, ff->file.size + size / 2 + 1 * MIB);
	twin_begin(&t, lab_open(ff, c->p.format), 1);
	for (; r == 0 && done < size; done += r ? 0 : 4096) {
		memset(t.want + done, (int)(done >> 12 | 1), 4096);
		r = block_write(t.d, done, &(struct block_vec){ t.want + done, 4096 }, 1);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(done > 0);
	memset(t.want + done, 0, 4096);
	assert_int_equal(block_flush(t.d), 0);
	twin_write(&t, 0, 4096, 9);
	twin_check(&t);
	settle(ff, &t, &c->v);
	fake_file_free(ff);
}

static void test_no_space(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(creations); i++) {
		const struct creation *c = writable(i);
		struct fake_file *ff = c ? lab_create(&c->p) : NULL;
		struct twin t;

		if (c != NULL && c->p.size > MIB) {
			twin_begin(&t, lab_open(ff, c->p.format), 1);
			ff->limit = ff->file.size + 3 * t.d->granularity / 2;
			memset(t.want, 1, c->p.size);
			assert_int_equal(
				block_write(t.d, 0, &(struct block_vec){ t.want, c->p.size }, 1),
				-ENOSPC);
			ff->limit = UINT64_MAX;
			twin_write(&t, 0, c->p.size, 2);
			settle(ff, &t, &c->v);
		}
		if (ff != NULL) {
			fake_file_free(ff);
		}
	}
}

/* ---- damage ---- */

struct damage {
	const char *name;
	const char *format;
	uint64_t off; /* from the start, or the end if negative */
	unsigned int size;
	uint64_t val; /* in the format's byte order */
	const char *why;
};

/* QED: L1 at 64 KiB, L2 at 320 KiB; QCOW: L1 at 1536, L2 at 4 KiB. VHD: checksums are mended. */
static const struct damage damages[] = {
	{ "signature", "vdi", 0x40, 4, 0, "no VDI header" },
	{ "version 2", "vdi", 0x44, 4, 0x20000, "version 1" },
	{ "type 0", "vdi", 0x4c, 4, 0, "neither" },
	{ "differencing", "vdi", 0x4c, 4, 4, "neither" },
	{ "table at 0", "vdi", 0x154, 4, 0, "misplaced" },
	{ "table at half a sector", "vdi", 0x154, 4, 768, "misplaced" },
	{ "table past the end", "vdi", 0x154, 4, 0x40000000, "misplaced" },
	{ "data on the header", "vdi", 0x158, 4, 0, "misplaced" },
	{ "data on the table", "vdi", 0x158, 4, 512, "misplaced" },
	{ "sectors of 4096", "vdi", 0x168, 4, 4096, "sectors of other" },
	{ "no disk", "vdi", 0x170, 8, 0, "size of the disk" },
	{ "2^64-512 bytes", "vdi", 0x170, 8, -512ul, "size of the disk" },
	{ "disk larger than the table", "vdi", 0x170, 8, 1ul << 40, "size of the disk" },
	{ "block of 0", "vdi", 0x178, 4, 0, "block size" },
	{ "block of 512", "vdi", 0x178, 4, 512, "block size" },
	{ "block of 3 MiB", "vdi", 0x178, 4, 3 * MIB, "block size" },
	{ "block of 2^31", "vdi", 0x178, 4, 1u << 31, "block size" },
	{ "extra data", "vdi", 0x17c, 4, 512, "extra" },
	{ "no blocks", "vdi", 0x180, 4, 0, "size of the disk" },
	{ "2^32-1 blocks", "vdi", 0x180, 4, 0xffffffff, "size of the disk" },
	{ "block number out of range", "vdi", 0x200, 4, 0x3fffffff, NULL },
	{ "block number too large", "vdi", 0x200, 4, 0xfffffffd, NULL },
	{ "cookie", "vhd", -512ul, 1, 0, NULL }, /* the copy counts then */
	{ "version 2", "vhd", -500ul, 4, 0x20000, "version 1" },
	{ "header past the end", "vhd", -496ul, 8, 1ul << 40, "misplaced" },
	{ "header at 0", "vhd", -496ul, 8, 0, "misplaced" },
	{ "header at 2^64-1", "vhd", -496ul, 8, -1ul, "misplaced" },
	{ "no disk", "vhd", -464ul, 8, 0, "size of the disk" },
	{ "disk of 2^63", "vhd", -464ul, 8, 1ul << 63, "size of the disk" },
	{ "disk larger than the table", "vhd", -464ul, 8, 1ul << 40, "size of the disk" },
	{ "differencing", "vhd", -452ul, 4, 4, "neither" },
	{ "type 0", "vhd", -452ul, 4, 0, "neither" },
	{ "fixed, but short", "vhd", -452ul, 4, 2, "shorter" },
	{ "header's cookie", "vhd", 512, 1, 0, "damaged" },
	{ "table at 0", "vhd", 528, 8, 0, "misplaced" },
	{ "table on the header", "vhd", 528, 8, 1024, "misplaced" },
	{ "table past the end", "vhd", 528, 8, 1ul << 50, "misplaced" },
	{ "2^32-1 entries", "vhd", 540, 4, 0xffffffff, "misplaced" },
	{ "no entries", "vhd", 540, 4, 0, "size of the disk" },
	{ "block of 0", "vhd", 544, 4, 0, "block size" },
	{ "block of 2^31", "vhd", 544, 4, 1u << 31, "block size" },
	{ "entry on the header", "vhd", 1536, 4, 0, NULL },
	{ "entry past the end", "vhd", 1536, 4, 0xfffffffe, NULL },
	{ "magic", "qed", 0, 4, 0, "no QED header" },
	{ "cluster of 0", "qed", 4, 4, 0, "cluster size" },
	{ "cluster of 2 KiB", "qed", 4, 4, 2048, "cluster size" },
	{ "cluster of 5000", "qed", 4, 4, 5000, "cluster size" },
	{ "cluster of 128 MiB", "qed", 4, 4, 128 * MIB, "cluster size" },
	{ "table of 0", "qed", 8, 4, 0, "size of tables" },
	{ "table of 3", "qed", 8, 4, 3, "size of tables" },
	{ "table of 32", "qed", 8, 4, 32, "size of tables" },
	{ "header of 0", "qed", 12, 4, 0, "size of tables" },
	{ "header of 2^32-1", "qed", 12, 4, 0xffffffff, "size of tables" },
	{ "unknown feature 3", "qed", 16, 8, 8, "bit 3" },
	{ "unknown feature 63", "qed", 16, 8, 1ul << 63, "bit 63" },
	{ "not closed", "qed", 16, 8, 2, "not closed" },
	{ "backing name of no length", "qed", 16, 8, 1, "misplaced" },
	{ "L1 at 0", "qed", 40, 8, 0, "misplaced" },
	{ "L1 unaligned", "qed", 40, 8, 65536 + 4096, "misplaced" },
	{ "L1 past the end", "qed", 40, 8, 1ul << 40, "misplaced" },
	{ "no disk", "qed", 48, 8, 0, "size of the disk" },
	{ "2^64-512 bytes", "qed", 48, 8, -512ul, "size of the disk" },
	{ "L2 on the header", "qed", 65536, 8, 512, NULL },
	{ "L2 on L1", "qed", 65536, 8, 65536, NULL },
	{ "L2 past the end", "qed", 65536, 8, 1ul << 40, NULL },
	{ "L2 at 2^64-65536", "qed", 65536, 8, -65536ul, NULL },
	{ "data unaligned", "qed", 5 * 65536, 8, 512, NULL },
	{ "data on L1", "qed", 5 * 65536, 8, 65536, NULL },
	{ "data past the end", "qed", 5 * 65536, 8, 1ul << 40, NULL },
	{ "magic", "qcow", 0, 4, 0, "no QCOW header" },
	{ "version 2", "qcow", 4, 4, 2, "no QCOW header" },
	{ "backing name in the header", "qcow", 8, 8, 8, "misplaced" },
	{ "backing name past the end", "qcow", 8, 8, 1ul << 40, "misplaced" },
	{ "no disk", "qcow", 24, 8, 0, "size of the disk" },
	{ "2^64-512 bytes", "qcow", 24, 8, -512ul, "size of the disk" },
	{ "2^55 bytes", "qcow", 24, 8, 1ul << 55, "too large" },
	{ "cluster of 256", "qcow", 32, 1, 8, "size of clusters" },
	{ "cluster of 128 KiB", "qcow", 32, 1, 17, "size of clusters" },
	{ "L2 of 32 entries", "qcow", 33, 1, 5, "size of clusters" },
	{ "L2 of 2^255 entries", "qcow", 33, 1, 255, "size of clusters" },
	{ "encrypted", "qcow", 36, 4, 1, "encrypted" },
	{ "L1 at 0", "qcow", 40, 8, 0, "misplaced" },
	{ "L1 unaligned", "qcow", 40, 8, 1537, "misplaced" },
	{ "L1 past the end", "qcow", 40, 8, 1ul << 40, "misplaced" },
	{ "L2 on L1", "qcow", 1536, 8, 1536, NULL },
	{ "L2 unaligned", "qcow", 1536, 8, 4097, NULL },
	{ "L2 past the end", "qcow", 1536, 8, 1ul << 40, NULL },
	{ "data on L1", "qcow", 4096, 8, 1536, NULL },
	{ "data unaligned", "qcow", 4096, 8, 8193, NULL },
	{ "data past the end", "qcow", 4096, 8, 1ul << 40, NULL },
	{ "compressed, of all ones", "qcow", 4096, 8, -1ul, NULL },
	{ "magic", "vmdk", 0, 4, 0, "no VMDK header" },
	{ "version 0", "vmdk", 4, 4, 0, "version 0" },
	{ "version 3, written", "vmdk", 4, 4, 3, "only be read" },
	{ "version 4", "vmdk", 4, 4, 4, "version 4" },
	{ "unknown flag 3", "vmdk", 8, 4, 11, "not known: b" },
	{ "unknown flag 31", "vmdk", 8, 4, 1u << 31 | 3, "not known" },
	{ "flag of compression alone", "vmdk", 8, 4, 0x10003, "method 0" },
	{ "no disk", "vmdk", 12, 8, 0, "size of the disk" },
	{ "2^64-1 sectors", "vmdk", 12, 8, -1ul, "size of the disk" },
	{ "2^41 sectors", "vmdk", 12, 8, 1ul << 41, "misplaced" },
	{ "grain of 0", "vmdk", 20, 8, 0, "grains of 0" },
	{ "grain of 4", "vmdk", 20, 8, 4, "grains of 4" },
	{ "grain of 129", "vmdk", 20, 8, 129, "grains of 129" },
	{ "grain of 2^17", "vmdk", 20, 8, 1 << 17, "grains of" },
	{ "grain of 2^63", "vmdk", 20, 8, 1ul << 63, "grains of" },
	{ "descriptor at 0", "vmdk", 28, 8, 0, "missing" },
	{ "descriptor past the end", "vmdk", 28, 8, 1 << 20, "missing" },
	{ "descriptor at 2^64-1", "vmdk", 28, 8, -1ul, "missing" },
	{ "descriptor on the directory", "vmdk", 28, 8, 26, "misplaced" },
	{ "no descriptor", "vmdk", 36, 8, 0, "missing" },
	{ "2^64-1 sectors of descriptor", "vmdk", 36, 8, -1ul, "missing" },
	{ "tables of 0 entries", "vmdk", 44, 4, 0, "512 entries" },
	{ "tables of 2^32-1 entries", "vmdk", 44, 4, -1u, "512 entries" },
	{ "twin at 0", "vmdk", 48, 8, 0, "redundant" },
	{ "twin past the end", "vmdk", 48, 8, 1 << 20, "redundant" },
	{ "twin at 2^64-1", "vmdk", 48, 8, -1ul, "redundant" },
	{ "twin on the directory", "vmdk", 48, 8, 26, "redundant" },
	{ "directory at 0", "vmdk", 56, 8, 0, "misplaced" },
	{ "directory in the descriptor", "vmdk", 56, 8, 3, "misplaced" },
	{ "directory past the end", "vmdk", 56, 8, 1 << 20, "misplaced" },
	{ "directory at the end", "vmdk", 56, 8, -1ul, "no footer" },
	{ "line ends", "vmdk", 75, 1, 10, "as text" },
	{ "compression 1", "vmdk", 77, 2, 1, "method 1" },
	{ "compression 2^16-1", "vmdk", 77, 2, 0xffff, "method 65535" },
	{ "createType", "vmdk", 512 + 76, 1, 'x', "createType" },
	{ "parentCID", "vmdk", 512 + 55, 1, 'g', "descriptor is wrong" },
	{ "a parent", "vmdk", 512 + 55, 1, '0', "delta" },
	{ "table past the end", "vmdk", 13312, 4, 0x7fffffff, NULL },
	{ "table on the directory", "vmdk", 13312, 4, 26, NULL },
	{ "grain past the end", "vmdk", 13824, 4, 0x7fffffff, NULL },
	{ "grain on the directory", "vmdk", 13824, 4, 26, NULL },
	{ "grain on the header", "vmdk", 13824, 4, 1, NULL },
};

static void fix_sum(uint8_t *raw, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i >= at && i < at + 4 ? 0 : raw[i];
	}
	for (unsigned int i = 0; i < 4; i++) {
		raw[at + i] = (uint8_t)(~sum >> (24 - 8 * i));
	}
}

static void damage(struct fake_file *ff, const struct damage *x)
{
	bool vhd = strcmp(x->format, "vhd") == 0, big = vhd || strcmp(x->format, "qcow") == 0;
	uint64_t at = x->off >> 63 ? ff->file.size + x->off : x->off;

	for (unsigned int b = 0; b < x->size; b++) {
		unsigned int shift = 8 * (big ? x->size - 1 - b : b);

		ff->data[at + b] = (uint8_t)(x->val >> shift);
	}
	if (vhd && strstr(x->name, "cookie") == NULL) {
		fix_sum(ff->data + ff->file.size - 512, 512, 64);
		fix_sum(ff->data + 512, 1024, 36);
	}
}

static struct fake_file *damageable(const char *format)
{
	struct image_create_params p = { .format = format, .size = 3 * MIB };
	struct fake_file *ff = lab_create(&p);
	struct twin t;

	twin_begin(&t, lab_open(ff, format), 1);
	twin_write(&t, 0, 4096, 7);
	lab_close(t.d);
	twin_end(&t);
	return ff;
}

/* No crash, and only errors that the contract knows. */
static int use_damaged(struct block_dev *d)
{
	static uint8_t buf[3 * MIB];
	uint64_t size = u64_min(d->size, sizeof(buf));
	struct block_vec all = { buf, size }, small = { buf, 512 };
	int r[] = { block_read(d, 0, &small, 1),
		    block_read(d, 0, &all, 1),
		    block_write(d, 0, &small, 1),
		    block_write(d, size - 512, &small, 1),
		    block_write_zeroes(d, 0, size, true),
		    block_discard(d, 0, size),
		    block_flush(d) };

	for (unsigned int i = 0; i < ARRAY_SIZE(r); i++) {
		assert_true(r[i] == 0 || r[i] == -EIO || r[i] == -ENOSPC || r[i] == -ENOMEM);
	}
	return r[0];
}

static void test_malformed(void **state)
{
	const struct damage *x = *state;
	struct fake_file *ff = damageable(x->format);
	bool cookie = strcmp(x->name, "cookie") == 0;
	struct block_dev *d = NULL;
	int r;

	ff->limit = 64 * MIB;
	damage(ff, x);
	ff->writes = 0;
	r = lab_try_open(ff, x->format, false, &d);
	if (x->why && (r == 0 || !strstr(lab_why.text, x->why) || ff->writes > 0)) {
		fail_msg("%s: %d, \"%s\"", x->name, r, lab_why.text);
	}
	if (x->why == NULL && r == 0 && use_damaged(d) != (cookie ? 0 : -EIO)) {
		fail_msg("%s is not seen", x->name);
	}
	(void)block_close(d);
	fake_file_free(ff);
}

/* Two clusters in one place: the check says so, and repairs nothing that it cannot know. */
static void test_overlap(void **state)
{
	static const struct {
		const char *format;
		uint64_t at; /* of the table's first entry */
		unsigned int size;
	} places[] = {
		{ "vdi", 0x200, 4 }, { "vhd", 1536, 4 },   { "qed", 5 * 65536, 8 },
		{ "qcow", 4096, 8 }, { "vmdk", 13824, 4 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		struct fake_file *ff = damageable(places[i].format);
		uint8_t *entry = ff->data + places[i].at;
		struct image_check c;
		struct block_dev *d;

		lab_check(ff, places[i].format);
		memcpy(entry + places[i].size, entry, places[i].size);
		d = lab_open(ff, places[i].format);
		assert_int_equal(image_check(d, true, NULL, &c), 0);
		assert_true(c.corruptions >= 1);
		assert_non_null(strstr(c.first.text, "lie on each other"));
		lab_close(d);
		fake_file_free(ff);
	}
}

static void test_every_byte(void **state)
{
	static const char *const formats[] = { "vdi", "vhd", "qed", "qcow", "vmdk" };
	static const uint8_t vals[] = { 0, 1, 0x80, 0xff };
	struct fake_file *ff = fake_file_new();

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		struct fake_file *good = damageable(formats[i]);

		/* Headers and the first entries of the table lie in the first 1552 bytes. */
		for (uint64_t n = 0; n < 1552ul * ARRAY_SIZE(vals); n += soak() ? 1 : 83) {
			struct block_dev *d = NULL;

			fake_file_copy(ff, good);
			ff->limit = 64 * MIB;
			ff->data[n / ARRAY_SIZE(vals)] = vals[n % ARRAY_SIZE(vals)];
			if (strcmp(formats[i], "vhd") == 0) {
				fix_sum(ff->data + 512, 1024, 36);
			}
			if (lab_try_open(ff, formats[i], false, &d) == 0) {
				use_damaged(d);
				(void)block_close(d);
			}
			assert_int_equal(ff->opens, 0);
		}
		fake_file_free(good);
	}
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_every_byte),
	};
	static struct lab_group g;

	for (unsigned int i = 0; i < ARRAY_SIZE(variants); i++) {
		lab_add(&g, test_image_of_qemu, &variants[i], "of qemu-img: %s", variants[i].name);
		if (strstr(variants[i].name, "raw") != variants[i].name &&
		    strstr(variants[i].name, "fixed") == NULL) {
			lab_add(&g, test_image_on_partition, &variants[i], "on a partition: %s",
				variants[i].name);
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(creations); i++) {
		lab_add(&g, test_image_of_ours, &creations[i], "ours: %s, %u",
			creations[i].p.format, i);
		if (creations[i].p.size >= 3 * MIB && !creations[i].whole) {
			lab_add(&g, test_full_partition, &creations[i], "full partition: %s, %u",
				creations[i].p.format, i);
		}
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(refused); i++) {
		lab_add(&g, test_refused_creation, &refused[i], "not created: %s, %u",
			refused[i].format, i);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(damages); i++) {
		lab_add(&g, test_malformed, &damages[i], "%s: %s", damages[i].format,
			damages[i].name);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(tests); i++) {
		lab_add(&g, tests[i].test_func, NULL, "%s", tests[i].name);
	}
	return lab_group_run(&g);
}
