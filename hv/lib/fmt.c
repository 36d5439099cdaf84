/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns printf-style formatting into a bounded buffer. */
/* Prints nothing anywhere and allocates nothing; no floating point. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

/* Counts everything, stores only what fits. */
struct fmt_out {
	char *buf;
	size_t size;
	size_t len;
};

/* One conversion: the flags, width, precision and length modifier before its letter. */
struct fmt_spec {
	bool left, zero, plus, space, alt;
	bool has_precision;
	unsigned int width;
	unsigned int precision;
	unsigned int bytes; /* of the integer argument */
};

static void put_run(struct fmt_out *o, const char *s, size_t n)
{
	if (o->len < o->size) {
		memcpy(o->buf + o->len, s, u64_min(n, o->size - o->len));
	}
	o->len += n;
}

static void put_fill(struct fmt_out *o, char c, size_t n)
{
	if (o->len < o->size) {
		memset(o->buf + o->len, c, u64_min(n, o->size - o->len));
	}
	o->len += n;
}

/* Prefix ("-", "0x"), zeroes and body, padded to the width on the side the flags say. */
static void put_field(struct fmt_out *o, const struct fmt_spec *s, const char *prefix,
		      size_t zeroes, const char *body, size_t body_len)
{
	size_t prefix_len = strlen(prefix);
	size_t used = prefix_len + zeroes + body_len;
	size_t pad = s->width > used ? s->width - used : 0;

	put_fill(o, ' ', s->left ? 0 : pad);
	put_run(o, prefix, prefix_len);
	put_fill(o, '0', zeroes);
	put_run(o, body, body_len);
	put_fill(o, ' ', s->left ? pad : 0);
}

static void put_integer(struct fmt_out *o, const struct fmt_spec *s, const char *prefix, uint64_t v,
			unsigned int base, const char *digits)
{
	char body[20]; /* 2^64 has 20 decimal digits */
	size_t n = 0, zeroes = 0, used;

	for (; v != 0; v /= base) {
		body[sizeof(body) - ++n] = digits[v % base];
	}
	if (n == 0 && !(s->has_precision && s->precision == 0)) {
		body[sizeof(body) - ++n] = '0';
	}
	used = n + strlen(prefix);
	if (s->has_precision) {
		zeroes = s->precision > n ? s->precision - n : 0;
	} else if (s->zero && !s->left) {
		zeroes = s->width > used ? s->width - used : 0;
	}
	put_field(o, s, prefix, zeroes, body + sizeof(body) - n, n);
}

static void put_signed(struct fmt_out *o, const struct fmt_spec *s, int64_t v)
{
	const char *prefix = s->plus ? "+" : s->space ? " " : "";

	if (v < 0) {
		put_integer(o, s, "-", 0 - (uint64_t)v, 10, "0123456789");
	} else {
		put_integer(o, s, prefix, (uint64_t)v, 10, "0123456789");
	}
}

static void put_hex(struct fmt_out *o, const struct fmt_spec *s, uint64_t v, bool upper)
{
	const char *prefix = s->alt && v != 0 ? (upper ? "0X" : "0x") : "";

	put_integer(o, s, prefix, v, 16, upper ? "0123456789ABCDEF" : "0123456789abcdef");
}

static void put_string(struct fmt_out *o, const struct fmt_spec *s, const char *str)
{
	if (str == NULL) {
		str = "(null)";
	}
	put_field(o, s, "", 0, str, strnlen(str, s->has_precision ? s->precision : SIZE_MAX));
}

static const char *parse_flags(const char *f, struct fmt_spec *s)
{
	for (;; f++) {
		switch (*f) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '#':
			s->alt = true;
			break;
		default:
			return f;
		}
	}
}

static const char *parse_number(const char *f, unsigned int *out)
{
	unsigned int v = 0;

	for (; *f >= '0' && *f <= '9'; f++) {
		v = v * 10 + (unsigned int)(*f - '0');
	}
	*out = v;
	return f;
}

static const char *parse_length(const char *f, struct fmt_spec *s)
{
	s->bytes = sizeof(int);
	switch (*f) {
	case 'h':
		s->bytes = f[1] == 'h' ? 1 : 2;
		return f + (f[1] == 'h' ? 2 : 1);
	case 'l':
		s->bytes = sizeof(long);
		return f + (f[1] == 'l' ? 2 : 1);
	case 'z':
	case 'j':
	case 't':
		s->bytes = sizeof(uint64_t);
		return f + 1;
	default:
		return f;
	}
}

/* va_list is an array on this ABI; in a struct it can be passed by pointer portably. */
struct fmt_args {
	va_list ap;
};

static void width_from_args(struct fmt_spec *s, struct fmt_args *args)
{
	int v = va_arg(args->ap, int);

	s->left |= v < 0;
	s->width = v < 0 ? 0u - (unsigned int)v : (unsigned int)v;
}

