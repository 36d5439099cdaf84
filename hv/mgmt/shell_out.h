/* SPDX-License-Identifier: BSD-2-Clause */
/* Where commands print: a writer that the console, or a test, puts behind them. */
/* Lines end with \n; who needs \r\n adds it. */
#ifndef HV_MGMT_SHELL_OUT_H
#define HV_MGMT_SHELL_OUT_H

#include "hv/lib/types.h"
#include <stdarg.h>

struct shell_out {
	void (*write)(void *arg, const char *text, size_t len);
	void *arg;
};

void shell_out_write(struct shell_out *out, const char *text, size_t len);
void shell_out_puts(struct shell_out *out, const char *text);
/* One call prints at most 1023 bytes; longer texts are cut (print strings of any length by puts). */
void shell_out_printf(struct shell_out *out, const char *fmt, ...) PRINTF(2, 3);
void shell_out_vprintf(struct shell_out *out, const char *fmt, va_list ap) PRINTF(2, 0);

#endif
