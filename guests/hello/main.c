/* SPDX-License-Identifier: BSD-2-Clause */
/* Says hello, tells what the loader told it, and switches the machine off. */
/* The smallest guest: it uses no device but COM1. */
#include "guests/lib/guest.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"

#include <stddef.h>

void guest_main(void)
{
	const struct mboot_range *r;
	const struct mboot_module *m;
	unsigned int i;

	print("hello from guest\n");
	print("cmdline: %s\n", mboot_cmdline());
	for (i = 0; (r = mboot_range(i)) != NULL; i++) {
		print("memory: %012lx-%012lx type %u\n", r->base, r->base + r->size - 1, r->type);
	}
	for (i = 0; (m = mboot_module(i)) != NULL; i++) {
		print("module: %08x-%08x %s\n", m->start, m->end - 1, m->text);
	}
	print("goodbye\n");
}
