/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the distance between two names: insertions, deletions, changes, swaps of neighbours. */
/* Names beyond 31 bytes are not compared. */
#include "hv/mgmt/near.h"
#include "hv/lib/string.h"

#define NEAR_MAX 31u

void near_begin(struct near *n, const char *typed)
{
	size_t len = strlen(typed);

	n->typed = typed;
	n->best = NULL;
	/* A third of the letters may be wrong, and at least one. */
	n->distance = (unsigned int)(len / 3 > 1 ? len / 3 : 1) + 1;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment, by rows: each cell is the distance of two prefixes. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][NEAR_MAX + 1];
	size_t an = strlen(a), bn = strlen(b);

	for (unsigned int k = 0; k <= bn; k++) {
		rows[0][k] = k;
	}
	for (unsigned int i = 1; i <= an; i++) {
		unsigned int *row = rows[i % 3], *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned int k = 1; k <= bn; k++) {
			row[k] = least(least(up[k], row[k - 1]) + 1,
				       up[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1]) {
				row[k] = least(row[k], up2[k - 2] + 1);
			}
		}
	}
	return rows[an % 3][bn];
}

void near_try(struct near *n, const char *name)
{
	unsigned int d;

	if (strlen(n->typed) > NEAR_MAX || strlen(name) > NEAR_MAX) {
		return;
	}
	d = distance(n->typed, name);
	if (d < n->distance) {
		n->distance = d;
		n->best = name;
	}
}
