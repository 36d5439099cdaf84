/* SPDX-License-Identifier: BSD-2-Clause */
/* Stores: places with files, named STORE:FILE. boot: has the boot modules, ram: what is kept until the */
/* next boot. */
/* Interprets no file. */
#ifndef HV_MGMT_STORE_H
#define HV_MGMT_STORE_H

#include "hv/lib/types.h"

#define STORE_FILE_MAX 64u /* letters of a file's name, and a zero */

struct block_file;
struct store;

struct store_file {
	const struct store *store;
	void *file;    /* the store's */
	uint64_t size; /* bytes; grows by ops->append */
};

/* What a store can do. All of this but open_block: the shell's thread only. */
struct store_ops {
	/* -ENOENT */
	int (*open)(const char *name, struct store_file *f);
	/* [off, off + len) lies in the file. Yields in between. */
	int (*read)(const struct store_file *f, uint64_t off, void *buf, size_t len);
	/* The file behind `prev` (NULL: the first), NULL behind the last. */
	const char *(*next)(const char *prev, uint64_t *size);
	/*
	 * NULL, all seven: the store is read-only. A file is seen by open and next once it is finished. create and
	 * remove: -EBUSY, somebody has it open by open_block; -EPERM, another file stands on it.
	 */
	int (*create)(const char *name, struct store_file *f);		  /* also -ENOMEM */
	int (*append)(struct store_file *f, const void *buf, size_t len); /* -ENOSPC */
	void (*finish)(struct store_file *f,
		       bool keep); /* in the place of one of that name; or forget it */
	int (*remove)(const struct store_file *f);
	/*
	 * name holds what differs from base: that is neither written, nor removed or replaced (-EPERM), while
	 * name is there. "": it holds all itself; the same where it would stand on itself. Any thread.
	 */
	void (*stand_on)(const char *name, const char *base);
	/* name is a part of whole, and kept as that is. Any thread. */
	void (*belong_to)(const char *name, const char *whole);
	/* A file that stands on base, into name[STORE_FILE_MAX]; false: there is none. Any thread. */
	bool (*find_above)(const char *base, char *name);
	/*
	 * NULL: not in this store. Any thread. The file as what an image lies in, until block_file_close:
	 * one user who writes it, or any number who do not: else -EBUSY. -ENOENT, -EROFS, -EPERM, -ENOMEM.
	 */
	int (*open_block)(const char *name, bool readonly, struct block_file **out);
};

struct store {
	const char *name; /* without the colon */
	const char *what; /* for the list */
	const struct store_ops *ops;
	uint64_t (*used)(void); /* bytes of host memory, NULL: none of its own */
};

/* The i-th, NULL behind the last. */
const struct store *store_get(unsigned int i);

/*
 * path: STORE:FILE. 0, or with *why (static text, valid until the next call): -EINVAL (no such store),
 * -ENOENT; store_create: -EROFS, -EEXIST, -EINVAL (name), -ENOMEM.
 */
int store_open(const char *path, struct store_file *f, const char **why);
int store_create(const char *path, struct store_file *f, const char **why);
/* As store_create, but a file of that name stays until the new one is finished, and goes then. */
int store_replace(const char *path, struct store_file *f, const char **why);
int store_remove(const char *path, const char **why);
/* As ops->open_block; -EINVAL: no such store. Any thread. */
int store_open_block(const char *path, bool readonly, struct block_file **out);
/* As the ops of these names, for a file and another one in its store; nothing in a store that is read-only. */
void store_stand_on(const char *path, const char *base);
void store_belong_to(const char *path, const char *whole);
bool store_find_above(const char *path, char *name);

#endif
