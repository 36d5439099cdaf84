/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading through a chain of images, flushing, discarding and zeroing. */
/* Writing, which may have to allocate and copy, is thin_write.c. */
#include "drivers/block/thin.h"

#include "drivers/block/inflate.h"
#include "drivers/block/meta.h"
#include "drivers/block/span.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

/* ---- reading ---- */

int thin_resolve(struct image *img, uint64_t off, uint64_t len, struct thin_where *w)
{
	for (;;) {
		int r;

		monitor_enter(&img->monitor);
		r = img->fmt->map(img, off, len, &w->map);
		monitor_leave(&img->monitor);
		if (r) {
			return r;
		}
		w->img = img;
		len = u64_min(len, w->map.len);
		w->map.len = len;
		if (w->map.kind != BLOCK_UNALLOCATED) {
			return 0;
		}
		img = img->backing;
		if (img == NULL || off >= img->dev.size) {
			w->map.kind = BLOCK_ZERO;
			return 0;
		}
		len = u64_min(len, img->dev.size - off);
	}
}

int thin_read_where(const struct thin_where *w, const struct block_vec *v, unsigned int n)
{
	switch (w->map.kind) {
	case BLOCK_DATA:
		return block_file_readv(w->img->data, w->map.file_off, v, n);
	case BLOCK_DEFLATE:
		return inflate_read(w->img->file, &w->map, v, n);
	default:
		block_vec_clear(v, n);
		return 0;
	}
}

int thin_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	struct image *img = thin_image(d);
	struct block_cursor c = { .v = v, .n = n };
	uint64_t end = off + block_vec_bytes(v, n);
	struct block_vec part[BLOCK_SLICE];
	struct thin_where w;
	struct span s;
	int r = 0;

	if (!d->readonly) {
		monitor_enter(&img->monitor);
		span_wait_begin(img, &s, off, end, false);
		monitor_leave(&img->monitor);
	}
	while (r == 0 && off < end) {
		r = thin_resolve(img, off, end - off, &w);
		while (r == 0 && w.map.len > 0) {
			uint64_t got = block_cursor_take(&c, w.map.len, part, &n);

			r = thin_read_where(&w, part, n);
			w.map.len -= got;
			w.map.file_off += w.map.kind == BLOCK_DATA ? got : 0;
			w.map.skip += got;
			off += got;
		}
	}
	if (!d->readonly) {
		span_end(img, &s);
	}
	return r;
}

/* ---- flush ---- */

int thin_flush(struct block_dev *d)
{
	struct image *img = thin_image(d);
	int r;

	monitor_enter(&img->monitor);
	if (img->fmt->flush != NULL) {
		r = img->fmt->flush(img);
	} else if (img->meta != NULL) {
		r = meta_flush(img->meta);
	} else {
		r = block_file_flush(img->file);
	}
	monitor_leave(&img->monitor);
	return r;
}

/* ---- zeros ---- */

#define UNMAP_STEP 256u /* clusters in one stay in the monitor */

/* Whole clusters, alone with them. */
static int unmap(struct image *img, uint64_t off, uint64_t end, bool zeros)
{
	struct span s;
	int r = 0;

	if (img->fmt->discard == NULL) {
		return -ENOTSUP;
	}
	while (r == 0 && off < end) {
		uint64_t len = u64_min(end - off, (uint64_t)UNMAP_STEP * img->cluster_size);

		monitor_enter(&img->monitor);
		span_wait_begin(img, &s, off, off + len, true);
		r = img->fmt->discard(img, off, len, zeros);
		monitor_leave(&img->monitor);
		span_end(img, &s);
		off += len;
		thread_checkpoint();
	}
	return r;
}

/* The whole clusters of [off, off + len); the disk's last one may be cut by its end. */
static bool whole_clusters(const struct image *img, uint64_t off, uint64_t len, uint64_t *start,
			   uint64_t *end)
{
	uint64_t cs = img->cluster_size;

	*start = ALIGN_UP(off, cs);
	*end = off + len == img->dev.size ? ALIGN_UP(off + len, cs) : ALIGN_DOWN(off + len, cs);
	return *start < *end;
}

/* The map stays as it is; the file gives back what lies under it, if it can. */
static int punch(struct image *img, uint64_t off, uint64_t end)
{
	struct block_map m;
	struct span s;
	int r = 0;

	while (r == 0 && off < end) {
		monitor_enter(&img->monitor);
		span_wait_begin(img, &s, off, end, true);
		r = thin_touch(img);
		r = r ? r : img->fmt->map(img, off, end - off, &m);
		m.len = r ? 0 : u64_min(m.len, end - off);
		if (r == 0 && m.kind == BLOCK_DATA && m.in_place) {
			block_file_discard(img->data, m.file_off, m.len);
		}
		monitor_leave(&img->monitor);
		span_end(img, &s);
		off += m.len;
		thread_checkpoint();
	}
	return r;
}

int thin_discard(struct block_dev *d, uint64_t off, uint64_t len)
{
	struct image *img = thin_image(d);
	uint64_t start, end;
	int r;

	if (!whole_clusters(img, off, len, &start, &end)) {
		return 0;
	}
	r = unmap(img, start, end, false);
	return r == -ENOTSUP ? punch(img, start, u64_min(end, d->size)) : r;
}

static int write_zeros(struct block_dev *d, uint64_t off, uint64_t len)
{
	static const uint8_t zeros[PAGE_SIZE];
	struct block_vec v[BLOCK_SLICE];
	int r = 0;

	while (r == 0 && len > 0) {
		uint64_t done = 0;
		unsigned int n = 0;

		for (; n < BLOCK_SLICE && done < len; n++) {
			v[n] = (struct block_vec){ (uint8_t *)zeros,
						   u64_min(sizeof(zeros), len - done) };
			done += v[n].len;
		}
		r = thin_write(d, off, v, n);
		off += done;
		len -= done;
		thread_checkpoint();
	}
	return r;
}

int thin_write_zeroes(struct block_dev *d, uint64_t off, uint64_t len, bool may_unmap)
{
	struct image *img = thin_image(d);
	uint64_t start, end;
	int r;

	if (!may_unmap || !whole_clusters(img, off, len, &start, &end)) {
		return write_zeros(d, off, len);
	}
	r = unmap(img, start, end, true);
	if (r == -ENOTSUP) {
		return write_zeros(d, off, len);
	}
	if (r == 0) {
		r = write_zeros(d, off, start - off);
	}
	return r == 0 && end < off + len ? write_zeros(d, end, off + len - end) : r;
}
