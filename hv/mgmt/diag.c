/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the list of messages about a configuration. */
/* Keeps them in the order in which they were found. */
#include "hv/mgmt/diag.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include <stdarg.h>

void diag_init(struct diag *d)
{
	memset(d, 0, sizeof(*d));
}

static void clean(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			*s = '?';
		}
	}
}

void diag_add(struct diag *d, struct diag_place at, const char *fmt, ...)
{
	struct diag_entry *e;
	va_list ap;

	if (d->count == DIAG_MAX) {
		d->dropped++;
		return;
	}
	e = &d->entries[d->count++];
	e->at = at;
	va_start(ap, fmt);
	fmt_vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	clean(e->text);
}
