/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of a saved VM: sections, each with name, version and length, and one sum over all. */
/* Knows neither what is in a section (hv/save_vm.c) nor where the file is (who calls). */
#ifndef HV_SAVE_H
#define HV_SAVE_H

#include "hv/lib/types.h"

/*
 * "InsulaSaved", a zero, four bytes of version; sections, 8-byte aligned, each a header and `length`
 * bytes; the last is "end", whose four bytes are the CRC-32C of all before them. Numbers are
 * little-endian.
 */
#define SAVE_VERSION  1u
#define SAVE_NAME_MAX 15u

struct save_section {
	char name[SAVE_NAME_MAX + 1]; /* padded with zeros, at least one */
	uint32_t version;	      /* of what is in it */
	uint32_t instance;	      /* which of several: a vCPU's number */
	uint64_t length;
};
_Static_assert(sizeof(struct save_section) == 32, "the file's layout");
_Static_assert(offsetof(struct save_section, length) == 24, "the file's layout");

/* ---- writing: begin, then for each section its header and all its data, then end ---- */

struct save_out {
	/* 0 or -Exxx. Yields in long work, as read does. */
	int (*append)(void *arg, const void *buf, size_t len);
	void *arg;
	uint64_t size; /* bytes written */
	uint32_t crc;
};

/* All return 0 or what append returned. Thread context: long data is written in slices. */
int save_begin(struct save_out *out);
int save_section(struct save_out *out, const struct save_section *s);
int save_data(struct save_out *out, const void *buf, size_t len);
int save_end(struct save_out *out);

/* ---- reading: nothing in the file is taken for granted ---- */

struct save_in {
	int (*read)(void *arg, uint64_t off, void *buf, size_t len); /* 0 or -Exxx */
	void *arg;
	uint64_t size; /* of the file */
};

struct save_place {
	struct save_section s;
	uint64_t data; /* where its bytes begin */
};

/*
 * Is it such a file, whole and undamaged? 0; -EINVAL or what read returned, with *why (static text).
 * The other functions below take a file that passed. Thread context, in slices.
 */
int save_check(const struct save_in *in, const char **why);
/* The section behind *p, the first if p->data is 0; false: there is no other. "end" is not shown. */
bool save_next(const struct save_in *in, struct save_place *p);
/* -ENOENT */
int save_find(const struct save_in *in, const char *name, uint32_t instance, struct save_place *p);
/* Bytes [off, off + len) of its data; -EINVAL if it has not so many. */
int save_read(const struct save_in *in, const struct save_place *p, uint64_t off, void *buf,
	      size_t len);

#endif
