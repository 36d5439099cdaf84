/* SPDX-License-Identifier: BSD-2-Clause */
/* raw: the file is the disk. */
/* No header, so nothing that a guest writes can change how the disk is understood. */
#include "drivers/block/format.h"
#include "hv/lib/errno.h"

#define CLUSTER 4096u /* what discarding works in */

static int raw_open(struct image *img)
{
	img->dev.size = ALIGN_UP(img->file->size, (uint64_t)BLOCK_SECTOR);
	img->cluster_size = CLUSTER;
	return 0;
}

static int raw_map(struct image *img, uint64_t off, uint64_t len, struct block_map *m)
{
	(void)img;
	*m = (struct block_map){
		.kind = BLOCK_DATA, .in_place = true, .len = len, .file_off = off
	};
	return 0;
}

static int raw_create(struct block_file *f, const struct image_create_params *p,
		      struct image_why *why)
{
	(void)why;
	if (p->backing != NULL) {
		return -ENOTSUP;
	}
	return f->ops->truncate == NULL && p->size <= f->size ? 0 : block_file_truncate(f, p->size);
}

static int raw_grow(struct image *img, uint64_t size)
{
	int r = block_file_truncate(img->file, size);

	return r ? r : block_file_flush(img->file);
}

static const struct block_format fmt_raw = {
	.name = "raw",
	.open = raw_open,
	.map = raw_map,
	.grow = raw_grow,
	.create = raw_create,
};
BLOCK_FORMAT_REGISTER(fmt_raw);
