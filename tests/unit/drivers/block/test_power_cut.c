/* SPDX-License-Identifier: BSD-2-Clause */
/* Every format that is written, through power cuts at each write and flush of the host's file: no */
/* corruption, and what was flushed is there. How a cut is made and judged is lab_cut.c. */
/* TEST_SOURCES: drivers/block/block.c drivers/block/image.c drivers/block/inflate.c drivers/block/meta.c */
/* TEST_SOURCES: drivers/block/monitor.c drivers/block/span.c drivers/block/thin.c drivers/block/thin_write.c */
/* TEST_SOURCES: drivers/block/tables.c drivers/block/fmt_raw.c drivers/block/fmt_vdi.c drivers/block/fmt_vhd.c */
/* TEST_SOURCES: drivers/block/fmt_qed.c drivers/block/fmt_qcow.c drivers/block/tables_check.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk.c drivers/block/fmt_vmdk_create.c drivers/block/fmt_vmdk_header.c */
/* TEST_SOURCES: drivers/block/fmt_vmdk_text.c drivers/block/fmt_qcow2.c drivers/block/fmt_qcow2_check.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_create.c drivers/block/fmt_qcow2_l2.c drivers/block/fmt_qcow2_refcount.c */
/* TEST_SOURCES: drivers/block/fmt_qcow2_rewrite.c drivers/block/fmt_qcow2_snapshot.c drivers/block/fmt_qcow2_walk.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c hv/lib/string.c tests/unit/fakes/fake_fiber.c tests/unit/fakes/fake_file.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/block/lab.c tests/unit/drivers/block/lab_cut.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_block.ld */
#include "drivers/block/lab.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOAK_CUTS 10000ul

static bool soak(void)
{
	return getenv("INSULA_SOAK") != NULL;
}

struct subject {
	const char *name;
	struct image_create_params p; /* ours; .size is of the part that is used, if `qemu` */
	const char *qemu;   /* options and size for qemu-img create, then further commands */
	const char *judge;  /* what qemu-img check calls the format; NULL: it cannot check it */
	bool judge_before;  /* also before we opened it: nothing needs mending */
	unsigned int steps; /* of the sample, too; 0: few are enough */
	bool partition;	    /* lies in a place of fixed size */
	bool moved;	    /* is created elsewhere */
	bool grows;	    /* the refcount table must end elsewhere */
	bool (*other)(struct block_dev *d, unsigned int i);
};

#define EXTENT "cut-flat.vmdk"

static struct fake_file *extent; /* of what has its data in a second file */

static int make_extent(void *arg, const char *name, struct block_file **out)
{
	(void)arg;
	assert_string_equal(name, EXTENT);
	fake_file_resize(extent, 0); /* a new file, for each workload */
	*out = fake_file_open(extent, false);
	return 0;
}

static const struct image_backing base_name = { "base", "raw" };

static bool snapshot_step(struct block_dev *d, unsigned int i)
{
	switch (i) {
	case 10:
		assert_int_equal(image_snapshot_create(d, "first", 1), 0);
		return true;
	case 25:
		assert_int_equal(image_snapshot_create(d, "second", 2), 0);
		return true;
	case 40:
		assert_int_equal(image_snapshot_remove(d, "first"), 0);
		return true;
	case 50:
		assert_int_equal(image_snapshot_remove(d, "second"), 0);
		return true;
	default:
		return false;
	}
}

