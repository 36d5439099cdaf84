/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads a cpio archive of the "new ASCII" kind (newc) in place. */
/* Copies nothing; whoever made the archive is not trusted. */
#ifndef HV_MGMT_CPIO_H
#define HV_MGMT_CPIO_H

#include "hv/lib/types.h"

struct cpio_file {
	const char *name; /* NUL-terminated, in the archive, without a leading "./" */
	const uint8_t *data;
	uint64_t size;
};

/*
 * The next regular file at *cursor (0 to begin), which moves behind it. 1; 0 at the trailer or the
 * archive's end; -EPROTO when what is there is no entry, or one that reaches past the end.
 */
int cpio_next(const void *archive, uint64_t size, uint64_t *cursor, struct cpio_file *out);

#endif
