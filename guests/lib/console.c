/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550 without interrupts, and a small printf on top. */
/* Floating point is not printed. */
#include "guests/lib/console.h"

#include "guests/lib/cpu.h"

#include <stdarg.h>

#define COM1	 0x3f8u
#define LCR	 3u
#define LSR	 5u
#define LSR_THRE 0x20u

void console_init(void)
{
	cpu_out8(COM1 + 1, 0);
	cpu_out8(COM1 + LCR, 0x80);
	cpu_out8(COM1, 1); /* 115200 */
	cpu_out8(COM1 + 1, 0);
	cpu_out8(COM1 + LCR, 3);
	cpu_out8(COM1 + 2, 7);
	cpu_out8(COM1 + 4, 3);
}

static void put(char c)
{
	if (c == '\n') {
		put('\r');
	}
	while (!(cpu_in8(COM1 + LSR) & LSR_THRE)) {
	}
	cpu_out8(COM1, (uint8_t)c);
}

static void put_string(const char *s)
{
	while (*s != '\0') {
		put(*s++);
	}
}

static void put_number(uint64_t val, unsigned int base, unsigned int width, char pad)
{
	char digits[24];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val != 0);
	for (unsigned int i = n; i < width; i++) {
		put(pad);
	}
	while (n > 0) {
		put(digits[--n]);
	}
}

static void put_signed(int64_t val, unsigned int width, char pad)
{
	if (val < 0) {
		put('-');
		val = -val;
	}
	put_number((uint64_t)val, 10, width, pad);
}

static const char *put_conversion(const char *f, va_list *ap)
{
	char pad = *f == '0' ? '0' : ' ';
	unsigned int width = 0;
	bool is_long = false;

	while (*f >= '0' && *f <= '9') {
		width = width * 10 + (unsigned int)(*f++ - '0');
	}
	while (*f == 'l') {
		is_long = true;
		f++;
	}
	switch (*f) {
	case 's':
		put_string(va_arg(*ap, const char *));
		break;
	case 'c':
		put((char)va_arg(*ap, int));
		break;
	case 'd':
		put_signed(is_long ? va_arg(*ap, long) : va_arg(*ap, int), width, pad);
		break;
	case 'u':
	case 'x':
		put_number(is_long ? va_arg(*ap, unsigned long) : va_arg(*ap, unsigned int),
			   *f == 'x' ? 16 : 10, width, pad);
		break;
	case 'p':
		put_number((uint64_t)va_arg(*ap, void *), 16, 16, '0');
		break;
	default:
		put(*f);
		break;
	}
	return f + 1;
}

void console_printf(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	while (*fmt != '\0') {
		if (*fmt != '%') {
			put(*fmt++);
		} else {
			fmt = put_conversion(fmt + 1, &ap);
		}
	}
	va_end(ap);
}
