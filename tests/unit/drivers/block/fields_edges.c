/* SPDX-License-Identifier: BSD-2-Clause */
/* The largest and the smallest of each field that opens, and the next one, which does not; tables that */
/* end where others begin, or the file. Other values of fields are test_malformed.c's. */
#include "drivers/block/fields_tests.h"
#include "drivers/block/lab.h"
#include "fakes/fake_heap.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define END FIELDS_END

struct set {
	uint64_t off;
	unsigned int size; /* 0: no more */
	uint64_t val;
};

struct edge {
	const char *name;
	struct image_create_params p;
	const char
		*why; /* it is refused by these words; NULL: it opens; "EIO": and is damaged at 0 */
	struct set set[5];
	uint64_t file_size; /* before that; 0: as it is */
	struct {
		uint64_t to, from, len; /* and before it */
	} copy[2];
};

#define VDI(bytes)                                                                                 \
	{                                                                                          \
		.format = "vdi", .size = (bytes)                                                   \
	}
#define VHD(bytes)                                                                                 \
	{                                                                                          \
		.format = "vhd", .size = (bytes)                                                   \
	}
#define QED(bytes)                                                                                 \
	{                                                                                          \
		.format = "qed", .size = (bytes), .cluster_size = 4096                             \
	}
#define QCOW(bytes)                                                                                \
	{                                                                                          \
		.format = "qcow", .size = (bytes)                                                  \
	}
#define VMDK(bytes)                                                                                \
	{                                                                                          \
		.format = "vmdk", .size = (bytes)                                                  \
	}
#define QCOW2(bytes)                                                                               \
	{                                                                                          \
		.format = "qcow2", .size = (bytes), .cluster_size = 4096                           \
	}

