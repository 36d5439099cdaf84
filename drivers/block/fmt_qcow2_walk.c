/* SPDX-License-Identifier: BSD-2-Clause */
/* Goes through all tables of a QCOW2 image and tells a visitor what they refer to. */
/* Reads only; what the visitor makes of it is its own. */
#include "drivers/block/fmt_qcow2.h"

#include "drivers/block/bytes_be.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define SNAPSHOT_HEAD 40u
#define EXTRA_MAX     1024u
#define L2_CHUNK      4096u

struct walk {
	struct image *img;
	struct qcow2_visitor *v;
	bool active;
	uint8_t l1[BLOCK_SECTOR];
	uint8_t l2[L2_CHUNK];
};

/* ---- L1 and L2 ---- */

static int see_entry(struct walk *w, uint64_t raw)
{
	struct qcow2_entry e;
	int r = 0;

	if (!fmt_qcow2_l2_parse(qcow2_of(w->img), raw, &e)) {
		return w->v->bad(w->v, "L2 entry", raw);
	}
	if (e.len > 0) {
		r = w->v->use(w->v, e.off, e.len);
	}
	return r == 0 && w->active && w->v->entry ? w->v->entry(w->v, raw, false) : r;
}

static int see_table(struct walk *w, uint64_t off)
{
	uint64_t size = qcow2_cluster_size(qcow2_of(w->img));
	uint64_t chunk = u64_min(size, L2_CHUNK);
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < size; i += chunk) {
		r = block_file_read(w->img->file, off + i, w->l2, chunk);
		for (uint64_t k = 0; r == 0 && k < chunk; k += 8) {
			uint64_t raw = bytes_get_be64(w->l2 + k);

			r = raw ? see_entry(w, raw) : 0;
		}
		thread_checkpoint();
	}
	return r;
}

static int see_l1_entry(struct walk *w, uint64_t raw)
{
	uint64_t off = raw & QCOW2_OFFSET, size = qcow2_cluster_size(qcow2_of(w->img));
	int r;

	if (off == 0) {
		return 0;
	}
	if (off % size || !range_within(off, size, w->img->file->size)) {
		return w->v->bad(w->v, "L1 entry", raw);
	}
	r = w->v->use(w->v, off, size);
	if (r == 0 && w->active && w->v->entry) {
		r = w->v->entry(w->v, raw, true);
	}
	return r ? r : see_table(w, off);
}

static int see_l1(struct walk *w, uint64_t off, uint64_t entries)
{
	int r = w->v->use(w->v, off, entries * 8);

	for (uint64_t i = 0; r == 0 && i < entries; i++) {
		uint64_t at = i * 8 % BLOCK_SECTOR;

		if (at == 0) {
			r = image_step(w->img, w->active ? i : 0, w->active ? entries : 0);
			r = r ? r : block_file_read(w->img->file, off + i * 8, w->l1, BLOCK_SECTOR);
			thread_checkpoint();
		}
		r = r ? r : see_l1_entry(w, bytes_get_be64(w->l1 + at));
	}
	return r;
}

/* ---- snapshots ---- */

/* "Snapshot table entry" */
int fmt_qcow2_walk_snapshot(struct image *img, uint64_t off, struct qcow2_snapshot *s)
{
	struct qcow2 *q = qcow2_of(img);
	uint8_t head[SNAPSHOT_HEAD], size[8];
	uint32_t id, name, extra;
	int r = block_file_read_any(img->file, off, head, sizeof(head));

	memset(s, 0, sizeof(*s));
	s->off = off;
	s->l1_off = bytes_get_be64(head);
	s->l1_size = bytes_get_be32(head + 8);
	id = bytes_get_be16(head + 12);
	name = bytes_get_be16(head + 14);
	s->info.seconds = bytes_get_be32(head + 16);
	extra = bytes_get_be32(head + 36);
	off += SNAPSHOT_HEAD;
	if (r || extra > EXTRA_MAX || s->l1_off % qcow2_cluster_size(q) || s->l1_off == 0 ||
	    s->l1_size * 8ul > QCOW2_L1_MAX ||
	    !range_within(s->l1_off, s->l1_size * 8ul, img->file->size) ||
	    !range_within(off, extra + id + name, img->file->size)) {
		return r ? r : image_corrupt(img, "snapshot at %lx", s->off);
	}
	s->info.disk_size = q->h.size;
	if (extra >= 16) {
		r = block_file_read_any(img->file, off + 8, size, sizeof(size));
		s->info.disk_size = bytes_get_be64(size);
	}
	off += extra;
	r = r ? r
	      : block_file_read_any(img->file, off, s->info.id,
				    u64_min(id, sizeof(s->info.id) - 1));
	off += id;
	r = r ? r
	      : block_file_read_any(img->file, off, s->info.name,
				    u64_min(name, IMAGE_SNAPSHOT_MAX));
	s->next = s->off + ALIGN_UP(off + name - s->off, 8ul);
	return r;
}

static int see_snapshots(struct walk *w, const struct qcow2_header *h)
{
	uint64_t off = h->snapshots_off;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < h->snapshot_count; i++) {
		struct qcow2_snapshot *s = heap_alloc(sizeof(*s));

		r = s ? fmt_qcow2_walk_snapshot(w->img, off, s) : -ENOMEM;
		if (r == 0) {
			r = see_l1(w, s->l1_off, s->l1_size);
			off = s->next;
		}
		heap_free(s);
	}
	if (r == 0 && h->snapshot_count > 0) {
		r = w->v->use(w->v, h->snapshots_off, off - h->snapshots_off);
	}
	return r;
}

int fmt_qcow2_walk(struct image *img, const struct qcow2_header *h, struct qcow2_visitor *v)
{
	struct walk *w = heap_alloc(sizeof(*w));
	int r;

	if (w == NULL) {
		return -ENOMEM;
	}
	*w = (struct walk){ .img = img, .v = v, .active = true };
	r = v->use(v, 0, qcow2_cluster_size(qcow2_of(img)));
	r = r ? r : see_l1(w, h->l1_off, h->l1_size);
	w->active = false;
	r = r ? r : see_snapshots(w, h);
	heap_free(w);
	return r;
}
