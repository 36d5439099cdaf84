/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain MSI: multiple messages, masks and pending bits, all of it in configuration space. */
/* PCI Local Bus Specification 3.0, "MSI Capability Structure". */
#include "drivers/emul/vpci_msi.h"

#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/virq.h"

#define CAP_ID	    0x05u
#define CAP_CONTROL 2u /* offsets in the capability, with 64-bit address and masks */
#define CAP_ADDRESS 4u
#define CAP_DATA    12u
#define CAP_MASK    16u
#define CAP_PENDING 20u
#define CAP_SIZE    24u

/* "Message Control for MSI" */
#define CONTROL_ON	      0x0001u
#define CONTROL_CAPABLE_SHIFT 1u
#define CONTROL_COUNT	      0x0070u /* multiple message enable */
#define CONTROL_COUNT_SHIFT   4u
#define CONTROL_64	      0x0080u
#define CONTROL_MASKS	      0x0100u

static uint8_t *field(const struct vpci_msi *m, unsigned int off)
{
	return &m->f->config[m->cap + off];
}

bool vpci_msi_is_enabled(const struct vpci_msi *m)
{
	return bytes_get_le16(field(m, CAP_CONTROL)) & CONTROL_ON;
}

/* "System software allocates": at most what was asked for, whatever it writes. */
static unsigned int allocated(const struct vpci_msi *m)
{
	unsigned int shift =
		(bytes_get_le16(field(m, CAP_CONTROL)) & CONTROL_COUNT) >> CONTROL_COUNT_SHIFT;

	return (unsigned int)u64_min(1ul << shift, m->count);
}

/* A message is a memory write, which a function that is no bus master cannot make. */
static bool may_send(const struct vpci_msi *m, unsigned int vector)
{
	return !(bytes_get_le32(field(m, CAP_MASK)) >> vector & 1) && vpci_is_master(m->f);
}

/* The vector's number stands in the low bits of the data, as many as were allocated. */
static void send(struct vpci_msi *m, unsigned int vector)
{
	unsigned int data = bytes_get_le16(field(m, CAP_DATA)) & ~(allocated(m) - 1);

	m->sent[vector]++;
	virq_send_msi(m->f->vm, bytes_get_le(field(m, CAP_ADDRESS), 8), data | vector);
}

static void set_pending(struct vpci_msi *m, uint32_t pending)
{
	bytes_put_le32(field(m, CAP_PENDING), pending);
}

void vpci_msi_raise(struct vpci_msi *m, unsigned int vector)
{
	if (vector >= m->count || !vpci_msi_is_enabled(m)) {
		return;
	}
	vector &= allocated(m) - 1;
	if (may_send(m, vector)) {
		send(m, vector);
	} else {
		set_pending(m, bytes_get_le32(field(m, CAP_PENDING)) | 1u << vector);
	}
}

void vpci_msi_config_written(struct vpci_msi *m)
{
	uint32_t pending = bytes_get_le32(field(m, CAP_PENDING));

	if (pending == 0) {
		return;
	}
	set_pending(m, 0);
	for (unsigned int i = 0; i < m->count; i++) {
		if (pending >> i & 1) {
			vpci_msi_raise(m, i); /* what is still masked is pending again */
		}
	}
}

int vpci_msi_init(struct vpci_msi *m, struct vpci_function *f, unsigned int count)
{
	uint8_t body[CAP_SIZE] = { CAP_ID };
	unsigned int shift = 0;
	uint32_t vectors;
	int cap;

	if (count == 0 || count > VPCI_MSI_MAX || (count & (count - 1)) || f->msix) {
		return -EINVAL;
	}
	vectors = (uint32_t)(BIT(count) - 1);
	while (1u << shift < count) {
		shift++;
	}
	bytes_put_le16(&body[CAP_CONTROL],
		       (uint16_t)(CONTROL_64 | CONTROL_MASKS | shift << CONTROL_CAPABLE_SHIFT));
	cap = vpci_add_capability(f, body, sizeof(body));
	if (cap < 0) {
		return cap;
	}
	m->f = f;
	m->count = count;
	m->cap = (unsigned int)cap;
	bytes_put_le16(&f->writable[m->cap + CAP_CONTROL], CONTROL_ON | CONTROL_COUNT);
	bytes_put_le(&f->writable[m->cap + CAP_ADDRESS], 8, ~3ul);
	bytes_put_le16(&f->writable[m->cap + CAP_DATA], 0xffff);
	bytes_put_le32(&f->writable[m->cap + CAP_MASK], vectors);
	bytes_put_le32(&f->own[m->cap + CAP_PENDING], vectors);
	f->msi = m;
	return 0;
}
