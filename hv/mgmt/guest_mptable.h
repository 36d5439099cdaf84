/* SPDX-License-Identifier: BSD-2-Clause */
/* The MultiProcessor table, for guests without ACPI. */
/* Says the same as guest_acpi. "MultiProcessor Specification" 1.4. */
#ifndef HV_MGMT_GUEST_MPTABLE_H
#define HV_MGMT_GUEST_MPTABLE_H

#include "hv/lib/types.h"

/*
 * Builds the floating pointer structure and the configuration table behind it into buf (zeroed), as
 * they are to lie at guest-physical gpa (16-byte aligned, F0000h-FFFFFh, where guests search).
 * Returns the length, 0 if it does not fit. Pure.
 */
size_t guest_mptable_build(uint8_t *buf, size_t size, uint32_t gpa, unsigned int cpus);

#endif
