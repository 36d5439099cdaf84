/* SPDX-License-Identifier: BSD-2-Clause */
/* The encodings of ACPI machine language that a table of static devices is made of. */
/* What the devices are is guest_acpi.c's. */
#include "hv/mgmt/guest_aml.h"

#include "hv/lib/bytes.h"
#include "hv/lib/string.h"

enum aml_op {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_QWORD = 0x0e,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_EXT = 0x5b,
	AML_EXT_DEVICE = 0x82,
};

/*
 * "Package Length Encoding": always in three bytes, so that it can be filled in when the end is
 * known: the top bits of the first give the number of those that follow.
 */
#define LENGTH_BYTES 3u
#define LENGTH_LEAD  0x80u
#define LENGTH_MAX   (1u << 20)

/* Buffer size as a word constant: prefix and two bytes. */
#define CRS_SIZE_BYTES 3u
#define CRS_END_TAG    0x79u

void guest_aml_init(struct guest_aml *a, uint8_t *buf, size_t size)
{
	*a = (struct guest_aml){ .buf = buf, .size = size, .ok = true };
}

/* Where the next len bytes go; NULL if there is no room for them. */
static uint8_t *extend(struct guest_aml *a, size_t len)
{
	uint8_t *at = a->buf + a->len;

	if (!a->ok || !range_within(a->len, len, a->size)) {
		a->ok = false;
		return NULL;
	}
	a->len += len;
	return at;
}

void guest_aml_bytes(struct guest_aml *a, const void *bytes, size_t len)
{
	uint8_t *at = extend(a, len);

	if (at != NULL) {
		memcpy(at, bytes, len);
	}
}

void guest_aml_byte(struct guest_aml *a, uint8_t byte)
{
	uint8_t *at = extend(a, 1);

	if (at != NULL) {
		*at = byte;
	}
}

static void put(struct guest_aml *a, uint64_t val, unsigned int size)
{
	uint8_t *at = extend(a, size);

	if (at != NULL) {
		bytes_put_le(at, size, val);
	}
}

void guest_aml_integer(struct guest_aml *a, uint64_t val)
{
	if (val <= 1) {
		guest_aml_byte(a, val == 0 ? AML_ZERO : AML_ONE);
	} else if (val <= UINT8_MAX) {
		guest_aml_byte(a, AML_BYTE);
		put(a, val, 1);
	} else if (val <= UINT16_MAX) {
		guest_aml_byte(a, AML_WORD);
		put(a, val, 2);
	} else if (val <= UINT32_MAX) {
		guest_aml_byte(a, AML_DWORD);
		put(a, val, 4);
	} else {
		guest_aml_byte(a, AML_QWORD);
		put(a, val, 8);
	}
}

void guest_aml_name(struct guest_aml *a, const char *name)
{
	guest_aml_byte(a, AML_NAME);
	guest_aml_bytes(a, name, strlen(name));
}

void guest_aml_name_integer(struct guest_aml *a, const char *name, uint64_t val)
{
	guest_aml_name(a, name);
	guest_aml_integer(a, val);
}

