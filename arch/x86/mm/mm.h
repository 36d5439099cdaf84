/* SPDX-License-Identifier: BSD-2-Clause */
/* Address-space matters that only arch/x86 may know. */
/* The public side is arch/paging.h. */
#ifndef ARCH_X86_MM_MM_H
#define ARCH_X86_MM_MM_H

#include "hv/lib/types.h"

hpa_t paging_kernel_root(void);
/*
 * A root below 4 GiB for application processors: the kernel half, and `page` identity-mapped,
 * writable and executable. Lives until the end: it is used again when CPUs are brought up.
 */
hpa_t paging_trampoline_root(hpa_t page);

#endif
