/* SPDX-License-Identifier: BSD-2-Clause */
/* Message-signalled interrupts: table writes, masks of vector and function, pending bits. */
/* PCI Local Bus Specification 3.0, "MSI-X Capability and Table Structures". */
#include "drivers/emul/vpci_msix.h"

#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/virq.h"
#include "hv/vm.h"

#define CAP_ID	     0x11u
#define CAP_CONTROL  2u /* offsets in the capability */
#define CAP_TABLE    4u
#define CAP_PBA	     8u
#define CAP_SIZE     12u
#define CONTROL_MASK 0x4000u
#define CONTROL_ON   0x8000u

#define ENTRY_MASKED  1u
#define ENTRY_DATA    8u /* offsets in an entry */
#define ENTRY_CONTROL 12u
#define PBA	      0x800u /* offset in the BAR */

static uint16_t control(const struct vpci_msix *m)
{
	return bytes_get_le16(&m->f->config[m->cap + CAP_CONTROL]);
}

bool vpci_msix_is_enabled(const struct vpci_msix *m)
{
	return control(m) & CONTROL_ON;
}

/* A message is a memory write, which a function that is no bus master cannot make. */
static bool may_send(const struct vpci_msix *m, unsigned int vector)
{
	return (control(m) & (CONTROL_ON | CONTROL_MASK)) == CONTROL_ON &&
	       !(m->s->entry[vector].control & ENTRY_MASKED) && vpci_is_master(m->f);
}

static void send(struct vpci_msix *m, unsigned int vector)
{
	const struct vpci_msix_entry *e = &m->s->entry[vector];

	m->sent[vector]++;
	virq_send_msi(m->f->vm, e->address, e->data);
}

void vpci_msix_raise(struct vpci_msix *m, unsigned int vector)
{
	if (vector >= m->count) {
		return;
	}
	if (may_send(m, vector)) {
		send(m, vector);
	} else if (vpci_msix_is_enabled(m)) {
		m->s->pending |= 1u << vector;
	}
}

static void send_pending(struct vpci_msix *m)
{
	for (unsigned int i = 0; m->s->pending >> i && i < m->count; i++) {
		if ((m->s->pending >> i & 1) && may_send(m, i)) {
			m->s->pending &= ~(1u << i);
			send(m, i);
		}
	}
}

void vpci_msix_config_written(struct vpci_msix *m)
{
	if (!vpci_msix_is_enabled(m)) {
		m->s->pending = 0;
	}
	if (m->s->pending) {
		send_pending(m);
	}
}

/* ---- the BAR ---- */

static void write_table(struct vpci_msix *m, struct io_access *a)
{
	struct vpci_msix_entry *e = &m->s->entry[a->addr / sizeof(*e)];

	bytes_put_le((uint8_t *)m->s->entry + a->addr, a->size, a->val);
	e->address &= ~3ul;
	e->control &= ENTRY_MASKED;
	if (m->s->pending) {
		send_pending(m);
	}
}

static uint64_t read_at(const void *from, uint64_t room, const struct io_access *a, uint64_t off)
{
	return off + a->size <= room ? bytes_get_le((const uint8_t *)from + off, a->size) : 0;
}

/* "MSI-X Table and PBA": aligned accesses of four or eight bytes, others are undefined. */
static enum io_result msix_io(void *dev, struct io_access *a)
{
	struct vpci_msix *m = dev;
	uint64_t table = m->count * sizeof(struct vpci_msix_entry);

	if (a->size < 4 || a->addr % a->size) {
		return IO_UNCLAIMED;
	}
	if (a->write) {
		if (a->addr + a->size <= table) {
			write_table(m, a);
		}
		return IO_DONE;
	}
	a->val = a->addr < PBA ? read_at(m->s->entry, table, a, a->addr)
			       : read_at(&m->s->pending, 8, a, a->addr - PBA);
	return IO_DONE;
}

/* ---- life ---- */

int vpci_msix_init(struct vpci_msix *m, struct vpci_function *f, struct vpci_msix_state *s,
		   unsigned int count, unsigned int bar)
{
	uint8_t body[CAP_SIZE] = { CAP_ID };
	int cap;

	if (count == 0 || count > VPCI_MSIX_MAX || bar >= VPCI_BARS) {
		return -EINVAL;
	}
	bytes_put_le16(&body[CAP_CONTROL], (uint16_t)(count - 1));
	bytes_put_le32(&body[CAP_TABLE], bar);
	bytes_put_le32(&body[CAP_PBA], PBA | bar);
	cap = vpci_add_capability(f, body, sizeof(body));
	if (cap < 0) {
		return cap;
	}
	m->f = f;
	m->s = s;
	m->count = count;
	m->cap = (unsigned int)cap;
	f->writable[m->cap + CAP_CONTROL + 1] = (CONTROL_MASK | CONTROL_ON) >> 8;
	f->bar[bar] = (struct vpci_bar){ .size = VPCI_MSIX_SIZE, .fn = msix_io, .dev = m };
	f->msix = m;
	return 0;
}

void vpci_msix_reset(struct vpci_msix *m)
{
	memset(m->s, 0, sizeof(*m->s));
	for (unsigned int i = 0; i < m->count; i++) {
		m->s->entry[i].control = ENTRY_MASKED;
	}
}

int vpci_msix_load(struct vpci_msix *m)
{
	for (unsigned int i = 0; i < m->count; i++) {
		const struct vpci_msix_entry *e = &m->s->entry[i];

		if ((e->control & ~ENTRY_MASKED) || (e->address & 3)) {
			return -EINVAL;
		}
	}
	return m->count < 32 && m->s->pending >> m->count ? -EINVAL : 0;
}
