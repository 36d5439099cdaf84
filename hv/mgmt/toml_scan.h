/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading TOML character by character: where we are, blanks, strings, integers, messages. */
/* Only toml.c needs this. All functions that can fail have complained when they return -EINVAL. */
#ifndef HV_MGMT_TOML_SCAN_H
#define HV_MGMT_TOML_SCAN_H

#include "hv/mgmt/diag.h"

#define TOML_STRING_MAX 1024u

struct toml_scan {
	const char *p, *end;
	const char *line_start;
	unsigned int line;
	const char *key; /* whose value is being read, for messages; NULL: none's */
	struct diag *d;
	size_t len;
	char buf[TOML_STRING_MAX]; /* the string read last, NUL-terminated */
};

struct diag_place toml_scan_here(const struct toml_scan *s);
void toml_scan_complain(struct toml_scan *s, struct diag_place at, const char *fmt, ...)
	PRINTF(3, 4);
/* "found X, expected WHAT"; returns -EINVAL. */
int toml_scan_expected(struct toml_scan *s, const char *what);

/* The character here; NUL at the end. */
char toml_scan_peek(const struct toml_scan *s);
bool toml_scan_at_line_end(const struct toml_scan *s);
/* Takes c, or complains that `what` was expected. */
int toml_scan_take(struct toml_scan *s, char c, const char *what);
void toml_scan_skip_blanks(struct toml_scan *s);
/* To the start of the next line. */
void toml_scan_skip_line(struct toml_scan *s);
/* Blanks, then a comment or nothing, up to the end of the line. */
int toml_scan_end_of_line(struct toml_scan *s, const char *what);
/* Over blanks, comments and line ends: within an array. */
int toml_scan_skip_space(struct toml_scan *s);

/* A "basic" or 'literal' string into buf. */
int toml_scan_string(struct toml_scan *s);
/* Appends to buf. */
int toml_scan_add(struct toml_scan *s, struct diag_place at, const char *bytes, unsigned int n);
/* May c be in a key without quotes? */
bool toml_scan_is_bare(char c);
/* Length of the word here: what a number or boolean could be made of. */
size_t toml_scan_word_length(const struct toml_scan *s);
/* n bytes at word as an integer: 0, -EINVAL, -ERANGE; complains about nothing. */
int toml_scan_integer(const char *word, size_t n, int64_t *out);

#endif
