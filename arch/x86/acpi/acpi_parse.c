/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks from the RSDP over the root table to the tables that matter, and reads FADT and HPET. */
/* Maps nothing itself and keeps no state. */
#include "arch/x86/acpi/acpi_parse.h"

#include "arch/x86/acpi/acpi_tables.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define ROOT_ENTRIES_MAX 256u

bool acpi_parse_rsdp_valid(const void *rsdp, size_t size)
{
	const struct acpi_rsdp *r = rsdp;

	if (size < ACPI_RSDP_V1_SIZE || memcmp(r->signature, "RSD PTR ", 8) != 0 ||
	    bytes_sum(rsdp, ACPI_RSDP_V1_SIZE) != 0) {
		return false;
	}
	if (r->revision < 2) {
		return true;
	}
	/* Later revisions may be longer; we sum what we may read. */
	return size >= ACPI_RSDP_V2_SIZE && bytes_get_le32(r->length) == ACPI_RSDP_V2_SIZE &&
	       bytes_sum(rsdp, ACPI_RSDP_V2_SIZE) == 0;
}

const void *acpi_parse_find_rsdp(const void *mem, size_t size)
{
	const uint8_t *p = mem;

	for (size_t off = 0; off < size; off += 16) {
		if (acpi_parse_rsdp_valid(p + off, size - off)) {
			return p + off;
		}
	}
	return NULL;
}

void acpi_parse_defaults(struct acpi_info *out)
{
	*out = (struct acpi_info){ .has_8259 = true, .has_8042 = true };
	for (unsigned int i = 0; i < ACPI_ISA_IRQS; i++) {
		out->isa[i].gsi = i;
	}
}

static void complain(const struct acpi_source *src, const char *signature, const char *why)
{
	if (src->complain != NULL) {
		src->complain(signature, why);
	}
}

/* The whole verified table at hpa with its length in *size, or NULL. */
static const uint8_t *map_table(const struct acpi_source *src, uint64_t hpa, size_t *size)
{
	const struct acpi_header *h = NULL;
	char name[5] = "?";

	if (hpa != 0) {
		h = src->map(hpa, sizeof(*h));
	}
	if (h == NULL) {
		complain(src, name, "its address cannot be mapped");
		return NULL;
	}
	memcpy(name, h->signature, 4);
	*size = bytes_get_le32(h->length);
	if (*size < sizeof(*h) || *size > ACPI_TABLE_MAX) {
		complain(src, name, "its length is absurd");
		return NULL;
	}
	const uint8_t *table = src->map(hpa, *size);

	if (table == NULL) {
		complain(src, name, "it cannot be mapped");
	} else if (bytes_sum(table, *size) != 0) {
		complain(src, name, "its checksum is wrong");
		table = NULL;
	}
	return table;
}

static struct acpi_register gas_register(const struct acpi_gas *gas)
{
	return (struct acpi_register){
		.address = bytes_get_le64(gas->address),
		.space = gas->space,
		.width = gas->bit_width,
	};
}

/* The extended field of later revisions if there is one and it is filled, else the old port. */
static struct acpi_register fadt_register(const uint8_t *fadt, size_t size, size_t x_off,
					  uint32_t port, uint8_t bytes)
{
	if (x_off + sizeof(struct acpi_gas) <= size) {
		struct acpi_register r = gas_register((const struct acpi_gas *)(fadt + x_off));

		if (r.address != 0) {
			return r;
		}
	}
	return (struct acpi_register){
		.address = port,
		.space = ACPI_SPACE_IO,
		.width = (uint8_t)(bytes * 8),
	};
}

static void read_fadt_flags(const struct acpi_fadt *f, size_t size, struct acpi_info *out)
{
	uint32_t flags = bytes_get_le32(f->flags);
	uint16_t boot_arch = bytes_get_le16(f->boot_arch);

	out->century = f->century < 128 ? f->century : 0;
	out->pm_timer_32bit = (flags & ACPI_FADT_TMR_VAL_EXT) != 0;
	out->hw_reduced = (flags & ACPI_FADT_HW_REDUCED) != 0;
	if (f->header.revision >= 2) { /* the bits were reserved before */
		out->has_8042 = (boot_arch & ACPI_BOOT_8042) != 0;
		out->no_rtc = (boot_arch & ACPI_BOOT_NO_RTC) != 0;
	}
	if ((flags & ACPI_FADT_RESET_REG_SUP) != 0 &&
	    size > offsetof(struct acpi_fadt, reset_value)) {
		out->reset = gas_register(&f->reset_reg);
		out->reset_value = f->reset_value;
	}
}

