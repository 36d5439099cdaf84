/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean ...?": the name most like what was typed. */
/* Knows no names itself: the caller walks through its own. */
#ifndef HV_MGMT_NEAR_H
#define HV_MGMT_NEAR_H

#include "hv/lib/types.h"

struct near {
	const char *typed;
	const char *best; /* NULL: nothing near enough */
	unsigned int distance;
};

void near_begin(struct near *n, const char *typed);
/* Name must live as long as n. */
void near_try(struct near *n, const char *name);

#endif