static const struct edge edges[] = {
	{ "vdi, blocks of 4 KiB", VDI(8192), NULL, .set = { { 376, 4, 4096 }, { 384, 4, 2 } } },
	{ "vdi, blocks of 2 KiB", VDI(2048), "block size", .set = { { 376, 4, 2048 } } },
	{ "vdi, blocks of 256 MiB", VDI(MIB), NULL, .set = { { 376, 4, 256 * MIB } } },
	{ "vdi, blocks of 512 MiB", VDI(MIB), "block size", .set = { { 376, 4, 512 * MIB } } },
	{ "vdi, version 1.0", VDI(MIB), NULL, .set = { { 68, 4, 0x10000 } } },
	{ "vdi, full table", VDI(3 * MIB), NULL, .set = { { 0 } } },
	{ "vdi, one sector too many", VDI(3 * MIB), "size of",
	  .set = { { 368, 8, 3 * MIB + 512 } } },
	{ "vdi, data at half a sector", VDI(MIB), "misplaced", .set = { { 344, 4, MIB + 256 } } },
	{ "vdi, data behind the table", VDI(128 * MIB), NULL, .set = { { 344, 4, 1024 } } },
	{ "vdi, data in the table", VDI(129 * MIB), "misplaced", .set = { { 344, 4, 1024 } } },
	{ "vdi, table to the end", VDI(128 * MIB), NULL, .set = { { 344, 4, 1024 } },
	  .file_size = 1024 },
	{ "vdi, table past the end", VDI(128 * MIB), "misplaced", .set = { { 344, 4, 1024 } },
	  .file_size = 1023 },
	{ "vdi, highest block number", VDI(MIB), "EIO", .set = { { 512, 4, 0x3fffffff } } },
	{ "vhd, blocks of 4 KiB", VHD(4096), NULL, .set = { { 544, 4, 4096 } } },
	{ "vhd, blocks of 2 KiB", VHD(2048), "block size", .set = { { 544, 4, 2048 } } },
	{ "vhd, blocks of 256 MiB", VHD(MIB), NULL, .set = { { 544, 4, 256 * MIB } } },
	{ "vhd, blocks of 512 MiB", VHD(MIB), "block size", .set = { { 544, 4, 512 * MIB } } },
	{ "vhd, version 1.1", VHD(MIB), NULL, .set = { { END | 500, 4, 0x10001 } } },
	{ "vhd, features of others",
	  { .format = "vhd", .size = 4096, .subformat = "fixed" },
	  NULL,
	  .set = { { END | 504, 4, 0xffffffff } } },
	{ "vhd, full table", VHD(4 * MIB), NULL, .set = { { 0 } } },
	{ "vhd, one sector too many", VHD(4 * MIB), "size of",
	  .set = { { END | 464, 8, 4 * MIB + 512 } } },
	{ "vhd, table to the end", VHD(2 * GIB), NULL, .file_size = 1536 + 4096 },
	{ "vhd, table past the end", VHD(2 * GIB), "misplaced", .file_size = 1536 + 4095 },
	{ "vhd, header in the table", VHD(2 * GIB), "misplaced", .set = { { END | 496, 8, 2048 } },
	  .copy = { { 2048, 512, 1024 } } },
	{ "vhd, header behind the table", VHD(2 * GIB), NULL, .set = { { END | 496, 8, 5632 } },
	  .file_size = 7168, .copy = { { 5632, 512, 1024 }, { 6656, 0, 512 } } },
	{ "vhd, entry in the table", VHD(2 * GIB), "EIO", .set = { { 1536, 4, 9 } } },
	{ "vhd, largest disk", VHD(2040 * GIB), NULL, .set = { { 0 } } },
	{ "vhd, larger disk", VHD(MIB), "size of", .set = { { END | 464, 8, 2040 * GIB + 512 } } },
	{ "vhd, smallest file",
	  { .format = "vhd", .size = 512, .subformat = "fixed" },
	  NULL,
	  .set = { { 0 } } },
	{ "vhd, too short", VHD(MIB), "too short", .file_size = 1023 },
	{ "vhd, fixed, fills its file",
	  { .format = "vhd", .size = 8192, .subformat = "fixed" },
	  NULL,
	  .set = { { END | 464, 8, 8192 } } },
	{ "vhd, fixed, one sector too many",
	  { .format = "vhd", .size = 8192, .subformat = "fixed" },
	  "shorter",
	  .set = { { END | 464, 8, 8192 + 512 } } },
	{ "qed, tables of 16", QED(MIB), NULL, .set = { { 8, 4, 16 } }, .file_size = 17 * 4096 },
	{ "qed, tables past the end", QED(MIB), "misplaced", .set = { { 8, 4, 16 } },
	  .file_size = 17 * 4096 - 1 },
	{ "qed, header of 2", QED(MIB), NULL, .set = { { 12, 4, 2 }, { 40, 8, 8192 } },
	  .file_size = 6 * 4096 },
	{ "qed, L1 in the header", QED(MIB), "misplaced", .set = { { 12, 4, 2 } },
	  .file_size = 6 * 4096 },
	{ "qed, largest disk", QED(16 * GIB), NULL, .set = { { 0 } } },
	{ "qed, larger disk", QED(MIB), "size of", .set = { { 48, 8, 16 * GIB + 512 } } },
	{ "qed, raw without a backing file", QED(MIB), NULL, .set = { { 16, 8, 4 } } },
	{ "qed, shortest name", QED(MIB), NULL,
	  .set = { { 16, 8, 1 }, { 56, 4, 64 }, { 60, 4, 1 }, { 64, 1, 'b' } } },
	{ "qed, no name", QED(MIB), "misplaced",
	  .set = { { 16, 8, 1 }, { 56, 4, 64 }, { 64, 1, 'b' } } },
	{ "qed, longest name", QED(MIB), "not found",
	  .set = { { 16, 8, 1 }, { 56, 4, 64 }, { 60, 4, 1023 }, { 64, 1, 'b' }, { 65, 1, 'b' } } },
	{ "qed, longer name", QED(MIB), "misplaced",
	  .set = { { 16, 8, 1 }, { 56, 4, 64 }, { 60, 4, 1024 }, { 64, 1, 'b' } } },
	{ "qed, name at the header's end", QED(MIB), NULL,
	  .set = { { 16, 8, 1 }, { 56, 4, 4095 }, { 60, 4, 1 }, { 4095, 1, 'b' } } },
	{ "qed, name behind the header", QED(MIB), "misplaced",
	  .set = { { 16, 8, 1 }, { 56, 4, 4095 }, { 60, 4, 2 }, { 4095, 1, 'b' } } },
	{ "qed, name in the fields", QED(MIB), "misplaced",
	  .set = { { 16, 8, 1 }, { 56, 4, 63 }, { 60, 4, 2 }, { 64, 1, 'b' } } },
	{ "qcow, clusters of 512",
	  { .format = "qcow", .size = MIB, .cluster_size = 512 },
	  NULL,
	  .set = { { 0 } } },
	{ "qcow, clusters of 64 KiB",
	  { .format = "qcow", .size = MIB, .cluster_size = 65536 },
	  NULL,
	  .set = { { 0 } } },
	{ "qcow, L2 of 64", QCOW(MIB), NULL, .set = { { 33, 1, 6 } } },
	{ "qcow, L2 of 8192", QCOW(MIB), NULL, .set = { { 33, 1, 13 } } },
	{ "qcow, L2 of 16384", QCOW(MIB), "size of clusters", .set = { { 33, 1, 14 } } },
	{ "qcow, one sector", QCOW(MIB), NULL, .set = { { 24, 8, 512 } } },
	{ "qcow, less", QCOW(MIB), "size of the disk", .set = { { 24, 8, 511 } } },
	{ "qcow, 2^56 bytes", QCOW(MIB), "size of the disk", .set = { { 24, 8, 1ul << 56 } } },
	{ "qcow, largest L1",
	  { .format = "qcow", .size = 128 * GIB, .cluster_size = 512 },
	  NULL,
	  .set = { { 24, 8, 128 * GIB } } },
	{ "qcow, larger L1",
	  { .format = "qcow", .size = 128 * GIB, .cluster_size = 512 },
	  "too large",
	  .set = { { 24, 8, 128 * GIB + 1 } } },
	{ "qcow, L1 to the end", QCOW(3 * MIB), NULL, .file_size = 1536 + 16 },
	{ "qcow, L1 past the end", QCOW(3 * MIB), "misplaced", .file_size = 1536 + 15 },
	{ "qcow, L1 behind the header", QCOW(MIB), NULL, .set = { { 40, 8, 48 } } },
	{ "qcow, L1 in the header", QCOW(MIB), "misplaced", .set = { { 40, 8, 40 } } },
	{ "qcow, shortest name", QCOW(MIB), NULL,
	  .set = { { 8, 8, 48 }, { 16, 4, 1 }, { 48, 1, 'b' } } },
	{ "qcow, no name", QCOW(MIB), "misplaced", .set = { { 8, 8, 48 }, { 48, 1, 'b' } } },
	{ "qcow, longest name", QCOW(MIB), "not found",
	  .set = { { 8, 8, 48 }, { 16, 4, 1023 }, { 48, 1, 'b' }, { 49, 1, 'b' } } },
	{ "qcow, longer name", QCOW(MIB), "misplaced", .set = { { 8, 8, 48 }, { 16, 4, 1024 } } },
	{ "qcow, name at the end", QCOW(MIB), NULL,
	  .set = { { 8, 8, 2047 }, { 16, 4, 1 }, { 2047, 1, 'b' } } },
	{ "qcow, name past the end", QCOW(MIB), "misplaced",
	  .set = { { 8, 8, 2047 }, { 16, 4, 2 }, { 2047, 1, 'b' } } },
	{ "qcow, name in the header", QCOW(MIB), "misplaced",
	  .set = { { 8, 8, 47 }, { 16, 4, 2 }, { 48, 1, 'b' } } },
	{ "vmdk, smallest grains", VMDK(64 * KIB), NULL, .set = { { 20, 8, 8 } } },
	{ "vmdk, smaller grains", VMDK(64 * KIB), "grains of 4 ", .set = { { 20, 8, 4 } } },
	{ "vmdk, largest grains", VMDK(MIB), NULL, .set = { { 20, 8, 65536 } } },
	{ "vmdk, larger grains", VMDK(MIB), "grains of 131072", .set = { { 20, 8, 131072 } } },
	{ "vmdk, largest disk", VMDK(MIB), NULL,
	  .set = { { 20, 8, 65536 }, { 12, 8, 1ul << 41 }, { 48, 8, 600 }, { 56, 8, 1200 } },
	  .file_size = MIB },
	{ "vmdk, larger disk", VMDK(MIB), "size of the disk",
	  .set = { { 20, 8, 65536 }, { 12, 8, (1ul << 41) + 1 }, { 48, 8, 600 }, { 56, 8, 1200 } },
	  .file_size = MIB },
	{ "vmdk, descriptor behind the directory", VMDK(MIB), NULL,
	  .set = { { 28, 8, 40 }, { 56, 8, 39 }, { 64, 8, 60 } },
	  .copy = { { 39 * 512, 26 * 512, 512 }, { 40 * 512, 512, 20 * 512 } } },
	{ "vmdk, descriptor to the end", VMDK(MIB), NULL, .set = { { 28, 8, 40 }, { 64, 8, 60 } },
	  .file_size = 60 * 512, .copy = { { 40 * 512, 512, 20 * 512 } } },
	{ "vmdk, descriptor past the end", VMDK(MIB), "missing or misplaced",
	  .set = { { 28, 8, 40 }, { 64, 8, 60 } }, .file_size = 60 * 512 - 1,
	  .copy = { { 40 * 512, 512, 19 * 512 } } },
	{ "vmdk, descriptor of one sector", VMDK(MIB), NULL, .set = { { 36, 8, 1 } } },
	{ "vmdk, directory on the descriptor's start", VMDK(MIB), "grain directory",
	  .set = { { 56, 8, 1 } } },
	{ "vmdk, directory on the descriptor's end", VMDK(MIB), "grain directory",
	  .set = { { 56, 8, 20 } } },
	{ "vmdk, redundant directory on the descriptor's start", VMDK(MIB), "redundant",
	  .set = { { 48, 8, 1 } } },
	{ "vmdk, redundant directory on the descriptor's end", VMDK(MIB), "redundant",
	  .set = { { 48, 8, 20 } } },
	{ "vmdk, redundant directory behind the other", VMDK(MIB), NULL,
	  .set = { { 48, 8, 40 }, { 56, 8, 39 } }, .copy = { { 39 * 512, 26 * 512, 512 } } },
	{ "vmdk, one directory for both", VMDK(MIB), "redundant", .set = { { 48, 8, 26 } } },
	{ "vmdk, directory to the end", VMDK(MIB), NULL, .set = { { 56, 8, 127 } } },
	{ "vmdk, directory past the end", VMDK(MIB), "grain directory", .set = { { 56, 8, 128 } } },
	{ "vmdk, redundant directory to the end", VMDK(MIB), NULL, .set = { { 48, 8, 127 } } },
	{ "vmdk, redundant directory past the end", VMDK(MIB), "redundant",
	  .set = { { 48, 8, 128 } } },
	{ "vmdk, version 2", VMDK(MIB), NULL, .set = { { 4, 4, 2 } } },
	{ "vmdk, no line ends", VMDK(MIB), NULL, .set = { { 8, 4, 2 }, { 73, 4, 0 } } },
	{ "vmdk, markers alone", VMDK(MIB), "markers", .set = { { 8, 4, 0x20003 } } },
	{ "vmdk, compressed, to be written", VMDK(MIB), "only be read",
	  .set = { { 8, 4, 0x10003 }, { 77, 2, 1 } } },
	{ "vmdk, version 3, to be written", VMDK(MIB), "is of version 3: it can",
	  .set = { { 4, 4, 3 } } },
	{ "qcow2, full L1", QCOW2(2 * MIB), NULL, .set = { { 0 } } },
	{ "qcow2, one sector too many", QCOW2(2 * MIB), "smaller than the disk",
	  .set = { { 24, 8, 2 * MIB + 512 } } },
	{ "qcow2, most snapshots", QCOW2(MIB), NULL, .set = { { 60, 4, 65536 }, { 64, 8, 4096 } } },
	{ "qcow2, more snapshots", QCOW2(MIB), "too many",
	  .set = { { 60, 4, 65537 }, { 64, 8, 4096 } } },
	{ "qcow2, snapshots at the file's last byte", QCOW2(MIB), NULL,
	  .set = { { 60, 4, 1 }, { 64, 8, 16384 } }, .file_size = 16385 },
	{ "qcow2, snapshots behind it", QCOW2(MIB), "misplaced",
	  .set = { { 60, 4, 1 }, { 64, 8, 16384 } } },
	{ "qcow2, shortest name", QCOW2(MIB), NULL,
	  .set = { { 8, 8, 104 }, { 16, 4, 1 }, { 104, 1, 'b' } } },
	{ "qcow2, name in the header", QCOW2(MIB), "misplaced",
	  .set = { { 8, 8, 103 }, { 16, 4, 2 }, { 104, 1, 'b' } } },
	{ "qcow2, name to the cluster's end", QCOW2(MIB), NULL,
	  .set = { { 8, 8, 4095 }, { 16, 4, 1 }, { 4095, 1, 'b' } } },
	{ "qcow2, name past the cluster's end", QCOW2(MIB), "misplaced",
	  .set = { { 8, 8, 4095 }, { 16, 4, 2 }, { 4095, 1, 'b' } } },
	{ "qcow2, longest name", QCOW2(MIB), "not found",
	  .set = { { 8, 8, 512 }, { 16, 4, 1023 }, { 512, 1, 'x' } } },
	{ "qcow2, longer name", QCOW2(MIB), "misplaced",
	  .set = { { 8, 8, 512 }, { 16, 4, 1024 }, { 512, 1, 'x' } } },
	{ "qcow2, dirt behind the last extension", QCOW2(MIB), NULL,
	  .set = { { 104, 8, 0 }, { 112, 8, 0xe2792acaul << 32 | 16 } } },
	{ "qcow2, second extension wrong", QCOW2(MIB), "backing format",
	  .set = { { 104, 8, 0x12345678ul << 32 | 5 }, { 120, 8, 0xe2792acaul << 32 | 16 } } },
	{ "qcow2, extension to the cluster's end", QCOW2(MIB), NULL,
	  .set = { { 104, 8, 0x12345678ul << 32 | 3984 } } },
	{ "qcow2, extension past the cluster's end", QCOW2(MIB), "too long",
	  .set = { { 104, 8, 0x12345678ul << 32 | 3985 } } },
	{ "qcow2, longer header", QCOW2(MIB), NULL, .set = { { 100, 4, 112 } } },
	{ "vmdk, copies that nobody names", VMDK(MIB), NULL, .set = { { 8, 4, 1 }, { 48, 8, 0 } } },
};

