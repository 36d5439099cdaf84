/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's heap, from the host's malloc, so that the sanitizers watch it. */
/* fake_heap_limit allocations succeed, then memory is out. */
#include "fakes/fake_heap.h"
#include "hv/base/heap.h"
#include <stdlib.h>
#include <string.h>

unsigned long fake_heap_limit = ~0ul;
unsigned long fake_heap_live;

void *heap_alloc(size_t size)
{
	void *p = fake_heap_limit > 0 ? calloc(1, size > 0 ? size : 1) : NULL;

	fake_heap_limit -= fake_heap_limit > 0 && fake_heap_limit != ~0ul;
	fake_heap_live += p != NULL;
	return p;
}

void heap_free(void *p)
{
	fake_heap_live -= p != NULL;
	free(p);
}

char *heap_strdup(const char *s)
{
	char *p = heap_alloc(strlen(s) + 1);

	return p != NULL ? strcpy(p, s) : NULL;
}
