/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain MSI of one PCI function: the capability with 64-bit address and masks for each vector. */
/* Everything runs with the devices' lock held. When to interrupt is the device's business. */
#ifndef DRIVERS_EMUL_VPCI_MSI_H
#define DRIVERS_EMUL_VPCI_MSI_H

#include "drivers/emul/vpci.h"

#define VPCI_MSI_MAX 32u

struct vpci_msi { /* what is saved, pending bits too, is in the function's configuration */
	struct vpci_function *f;
	unsigned int count; /* (c) vectors, a power of two */
	unsigned int cap;   /* (c) offset of the capability */
	uint64_t sent[VPCI_MSI_MAX];
};

/*
 * Before vpci_add: adds the capability, for 1, 2, 4 … VPCI_MSI_MAX vectors. Not beside MSI-X: a driver
 * would have to choose. -ENOSPC, -EINVAL.
 */
int vpci_msi_init(struct vpci_msi *m, struct vpci_function *f, unsigned int count);
/* While it is enabled, the function must not use its INTx pin. */
bool vpci_msi_is_enabled(const struct vpci_msi *m);
/*
 * Sends the vector's message, or remembers it while masked. A driver that allocated fewer vectors gets
 * several on one. Another number than a vector's is ignored, as is all while MSI is off.
 */
void vpci_msi_raise(struct vpci_msi *m, unsigned int vector);
/* From the device's config_written: control, masks or the bus-master bit may have changed. */
void vpci_msi_config_written(struct vpci_msi *m);

#endif
