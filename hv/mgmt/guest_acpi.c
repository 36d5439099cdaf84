/* SPDX-License-Identifier: BSD-2-Clause */
/* RSDP, RSDT, XSDT, FADT, FACS, MADT and DSDT of the virtual PC. */
/* Encoding of AML is guest_aml.c's; "ACPI Specification" 6.5, chapter 5, "ACPI Software Programming
 * Model". */
#include "hv/mgmt/guest_acpi.h"

#include "hv/lib/bytes.h"
#include "hv/lib/string.h"
#include "hv/mgmt/guest_aml.h"
#include "hv/pc_map.h"
#include "hv/thread.h"

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;
_Static_assert(sizeof(struct acpi_header) == 36, "\"System Description Table Header\"");

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t checksum_all;
	uint8_t reserved[3];
} PACKED;
_Static_assert(sizeof(struct acpi_rsdp) == 36,
	       "\"Root System Description Pointer (RSDP) Structure\"");
#define RSDP_V1_SIZE 20u

struct acpi_gas {
	uint8_t space; /* 1: I/O ports */
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} PACKED;
_Static_assert(sizeof(struct acpi_gas) == 12, "\"Generic Address Structure\"");

struct acpi_fadt { /* of revision 3: the first with the reset register */
	struct acpi_header h;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t reserved0;
	uint8_t profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable;
	uint8_t acpi_disable;
	uint8_t s4bios_req;
	uint8_t pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len;
	uint8_t gpe0_len, gpe1_len, gpe1_base, cst_cnt;
	uint16_t lvl2_latency, lvl3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_gas reset_reg;
	uint8_t reset_value;
	uint8_t reserved2[3];
	uint64_t x_facs, x_dsdt;
	struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0,
		x_gpe1;
} PACKED;
_Static_assert(sizeof(struct acpi_fadt) == 244, "\"Fixed ACPI Description Table (FADT)\"");
_Static_assert(offsetof(struct acpi_fadt, pm1a_evt) == 56, "FADT");
_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "FADT");
_Static_assert(offsetof(struct acpi_fadt, x_pm1a_evt) == 148, "FADT");

enum fadt_flag {
	FADT_WBINVD = BIT(0),
	FADT_PROC_C1 = BIT(2),
	FADT_SLP_BUTTON = BIT(5), /* set: there is no fixed sleep button */
	FADT_RESET_REG_SUP = BIT(10),
};
#define BOOT_ARCH_LEGACY BIT(0)
#define BOOT_ARCH_8042	 BIT(1)
#define NO_C2_LATENCY	 101u /* more than 100 us: no C2; more than 1000: no C3 */
#define NO_C3_LATENCY	 1001u
#define GAS_IO		 1u

struct acpi_facs {
	char signature[4];
	uint32_t length;
	uint32_t hardware_signature;
	uint32_t waking_vector;
	uint32_t global_lock;
	uint32_t flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
} PACKED;
_Static_assert(sizeof(struct acpi_facs) == 64, "\"Firmware ACPI Control Structure (FACS)\"");

struct acpi_madt {
	struct acpi_header h;
	uint32_t lapic_address;
	uint32_t flags;
} PACKED;
#define MADT_PCAT_COMPAT BIT(0)

struct madt_lapic {
	uint8_t type, length;
	uint8_t acpi_id, apic_id;
	uint32_t flags;
} PACKED;
_Static_assert(sizeof(struct madt_lapic) == 8, "\"Processor Local APIC Structure\"");

struct madt_ioapic {
	uint8_t type, length;
	uint8_t id, reserved;
	uint32_t address, gsi_base;
} PACKED;
_Static_assert(sizeof(struct madt_ioapic) == 12, "\"I/O APIC Structure\"");

struct madt_override {
	uint8_t type, length;
	uint8_t bus, irq;
	uint32_t gsi;
	uint16_t flags;
} PACKED;
_Static_assert(sizeof(struct madt_override) == 10, "\"Interrupt Source Override Structure\"");
#define FLAGS_CONFORMS	 0u
#define FLAGS_LEVEL_HIGH 0xdu

