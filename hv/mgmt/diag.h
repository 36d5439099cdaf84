/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong with a configuration: up to 32 messages, each with its place. */
/* Does not print: config and its callers do. */
#ifndef HV_MGMT_DIAG_H
#define HV_MGMT_DIAG_H

#include "hv/lib/types.h"

#define DIAG_MAX  32u
#define DIAG_TEXT 200u

struct diag_place {
	unsigned int line; /* from 1; 0: not in a file */
	unsigned int column;
};

struct diag_entry {
	struct diag_place at;
	char text[DIAG_TEXT];
};

struct diag {
	unsigned int count;   /* kept */
	unsigned int dropped; /* more than DIAG_MAX */
	struct diag_entry entries[DIAG_MAX];
};

void diag_init(struct diag *d);
/* Text beyond DIAG_TEXT is cut. Bytes that a terminal could obey become '?'. */
void diag_add(struct diag *d, struct diag_place at, const char *fmt, ...) PRINTF(3, 4);
static inline bool diag_any(const struct diag *d)
{
	return d->count > 0;
}

#endif
