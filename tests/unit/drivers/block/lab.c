/* SPDX-License-Identifier: BSD-2-Clause */
/* The laboratory of lab.h: scratch files, judges, twins. */
/* Power cuts are lab_cut.c. */
#include "drivers/block/lab.h"

#include "drivers/block/meta.h"
#include "fakes/fake_fiber.h"
#include "fakes/fake_heap.h"
#include "hv/base/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct image_why lab_why;

/* ---- tests by the table ---- */

void lab_add(struct lab_group *g, CMUnitTestFunction fn, const void *arg, const char *name, ...)
{
	static char names[32768]; /* of one group: a program has no more */
	static size_t used;
	va_list ap;
	int n;

	va_start(ap, name);
	n = vsnprintf(names + used, sizeof(names) - used, name, ap);
	va_end(ap);
	if (g->count == ARRAY_SIZE(g->test) || used + (size_t)n >= sizeof(names)) {
		fprintf(stderr, "lab_add: no room for %s\n", name);
		abort();
	}
	g->test[g->count++] = (struct CMUnitTest){ .name = names + used,
						   .test_func = fn,
						   .initial_state = (void *)(uintptr_t)arg };
	used += (size_t)n + 1;
}

int lab_group_run(const struct lab_group *g)
{
	cmocka_set_test_filter(getenv("LAB_TESTS"));
	return _cmocka_run_group_tests("formats", g->test, g->count, NULL, NULL);
}

/* ---- scratch files ---- */

static char folder[64];

static void remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	(void)!system(command);
}