struct madt_nmi {
	uint8_t type, length;
	uint8_t acpi_id;
	uint16_t flags;
	uint8_t lint;
} PACKED;
_Static_assert(sizeof(struct madt_nmi) == 6, "\"Local APIC NMI Structure\"");

enum madt_type { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_NMI = 4 };

/* The tables grow in one buffer; whatever does not fit clears ok. */
struct builder {
	uint8_t *buf;
	size_t size;
	size_t len;
	uint32_t gpa;
	bool ok;
};

static void *reserve(struct builder *b, size_t size, size_t align)
{
	size_t at = ALIGN_UP(b->len, align);

	if (!b->ok || !range_within(at, size, b->size)) {
		b->ok = false;
		return NULL;
	}
	b->len = at + size;
	return b->buf + at;
}

static uint32_t gpa_of(const struct builder *b, const void *p)
{
	return b->gpa + (uint32_t)((const uint8_t *)p - b->buf);
}

static void *begin(struct builder *b, const char *signature, uint8_t revision, size_t size)
{
	struct acpi_header *h = reserve(b, size, 16);

	if (h != NULL) {
		memcpy(h->signature, signature, sizeof(h->signature));
		h->revision = revision;
		memcpy(h->oem_id, "INSULA", sizeof(h->oem_id));
		memcpy(h->oem_table_id, "INSULAPC", sizeof(h->oem_table_id));
		h->oem_revision = 1;
		memcpy(h->creator_id, "INSU", sizeof(h->creator_id));
		h->creator_revision = 1;
	}
	return h;
}

/* The table ends where the buffer is filled to. */
static void finish(struct builder *b, struct acpi_header *h)
{
	if (b->ok) {
		h->length = (uint32_t)(b->buf + b->len - (uint8_t *)h);
		h->checksum = (uint8_t)-bytes_sum(h, h->length);
	}
}

/* "\_S5": SLP_TYP for PM1a and PM1b, two reserved. */
static void dsdt_sleep(struct guest_aml *a)
{
	guest_aml_name(a, "\\_S5_");
	guest_aml_package(a, 4);
	guest_aml_integer(a, PC_PM_S5_TYPE);
	guest_aml_integer(a, PC_PM_S5_TYPE);
	guest_aml_integer(a, 0);
	guest_aml_integer(a, 0);
	guest_aml_end(a);
}

/* Four pins of one slot: address, pin, source 0 (none), GSI. */
static void dsdt_prt_slot(struct guest_aml *a, unsigned int slot)
{
	for (unsigned int pin = 0; pin < 4; pin++) {
		guest_aml_package(a, 4);
		guest_aml_integer(a, slot << 16 | 0xffff);
		guest_aml_integer(a, pin);
		guest_aml_integer(a, 0);
		guest_aml_integer(a, pc_pci_gsi(slot, pin));
		guest_aml_end(a);
	}
}

/* "PCI Routing Table" for the IO-APIC; PIC mode has no table: PIRQRCx is then the guest's business. */
static void dsdt_prt(struct guest_aml *a)
{
	guest_aml_name(a, "_PRT");
	guest_aml_package(a, 31 * 4);
	for (unsigned int slot = 1; slot < 32; slot++) {
		dsdt_prt_slot(a, slot);
		thread_checkpoint();
	}
	guest_aml_end(a);
}

static void dsdt_bridge_windows(struct guest_aml *a)
{
	guest_aml_crs(a);
	guest_aml_bus_window(a, 0, 0);
	guest_aml_io(a, 0xcf8, 8);
	guest_aml_io_window(a, PC_PCI_IO, PC_PCI_IO_END);
	guest_aml_memory_window(a, 0xa0000, 0xbffff);
	guest_aml_memory_window(a, PC_PCI_MMIO, PC_PCI_MMIO_END);
	guest_aml_crs_end(a);
}

struct isa_device {
	const char *name;
	const char *id;
	uint16_t ports[2];
	uint8_t counts[2]; /* 0: no such range */
	uint8_t irq;
};

static const struct isa_device isa_devices[] = {
	{ "COM1", "PNP0501", { PC_UART_PORT, 0 }, { 8, 0 }, PC_UART_IRQ },
	{ "RTC_", "PNP0B00", { 0x70, 0 }, { 2, 0 }, PC_RTC_IRQ },
	{ "KBD_", "PNP0303", { 0x60, 0x64 }, { 1, 1 }, 1 },
	{ "MOU_", "PNP0F13", { 0, 0 }, { 0, 0 }, 12 },
};

