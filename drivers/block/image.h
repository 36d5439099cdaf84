/* SPDX-License-Identifier: BSD-2-Clause */
/* Disk images: opening one with its backing chain, creating, checking, snapshots inside of it. */
/* Its content is read and written as a block_dev; names of files are the caller's to resolve. */
#ifndef DRIVERS_BLOCK_IMAGE_H
#define DRIVERS_BLOCK_IMAGE_H

#include "drivers/block/block.h"

#define IMAGE_NAME_MAX	   1023u /* bytes of a backing file's name, as QCOW2 allows */
#define IMAGE_CHAIN_MAX	   16u	 /* images above each other */
#define IMAGE_SNAPSHOT_MAX 255u	 /* bytes of a snapshot's name */

struct image;

struct image_why { /* one line that says what is wrong */
	char text[160];
};

struct image_backing {
	char name[IMAGE_NAME_MAX + 1];
	char format[16];
};

struct image_open_params {
	struct block_file *file; /* owned by the image, also if opening fails */
	const char *format;	 /* never guessed: a guest can write any header into a raw disk */
	bool readonly;
	bool repair;	     /* to be repaired: also opens what is marked as damaged */
	bool no_zero_detect; /* zeros that are written are stored like other data */
	/*
	 * Opens, read-only, the file that an image names as its backing file: name is relative, without
	 * "..". NULL: images with a backing file are refused.
	 */
	int (*backing)(void *arg, const char *name, struct block_file **out);
	/*
	 * Opens the file in which an image keeps its data; name as above, readonly as the image. NULL:
	 * images with such a file are refused.
	 */
	int (*extent)(void *arg, const char *name, bool readonly, struct block_file **out);
	void *arg;
	const char *
		backing_format; /* of backing files whose format the image does not name; or NULL */
};

/* 0 and the device, closed by block_close; or an error, and why says what is wrong with which image. */
int image_open(const struct image_open_params *p, struct block_dev **out, struct image_why *why);

/* The file that an image stands on, as it names it; "": none. Its maker's letters. */
const char *image_base_name(struct block_dev *d);

struct image_create_params {
	const char *format;
	const char *subformat;	/* "fixed", "monolithicFlat", …; NULL: the format's usual one */
	uint64_t size;		/* bytes, a multiple of BLOCK_SECTOR */
	uint32_t cluster_size;	/* 0: the format's usual one */
	uint32_t version;	/* of the format; 0: the usual one */
	uint32_t refcount_bits; /* qcow2; 0: 16 */
	const struct image_backing *backing; /* NULL: none */
	uint64_t seed;	  /* for identifiers that should differ from image to image */
	const char *name; /* the file's own, for formats that hold it; NULL: "disk" */
	/* Makes an empty file beside it, for what has its data in one; NULL: cannot be created. */
	int (*extent)(void *arg, const char *name, struct block_file **out);
	void *arg;
};

/* Writes an empty image into f, which is empty or is the whole image's space, and flushes it. */
int image_create(struct block_file *f, const struct image_create_params *p, struct image_why *why);

struct image_check {
	uint64_t leaks;		/* places that are taken and belong to nothing */
	uint64_t corruptions;	/* anything else that is wrong */
	uint64_t fixed;		/* of both */
	struct image_why first; /* what the first corruption is */
};

/* Who waits for long work on a whole image. */
struct image_watch {
	/* done of total (0: not known) so far; true stops it with -EAGAIN. Called often; may sleep. */
	bool (*step)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/*
 * -ENOTSUP: the format has nothing to compare. Waits until nobody uses the device; others wait then. w:
 * NULL, or is told; when it stops a repair, nothing is repaired yet, or all of a structure.
 */
int image_check(struct block_dev *d, bool repair, const struct image_watch *w,
		struct image_check *result);

/*
 * The disk grows, by zeros. -EINVAL: it would shrink, or size is no multiple of BLOCK_SECTOR; -ENOTSUP:
 * the format cannot, or its table has no room. Nobody else uses the device, or its users hear of it.
 */
int image_grow(struct block_dev *d, uint64_t size);

struct image_snapshot {
	char id[16];
	char name[IMAGE_SNAPSHOT_MAX + 1];
	uint64_t disk_size; /* bytes */
	uint64_t seconds;   /* when, since 1970 */
};

/* Snapshots inside of an image. -ENOTSUP if the format has none; -EEXIST, -ENOENT; -ENOSPC: too many. */
int image_snapshot_create(struct block_dev *d, const char *name, uint64_t seconds);
/* index from 0; -ENOENT behind the last. */
int image_snapshot_list(struct block_dev *d, unsigned int index, struct image_snapshot *out);
int image_snapshot_remove(struct block_dev *d, const char *name);
/* The disk holds again what it held then. -ENOTSUP also if its size was another. */
int image_snapshot_restore(struct block_dev *d, const char *name);

#endif