static void put(struct fake_file *ff, const struct set *s, bool big)
{
	uint64_t at = s->off & END ? ff->file.size - (s->off & ~END) : s->off;

	assert_true(at + s->size <= ff->file.size);
	for (unsigned int i = 0; i < s->size; i++) {
		ff->data[at + i] = (uint8_t)(s->val >> 8 * (big ? s->size - 1 - i : i));
	}
}

static void fix_sum(struct fake_file *ff, uint64_t off, size_t len, size_t at)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++) {
		sum += i >= at && i < at + 4 ? 0 : ff->data[off + i];
	}
	put(ff, &(struct set){ off + at, 4, ~sum }, true);
}

/* VHD: of the footer, if there is one, and of the header that it names. */
static void fix_sums(struct fake_file *ff)
{
	uint64_t end = ALIGN_DOWN(ff->file.size, 512ul) - 512, header = 512;

	if (memcmp(ff->data + end, "conectix", 8) == 0) {
		header = ff->data[end + 22] * 256ul + ff->data[end + 23];
		fix_sum(ff, end, 512, 64);
	}
	if (header + 1024 <= ff->file.size && header != 0xffff) {
		fix_sum(ff, header, 1024, 36);
	}
}

static struct fake_file *image_of(const struct edge *e)
{
	bool vhd = strcmp(e->p.format, "vhd") == 0;
	bool big = vhd || strncmp(e->p.format, "qcow", 4) == 0;
	struct fake_file *ff = lab_create(&e->p);

