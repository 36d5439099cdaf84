/* SPDX-License-Identifier: BSD-2-Clause */
/* The store "ram:": files in host memory that is otherwise free. A reboot empties it. */
/* Its memory is in no address space: what a VM's file holds can be read through a window only. */
#ifndef HV_MGMT_STORE_RAM_H
#define HV_MGMT_STORE_RAM_H

#include "hv/mgmt/store.h"

extern const struct store store_ram;

/* Bytes of host memory that its files take, of what page_stats() counts as guests'. Any thread. */
uint64_t store_ram_used(void);

#endif
