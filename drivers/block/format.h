/* SPDX-License-Identifier: BSD-2-Clause */
/* What a disk format is to the thin layer: a map of offsets, and how places are found and entered */
/* in it. Reads and writes no guest data. */
#ifndef DRIVERS_BLOCK_FORMAT_H
#define DRIVERS_BLOCK_FORMAT_H

#include "drivers/block/image.h"
#include "drivers/block/monitor.h"

enum block_kind {
	BLOCK_UNALLOCATED, /* as the backing image, or zeros */
	BLOCK_ZERO,
	BLOCK_DATA,
	BLOCK_DEFLATE, /* a compressed cluster */
};

struct block_map {
	enum block_kind kind;
	bool in_place;	   /* DATA: may be overwritten where it is */
	uint64_t len;	   /* bytes from the offset asked for that are alike and contiguous */
	uint64_t file_off; /* DATA: of the offset asked for; DEFLATE: of the stream */
	uint64_t file_len; /* DEFLATE: bytes of the stream, at most */
	uint64_t skip;	   /* DEFLATE: bytes of the inflated cluster before the offset asked for */
	bool zlib;	   /* DEFLATE: with the header of RFC 1950 */
};

struct block_place {
	uint64_t file_off;
	uint64_t len; /* whole clusters */
	bool fresh;   /* reads as zeros */
};

/*
 * The order of a write into a new cluster: alloc (nothing refers to the place yet), the data and what
 * belongs around it, link. All but open, close, create are called inside the image's monitor. Offsets
 * and lengths given to alloc, link, unalloc and discard are whole clusters.
 */
struct block_format {
	const char *name; /* as the configuration gives it */
	size_t state_size;
	/*
	 * Reads and checks the header; sets size, cluster_size, base and meta. Writes nothing: what
	 * is wrong with an image must not get worse. Errors by image_error().
	 */
	int (*open)(struct image *img);
	/* NULL, or: the whole chain is open, and this image will be written. */
	int (*start)(struct image *img);
	/* Everything is flushed or lost; frees what open got besides state and meta. May be NULL. */
	void (*close)(struct image *img);
	/* What is at off; looks no further than off + len. */
	int (*map)(struct image *img, uint64_t off, uint64_t len, struct block_map *m);
	/* A place for up to len bytes at off, at least one cluster. NULL: everything is in place. */
	int (*alloc)(struct image *img, uint64_t off, uint64_t len, struct block_place *p);
	/* The place is filled: makes it the content of [off, off + p->len). */
	int (*link)(struct image *img, uint64_t off, const struct block_place *p);
	/* The place could not be filled. */
	void (*unalloc)(struct image *img, uint64_t off, const struct block_place *p);
	/*
	 * The clusters' space is given back; they read as zeros, or without `zeros` perhaps as before.
	 * -ENOTSUP if the format cannot say so. NULL: never.
	 */
	int (*discard)(struct image *img, uint64_t off, uint64_t len, bool zeros);
	/* NULL, or: the first change of the content since it was opened is about to be made. */
	int (*touch)(struct image *img);
	/*
	 * NULL, or: the disk grows to size (a multiple of BLOCK_SECTOR), by zeros; durable on return.
	 * -ENOTSUP: not in place. The image is at rest, and the layer sets dev.size.
	 */
	int (*grow)(struct image *img, uint64_t size);
	/* NULL: flushing meta is enough. */
	int (*flush)(struct image *img);
	/* Writes an empty image into an empty file, without flush. NULL: cannot be created. */
	int (*create)(struct block_file *f, const struct image_create_params *p,
		      struct image_why *why);
	/* Compares the tables with each other; repairs if img is writable and asked to. May be NULL. */
	int (*check)(struct image *img, bool repair, struct image_check *result);
	const struct block_snapshot_ops *snapshot; /* or NULL */
};

/* The image is at rest, and this is inside its monitor. */
struct block_snapshot_ops {
	int (*create)(struct image *img, const char *name, uint64_t seconds);
	int (*list)(struct image *img, unsigned int index, struct image_snapshot *out);
	int (*remove)(struct image *img, const char *name);
	int (*restore)(struct image *img, const char *name);
};

struct image {
	struct block_dev dev;		/* what users of the disk see */
	const struct block_format *fmt; /* (c) */
	struct block_file *file;	/* (c) owned */
	struct block_file *data;   /* (c) where clusters lie: file, or one more that is owned */
	struct image *backing;	   /* (c) owned, or NULL; never written */
	uint32_t cluster_size;	   /* (c) bytes, power of two */
	bool zero_detect;	   /* (c) */
	bool repair;		   /* (c) opened to be repaired */
	bool touched;		   /* [M] the format knows that it is changed */
	bool broken;		   /* [M] said once that its structure is wrong */
	struct monitor monitor;	   /* (c) guards meta, state and spans */
	struct list_node spans;	   /* [M] requests under way */
	struct meta *meta;	   /* [M] or NULL */
	void *state;		   /* [M] the format's */
	struct image_backing base; /* (c) name "" if none */
	struct image_why why;	   /* (c) what open says */
	const struct image_open_params *params; /* during open only */
	const struct image_watch *watch;	/* [M] or NULL */
};

#define BLOCK_FORMAT_REGISTER(fmt)                                                                 \
	static const struct block_format *const block_format_##fmt                                 \
		__attribute__((used, section(".block_formats"))) = &(fmt)

/* In open: makes the file that the image names hold its data. Errors by image_error(). */
int image_open_extent(struct image *img, const char *name);
/* Tells who watches, if anybody, how far long work is; -EAGAIN if it shall stop. */
int image_step(struct image *img, uint64_t done, uint64_t total);
/* Explains a refusal in open; returns err. */
int image_error(struct image *img, int err, const char *text, ...) PRINTF(3, 4);
/* The structure is wrong: logged once for an image; returns -EIO. */
int image_corrupt(struct image *img, const char *text, ...) PRINTF(2, 3);

#endif
