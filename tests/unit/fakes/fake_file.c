/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of fake_file.h. Every call is a place where other fibers may run. */
/* Checks what block.h demands of its callers: whole sectors only. */
#include "fakes/fake_file.h"

#include "fakes/fake_fiber.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_file *of(struct block_file *f)
{
	return container_of(f, struct fake_file, file);
}

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "fake_file: %s\n", what);
		abort();
	}
}

static int countdown(long *left)
{
	if (*left < 0) {
		return 0;
	}
	return (*left)-- == 0 ? -EIO : 0;
}

static struct fake_file *journal_of(struct fake_file *ff)
{
	return ff->journal ? ff->journal : ff;
}

static void add_event(struct fake_file *ff, struct fake_event e)
{
	struct fake_file *to = journal_of(ff);

	if (!to->record) {
		return;
	}
	if ((to->events & (to->events + 1)) == 0) {
		to->event = realloc(to->event, (to->events + 1) * 2 * sizeof(e));
	}
	e.beside = to != ff;
	to->event[to->events++] = e;
}

void fake_file_touch(struct fake_file *ff, uint64_t off, uint64_t len)
{
	if (ff->touched != NULL && len > 0) {
		memset(ff->touched + off / FAKE_PAGE, 1, FAKE_PAGES(off + len) - off / FAKE_PAGE);
	}
}

static void make_room(struct fake_file *ff, size_t room)
{
	ff->data = realloc(ff->data, room);
	must(ff->data != NULL, "too large for this machine");
	memset(ff->data + ff->room, 0, room - ff->room);
	if (ff->touched != NULL) {
		size_t had = FAKE_PAGES(ff->room), has = FAKE_PAGES(room);

		ff->touched = realloc(ff->touched, has);
		memset(ff->touched + had, 0, has - had);
	}
	ff->room = room;
}

/* What lies behind the end is zeros: pages that the original had not, and nobody touched, already are. */
static void wipe(struct fake_file *ff, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t next = u64_min(ALIGN_DOWN(from, FAKE_PAGE) + FAKE_PAGE, to);

		if (ff->touched == NULL || ff->touched[from / FAKE_PAGE] ||
		    from < ff->original->file.size) {
			memset(ff->data + from, 0, next - from);
			fake_file_touch(ff, from, next - from);
		}
		from = next;
	}
}

void fake_file_resize(struct fake_file *ff, uint64_t size)
{
	if (size > ff->room) {
		make_room(ff, size + size / 2);
	}
	wipe(ff, size, ff->file.size);
	ff->file.size = size;
}

static int file_read(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n)
{
	struct fake_file *ff = of(f);

	ff->reads++;
	fake_fiber_pause();
	for (unsigned int i = 0; i < n; i++) {
		must(range_within(off, v[i].len, f->size), "read past the end");
		memcpy(v[i].base, ff->data + off, v[i].len);
		off += v[i].len;
	}
	fake_fiber_pause();
	return countdown(&ff->fail_read_in);
}

static int file_write(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n)
{
	struct fake_file *ff = of(f);
	uint64_t len = block_vec_bytes(v, n);
	struct fake_event e = { .kind = FAKE_WRITE, .off = off, .len = len };
	int r = countdown(&ff->fail_write_in);

	must(!f->readonly, "write to a read-only file");
	must((off | len) % BLOCK_SECTOR == 0, "write of half a sector");
	ff->writes++;
	fake_fiber_pause();
	if (r || off + len > ff->limit || (f->ops->truncate == NULL && off + len > f->size)) {
		return r ? r : -ENOSPC;
	}
	if (off + len > f->size) {
		fake_file_resize(ff, off + len);
	}
	fake_file_touch(ff, off, len);
	for (unsigned int i = 0; i < n; i++) {
		memcpy(ff->data + off, v[i].base, v[i].len);
		off += v[i].len;
	}
	if (journal_of(ff)->record) {
		e.data = malloc(len);
		memcpy(e.data, ff->data + e.off, len);
	}
	add_event(ff, e);
	fake_fiber_pause();
	return 0;
}

static int file_flush(struct block_file *f)
{
	struct fake_file *ff = of(f);
	int r = countdown(&ff->fail_flush_in);

	ff->flushes++;
	fake_fiber_pause();
	if (r == 0) {
		add_event(ff, (struct fake_event){ .kind = FAKE_FLUSH });
	}
	fake_fiber_pause();
	return r;
}

