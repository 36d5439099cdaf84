/* SPDX-License-Identifier: BSD-2-Clause */
/* panic_stop for host tests: a BUG_ON that is reached fails the program, loudly. */
/* Tests that expect a panic use a fake of their own. */
#include "hv/base/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void panic_stop(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}
