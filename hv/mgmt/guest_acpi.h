/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables of a guest that boots without firmware. */
/* Static: they describe hv/pc_map.h, nothing else. With firmware, fw_cfg hands out others. */
#ifndef HV_MGMT_GUEST_ACPI_H
#define HV_MGMT_GUEST_ACPI_H

#include "hv/lib/types.h"

/*
 * Builds all tables into buf (zeroed) as they are to lie at guest-physical gpa (below 4 GiB, 64-byte
 * aligned), the RSDP first. Returns their length, 0 if they do not fit. Pure.
 */
size_t guest_acpi_build(uint8_t *buf, size_t size, uint32_t gpa, unsigned int cpus);

#endif