static void read_fadt(const uint8_t *fadt, size_t size, struct acpi_info *out)
{
	const struct acpi_fadt *f = (const struct acpi_fadt *)fadt;

	out->has_fadt = true;
	out->smi_cmd = bytes_get_le16(f->smi_cmd);
	out->acpi_enable = f->acpi_enable;
	read_fadt_flags(f, size, out);
	out->pm_timer = fadt_register(fadt, size, offsetof(struct acpi_fadt, x_pm_tmr),
				      bytes_get_le32(f->pm_tmr), f->pm_tmr_len);
	out->pm1a_cnt = fadt_register(fadt, size, offsetof(struct acpi_fadt, x_pm1a_cnt),
				      bytes_get_le32(f->pm1a_cnt), f->pm1_cnt_len);
	out->pm1b_cnt = fadt_register(fadt, size, offsetof(struct acpi_fadt, x_pm1b_cnt),
				      bytes_get_le32(f->pm1b_cnt), f->pm1_cnt_len);
}

static void read_definition_block(const uint8_t *t, size_t size, struct acpi_info *out)
{
	if (!out->has_s5) {
		out->has_s5 = acpi_s5_find(t + sizeof(struct acpi_header),
					   size - sizeof(struct acpi_header), &out->s5_typ_a,
					   &out->s5_typ_b);
	}
}

static void read_dsdt(const struct acpi_source *src, const uint8_t *fadt, size_t fadt_size,
		      struct acpi_info *out)
{
	uint64_t hpa = 0;
	size_t size;

	if (offsetof(struct acpi_fadt, x_dsdt) + 8 <= fadt_size) {
		hpa = bytes_get_le64(fadt + offsetof(struct acpi_fadt, x_dsdt));
	}
	if (hpa == 0) {
		hpa = bytes_get_le32(fadt + offsetof(struct acpi_fadt, dsdt));
	}
	const uint8_t *dsdt = map_table(src, hpa, &size);

	if (dsdt != NULL) {
		read_definition_block(dsdt, size, out);
	}
}

static void read_hpet(const uint8_t *hpet, struct acpi_info *out)
{
	struct acpi_register r = gas_register(&((const struct acpi_hpet *)hpet)->base);

	if (r.space == ACPI_SPACE_MEMORY && out->hpet.v == 0) {
		out->hpet.v = r.address;
	}
}

static void read_table(const struct acpi_source *src, uint64_t hpa, struct acpi_info *out)
{
	size_t size;
	const uint8_t *t = map_table(src, hpa, &size);

	if (t == NULL) {
		return;
	}
	if (memcmp(t, "APIC", 4) == 0) {
		acpi_madt_parse(t, size, out);
	} else if (memcmp(t, "FACP", 4) == 0 && size >= ACPI_FADT_V1_SIZE) {
		read_fadt(t, size, out);
		read_dsdt(src, t, size, out);
	} else if (memcmp(t, "HPET", 4) == 0 && size >= sizeof(struct acpi_hpet)) {
		read_hpet(t, out);
	} else if (memcmp(t, "SSDT", 4) == 0) {
		read_definition_block(t, size, out);
	}
}

/* Entries of 8 bytes in the XSDT, of 4 in the RSDT. */
static int read_root(const struct acpi_source *src, uint64_t hpa, unsigned int entry,
		     struct acpi_info *out)
{
	size_t size;
	const uint8_t *root = map_table(src, hpa, &size);

	if (root == NULL || memcmp(root, entry == 8 ? "XSDT" : "RSDT", 4) != 0) {
		return -ENOENT;
	}
	size_t count = (size - sizeof(struct acpi_header)) / entry;

	for (size_t i = 0; i < count && i < ROOT_ENTRIES_MAX; i++) {
		read_table(src, bytes_get_le(root + sizeof(struct acpi_header) + i * entry, entry),
			   out);
	}
	out->found = true;
	return 0;
}

int acpi_parse(const struct acpi_source *src, const void *rsdp, size_t size, struct acpi_info *out)
{
	const struct acpi_rsdp *r = rsdp;

	acpi_parse_defaults(out);
	if (!acpi_parse_rsdp_valid(rsdp, size)) {
		return -ENOENT;
	}
	if (r->revision >= 2 && bytes_get_le64(r->xsdt) != 0 &&
	    read_root(src, bytes_get_le64(r->xsdt), 8, out) == 0) {
		return 0;
	}
	return read_root(src, bytes_get_le32(r->rsdt), 4, out);
}