static const struct subject subjects[] = {
	{ .name = "raw", .p = { .format = "raw", .size = 256 * KIB } },
	{ .name = "vdi", .p = { .format = "vdi", .size = 3 * MIB }, .judge = "vdi" },
	{ .name = "vdi on a partition",
	  .p = { .format = "vdi", .size = 3 * MIB },
	  .judge = "vdi",
	  .partition = true,
	  .moved = true },
	{ .name = "vdi fixed",
	  .p = { .format = "vdi", .size = 256 * KIB, .subformat = "fixed" },
	  .judge = "vdi" },
	{ .name = "vhd", .p = { .format = "vhd", .size = 4 * MIB + 512 } },
	{ .name = "vhd on a partition",
	  .p = { .format = "vhd", .size = 4 * MIB + 512 },
	  .partition = true },
	{ .name = "vhd fixed", .p = { .format = "vhd", .size = 256 * KIB, .subformat = "fixed" } },
	{ .name = "vmdk", .p = { .format = "vmdk", .size = 1 * MIB }, .judge = "vmdk" },
	{ .name = "vmdk 4K",
	  .p = { .format = "vmdk", .size = 512 * KIB, .cluster_size = 4096 },
	  .judge = "vmdk" },
	{ .name = "vmdk 4K on a partition",
	  .p = { .format = "vmdk", .size = 512 * KIB, .cluster_size = 4096 },
	  .judge = "vmdk",
	  .partition = true,
	  .moved = true },
	{ .name = "vmdk flat",
	  .p = { .format = "vmdk",
		 .size = 256 * KIB,
		 .subformat = "monolithicFlat",
		 .name = "cut.vmdk",
		 .extent = make_extent },
	  .judge = "vmdk" },
	{ .name = "qcow", .p = { .format = "qcow", .size = 512 * KIB } },
	{ .name = "qcow 512", .p = { .format = "qcow", .size = 128 * KIB, .cluster_size = 512 } },
	{ .name = "qcow clone",
	  .p = { .format = "qcow", .size = 512 * KIB, .backing = &base_name } },
	{ .name = "qcow clone on a partition",
	  .p = { .format = "qcow", .size = 512 * KIB, .backing = &base_name },
	  .partition = true },
	{ .name = "qed", .p = { .format = "qed", .size = 1 * MIB }, .judge = "qed" },
	{ .name = "qed 4K",
	  .p = { .format = "qed", .size = 512 * KIB, .cluster_size = 4096 },
	  .judge = "qed" },
	{ .name = "qed 4K on a partition",
	  .p = { .format = "qed", .size = 512 * KIB, .cluster_size = 4096 },
	  .judge = "qed",
	  .partition = true },
	{ .name = "qed clone",
	  .p = { .format = "qed", .size = 512 * KIB, .cluster_size = 4096, .backing = &base_name },
	  .judge = "qed" },
	{ .name = "qcow2", .p = { .format = "qcow2", .size = 1 * MIB }, .judge = "qcow2" },
	{ .name = "qcow2 4K",
	  .p = { .format = "qcow2", .size = 512 * KIB, .cluster_size = 4096 },
	  .judge = "qcow2",
	  .judge_before = true },
	{ .name = "qcow2 4K on a partition",
	  .p = { .format = "qcow2", .size = 512 * KIB, .cluster_size = 4096 },
	  .judge = "qcow2",
	  .judge_before = true,
	  .partition = true },
	{ .name = "qcow2 512, version 2",
	  .p = { .format = "qcow2", .size = 128 * KIB, .cluster_size = 512, .version = 2 },
	  .judge = "qcow2",
	  .judge_before = true },
	{ .name = "qcow2 clone",
	  .p = { .format = "qcow2",
		 .size = 512 * KIB,
		 .cluster_size = 4096,
		 .backing = &base_name },
	  .judge = "qcow2",
	  .judge_before = true },
	/* The refcount table can count 2 MiB, and that is nearly full: it grows on the way. */
	{ .name = "qcow2, refcount table grows",
	  .p = { .format = "qcow2", .size = 256 * KIB },
	  .qemu = "-o cluster_size=512,refcount_bits=64 t 2500k && "
		  "qemu-io -f qcow2 -c 'write -P 1 500k 1965k' t",
	  .judge = "qcow2",
	  .judge_before = true,
	  .steps = 70,
	  .grows = true },
	{ .name = "qcow2, lazy refcounts",
	  .p = { .format = "qcow2", .size = 512 * KIB },
	  .qemu = "-o cluster_size=4k,lazy_refcounts=on t 512k",
	  .judge = "qcow2" },
	{ .name = "qcow2, snapshots",
	  .p = { .format = "qcow2", .size = 128 * KIB, .cluster_size = 4096 },
	  .judge = "qcow2",
	  .judge_before = true,
	  .steps = 60,
	  .other = snapshot_step },
};