static uint32_t hex_digit(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* "EISAID Macro": three letters of five bits and four hexadecimal digits, big-endian. */
void guest_aml_name_eisaid(struct guest_aml *a, const char *name, const char *id)
{
	uint32_t v = 0;
	uint8_t bytes[4];

	for (unsigned int i = 0; i < 3; i++) {
		v = v << 5 | ((uint32_t)(id[i] - '@') & 0x1f);
	}
	for (unsigned int i = 3; i < 7; i++) {
		v = v << 4 | hex_digit(id[i]);
	}
	for (unsigned int i = 0; i < 4; i++) {
		bytes[i] = (uint8_t)(v >> (24 - 8 * i));
	}
	guest_aml_name(a, name);
	guest_aml_byte(a, AML_DWORD);
	guest_aml_bytes(a, bytes, sizeof(bytes));
}

static void open_length(struct guest_aml *a)
{
	if (a->depth == GUEST_AML_DEPTH) {
		a->ok = false;
		return;
	}
	a->open[a->depth++] = a->len;
	put(a, 0, LENGTH_BYTES);
}

void guest_aml_end(struct guest_aml *a)
{
	size_t at, len;

	if (!a->ok || a->depth == 0) {
		a->ok = false;
		return;
	}
	at = a->open[--a->depth];
	len = a->len - at;
	a->ok = len < LENGTH_MAX;
	a->buf[at] = (uint8_t)(LENGTH_LEAD | (len & 0xf));
	bytes_put_le16(a->buf + at + 1, (uint16_t)(len >> 4));
}

void guest_aml_scope(struct guest_aml *a, const char *path)
{
	guest_aml_byte(a, AML_SCOPE);
	open_length(a);
	guest_aml_bytes(a, path, strlen(path));
}

void guest_aml_device(struct guest_aml *a, const char *name)
{
	guest_aml_byte(a, AML_EXT);
	guest_aml_byte(a, AML_EXT_DEVICE);
	open_length(a);
	guest_aml_bytes(a, name, strlen(name));
}

void guest_aml_package(struct guest_aml *a, uint8_t elements)
{
	guest_aml_byte(a, AML_PACKAGE);
	open_length(a);
	guest_aml_byte(a, elements);
}

void guest_aml_crs(struct guest_aml *a)
{
	guest_aml_name(a, "_CRS");
	guest_aml_byte(a, AML_BUFFER);
	open_length(a);
	guest_aml_byte(a, AML_WORD);
	put(a, 0, CRS_SIZE_BYTES - 1);
}

void guest_aml_crs_end(struct guest_aml *a)
{
	size_t size_at;

	guest_aml_byte(a, CRS_END_TAG);
	guest_aml_byte(a, 0); /* a checksum of 0 counts as right: "End Tag" */
	if (a->ok && a->depth > 0) {
		size_at = a->open[a->depth - 1] + LENGTH_BYTES + 1;
		bytes_put_le16(a->buf + size_at, (uint16_t)(a->len - size_at - 2));
	}
	guest_aml_end(a);
}

/* "I/O Port Descriptor" */
void guest_aml_io(struct guest_aml *a, uint16_t port, uint8_t count)
{
	guest_aml_byte(a, 0x47);
	guest_aml_byte(a, 1); /* decodes 16 bits */
	put(a, port, 2);
	put(a, port, 2);
	guest_aml_byte(a, 1);
	guest_aml_byte(a, count);
}

/* "IRQ Descriptor", the short form without flags */
void guest_aml_irq(struct guest_aml *a, unsigned int irq)
{
	guest_aml_byte(a, 0x22);
	put(a, BIT(irq), 2);
}

enum window_type { WINDOW_MEMORY = 0, WINDOW_IO = 1, WINDOW_BUS = 2 };

#define WINDOW_FIXED_PRODUCER 0x0cu /* minimum and maximum fixed, positive decode */
#define WINDOW_IO_ENTIRE      0x03u
#define WINDOW_MEMORY_RW      0x01u

/* "Word Address Space Descriptor" and its longer brothers: five fields of `size` bytes. */
static void window(struct guest_aml *a, uint8_t tag, enum window_type type, uint8_t flags,
		   const uint64_t range[2], unsigned int size)
{
	guest_aml_byte(a, tag);
	put(a, 3 + 5 * size, 2);
	guest_aml_byte(a, (uint8_t)type);
	guest_aml_byte(a, WINDOW_FIXED_PRODUCER);
	guest_aml_byte(a, flags);
	put(a, 0, size); /* granularity */
	put(a, range[0], size);
	put(a, range[1], size);
	put(a, 0, size); /* translation */
	put(a, range[1] - range[0] + 1, size);
}

void guest_aml_bus_window(struct guest_aml *a, uint16_t first, uint16_t last)
{
	window(a, 0x88, WINDOW_BUS, 0, (const uint64_t[]){ first, last }, 2);
}

void guest_aml_io_window(struct guest_aml *a, uint16_t first, uint16_t last)
{
	window(a, 0x88, WINDOW_IO, WINDOW_IO_ENTIRE, (const uint64_t[]){ first, last }, 2);
}

void guest_aml_memory_window(struct guest_aml *a, uint32_t first, uint32_t last)
{
	window(a, 0x87, WINDOW_MEMORY, WINDOW_MEMORY_RW, (const uint64_t[]){ first, last }, 4);
}
