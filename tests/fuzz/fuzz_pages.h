/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages for fuzz targets that take and free large pieces in each run: these go round, where malloc would */
/* map and unmap them. What is freed, and what lies behind, is poisoned. Included by one source. */
#ifndef TESTS_FUZZ_FUZZ_PAGES_H
#define TESTS_FUZZ_FUZZ_PAGES_H

#include "arch/paging.h"
#include "hv/base/page.h"
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_PAGES_ORDER 4u /* the only one */
#define FUZZ_PAGES_SIZE	 (PAGE_SIZE << FUZZ_PAGES_ORDER)
#define FUZZ_PAGES_REST	 4u /* as many others are freed before one is used again */

static void *fuzz_pages_free[256]; /* a queue */
static unsigned int fuzz_pages_first, fuzz_pages_count;

void *page_alloc(unsigned int order)
{
	void *p;

	if (order != FUZZ_PAGES_ORDER) {
		abort();
	}
	if (fuzz_pages_count > FUZZ_PAGES_REST) {
		p = fuzz_pages_free[fuzz_pages_first++ % ARRAY_SIZE(fuzz_pages_free)];
		fuzz_pages_count--;
	} else {
		p = malloc(FUZZ_PAGES_SIZE + PAGE_SIZE);
		ASAN_POISON_MEMORY_REGION(p, FUZZ_PAGES_SIZE + PAGE_SIZE);
	}
	ASAN_UNPOISON_MEMORY_REGION(p, FUZZ_PAGES_SIZE);
	return memset(p, 0, FUZZ_PAGES_SIZE);
}

void page_free(void *p, unsigned int order)
{
	unsigned int last = fuzz_pages_first + fuzz_pages_count++;

	if (order != FUZZ_PAGES_ORDER || fuzz_pages_count > ARRAY_SIZE(fuzz_pages_free)) {
		abort();
	}
	ASAN_POISON_MEMORY_REGION(p, FUZZ_PAGES_SIZE);
	fuzz_pages_free[last % ARRAY_SIZE(fuzz_pages_free)] = p;
}

#endif
