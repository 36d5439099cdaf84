/* SPDX-License-Identifier: BSD-2-Clause */
/* A UART driver that polls and the little of printf that guests need. */
/* No input, no interrupts. */
#include "guests/lib/print.h"
#include "guests/lib/cpu.h"

#include <stdarg.h>

#define COM1	 0x3f8
#define UART_IER 1
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5

#define LCR_8N1	 0x03
#define LCR_DLAB 0x80
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

void print_init(void)
{
	pio_out8(COM1 + UART_IER, 0);
	pio_out8(COM1 + UART_LCR, LCR_DLAB | LCR_8N1);
	pio_out8(COM1, 1); /* divisor: 115200 baud */
	pio_out8(COM1 + UART_IER, 0);
	pio_out8(COM1 + UART_LCR, LCR_8N1);
	pio_out8(COM1 + UART_FCR, 7); /* enable and clear both FIFOs */
	pio_out8(COM1 + UART_MCR, 3); /* DTR, RTS */
}

static void wait_for(uint8_t bit)
{
	while (!(pio_in8(COM1 + UART_LSR) & bit)) {
	}
}

void print_drain(void)
{
	wait_for(LSR_TEMT);
}

static void put(char c)
{
	if (c == '\n') {
		put('\r');
	}
	wait_for(LSR_THRE);
	pio_out8(COM1, (uint8_t)c);
}

static void put_number(uint64_t val, unsigned int base, int width, char pad)
{
	char digits[24];
	int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val);
	for (; width > count; width--) {
		put(pad);
	}
	while (count) {
		put(digits[--count]);
	}
}

static void put_signed(int64_t val, int width, char pad)
{
	if (val < 0) {
		put('-');
	}
	put_number(val < 0 ? 0 - (uint64_t)val : (uint64_t)val, 10, width, pad);
}

static void put_string(const char *s)
{
	while (*s) {
		put(*s++);
	}
}

struct spec {
	bool wide;
	int width;
	char pad;
};

static const char *parse_spec(const char *fmt, struct spec *s)
{
	*s = (struct spec){ .pad = *fmt == '0' ? '0' : ' ' };
	for (; *fmt >= '0' && *fmt <= '9'; fmt++) {
		s->width = s->width * 10 + (*fmt - '0');
	}
	for (; *fmt == 'l'; fmt++) {
		s->wide = true;
	}
	return fmt;
}

static void put_arg(char kind, const struct spec *s, va_list *ap)
{
	switch (kind) {
	case 'c':
		put((char)va_arg(*ap, int));
		break;
	case 's':
		put_string(va_arg(*ap, const char *));
		break;
	case 'd':
		put_signed(s->wide ? va_arg(*ap, int64_t) : va_arg(*ap, int), s->width, s->pad);
		break;
	case 'p':
		put_number((uint64_t)va_arg(*ap, void *), 16, s->width, s->pad);
		break;
	case 'u':
	case 'x':
		put_number(s->wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned int),
			   kind == 'u' ? 10 : 16, s->width, s->pad);
		break;
	default:
		put(kind);
		break;
	}
}

void print(const char *fmt, ...)
{
	struct spec s;
	va_list ap;

	va_start(ap, fmt);
	while (*fmt) {
		if (*fmt != '%') {
			put(*fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &s);
		put_arg(*fmt++, &s, &ap);
	}
	va_end(ap);
}
