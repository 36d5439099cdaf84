/* SPDX-License-Identifier: BSD-2-Clause */
/* The thin layer: requests of any length over a map of clusters, chains of images, copy-on-write. */
/* The same for all formats; where a cluster lies is theirs. */
#ifndef DRIVERS_BLOCK_THIN_H
#define DRIVERS_BLOCK_THIN_H

#include "drivers/block/format.h"

/* The block_dev of an image but for close, which is image.c's. */
int thin_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n);
int thin_write(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n);
int thin_flush(struct block_dev *d);
int thin_discard(struct block_dev *d, uint64_t off, uint64_t len);
int thin_write_zeroes(struct block_dev *d, uint64_t off, uint64_t len, bool unmap);

static inline struct image *thin_image(struct block_dev *d)
{
	return container_of(d, struct image, dev);
}

struct thin_where { /* kind is never BLOCK_UNALLOCATED */
	struct image *img;
	struct block_map map;
};

/* Finds the image of the chain that holds off. Outside of all monitors, a span held. */
int thin_resolve(struct image *img, uint64_t off, uint64_t len, struct thin_where *w);
/* A change is about to be made: says so to the format, once. Inside the monitor. */
static inline int thin_touch(struct image *img)
{
	int r = img->touched || img->fmt->touch == NULL ? 0 : img->fmt->touch(img);

	img->touched = r == 0;
	return r;
}
/* Reads w->map.len bytes at most, as v says. */
int thin_read_where(const struct thin_where *w, const struct block_vec *v, unsigned int n);

#endif
