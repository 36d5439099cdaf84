/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on the first serial port. */
/* Output only. */
#ifndef GUESTS_LIB_CONSOLE_H
#define GUESTS_LIB_CONSOLE_H

void console_init(void);
/* %s %c %d %u %x %p %% and l in front of d, u, x; a width with or without leading 0. */
void console_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
