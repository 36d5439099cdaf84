/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads one constant out of a definition block: the sleep types of the \_S5 package. */
/* Is no AML interpreter: it finds Name(_S5, Package() {...}) by its bytes, within bounds. */
#include "arch/x86/acpi/acpi_parse.h"
#include "hv/lib/string.h"

/* "ACPI Machine Language (AML) Specification", "AML Byte Stream Byte Values" */
enum aml_op {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_DWORD = 0x0c,
	AML_PACKAGE = 0x12,
	AML_ROOT = '\\',
};

struct reader {
	const uint8_t *p;
	size_t left;
};

static bool take(struct reader *r, size_t n, const uint8_t **at)
{
	if (r->left < n) {
		return false;
	}
	*at = r->p;
	r->p += n;
	r->left -= n;
	return true;
}

/* "Package Length Encoding": bits 7-6 of the lead byte count the bytes that follow. */
static bool skip_package_length(struct reader *r)
{
	const uint8_t *at;

	return take(r, 1, &at) && take(r, (size_t)(*at >> 6), &at);
}

static bool take_integer(struct reader *r, uint8_t *out)
{
	const uint8_t *op;
	const uint8_t *data;
	unsigned int size;

	if (!take(r, 1, &op)) {
		return false;
	}
	switch (*op) {
	case AML_ZERO:
	case AML_ONE:
		*out = *op;
		return true;
	case AML_BYTE:
	case AML_WORD:
	case AML_DWORD:
		size = 1u << (*op - AML_BYTE);
		if (!take(r, size, &data)) {
			return false;
		}
		*out = *data & 7u; /* SLP_TYP has three bits */
		return true;
	default:
		return false;
	}
}

/* The bytes behind "_S5_"; before them stood NameOp, with or without the root prefix. */
static bool package(struct reader r, uint8_t *typ_a, uint8_t *typ_b)
{
	const uint8_t *at;

	if (!take(&r, 1, &at) || *at != AML_PACKAGE || !skip_package_length(&r) ||
	    !take(&r, 1, &at) || *at < 1) {
		return false;
	}
	unsigned int elements = *at;

	if (!take_integer(&r, typ_a)) {
		return false;
	}
	*typ_b = *typ_a;
	return elements < 2 || take_integer(&r, typ_b);
}

static bool named(const uint8_t *aml, size_t i)
{
	return (i >= 1 && aml[i - 1] == AML_NAME) ||
	       (i >= 2 && aml[i - 1] == AML_ROOT && aml[i - 2] == AML_NAME);
}

bool acpi_s5_find(const uint8_t *aml, size_t size, uint8_t *typ_a, uint8_t *typ_b)
{
	for (size_t i = 1; i + 4 < size; i++) {
		if (aml[i] != '_' || memcmp(aml + i, "_S5_", 4) != 0 || !named(aml, i)) {
			continue;
		}
		if (package((struct reader){ aml + i + 4, size - i - 4 }, typ_a, typ_b)) {
			return true;
		}
	}
	return false;
}
