/* SPDX-License-Identifier: BSD-2-Clause */
/* Text on COM1, by polling. */
/* No input, no interrupts. */
#ifndef GUESTS_LIB_PRINT_H
#define GUESTS_LIB_PRINT_H

/* 115200 baud, 8N1, FIFO on, no interrupts. */
void print_init(void);

/* printf with %c %s %d %u %x %p, l for 64 bits, and a width with or without a leading 0. */
__attribute__((format(printf, 1, 2))) void print(const char *fmt, ...);

/* Returns when the last byte has left the UART. */
void print_drain(void);

#endif