static void precision_from_args(struct fmt_spec *s, struct fmt_args *args)
{
	int v = va_arg(args->ap, int);

	s->has_precision = v >= 0; /* a negative one counts as none */
	s->precision = v >= 0 ? (unsigned int)v : 0;
}

/* From behind the '%' to the conversion letter, which it returns a pointer to. */
static const char *parse_spec(const char *f, struct fmt_spec *s, struct fmt_args *args)
{
	f = parse_flags(f, s);
	if (*f == '*') {
		width_from_args(s, args);
		f++;
	} else {
		f = parse_number(f, &s->width);
	}
	if (*f == '.' && f[1] == '*') {
		precision_from_args(s, args);
		f += 2;
	} else if (*f == '.') {
		s->has_precision = true;
		f = parse_number(f + 1, &s->precision);
	}
	return parse_length(f, s);
}

static uint64_t unsigned_from_args(const struct fmt_spec *s, struct fmt_args *args)
{
	if (s->bytes == sizeof(uint64_t)) {
		return va_arg(args->ap, uint64_t);
	}
	return va_arg(args->ap, unsigned int) & (UINT32_MAX >> (32 - 8 * s->bytes));
}

static int64_t signed_from_args(const struct fmt_spec *s, struct fmt_args *args)
{
	unsigned int unused_bits = 64 - 8 * s->bytes;

	return (int64_t)(unsigned_from_args(s, args) << unused_bits) >> unused_bits;
}

static void put_pointer(struct fmt_out *o, const struct fmt_spec *s, const void *p)
{
	put_integer(o, s, "0x", (uintptr_t)p, 16, "0123456789abcdef");
}

static void put_char(struct fmt_out *o, const struct fmt_spec *s, char c)
{
	put_field(o, s, "", 0, &c, 1);
}

/* Returns false for a letter it does not know, which is then printed as it stands. */
static bool convert(struct fmt_out *o, const struct fmt_spec *s, char letter, struct fmt_args *args)
{
	switch (letter) {
	case 'd':
	case 'i':
		put_signed(o, s, signed_from_args(s, args));
		return true;
	case 'u':
		put_integer(o, s, "", unsigned_from_args(s, args), 10, "0123456789");
		return true;
	case 'x':
	case 'X':
		put_hex(o, s, unsigned_from_args(s, args), letter == 'X');
		return true;
	case 'c':
		put_char(o, s, (char)va_arg(args->ap, int));
		return true;
	case 's':
		put_string(o, s, va_arg(args->ap, const char *));
		return true;
	case 'p':
		put_pointer(o, s, va_arg(args->ap, const void *));
		return true;
	case '%':
		put_run(o, "%", 1);
		return true;
	default:
		return false;
	}
}

/* Handles one conversion; f points behind the '%'. Returns where the text goes on. */
static const char *put_conversion(struct fmt_out *o, const char *f, struct fmt_args *args)
{
	struct fmt_spec spec = { 0 };
	const char *end = parse_spec(f, &spec, args);

	if (convert(o, &spec, *end, args)) {
		return end + 1;
	}
	put_run(o, f - 1, (size_t)(end - f) + 1);
	return end;
}

int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct fmt_out o = { .buf = buf, .size = size };
	struct fmt_args args;

	va_copy(args.ap, ap);
	while (*fmt != '\0') {
		const char *percent = fmt;

		while (*percent != '\0' && *percent != '%') {
			percent++;
		}
		put_run(&o, fmt, (size_t)(percent - fmt));
		fmt = *percent == '%' ? put_conversion(&o, percent + 1, &args) : percent;
	}
	va_end(args.ap);
	if (size != 0) {
		buf[u64_min(o.len, size - 1)] = '\0';
	}
	return (int)o.len;
}

int fmt_snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = fmt_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return len;
}

char *fmt_size(char *buf, size_t size, uint64_t bytes)
{
	static const char units[][4] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned int unit = bytes == 0 ? 0 : (63 - (unsigned int)__builtin_clzl(bytes)) / 10;
	uint64_t below = unit == 0 ? 0 : bytes >> (10 * (unit - 1)) & (KIB - 1);
	uint64_t tenths = (bytes >> (10 * unit)) * 10 + (below * 10 + KIB / 2) / KIB;

	if (tenths == 10 * KIB) {
		tenths = 10; /* 1023.96 KiB rounds to 1 MiB */
		unit++;
	}
	if (tenths % 10 == 0) {
		fmt_snprintf(buf, size, "%lu %s", tenths / 10, units[unit]);
	} else {
		fmt_snprintf(buf, size, "%lu.%lu %s", tenths / 10, tenths % 10, units[unit]);
	}
	return buf;
}