static void dsdt_isa_device(struct guest_aml *a, const struct isa_device *d)
{
	guest_aml_device(a, d->name);
	guest_aml_name_eisaid(a, "_HID", d->id);
	guest_aml_crs(a);
	for (unsigned int i = 0; i < ARRAY_SIZE(d->ports); i++) {
		if (d->counts[i] != 0) {
			guest_aml_io(a, d->ports[i], d->counts[i]);
		}
	}
	guest_aml_irq(a, d->irq);
	guest_aml_crs_end(a);
	guest_aml_end(a);
}

/* The PIIX3's ISA bridge, 00:01.0, and what hangs on it. */
static void dsdt_isa(struct guest_aml *a)
{
	guest_aml_device(a, "ISA_");
	guest_aml_name_integer(a, "_ADR", 0x00010000);
	for (size_t i = 0; i < ARRAY_SIZE(isa_devices); i++) {
		dsdt_isa_device(a, &isa_devices[i]);
	}
	guest_aml_end(a);
}

static void dsdt_body(struct guest_aml *a)
{
	dsdt_sleep(a);
	guest_aml_scope(a, "\\_SB_");
	guest_aml_device(a, "PCI0");
	guest_aml_name_eisaid(a, "_HID", "PNP0A03");
	guest_aml_name_integer(a, "_UID", 0);
	dsdt_bridge_windows(a);
	dsdt_prt(a);
	dsdt_isa(a);
	guest_aml_end(a);
	guest_aml_end(a);
}

static uint32_t build_dsdt(struct builder *b)
{
	struct acpi_header *h = begin(b, "DSDT", 2, sizeof(*h));
	struct guest_aml a;

	if (h == NULL) {
		return 0;
	}
	guest_aml_init(&a, b->buf + b->len, b->size - b->len);
	dsdt_body(&a);
	b->len += a.len;
	b->ok = a.ok && a.depth == 0;
	finish(b, h);
	return gpa_of(b, h);
}

static uint32_t build_facs(struct builder *b)
{
	struct acpi_facs *f = reserve(b, sizeof(*f), 64);

	if (f == NULL) {
		return 0;
	}
	memcpy(f->signature, "FACS", 4);
	f->length = sizeof(*f);
	f->version = 1;
	return gpa_of(b, f);
}

static struct acpi_gas io_gas(uint16_t port, uint8_t bits)
{
	return (struct acpi_gas){ .space = GAS_IO, .bits = bits, .address = port };
}

static void fill_fadt_pm(struct acpi_fadt *f)
{
	f->sci_int = PC_SCI_IRQ;
	f->smi_cmd = PC_SMI_CMD;
	f->acpi_enable = PC_SMI_ACPI_ENABLE;
	f->acpi_disable = PC_SMI_ACPI_DISABLE;
	f->pm1a_evt = PC_PM_EVENT;
	f->pm1a_cnt = PC_PM_CONTROL;
	f->pm_tmr = PC_PM_TIMER;
	f->pm1_evt_len = 4;
	f->pm1_cnt_len = 2;
	f->pm_tmr_len = 4;
	f->x_pm1a_evt = io_gas(PC_PM_EVENT, 32);
	f->x_pm1a_cnt = io_gas(PC_PM_CONTROL, 16);
	f->x_pm_tmr = io_gas(PC_PM_TIMER, 32);
	f->reset_reg = io_gas(PC_RESET_PORT, 8);
	f->reset_value = PC_RESET_VALUE;
}

static uint32_t build_fadt(struct builder *b, uint32_t facs, uint32_t dsdt)
{
	struct acpi_fadt *f = begin(b, "FACP", 3, sizeof(*f));

	if (f == NULL) {
		return 0;
	}
	f->facs = facs;
	f->dsdt = dsdt;
	f->x_dsdt = dsdt; /* x_facs stays 0: one of the two is to be used */
	f->lvl2_latency = NO_C2_LATENCY;
	f->lvl3_latency = NO_C3_LATENCY;
	f->century = PC_RTC_CENTURY;
	f->boot_arch = BOOT_ARCH_LEGACY | BOOT_ARCH_8042;
	f->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_RESET_REG_SUP;
	fill_fadt_pm(f);
	finish(b, &f->h);
	return gpa_of(b, f);
}

