/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the buffer that tests look into. */
/* Knows no command. */
#include "hv/mgmt/capture.h"
#include <stdlib.h>
#include <string.h>

static void put(void *arg, const char *text, size_t len)
{
	struct capture *c = arg;

	if (len >= sizeof(c->text) - c->len) {
		abort();
	}
	memcpy(c->text + c->len, text, len);
	c->len += len;
	c->text[c->len] = '\0';
}

struct shell_out capture_out(struct capture *c)
{
	return (struct shell_out){ put, c };
}

void capture_clear(struct capture *c)
{
	c->len = 0;
	c->text[0] = '\0';
}
