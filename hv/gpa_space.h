/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's guest-physical memory: which ranges are RAM, and the host chunks behind them. */
/* The second-level tables (EPT, NPT) are arch/hvm's. */
#ifndef HV_GPA_SPACE_H
#define HV_GPA_SPACE_H

#include "arch/paging.h"
#include "hv/base/lock.h"
#include "hv/lib/types.h"

/* PC memory map: RAM, a hole for devices below 4 GiB, more RAM above. */
#define GPA_LOW_RAM_MAX 0xc0000000ul
#define GPA_HIGH_RAM	0x100000000ul
#define GPA_VGA_HOLE	0xa0000ul
#define GPA_VGA_END	0xc0000ul

#define GPA_EXTENTS_MAX 512u

struct gpa_extent { /* one physically contiguous run of RAM, 2 MiB aligned */
	gpa_t gpa;
	hpa_t hpa;
	uint64_t size;
};

struct gpa_balloon;

struct gpa_space {
	uint64_t size;		  /* bytes of RAM, a multiple of 2 MiB */
	uint64_t low_size;	  /* of these below GPA_LOW_RAM_MAX */
	struct paging_space root; /* where root mode sees the RAM while one of its threads runs */
	unsigned int count;
	struct gpa_extent *extents;  /* when it was made; gpa_space_chunk() knows what holds now */
	struct spinlock lock;	     /* rank LOCK_MEMORY */
	struct gpa_balloon *balloon; /* NULL: no page was ever given away */
	uint64_t held;		     /* [lock] bytes of host memory that it has */
	uint32_t visitors; /* other threads that hold a chunk by gpa_space_visit(); atomic */
};

/*
 * Allocates and scrubs `size` bytes of RAM (rounded up to 2 MiB), in slices. Thread context.
 * After an error nothing is allocated: -ENOSPC, too little RAM is free; -E2BIG, what is free is in
 * more than GPA_EXTENTS_MAX pieces; -ENOMEM, no hypervisor memory for the tables.
 */
int gpa_space_create(struct gpa_space *s, uint64_t size);
void gpa_space_destroy(struct gpa_space *s);
/* Zeroes all of the RAM, in slices: a reset. Thread context. */
void gpa_space_scrub(struct gpa_space *s);
void gpa_space_scrub_chunk(hpa_t chunk);

/* The 2 MiB of host memory behind gpa, RAM; false: the host has it back. gpa_balloon.c */
bool gpa_space_chunk(const struct gpa_space *s, gpa_t gpa, hpa_t *chunk);

/*
 * Between these two a thread that does not have s loaded may reach what gpa_space_visit_chunk() found,
 * masked all the time: what the guest gives away meanwhile is not given to others. False: there is
 * no RAM at gpa any more. Any locks below LOCK_MEMORY held.
 */
void gpa_space_visit(struct gpa_space *s);
bool gpa_space_visit_chunk(const struct gpa_space *s, gpa_t gpa, hpa_t *chunk);
void gpa_space_leave(struct gpa_space *s);

/* Bytes of host memory that it has, now. Any thread that keeps the space. */
uint64_t gpa_space_held(struct gpa_space *s);

/* True if all of [gpa, gpa + len) is RAM (the VGA hole is not). */
bool gpa_space_is_ram(const struct gpa_space *s, gpa_t gpa, uint64_t len);

#endif