static void add(struct builder *b, const void *entry, size_t size)
{
	void *p = reserve(b, size, 1);

	if (p != NULL) {
		memcpy(p, entry, size);
	}
}

static void madt_cpus(struct builder *b, unsigned int cpus)
{
	for (unsigned int i = 0; i < cpus; i++) {
		struct madt_lapic e = { MADT_LAPIC, sizeof(e), (uint8_t)i, (uint8_t)i, 1 };

		add(b, &e, sizeof(e));
	}
}

static uint32_t build_madt(struct builder *b, unsigned int cpus)
{
	const struct madt_ioapic ioapic = { MADT_IOAPIC, sizeof(ioapic), PC_IOAPIC_ID,
					    0,		 PC_IOAPIC_BASE, 0 };
	const struct madt_override timer = {
		MADT_OVERRIDE, sizeof(timer), 0, 0, 2, FLAGS_CONFORMS
	};
	const struct madt_override sci = { MADT_OVERRIDE, sizeof(sci), 0,
					   PC_SCI_IRQ,	  PC_SCI_IRQ,  FLAGS_LEVEL_HIGH };
	const struct madt_nmi nmi = { MADT_NMI, sizeof(nmi), 0xff, FLAGS_CONFORMS, 1 };
	struct acpi_madt *m = begin(b, "APIC", 3, sizeof(*m));

	if (m == NULL) {
		return 0;
	}
	m->lapic_address = PC_LAPIC_BASE;
	m->flags = MADT_PCAT_COMPAT;
	madt_cpus(b, cpus);
	add(b, &ioapic, sizeof(ioapic));
	add(b, &timer, sizeof(timer));
	add(b, &sci, sizeof(sci));
	add(b, &nmi, sizeof(nmi));
	finish(b, &m->h);
	return gpa_of(b, m);
}

/* RSDT and XSDT: entries of 4 or 8 bytes. */
static uint32_t build_root(struct builder *b, const char *signature, const uint32_t *tables,
			   unsigned int count, unsigned int entry)
{
	struct acpi_header *h = begin(b, signature, 1, sizeof(*h));

	for (unsigned int i = 0; i < count; i++) {
		uint8_t *p = reserve(b, entry, 1);

		if (p != NULL) {
			bytes_put_le(p, entry, tables[i]);
		}
	}
	finish(b, h);
	return h == NULL ? 0 : gpa_of(b, h);
}

static void fill_rsdp(struct acpi_rsdp *r, uint32_t rsdt, uint32_t xsdt)
{
	memcpy(r->signature, "RSD PTR ", sizeof(r->signature));
	memcpy(r->oem_id, "INSULA", sizeof(r->oem_id));
	r->revision = 2;
	r->rsdt = rsdt;
	r->xsdt = xsdt;
	r->length = sizeof(*r);
	r->checksum = (uint8_t)-bytes_sum(r, RSDP_V1_SIZE);
	r->checksum_all = (uint8_t)-bytes_sum(r, sizeof(*r));
}

size_t guest_acpi_build(uint8_t *buf, size_t size, uint32_t gpa, unsigned int cpus)
{
	struct builder b = { .buf = buf, .size = size, .gpa = gpa, .ok = true };
	struct acpi_rsdp *rsdp = reserve(&b, sizeof(*rsdp), 16);
	uint32_t tables[2], rsdt, xsdt, facs;

	facs = build_facs(&b);
	tables[0] = build_fadt(&b, facs, build_dsdt(&b));
	tables[1] = build_madt(&b, cpus);
	rsdt = build_root(&b, "RSDT", tables, ARRAY_SIZE(tables), 4);
	xsdt = build_root(&b, "XSDT", tables, ARRAY_SIZE(tables), 8);
	if (!b.ok) {
		return 0;
	}
	fill_rsdp(rsdp, rsdt, xsdt);
	return b.len;
}