static void make_folder(void)
{
	if (folder[0] == '\0') {
		snprintf(folder, sizeof(folder), "%s/insula-lab-%d-XXXXXX",
			 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", getpid());
		assert_non_null(mkdtemp(folder));
		atexit(remove_folder);
	}
}

const char *lab_path(const char *name)
{
	static char path[4][256];
	static unsigned int next;

	make_folder();
	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static int vrun(bool loud, const char *format, va_list ap)
{
	char command[4096];
	int n;

	make_folder();
	n = snprintf(command, sizeof(command), "cd %s && { ", folder);
	n += vsnprintf(command + n, sizeof(command) - (size_t)n, format, ap);
	snprintf(command + n, sizeof(command) - (size_t)n, "; } >out 2>&1");
	n = system(command);
	if (n != 0 && loud) {
		fprintf(stderr, "%s: status %x\n", command, n);
		snprintf(command, sizeof(command), "head -20 %s/out >&2", folder);
		(void)!system(command);
	}
	return n;
}

int lab_run(bool loud, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = vrun(loud, format, ap);
	va_end(ap);
	return r;
}

void lab_must(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	assert_int_equal(vrun(true, format, ap), 0);
	va_end(ap);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

/* ---- images ---- */

static struct {
	char name[64];
	struct fake_file *ff;
} backings[8];
static unsigned int backing_count;

void lab_backing(const char *name, struct fake_file *ff)
{
	unsigned int i = 0;

	while (i < backing_count && strcmp(backings[i].name, name) != 0) {
		i++;
	}
	assert_in_range(i, 0, ARRAY_SIZE(backings) - 1);
	snprintf(backings[i].name, sizeof(backings[i].name), "%s", name);
	backings[i].ff = ff;
	backing_count = i == backing_count ? i + 1 : backing_count;
}

void lab_forget_backing(void)
{
	backing_count = 0;
}

static int find_backing(void *arg, const char *name, struct block_file **out)
{
	(void)arg;
	for (unsigned int i = 0; i < backing_count; i++) {
		if (strcmp(backings[i].name, name) == 0) {
			*out = fake_file_open(backings[i].ff, true);
			return 0;
		}
	}
	return -ENOENT;
}

static int find_extent(void *arg, const char *name, bool readonly, struct block_file **out)
{
	int r = find_backing(arg, name, out);

	if (r == 0) {
		(*out)->readonly = readonly;
	}
	return r;
}

int lab_try_open(struct fake_file *ff, const char *format, bool readonly, struct block_dev **out)
{
	struct image_open_params p = { .file = fake_file_open(ff, readonly),
				       .format = format,
				       .readonly = readonly,
				       .backing = find_backing,
				       .extent = find_extent,
				       .backing_format = "raw" };

	memset(&lab_why, 0, sizeof(lab_why));
	return image_open(&p, out, &lab_why);
}

struct block_dev *lab_open(struct fake_file *ff, const char *format)
{
	struct block_dev *d = NULL;
	int r = lab_try_open(ff, format, false, &d);

	if (r) {
		fail_msg("open: %d, %s", r, lab_why.text);
	}
	return d;
}

void lab_close(struct block_dev *d)
{
	assert_int_equal(block_close(d), 0);
}

struct fake_file *lab_create(const struct image_create_params *p)
{
	struct fake_file *ff = fake_file_new();
	int r = image_create(fake_file_open(ff, false), p, &lab_why);

	if (r) {
		fail_msg("create: %d, %s", r, lab_why.text);
	}
	ff->opens--;
	return ff;
}

void lab_check(struct fake_file *ff, const char *format)
{
	struct image_check c;
	struct block_dev *d;
	int r;

	assert_int_equal(lab_try_open(ff, format, true, &d), 0);
	r = image_check(d, false, NULL, &c);
	if (r != -ENOTSUP && (r || c.leaks || c.corruptions)) {
		fail_msg("check: %d, %lu leaks, %lu corruptions: %s", r, c.leaks, c.corruptions,
			 c.first.text);
	}
	lab_close(d);
}

void lab_judge(const struct fake_file *ff, const char *format, bool leaks)
{
	int status;

	fake_file_save(ff, lab_path("judged"));
	status = lab_run(false, "qemu-img check -f %s judged", format);
	if (status != 0 && !(leaks && status == 3 << 8)) {
		lab_run(true, "qemu-img check -f %s judged", format);
		lab_run(false, "cp judged /tmp/insula-judged.img");
		fail_msg("qemu-img check: status %d, kept as /tmp/insula-judged.img", status >> 8);
	}
}

void lab_compare(const struct fake_file *ff, const char *format, const uint8_t *want, uint64_t size)
{
	struct fake_file raw = { .data = (uint8_t *)want };

	raw.file.size = size;
	fake_file_save(ff, lab_path("compared"));
	fake_file_save(&raw, lab_path("twin"));
	lab_must("qemu-img compare -f %s -F raw compared twin", format);
}

/* ---- twins ---- */

static int transfer(struct block_dev *d, uint64_t off, uint8_t *buf, uint64_t len, bool write)
{
	struct block_vec v = { buf, len };

	return write ? block_write(d, off, &v, 1) : block_read(d, off, &v, 1);
}

void twin_begin(struct twin *t, struct block_dev *d, uint32_t seed)
{
	*t = (struct twin){ .d = d, .want = malloc(d->size), .seed = seed };
	assert_int_equal(transfer(d, 0, t->want, d->size, false), 0);
}

void twin_end(struct twin *t)
{
	free(t->want);
	t->want = NULL;
}

uint64_t twin_differs(struct twin *t)
{
	uint8_t *got = malloc(t->d->size);
	uint64_t off = UINT64_MAX;

	memset(got, 0x55, t->d->size);
	if (transfer(t->d, 0, got, t->d->size, false)) {
		off = 0;
	}
	for (uint64_t i = 0; off == UINT64_MAX && i < t->d->size; i += BLOCK_SECTOR) {
		if (memcmp(got + i, t->want + i, BLOCK_SECTOR) != 0) {
			off = i;
		}
	}
	free(got);
	return off;
}

void twin_check(struct twin *t)
{
	uint64_t off = twin_differs(t);

	if (off != UINT64_MAX) {
		fail_msg("content differs at %lx", off);
	}
}

void twin_write(struct twin *t, uint64_t off, uint64_t len, uint8_t byte)
{
	memset(t->want + off, byte, len);
	assert_int_equal(transfer(t->d, off, t->want + off, len, true), 0);
}

/* In three pieces, so that cursors have work. */
static int write_pieces(struct twin *t, uint64_t off, uint64_t len)
{
	uint8_t *buf = malloc(len); /* its end is watched */
	uint64_t a = ALIGN_DOWN(len / 3, 512ul), b = ALIGN_DOWN(len / 2, 512ul);
	struct block_vec v[3] = { { buf, a }, { buf + a, b - a }, { buf + b, len - b } };
	int r;

	memcpy(buf, t->want + off, len);
	r = block_write(t->d, off, v, 3);
	free(buf);
	return r;
}

int twin_step(struct twin *t)
{
	uint64_t area = t->area ? t->area : t->d->size;
	uint32_t kind = fake_fiber_random(&t->seed) % 16;
	uint64_t off = fake_fiber_random(&t->seed) % (area / 512) * 512;
	uint64_t max = fake_fiber_random(&t->seed) % 4 ? 8192 : 3 * t->d->granularity;
	uint64_t len = (1 + fake_fiber_random(&t->seed) % (max / 512 + 1)) * 512;
	int r;

	len = u64_min(len, area - off);
	if (kind == 0) {
		return block_flush(t->d);
	}
	if (kind == 1) {
		r = block_discard(t->d, off, len);
		return r ? r : transfer(t->d, off, t->want + off, len, false);
	}
	if (kind <= 3) {
		memset(t->want + off, 0, len);
		return kind == 2 ? block_write_zeroes(t->d, off, len, true)
				 : transfer(t->d, off, t->want + off, len, true);
	}
	for (uint64_t i = 0; i < len; i += 4) {
		uint32_t val = fake_fiber_random(&t->seed) | 1;

		memcpy(t->want + off + i, &val, 4);
	}
	return write_pieces(t, off, len);
}