static struct fake_file *image_of(const struct subject *s)
{
	struct fake_file *ff;

	if (s->qemu == NULL) {
		ff = lab_create(&s->p);
	} else {
		lab_must("qemu-img create -q -f %s %s", s->p.format, s->qemu);
		ff = fake_file_new();
		fake_file_load(ff, lab_path("t"));
	}
	if (s->partition) {
		fake_file_fix(ff, ff->file.size + s->p.size + 4 * MIB);
	}
	return ff;
}

static struct cut_params params_of(const struct subject *s, const uint8_t *base)
{
	return (struct cut_params){ .format = s->p.format,
				    .size = s->p.size,
				    .judged = s->judge ? (soak() ? 20 : 40) : 0,
				    .before = s->p.backing ? base : NULL,
				    .beside_name = EXTENT,
				    .beside = s->p.extent ? extent : NULL };
}

/* Workloads of one subject, each with its own dice, until there were enough cuts. */
static void cut_subject(const struct subject *s, const uint8_t *base)
{
	struct cut_params c = params_of(s, base);
	unsigned long cuts = 0;
	uint8_t table[8];

	c.steps = s->steps ? s->steps : soak() ? 60 : 8;
	c.orders = soak() ? 8 : 1;
	c.judge_after = !s->judge_before;
	c.other = s->other;
	do {
		struct fake_file *ff = image_of(s);

		memcpy(table, ff->data + 48, sizeof(table));
		c.seed++;
		cuts += lab_power_cuts(ff, &c);
		if (s->grows) { /* the header's offset of the refcount table */
			assert_memory_not_equal(table, ff->data + 48, sizeof(table));
		}
		fake_file_free(ff);
	} while (soak() && cuts < SOAK_CUTS);
	print_message("# %s: %lu cut points of %u workloads\n", s->name, cuts, c.seed);
}

/* Is it created here, and can one see when it is? */
static bool is_created(const struct subject *s)
{
	return s->qemu == NULL && s->other == NULL && !s->moved && strcmp(s->p.format, "raw") != 0;
}

/* What is created is no image, or all that it shall be. */
static void cut_creation(const struct subject *s, const uint8_t *base)
{
	struct fake_file *ff = fake_file_new();
	struct cut_params c = params_of(s, base);

	c.create = &s->p;
	c.orders = soak() ? 200 : 10;
	if (s->partition) {
		fake_file_fix(ff, s->p.size + 4 * MIB);
	}
	print_message("# creating %s: %lu cut points\n", s->name, lab_power_cuts(ff, &c));
	fake_file_free(ff);
}

static void with_files(const struct subject *s,
		       void (*cut)(const struct subject *s, const uint8_t *base))
{
	struct fake_file *base = fake_file_new();

	extent = fake_file_new();
	lab_must("yes insula | head -c 512k >base");
	fake_file_load(base, lab_path("base"));
	lab_backing("base", base);
	lab_backing(EXTENT, extent);
	cut(s, base->data);
	lab_forget_backing();
	fake_file_free(base);
	fake_file_free(extent);
}

static void test_power_cuts(void **state)
{
	with_files(*state, cut_subject);
}

static void test_creation(void **state)
{
	with_files(*state, cut_creation);
}

int main(void)
{
	static struct lab_group g;

	for (unsigned int i = 0; i < ARRAY_SIZE(subjects); i++) {
		lab_add(&g, test_power_cuts, &subjects[i], "%s", subjects[i].name);
		if (is_created(&subjects[i])) {
			lab_add(&g, test_creation, &subjects[i], "creating %s", subjects[i].name);
		}
	}
	return lab_group_run(&g);
}
