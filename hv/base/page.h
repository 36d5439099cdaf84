/* SPDX-License-Identifier: BSD-2-Clause */
/* Host memory: 2 MiB chunks, each the hypervisor's (cut into 4 KiB pages), a guest's, or free. */
/* Hypervisor chunks are in the direct map; guest chunks are mapped only in their VM's space. */
#ifndef HV_BASE_PAGE_H
#define HV_BASE_PAGE_H

#include "hv/lib/types.h"

#define PAGE_CHUNK_SIZE (2ul * MIB)

struct boot_info;

/* Takes over the memory map; the image and the modules are never handed out. */
void page_init(const struct boot_info *info);

/* What hypervisor pages are for, as host memory tells. */
enum page_use { PAGE_OTHER, PAGE_HEAP, PAGE_STACKS, PAGE_SLAT, PAGE_MAP, PAGE_DISKS, PAGE_USES };

/* 2^order zeroed, naturally aligned pages of hypervisor memory (order <= 9), or NULL. */
void *page_alloc(unsigned int order);
void page_free(void *p, unsigned int order);
/* With old content, for buffers that are written before they are read: to clear many pages takes long. */
void *page_alloc_dirty(unsigned int order);
/* As page_alloc, counted as that use: freed as what they were allocated. Those above: PAGE_OTHER. */
void *page_alloc_as(unsigned int order, enum page_use use);
void page_free_as(void *p, unsigned int order, enum page_use use);
/* One zeroed page for a page table; never grows the hypervisor's share, so usable from within. */
void *page_alloc_table(void);
void page_for_each_hypervisor_chunk(void (*fn)(hpa_t chunk));

#define PAGE_CHUNKS_AT_ONCE 512u /* 1 GiB */

/*
 * Guest RAM: up to `want` chunks in a row (physically contiguous), at most PAGE_CHUNKS_AT_ONCE; a
 * whole, aligned GiB where want and free memory allow. Returns how many were got, 0 when memory is
 * out. They hold old content: the caller scrubs them through paging_window() before a guest sees them.
 */
unsigned int page_alloc_chunks(unsigned int want, hpa_t *base);
/* At most PAGE_CHUNKS_AT_ONCE. */
void page_free_chunks(hpa_t base, unsigned int count);

struct page_stats {
	uint64_t total;		 /* RAM reported by the loader */
	uint64_t image;		 /* the loaded image and the boot modules */
	uint64_t hypervisor;	 /* in pages handed out by page_alloc */
	uint64_t guest;		 /* in chunks handed out */
	uint64_t free;		 /* all the rest; the five add up */
	uint64_t use[PAGE_USES]; /* hypervisor's parts */
	uint64_t for_guests;	 /* of free, in whole chunks: what VMs can get */
};
void page_stats(struct page_stats *s);
/* Bytes that what keeps disks in RAM leaves free for all else. */
#define PAGE_HEADROOM (16 * MIB)

#endif
