/* SPDX-License-Identifier: BSD-2-Clause */
/* What vpci does with one function: only vpci.c calls this; devices use vpci.h. */
/* Everything here runs with the devices' lock held. */
#ifndef DRIVERS_EMUL_VPCI_FUNCTION_H
#define DRIVERS_EMUL_VPCI_FUNCTION_H

#include "drivers/emul/vpci.h"

/* Fills in the BARs' bits and remembers the power-on contents. -EINVAL: no such BAR can be. */
int vpci_function_init(struct vpci_function *f);
/* off + size is at most 256. */
uint32_t vpci_function_read(struct vpci_function *f, unsigned int off, unsigned int size);
void vpci_function_write(struct vpci_function *f, unsigned int off, unsigned int size,
			 uint32_t val);
/* Makes the bus claims what command and BARs say; gives all up. */
void vpci_function_map(struct vpci_function *f);
void vpci_function_unmap(struct vpci_function *f);
/* Does config differ from power-on only where a guest could have written? */
bool vpci_function_is_valid(const struct vpci_function *f);

#endif
