/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing: in place where that is allowed, else into a new place, filled up with what was there. */
/* Zeros over zeros are not written at all. */
#include "drivers/block/thin.h"

#include "drivers/block/span.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#define BOUNCE_MAX (32ul * KIB)

struct writer {
	struct image *img;
	struct block_cursor cursor;
	uint64_t off;
	uint64_t end;
	struct block_map map;	  /* of off, when the span began */
	struct block_place place; /* for [span.start, span.end), if alloc was needed */
	struct span span;
};

static int write_data(struct writer *w, uint64_t file_off, uint64_t len)
{
	struct block_vec part[BLOCK_SLICE];
	unsigned int n;
	int r = 0;

	while (r == 0 && len > 0) {
		uint64_t got = block_cursor_take(&w->cursor, len, part, &n);

		r = block_file_writev(w->img->data, file_off, part, n);
		file_off += got;
		w->off += got;
		len -= got;
	}
	return r;
}

/* ---- into a new place ---- */

static int copy_piece(const struct thin_where *from, struct image *to, uint64_t file_off,
		      uint8_t *bounce)
{
	struct block_vec v = { bounce, from->map.len };
	int r = thin_read_where(from, &v, 1);

	return r ? r : block_file_write(to->data, file_off, bounce, from->map.len);
}

/* Writes what [off, off + len) of the disk held until now to file_off. */
static int copy_old(struct image *img, uint64_t off, uint64_t len, uint64_t file_off, bool fresh)
{
	uint64_t step = u64_min(img->cluster_size, BOUNCE_MAX);
	uint64_t there = off < img->dev.size ? u64_min(len, img->dev.size - off) : 0;
	uint8_t *bounce = NULL;
	int r = 0;

	for (uint64_t done = 0; r == 0 && done < there;) {
		struct thin_where w;

		r = thin_resolve(img, off + done, there - done, &w);
		if (r == 0 && w.map.kind != BLOCK_ZERO) {
			bounce = bounce ? bounce : heap_alloc(step);
			w.map.len = u64_min(w.map.len, step);
			r = bounce ? copy_piece(&w, img, file_off + done, bounce) : -ENOMEM;
		} else if (r == 0 && !fresh) {
			r = block_file_write_zeros(img->data, file_off + done, w.map.len);
		}
		done += r ? 0 : w.map.len;
		thread_checkpoint();
	}
	heap_free(bounce);
	if (r == 0 && there < len && !fresh) { /* behind the disk's end */
		r = block_file_write_zeros(img->data, file_off + there, len - there);
	}
	return r;
}

static int fill_place(struct writer *w)
{
	const struct block_place *p = &w->place;
	uint64_t start = w->span.start, off = w->off;
	uint64_t stop = u64_min(w->end, start + p->len);
	int r = copy_old(w->img, start, off - start, p->file_off, p->fresh);

	if (r == 0) {
		r = write_data(w, p->file_off + (off - start), stop - off);
	}
	return r ? r
		 : copy_old(w->img, stop, start + p->len - stop, p->file_off + (stop - start),
			    p->fresh);
}

static int write_new(struct writer *w)
{
	struct image *img = w->img;
	int r = fill_place(w);

	monitor_enter(&img->monitor);
	if (r == 0) {
		r = img->fmt->link(img, w->span.start, &w->place);
	} else {
		img->fmt->unalloc(img, w->span.start, &w->place);
	}
	monitor_leave(&img->monitor);
	return r;
}

/* ---- choosing, inside the monitor ---- */

static bool reads_zero(const struct image *img, uint64_t off, const struct block_map *m)
{
	return m->kind == BLOCK_ZERO || (m->kind == BLOCK_UNALLOCATED &&
					 (img->backing == NULL || off >= img->backing->dev.size));
}

enum choice { IN_PLACE, NEW, NOTHING };

/*
 * w->map.len bytes of the request are to be stored in new clusters: shortens that to what is alike,
 * and takes care of it if it is zeros. 1: taken care of.
 */
static int choose_zeros(struct writer *w)
{
	struct image *img = w->img;
	uint64_t cs = img->cluster_size, start = ALIGN_DOWN(w->off, cs);
	uint64_t stop = w->off + w->map.len;
	bool zero;

	if (!img->zero_detect) {
		return 0;
	}
	w->map.len = block_cursor_same(w->cursor, start + cs - w->off, cs, w->map.len, &zero);
	if (!zero) {
		return 0;
	}
	if (reads_zero(img, w->off, &w->map)) {
		return 1;
	}
	stop = w->off + w->map.len;
	if (w->off == start && (stop % cs == 0 || stop == img->dev.size) && img->fmt->discard) {
		int r = img->fmt->discard(img, start, ALIGN_UP(stop, cs) - start, true);

		return r == -ENOTSUP ? 0 : r ? r : 1;
	}
	return 0;
}

/* What to do with the bytes at w->off; the span has begun unless it is an error. */
static int choose(struct writer *w, enum choice *choice)
{
	struct image *img = w->img;
	uint64_t cs = img->cluster_size, start, end;
	bool new;
	int r = thin_touch(img);

	for (;;) {
		r = r ? r : img->fmt->map(img, w->off, w->end - w->off, &w->map);
		if (r) {
			return r;
		}
		w->map.len = u64_min(w->map.len, w->end - w->off);
		new = w->map.kind != BLOCK_DATA || !w->map.in_place;
		start = new ? ALIGN_DOWN(w->off, cs) : w->off;
		end = w->off + w->map.len;
		end = new ? ALIGN_UP(end, cs) : end;
		if (span_free(img, start, end, new)) {
			break;
		}
		monitor_wait(&img->monitor);
	}
	*choice = IN_PLACE;
	if (new) {
		r = choose_zeros(w);
		*choice = r == 0 ? NEW : NOTHING;
		end = ALIGN_UP(w->off + w->map.len, cs);
	}
	if (*choice == NEW) {
		r = img->fmt->alloc ? img->fmt->alloc(img, start, end - start, &w->place) : -EIO;
		end = start + w->place.len;
	}
	if (r < 0) {
		return r;
	}
	span_begin(img, &w->span, start, end, new);
	return 0;
}

static int write_some(struct writer *w)
{
	enum choice choice;
	int r;

	monitor_enter(&w->img->monitor);
	r = choose(w, &choice);
	monitor_leave(&w->img->monitor);
	if (r) {
		return r;
	}
	if (choice == NOTHING) {
		block_cursor_skip(&w->cursor, w->map.len);
		w->off += w->map.len;
	} else if (choice == IN_PLACE) {
		r = write_data(w, w->map.file_off, w->map.len);
	} else {
		r = write_new(w);
	}
	span_end(w->img, &w->span);
	return r;
}

int thin_write(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	struct writer w = {
		.img = thin_image(d),
		.cursor = { .v = v, .n = n },
		.off = off,
		.end = off + block_vec_bytes(v, n),
	};
	int r = 0;

	while (r == 0 && w.off < w.end) {
		r = write_some(&w);
		thread_checkpoint();
	}
	return r;
}
