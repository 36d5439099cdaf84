/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypervisor pages from the host's allocator; a page's hpa is its address. */
/* Guest chunks are not here. */
#include "fakes/fake_page.h"

#include "arch/paging.h"
#include "hv/base/page.h"
#include <stdlib.h>
#include <string.h>

unsigned long fake_page_limit = ~0ul;
unsigned long fake_page_live;
unsigned long fake_page_free = GIB;

void *page_alloc(unsigned int order)
{
	size_t size = PAGE_SIZE << order;
	void *p = fake_page_limit > 0 ? aligned_alloc(size, size) : NULL;

	fake_page_limit -= fake_page_limit > 0 && fake_page_limit != ~0ul;
	if (p != NULL) {
		memset(p, 0, size);
		fake_page_live++;
	}
	return p;
}

void page_free(void *p, unsigned int order)
{
	(void)order;
	fake_page_live -= p != NULL;
	free(p);
}

void *page_alloc_dirty(unsigned int order)
{
	uint8_t *p = page_alloc(order);

	if (p != NULL) {
		memset(p, 0xa5, PAGE_SIZE << order);
	}
	return p;
}

void *page_alloc_as(unsigned int order, enum page_use use)
{
	(void)use;
	return page_alloc(order);
}

void page_free_as(void *p, unsigned int order, enum page_use use)
{
	(void)use;
	page_free(p, order);
}

void page_stats(struct page_stats *s)
{
	*s = (struct page_stats){ .free = fake_page_free };
}

void *paging_direct(hpa_t hpa)
{
	return (void *)hpa.v;
}

hpa_t paging_hpa(const void *va)
{
	return (hpa_t){ (uint64_t)va };
}
