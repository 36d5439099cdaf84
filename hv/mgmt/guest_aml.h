/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes ACPI machine language, as much as our DSDT needs. */
/* Interprets nothing. ACPI Specification 6.5, chapter 20, "ACPI Machine Language (AML)". */
#ifndef HV_MGMT_GUEST_AML_H
#define HV_MGMT_GUEST_AML_H

#include "hv/lib/types.h"

#define GUEST_AML_DEPTH 8u

/* A buffer being filled. When it is full, or nesting is too deep, nothing more is written: see ok. */
struct guest_aml {
	uint8_t *buf;
	size_t size;
	size_t len;
	unsigned int depth;
	size_t open[GUEST_AML_DEPTH]; /* offsets of package lengths to be filled in */
	bool ok;
};

void guest_aml_init(struct guest_aml *a, uint8_t *buf, size_t size);

void guest_aml_bytes(struct guest_aml *a, const void *bytes, size_t len);
void guest_aml_byte(struct guest_aml *a, uint8_t byte);
/* An integer constant in its shortest form. */
void guest_aml_integer(struct guest_aml *a, uint64_t val);
/* DefName: the object follows. name: "_CRS", or "\\_S5_" with the root character. */
void guest_aml_name(struct guest_aml *a, const char *name);
/* Name with an integer. */
void guest_aml_name_integer(struct guest_aml *a, const char *name, uint64_t val);
/* Name _HID or _CID with the compressed form of e.g. "PNP0A03". */
void guest_aml_name_eisaid(struct guest_aml *a, const char *name, const char *id);

/* Each is closed by guest_aml_end(). */
void guest_aml_scope(struct guest_aml *a, const char *path);
void guest_aml_device(struct guest_aml *a, const char *name);
void guest_aml_package(struct guest_aml *a, uint8_t elements);
void guest_aml_end(struct guest_aml *a);

/*
 * A buffer of resource descriptors as the value of Name(_CRS): what is between the two calls, made
 * with the functions below.
 */
void guest_aml_crs(struct guest_aml *a);
void guest_aml_crs_end(struct guest_aml *a);
void guest_aml_io(struct guest_aml *a, uint16_t port, uint8_t count);
void guest_aml_irq(struct guest_aml *a, unsigned int irq); /* edge, active high */
/* Windows that a bridge hands on: bus numbers, ports, memory; both ends inclusive. */
void guest_aml_bus_window(struct guest_aml *a, uint16_t first, uint16_t last);
void guest_aml_io_window(struct guest_aml *a, uint16_t first, uint16_t last);
void guest_aml_memory_window(struct guest_aml *a, uint32_t first, uint32_t last);

#endif
