/* SPDX-License-Identifier: BSD-2-Clause */
/* VMDK's descriptor: the text that names a disk's kind, its extent and its parent. */
/* Pure text: what an extent holds is fmt_vmdk.c's. */
#ifndef DRIVERS_BLOCK_FMT_VMDK_TEXT_H
#define DRIVERS_BLOCK_FMT_VMDK_TEXT_H

#include "hv/lib/types.h"

#define VMDK_TEXT_MAX	 20480u /* bytes that are read of a descriptor */
#define VMDK_NAME_MAX	 256u
#define VMDK_NO_PARENT	 0xffffffffu
#define VMDK_SECTORS_MAX (1ul << 54)

struct vmdk_text {
	char type[32]; /* createType */
	uint32_t parent;
	uint32_t cid;
	uint32_t cid_at;      /* bytes from the text's start to its 8 digits; 0: there is none */
	unsigned int extents; /* the last one's: */
	bool readonly;
	char kind[12]; /* SPARSE, FLAT, … */
	char name[VMDK_NAME_MAX];
	uint64_t sectors;
	uint64_t start; /* sectors from the extent file's start */
};

/* text ends with a zero; it is changed. NULL, or what is wrong with it. */
const char *fmt_vmdk_text_parse(char *text, struct vmdk_text *out);

/* What a new disk's says; the bytes without the final zero, fewer than size, or more: too long. */
int fmt_vmdk_text_print(char *to, size_t size, const struct vmdk_text *t);

#endif