	if (e->file_size != 0) {
		fake_file_resize(ff, e->file_size);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(e->copy) && e->copy[i].len > 0; i++) {
		memcpy(ff->data + e->copy[i].to, ff->data + e->copy[i].from, e->copy[i].len);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(e->set) && e->set[i].size > 0; i++) {
		put(ff, &e->set[i], big);
	}
	if (vhd && ff->file.size >= 1024) {
		fix_sums(ff);
	}
	return ff;
}

static void test_edge(void **state)
{
	const struct edge *e = *state;
	struct fake_file *ff = image_of(e), *base = fake_file_new();
	struct block_dev *d = NULL;
	uint8_t buf[512];
	int r;

	fake_file_resize(base, 512);
	lab_backing("b", base);
	ff->writes = 0;
	r = lab_try_open(ff, e->p.format, false, &d);
	if (e->why != NULL && strcmp(e->why, "EIO") != 0) {
		if (r == 0 || strstr(lab_why.text, e->why) == NULL || ff->writes > 0) {
			fail_msg("%s: %d, \"%s\"", e->name, r, lab_why.text);
		}
	} else if (r != 0) {
		fail_msg("%s: %d, \"%s\"", e->name, r, lab_why.text);
	} else {
		assert_int_equal(block_read(d, 0, &(struct block_vec){ buf, 512 }, 1),
				 e->why ? -EIO : 0);
	}
	(void)block_close(d);
	assert_int_equal(ff->opens, 0);
	lab_forget_backing();
	fake_file_free(base);
	fake_file_free(ff);
	assert_int_equal(fake_heap_live, 0);
}

void fields_edges_add(struct lab_group *g)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(edges); i++) {
		lab_add(g, test_edge, &edges[i], "%s", edges[i].name);
	}
}