static int file_truncate(struct block_file *f, uint64_t size)
{
	if (size > of(f)->limit) {
		return -ENOSPC;
	}
	add_event(of(f), (struct fake_event){ .kind = FAKE_TRUNCATE, .off = size });
	fake_file_resize(of(f), size);
	return 0;
}

static void file_close(struct block_file *f)
{
	of(f)->opens--;
}

static const struct block_file_ops ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.truncate = file_truncate,
	.close = file_close,
};

/* A partition: its size never changes. */
static const struct block_file_ops fixed_ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.close = file_close,
};

struct fake_file *fake_file_new(void)
{
	struct fake_file *ff = calloc(1, sizeof(*ff));

	ff->file.ops = &ops;
	ff->limit = UINT64_MAX;
	ff->fail_read_in = ff->fail_write_in = ff->fail_flush_in = -1;
	return ff;
}

void fake_file_forget(struct fake_file *ff)
{
	for (size_t i = 0; i < ff->events; i++) {
		free(ff->event[i].data);
	}
	free(ff->event);
	ff->event = NULL;
	ff->events = 0;
	ff->record = false;
}

void fake_file_free(struct fake_file *ff)
{
	must(ff->opens == 0, "freed while open");
	fake_file_forget(ff);
	free(ff->touched);
	free(ff->data);
	free(ff);
}

struct block_file *fake_file_open(struct fake_file *ff, bool readonly)
{
	ff->file.readonly = readonly;
	ff->opens++;
	return &ff->file;
}

void fake_file_load(struct fake_file *ff, const char *path)
{
	FILE *in = fopen(path, "rb");
	long size;

	must(in != NULL, path);
	fseek(in, 0, SEEK_END);
	size = ftell(in);
	rewind(in);
	fake_file_resize(ff, 0);
	fake_file_resize(ff, (uint64_t)size);
	must(fread(ff->data, 1, (size_t)size, in) == (size_t)size, path);
	fclose(in);
}

void fake_file_save(const struct fake_file *ff, const char *path)
{
	FILE *out = fopen(path, "wb");

	must(out != NULL, path);
	must(fwrite(ff->data, 1, ff->file.size, out) == ff->file.size, path);
	fclose(out);
}

void fake_file_fix(struct fake_file *ff, uint64_t size)
{
	uint64_t old = ff->file.size;

	fake_file_resize(ff, size);
	memset(ff->data + old, 0xee, size - old);
	fake_file_touch(ff, old, size - old);
	ff->file.ops = &fixed_ops;
}

void fake_file_copy(struct fake_file *to, const struct fake_file *from)
{
	to->file.ops = from->file.ops;
	fake_file_resize(to, from->file.size);
	if (from->file.size > 0) {
		memcpy(to->data, from->data, from->file.size);
	}
}

static void restore_page(struct fake_file *ff, uint64_t off)
{
	const struct fake_file *from = ff->original;
	uint64_t len = u64_min(FAKE_PAGE, ff->room - off);
	uint64_t had = off < from->file.size ? u64_min(len, from->file.size - off) : 0;

	memset(ff->data + off + had, 0, len - had);
	if (had > 0) {
		memcpy(ff->data + off, from->data + off, had);
	}
}

void fake_file_restore(struct fake_file *ff, const struct fake_file *from)
{
	size_t pages = FAKE_PAGES(ff->room);
	const uint8_t *next = ff->touched;

	if (ff->original != from) {
		free(ff->touched);
		ff->touched = NULL;
		fake_file_copy(ff, from);
		ff->original = from;
		ff->touched = calloc(1, FAKE_PAGES(ff->room) + 1);
		return;
	}
	while ((next = memchr(next, 1, (size_t)(ff->touched + pages - next))) != NULL) {
		restore_page(ff, (uint64_t)(next++ - ff->touched) * FAKE_PAGE);
	}
	memset(ff->touched, 0, pages);
	ff->file.ops = from->file.ops;
	ff->file.size = from->file.size;
}

void fake_file_apply(struct fake_file *ff, const struct fake_event *e)
{
	if (e->kind == FAKE_TRUNCATE) {
		fake_file_resize(ff, e->off);
	} else if (e->kind == FAKE_WRITE) {
		if (e->off + e->len > ff->file.size) {
			fake_file_resize(ff, e->off + e->len);
		}
		memcpy(ff->data + e->off, e->data, e->len);
		fake_file_touch(ff, e->off, e->len);
	}
}

void fake_file_note(struct fake_file *ff, uint64_t what)
{
	add_event(ff, (struct fake_event){ .kind = FAKE_NOTE, .off = what });
}
