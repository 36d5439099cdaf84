/* SPDX-License-Identifier: BSD-2-Clause */
/* Compares a new CPU's TSC with the boot CPU's, and moves it if it differs. */
/* Assumes that all run at one rate. */
#ifndef ARCH_X86_CPU_TSC_SYNC_H
#define ARCH_X86_CPU_TSC_SYNC_H

#include "hv/lib/types.h"

/* On the boot CPU, while the new one runs tsc_sync_follow: each waits for the other. */
void tsc_sync_lead(uint32_t apic_id);
void tsc_sync_follow(void);

/* Do the TSCs of all CPUs that were started agree, perhaps after they were moved? */
bool tsc_sync_agrees(void);

#endif
