/* SPDX-License-Identifier: BSD-2-Clause */
/* QCOW2's internal snapshots by name: made, listed, returned to, removed. */
/* Each change is one rewrite of the tables. */
#include "drivers/block/fmt_qcow2.h"

#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

static int find(struct image *img, const char *name, struct qcow2_snapshot *s)
{
	const struct qcow2_header *h = &qcow2_of(img)->h;
	uint64_t off = h->snapshots_off;

	for (uint32_t i = 0; i < h->snapshot_count; i++) {
		int r = fmt_qcow2_walk_snapshot(img, off, s);

		if (r || strcmp(s->info.name, name) == 0) {
			return r;
		}
		off = s->next;
	}
	return -ENOENT;
}

static int find_nth(struct image *img, uint32_t n, struct qcow2_snapshot *s)
{
	const struct qcow2_header *h = &qcow2_of(img)->h;
	int r = n < h->snapshot_count ? 0 : -ENOENT;

	s->next = h->snapshots_off;
	for (uint32_t i = 0; r == 0 && i <= n; i++) {
		r = fmt_qcow2_walk_snapshot(img, s->next, s);
	}
	return r;
}

static int snapshot_create(struct image *img, const char *name, uint64_t seconds)
{
	const struct qcow2_change change = { .l1_off = qcow2_of(img)->h.l1_off,
					     .add = name,
					     .seconds = seconds };
	struct qcow2_snapshot *s;
	int r;

	if (name[0] == '\0' || strlen(name) > IMAGE_SNAPSHOT_MAX) {
		return -EINVAL;
	}
	if (qcow2_of(img)->h.snapshot_count == QCOW2_SNAPSHOTS_MAX) {
		return -ENOSPC;
	}
	s = heap_alloc(sizeof(*s));
	r = s ? find(img, name, s) : -ENOMEM;
	heap_free(s);
	if (r != -ENOENT) {
		return r ? r : -EEXIST;
	}
	return fmt_qcow2_rewrite(img, &change);
}

static int snapshot_list(struct image *img, unsigned int index, struct image_snapshot *out)
{
	struct qcow2_snapshot *s = heap_alloc(sizeof(*s));
	int r = s ? find_nth(img, index, s) : -ENOMEM;

	if (r == 0) {
		*out = s->info;
	}
	heap_free(s);
	return r;
}

static int snapshot_remove(struct image *img, const char *name)
{
	struct qcow2_snapshot *s = heap_alloc(sizeof(*s));
	int r = s ? find(img, name, s) : -ENOMEM;

	if (r == 0) {
		const struct qcow2_change change = { .l1_off = qcow2_of(img)->h.l1_off,
						     .drop = s->off };

		r = fmt_qcow2_rewrite(img, &change);
	}
	heap_free(s);
	return r;
}

static int snapshot_restore(struct image *img, const char *name)
{
	const struct qcow2_header *h = &qcow2_of(img)->h;
	struct qcow2_snapshot *s = heap_alloc(sizeof(*s));
	int r = s ? find(img, name, s) : -ENOMEM;

	/* A disk does not change its size under its user. */
	if (r == 0 && (s->info.disk_size != h->size || s->l1_size < h->l1_size)) {
		r = -ENOTSUP;
	}
	if (r == 0) {
		const struct qcow2_change change = { .l1_off = s->l1_off };

		r = fmt_qcow2_rewrite(img, &change);
	}
	heap_free(s);
	return r;
}

const struct block_snapshot_ops fmt_qcow2_snapshot_ops = {
	.create = snapshot_create,
	.list = snapshot_list,
	.remove = snapshot_remove,
	.restore = snapshot_restore,
};
