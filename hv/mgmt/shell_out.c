/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns formatting in front of a writer. */
/* Buffers nothing. */
#include "hv/mgmt/shell_out.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

void shell_out_write(struct shell_out *out, const char *text, size_t len)
{
	out->write(out->arg, text, len);
}

void shell_out_puts(struct shell_out *out, const char *text)
{
	shell_out_write(out, text, strlen(text));
}

void shell_out_vprintf(struct shell_out *out, const char *fmt, va_list ap)
{
	char buf[1024];
	int n = fmt_vsnprintf(buf, sizeof(buf), fmt, ap);

	shell_out_write(out, buf, u64_min((uint64_t)n, sizeof(buf) - 1));
}

void shell_out_printf(struct shell_out *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	shell_out_vprintf(out, fmt, ap);
	va_end(ap);
}
