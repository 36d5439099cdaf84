/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets of disk formats share: a valid image, damaged as the input says, then used. */
/* The input is records of 3 bytes of offset, 1 of length, and that many bytes to put there. */
#ifndef TESTS_FUZZ_FUZZ_BLOCK_H
#define TESTS_FUZZ_FUZZ_BLOCK_H

#include "drivers/block/image.h"
#include "fakes/fake_file.h"
#include "hv/base/log.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_SPACE (16 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

static int no_backing(void *arg, const char *name, struct block_file **out)
{
	(void)arg;
	(void)name;
	(void)out;
	return -ENOENT;
}

static int fuzz_open(struct fake_file *ff, const char *format, bool repair, struct block_dev **d)
{
	struct image_open_params p = { .file = fake_file_open(ff, false),
				       .format = format,
				       .repair = repair,
				       .backing = no_backing,
				       .backing_format = "raw" };
	struct image_why why = { 0 };
	int r = image_open(&p, d, &why);

	if (r < 0 && (why.text[0] == '\0' || ff->opens != 0)) {
		abort(); /* a refusal says why, and lets the file go */
	}
	return r;
}

static void fuzz_check(int r)
{
	if (r != 0 && r != -EIO && r != -ENOSPC && r != -ENOMEM && r != -ENOTSUP && r != -EEXIST &&
	    r != -ENOENT) {
		abort();
	}
}

static void fuzz_use(struct block_dev *d, uint8_t byte)
{
	static uint8_t buf[256 * KIB];
	uint64_t size = u64_min(d->size, sizeof(buf));
	uint64_t last = d->size - size;
	struct block_vec v = { buf, size }, one = { buf, 512 };
	struct image_check check;

	memset(buf, byte, sizeof(buf));
	fuzz_check(block_read(d, 0, &v, 1));
	fuzz_check(block_write(d, 0, &one, 1));
	fuzz_check(block_write(d, last, &v, 1));
	fuzz_check(image_snapshot_create(d, "fuzz", 1));
	fuzz_check(block_discard(d, 0, size));
	fuzz_check(block_write_zeroes(d, last, size, true));
	fuzz_check(image_snapshot_restore(d, "fuzz"));
	fuzz_check(block_flush(d));
	fuzz_check(block_read(d, last, &v, 1));
	fuzz_check(image_check(d, true, &check));
	fuzz_check(image_snapshot_remove(d, "fuzz"));
	fuzz_check(block_write(d, size / 2 / 512 * 512, &one, 1));
}

/* make() gives the valid image; fix() puts checksums right, or is NULL. */
static int fuzz_image(const uint8_t *data, size_t size, const char *format,
		      struct fake_file *(*make)(void), void (*fix)(struct fake_file *ff))
{
	static struct fake_file *good, *ff;
	struct block_dev *d;

	if (good == NULL) {
		good = make();
		ff = fake_file_new();
	}
	fake_file_copy(ff, good);
	ff->limit = FUZZ_SPACE;
	while (size > 4) {
		uint64_t off = (data[0] | (uint64_t)data[1] << 8 | (uint64_t)data[2] << 16);
		size_t len = u64_min(data[3] % 16 + 1, size - 4);

		off %= ff->file.size;
		memcpy(ff->data + off, data + 4, u64_min(len, ff->file.size - off));
		data += 4 + len;
		size -= 4 + len;
	}
	if (fix != NULL) {
		fix(ff);
	}
	if (fuzz_open(ff, format, size & 1, &d) == 0) {
		fuzz_use(d, (uint8_t)size);
		fuzz_check(block_close(d));
	}
	return 0;
}

static struct fake_file *fuzz_make(const struct image_create_params *p)
{
	struct fake_file *ff = fake_file_new();
	struct image_why why;
	struct block_dev *d;
	uint8_t data[8192];
	struct block_vec v = { data, sizeof(data) };

	memset(data, 0xab, sizeof(data));
	if (image_create(fake_file_open(ff, false), p, &why)) {
		abort();
	}
	ff->opens--;
	if (fuzz_open(ff, p->format, false, &d) || block_write(d, 4096, &v, 1)) {
		abort();
	}
	(void)image_snapshot_create(d, "seed", 1);
	if (block_write(d, 0, &v, 1) || block_close(d)) {
		abort();
	}
	return ff;
}

#endif
