/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual-processor identifiers: one per vCPU, and INVVPID. */
/* When to flush is the caller's to know. */
#ifndef ARCH_X86_VMX_VPID_H
#define ARCH_X86_VMX_VPID_H

#include "hv/lib/types.h"

/* *vpid = 0 where the CPU has none. -ENOSPC. Any CPU at any time. */
int vpid_take(uint16_t *vpid);
/* The next owner flushes before it runs. */
void vpid_give(uint16_t vpid);
/* Drops the executing CPU's translations of vpid, not 0. */
void vpid_flush(uint16_t vpid);

#endif
