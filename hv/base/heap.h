/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of any size in hypervisor memory. */
/* Page-aligned and larger needs go to hv/base/page directly. */
#ifndef HV_BASE_HEAP_H
#define HV_BASE_HEAP_H

#include "hv/lib/types.h"

/* Zeroed memory, 16-byte aligned, or NULL. Any context but NMI. */
void *heap_alloc(size_t size);
/* p may be NULL. */
void heap_free(void *p);
/* A copy of s on the heap, or NULL. */
char *heap_strdup(const char *s);

#endif
