/* SPDX-License-Identifier: BSD-2-Clause */
/* The two contracts of storage: a block device, which guests and file systems use, and a file, in */
/* which an image lies. Who implements them is not known here. */
#ifndef DRIVERS_BLOCK_BLOCK_H
#define DRIVERS_BLOCK_BLOCK_H

#include "hv/lib/types.h"

#define BLOCK_SECTOR 512u /* bytes; every offset and length below is a multiple */

/*
 * Everything is straight-line code in a thread and may sleep, unless `immediate` is set: then no call
 * waits for a device. Any number of threads may call at once, also for the same bytes (which of two
 * overlapping writes wins is then open, per sector). 0 or:
 *   -EINVAL  unaligned, or not within the device   -EROFS   written, but read-only
 *   -EIO     the device, or the image's structure  -ENOSPC  what lies below cannot grow
 *   -ENOMEM  no memory for the moment              -ENOTSUP this device cannot do that
 */

struct block_vec { /* a piece of memory of a scatter list */
	uint8_t *base;
	size_t len; /* bytes, a multiple of BLOCK_SECTOR */
};

/* ---- a block device ---- */

struct block_dev;

struct block_dev_ops {
	int (*read)(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n);
	int (*write)(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n);
	/* Every write that returned before this was called survives a power cut afterwards. */
	int (*flush)(struct block_dev *d);
	/* The content is not needed any more: a hint, what is read afterwards is old data or zeros. */
	int (*discard)(struct block_dev *d, uint64_t off, uint64_t len);
	/* Reads as zeros afterwards; with unmap the space may be given back. */
	int (*write_zeroes)(struct block_dev *d, uint64_t off, uint64_t len, bool unmap);
	/* Flushes, and frees d. The error is the flush's: d is gone in any case. */
	int (*close)(struct block_dev *d);
};

struct block_dev {
	const struct block_dev_ops *ops; /* (c) */
	uint64_t size;			 /* bytes */
	uint32_t granularity; /* (c) bytes: discards of whole multiples give space back */
	bool readonly;	      /* (c) */
	bool immediate;	      /* (c) no call waits for a device */
};

/* The calls check arguments once for all devices; a length of 0 is fine and does nothing. */
int block_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n);
int block_write(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n);
int block_flush(struct block_dev *d);
int block_discard(struct block_dev *d, uint64_t off, uint64_t len);
int block_write_zeroes(struct block_dev *d, uint64_t off, uint64_t len, bool unmap);
/* d may be NULL. */
int block_close(struct block_dev *d);

/* ---- a file ---- */

struct block_file;

struct block_file_ops {
	/* Within [0, size). */
	int (*read)(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n);
	/* Past the end: the file grows, what lies between reads as zeros. */
	int (*write)(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n);
	int (*flush)(struct block_file *f);
	/* Grows (new bytes read as zeros) or shrinks. NULL: the size is fixed. */
	int (*truncate)(struct block_file *f, uint64_t size);
	/* Gives space back; the range reads as zeros or as before. NULL: nothing to give back. */
	int (*discard)(struct block_file *f, uint64_t off, uint64_t len);
	void (*close)(struct block_file *f);
};

/*
 * An ext4 file, a raw partition, a boot module. Writes reach it in any order until a flush; a sector
 * is written whole or not at all.
 */
struct block_file {
	const struct block_file_ops *ops; /* (c) */
	uint64_t size;			  /* bytes, any number; grows with writes past it */
	bool readonly;			  /* (c) */
	bool immediate;			  /* (c) */
};

/* Reads past the file's end give zeros. */
int block_file_readv(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n);
int block_file_writev(struct block_file *f, uint64_t off, const struct block_vec *v,
		      unsigned int n);
int block_file_read(struct block_file *f, uint64_t off, void *buf, size_t len);
/* Any bytes, not only whole sectors: for names and headers. */
int block_file_read_any(struct block_file *f, uint64_t off, void *to, uint64_t len);
int block_file_write(struct block_file *f, uint64_t off, const void *buf, size_t len);
int block_file_write_zeros(struct block_file *f, uint64_t off, uint64_t len);
int block_file_flush(struct block_file *f);
/* Flushes, then writes: the header that makes an image of what was written before. */
int block_file_write_header(struct block_file *f, uint64_t off, const void *buf, size_t len);
/* -ENOTSUP if the size is fixed and another one. */
int block_file_truncate(struct block_file *f, uint64_t size);
void block_file_discard(struct block_file *f, uint64_t off, uint64_t len);
/* f may be NULL. */
void block_file_close(struct block_file *f);

/*
 * The partition or disk d as a file of fixed size, which owns d: an image that lies directly on it.
 * NULL: no memory, and d is still the caller's.
 */
struct block_file *block_file_of_dev(struct block_dev *d);

/* ---- scatter lists ---- */

#define BLOCK_SLICE 16u /* pieces that a slice has at most */

/* A place in a scatter list that moves on; zero-initialised but for v and n it is the start. */
struct block_cursor {
	const struct block_vec *v;
	unsigned int n;
	size_t skip; /* bytes of v[0] that are done with */
};

/* Takes at most max bytes and BLOCK_SLICE pieces into out, sets *n; returns the bytes. */
uint64_t block_cursor_take(struct block_cursor *c, uint64_t max, struct block_vec *out,
			   unsigned int *n);
void block_cursor_skip(struct block_cursor *c, uint64_t len);
uint64_t block_vec_bytes(const struct block_vec *v, unsigned int n);
/* How many of the next max bytes, in whole steps from the start, are zeros, or are not as `zero` says. */
uint64_t block_cursor_same(struct block_cursor c, uint64_t first, uint64_t step, uint64_t max,
			   bool *zero);
void block_vec_clear(const struct block_vec *v, unsigned int n);
void block_vec_copy(const struct block_vec *v, unsigned int n, size_t off, const void *from,
		    size_t len);

#endif
