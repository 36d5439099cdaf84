/* SPDX-License-Identifier: BSD-2-Clause */
/* Parser of the TOML subset that the configuration is written in: a tree with places. */
/* Pure: knows no key of ours. No dotted keys, [[tables]], multi-line strings, floats or dates. */
#ifndef HV_MGMT_TOML_H
#define HV_MGMT_TOML_H

#include "hv/mgmt/diag.h"

#define TOML_SIZE_MAX  (64u * 1024u) /* bytes of text */
#define TOML_NODES_MAX 2048u
#define TOML_DEPTH_MAX 8u /* arrays and inline tables in one another */

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_BOOLEAN, TOML_ARRAY, TOML_TABLE, TOML_TYPES };

struct toml_node {
	enum toml_type type;
	struct diag_place at;	    /* of the key, or the value in an array */
	struct toml_node *next;	    /* sibling */
	struct toml_node *children; /* of an array or table, in the file's order */
	struct toml_node *last;
	char *key;    /* NULL in an array */
	char *string; /* valid UTF-8, no NUL inside */
	int64_t integer;
	bool boolean;
	bool defined; /* table: its header was seen */
	bool closed;  /* table: inline, nothing can be added by a header */
	bool bad;     /* an error in it was reported: what it holds is not all */
};

/*
 * Parses size bytes of text. The tree (also of a file with errors: what could be read) or NULL when
 * memory is out; every error is in d. The caller frees the tree with toml_free.
 */
struct toml_node *toml_parse(const char *text, size_t size, struct diag *d);
void toml_free(struct toml_node *n);
/* The child with that key, or NULL. */
const struct toml_node *toml_find(const struct toml_node *table, const char *key);
/* "a string", "an integer" ... */
const char *toml_type_name(enum toml_type type);

#endif
