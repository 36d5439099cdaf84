/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI-X of one PCI function: the capability, the table and the pending bits in a BAR of their own. */
/* Everything runs with the devices' lock held. When to interrupt is the device's business. */
#ifndef DRIVERS_EMUL_VPCI_MSIX_H
#define DRIVERS_EMUL_VPCI_MSIX_H

#include "drivers/emul/vpci.h"

#define VPCI_MSIX_MAX  32u
#define VPCI_MSIX_SIZE 0x1000u /* of the BAR */

struct vpci_msix_entry { /* PCI Local Bus Specification 3.0, "MSI-X Table Entries" */
	uint64_t address;
	uint32_t data;
	uint32_t control;
};
_Static_assert(sizeof(struct vpci_msix_entry) == 16, "as in the table");

struct vpci_msix_state { /* saved; beside it the control word in the function's configuration */
	struct vpci_msix_entry entry[VPCI_MSIX_MAX];
	uint32_t pending;
	uint32_t reserved;
};

struct vpci_msix {
	struct vpci_function *f;
	struct vpci_msix_state *s;
	unsigned int count; /* (c) vectors */
	unsigned int cap;   /* (c) offset of the capability */
	uint64_t sent[VPCI_MSIX_MAX];
};

/* Before vpci_add: adds the capability, and the BAR of that number. -ENOSPC, -EINVAL. */
int vpci_msix_init(struct vpci_msix *m, struct vpci_function *f, struct vpci_msix_state *s,
		   unsigned int count, unsigned int bar);
/* Power-on: every vector masked. */
void vpci_msix_reset(struct vpci_msix *m);
/* After a load. -EINVAL */
int vpci_msix_load(struct vpci_msix *m);
/* While it is enabled, the function must not use its INTx pin. */
bool vpci_msix_is_enabled(const struct vpci_msix *m);
/* Sends the message, or remembers it while masked. Another number than a vector's is ignored. */
void vpci_msix_raise(struct vpci_msix *m, unsigned int vector);
/* From the device's config_written: the control word or the bus-master bit may have changed. */
void vpci_msix_config_written(struct vpci_msix *m);

#endif
