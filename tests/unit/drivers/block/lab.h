/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of disk formats share: images and their twins in memory, qemu-img as the judge, */
/* random workloads, power cuts. Asserts by cmocka: never from a fiber. */
#ifndef TESTS_UNIT_DRIVERS_BLOCK_LAB_H
#define TESTS_UNIT_DRIVERS_BLOCK_LAB_H

#include "drivers/block/image.h"
#include "fakes/fake_file.h"

#include <cmocka.h>

/* Tests of which many are rows of tables: each row is a test of its own, with a name. */
struct lab_group {
	struct CMUnitTest test[512];
	size_t count;
};
/* arg becomes the test's *state; the name is copied. */
void lab_add(struct lab_group *g, CMUnitTestFunction fn, const void *arg, const char *name, ...)
	PRINTF(4, 5);
/* With LAB_TESTS in the environment only the tests whose names match it, as '*vdi*' does. */
int lab_group_run(const struct lab_group *g);

/* A scratch folder of this process, made on first use and removed at exit; paths are relative to it. */
const char *lab_path(const char *name);
/* Runs a shell command in the scratch folder; its status. What it says is printed if `loud`. */
int lab_run(bool loud, const char *format, ...) PRINTF(2, 3);
/* As lab_run, and fails the test if the status is not 0. */
void lab_must(const char *format, ...) PRINTF(1, 2);

/* Files that images of this test name as backing files or extents; the last of a name counts. */
void lab_backing(const char *name, struct fake_file *ff);
void lab_forget_backing(void);

/* Opens an image in ff; the error text is in lab_why. */
extern struct image_why lab_why;
int lab_try_open(struct fake_file *ff, const char *format, bool readonly, struct block_dev **out);
struct block_dev *lab_open(struct fake_file *ff, const char *format);
void lab_close(struct block_dev *d);
/* An empty image. */
struct fake_file *lab_create(const struct image_create_params *p);

/* qemu-img check: fails the test unless it finds nothing; leaks are forgiven if `leaks`. */
void lab_judge(const struct fake_file *ff, const char *format, bool leaks);

/* Our own check finds nothing, not even leaks, where the format has one. */
void lab_check(struct fake_file *ff, const char *format);

/* ---- a disk and what it must hold ---- */

struct twin {
	struct block_dev *d;
	uint8_t *want; /* d->size bytes */
	uint32_t seed;
	uint64_t area; /* bytes from the start that the workload touches; 0: all */
};

/* Takes what d holds now for what it must hold. */
void twin_begin(struct twin *t, struct block_dev *d, uint32_t seed);
/* Reads all and compares; the first offset that differs, or UINT64_MAX. */
uint64_t twin_differs(struct twin *t);
void twin_check(struct twin *t);
void twin_end(struct twin *t);
/* One random request: write, zeros, discard or flush. Returns what the request returned. */
int twin_step(struct twin *t);
void twin_write(struct twin *t, uint64_t off, uint64_t len, uint8_t byte);
/* Judges the content by qemu-img compare, too: the image is closed. */
void lab_compare(const struct fake_file *ff, const char *format, const uint8_t *want,
		 uint64_t size);

/* ---- power cuts ---- */

struct cut_params {
	const char *format;
	uint64_t size;	     /* of the part of the disk, from its start, that is used */
	unsigned int steps;  /* requests of the workload */
	unsigned int orders; /* tried at each event, besides the order in which things happened */
	unsigned int judged; /* every so many events by qemu-img check; 0: it cannot */
	bool judge_after;    /* only after we opened and closed it for writing */
	uint32_t seed;
	const uint8_t *before;	 /* what the disk holds at the start; NULL: zeros */
	const char *beside_name; /* NULL, or how the image calls its other file */
	struct fake_file *beside;
	/* NULL, or the workload is to create the image in an empty ff: before that is done it may be none. */
	const struct image_create_params *create;
	/* NULL, or something else to do instead of step i; true if it did. */
	bool (*other)(struct block_dev *d, unsigned int i);
};

/*
 * ff holds the image at the start. Fails the test at the first cut that loses or breaks something;
 * returns how many were tried.
 */
unsigned long lab_power_cuts(struct fake_file *ff, const struct cut_params *p);

#endif
