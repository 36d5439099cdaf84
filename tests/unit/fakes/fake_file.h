/* SPDX-License-Identifier: BSD-2-Clause */
/* A block_file in memory that remembers what happened to it, can fail, fill up and lose its power. */
/* Its bytes outlive the image that closes it, so that a test can look at them or open it again. */
#ifndef TESTS_UNIT_FAKES_FAKE_FILE_H
#define TESTS_UNIT_FAKES_FAKE_FILE_H

#include "drivers/block/block.h"

struct fake_event {
	enum fake_event_kind { FAKE_WRITE, FAKE_FLUSH, FAKE_TRUNCATE, FAKE_NOTE } kind;
	uint64_t off; /* TRUNCATE: the size; NOTE: what the test says */
	size_t len;
	uint8_t *data;
	bool beside; /* happened to the file that has this one as its journal */
};

#define FAKE_PAGE	 4096u
#define FAKE_PAGES(size) (((size) + FAKE_PAGE - 1) / FAKE_PAGE)

struct fake_file {
	struct block_file file;
	uint8_t *data;
	size_t room;			  /* bytes that data has */
	const struct fake_file *original; /* that fake_file_restore() made it from */
	uint8_t *touched;    /* [FAKE_PAGES(room)] since then; NULL: nobody restores it */
	uint64_t limit;	     /* -ENOSPC behind that */
	unsigned int opens;  /* not yet closed */
	unsigned long reads; /* calls */
	unsigned long writes;
	unsigned long flushes;
	long fail_read_in; /* calls until one fails with -EIO; negative: never */
	long fail_write_in;
	long fail_flush_in;
	struct fake_file *journal; /* records what happens to this one, too; or NULL */
	bool record;
	struct fake_event *event;
	size_t events;
};

struct fake_file *fake_file_new(void);
void fake_file_free(struct fake_file *ff);
/* As a block_file for one image; also again after that one closed it. */
struct block_file *fake_file_open(struct fake_file *ff, bool readonly);
void fake_file_resize(struct fake_file *ff, uint64_t size);
void fake_file_load(struct fake_file *ff, const char *path);
void fake_file_save(const struct fake_file *ff, const char *path);
/* From now on it is as a partition: of that size, its end garbage. */
void fake_file_fix(struct fake_file *ff, uint64_t size);
/* Of fixed size, too, if `from` is. */
void fake_file_copy(struct fake_file *to, const struct fake_file *from);
/*
 * As fake_file_copy, but fast: of what was restored from the same before, only what changed since. Whoever
 * writes to ->data himself says so by fake_file_touch; `from` stays as it is.
 */
void fake_file_restore(struct fake_file *ff, const struct fake_file *from);
void fake_file_touch(struct fake_file *ff, uint64_t off, uint64_t len);
/* The event as it happens to another file. */
void fake_file_apply(struct fake_file *ff, const struct fake_event *e);
void fake_file_note(struct fake_file *ff, uint64_t what);
void fake_file_forget(struct fake_file *ff);

#endif
