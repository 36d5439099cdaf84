/* SPDX-License-Identifier: BSD-2-Clause */
/* Splits a line into words: blanks separate, "..." and '...' join, \ takes the next byte as it is. */
/* No variables, no wildcards. */
#ifndef HV_MGMT_SHELL_WORDS_H
#define HV_MGMT_SHELL_WORDS_H

#include "hv/lib/types.h"

/*
 * Cuts buf in place; words point into it. Returns their count, -E2BIG for more than max, or -EINVAL
 * for a quote that is not closed (what was read until then is in words and *count all the same).
 */
int shell_words_split(char *buf, const char **words, unsigned int max, unsigned int *count);

#endif
