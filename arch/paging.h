/* SPDX-License-Identifier: BSD-2-Clause */
/* The root-mode address space: hypervisor memory, device registers, stacks, and one VM's RAM. */
/* There is no map of all memory: what is not mapped here cannot be read, by mistake or speculation. */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include "hv/lib/types.h"

struct boot_info;

/* Leaves the bootstrap map for the final one: rights by section, no identity. After page_init. */
void paging_init(const struct boot_info *info);

enum paging_right {
	PAGING_R = 0,
	PAGING_W = 1u << 0,
	PAGING_X = 1u << 1,  /* never together with W */
	PAGING_UC = 1u << 2, /* uncached: device registers */
};

#define PAGING_STACK_SIZE (16ul * KIB)

/* Address of hypervisor-owned memory (page_alloc, boot modules); valid in every address space. */
void *paging_direct(hpa_t hpa);
/* The inverse, for addresses in the direct map and in the image. */
hpa_t paging_hpa(const void *va);

/* Adds [hpa, hpa + size) to the direct map; -ENOMEM. Called by hv/base/page and at boot. */
int paging_direct_add(hpa_t hpa, uint64_t size, enum paging_right rights);

/* Maps device registers or firmware tables for good; NULL when out of memory. Any alignment. */
volatile void *paging_map_device(hpa_t hpa, uint64_t size);
const void *paging_map_table(hpa_t hpa, uint64_t size);

/*
 * A stack of PAGING_STACK_SIZE bytes with an unmapped guard page below; returns its top (highest
 * address, 16-byte aligned) or NULL. Freed stacks are reused.
 */
void *paging_stack_alloc(void);
void paging_stack_free(void *top);
/* True if va lies in the unmapped space below a stack: what faulted there has overflown it. */
bool paging_is_stack_guard(uint64_t va);

/*
 * One VM's view: everything of the hypervisor's plus the VM's RAM at PAGING_VM_BASE + gpa. Threads
 * of no VM run in the kernel space (NULL), which has no guest memory at all.
 */
#define PAGING_VM_BASE 0xffff810000000000ul
struct paging_space {
	hpa_t root;
	hpa_t sink;	     /* a table for paging_space_sink(); .v = 0: none */
	uint64_t generation; /* atomic; how often RAM was taken away */
};
int paging_space_create(struct paging_space *s);
/* Call when no CPU has it loaded. Frees the tables, not the RAM. */
void paging_space_destroy(struct paging_space *s);
/* Maps 2 MiB-aligned RAM read-write, never executable; 1 GiB pages where aligned. -ENOMEM */
int paging_space_map(struct paging_space *s, gpa_t gpa, hpa_t hpa, uint64_t size);
/*
 * Loads s on this CPU (NULL: the kernel space); a no-op if it is loaded already and no RAM was taken
 * away since: else what this CPU remembers of it is dropped.
 */
void paging_space_load(const struct paging_space *s);

/*
 * Takes away 2 MiB of RAM and counts the generation up; -ENOMEM (to split a larger page). CPUs that
 * run a thread of s may reach that RAM until paging_space_is_clean(). The caller keeps others from
 * changing s.
 */
int paging_space_unmap(struct paging_space *s, gpa_t gpa);
/* No CPU has s loaded that last dropped what it remembers before that generation. */
bool paging_space_is_clean(const struct paging_space *s, uint64_t generation);
/* Makes ready for paging_space_sink(); -ENOMEM. Once is enough. */
int paging_space_make_sink(struct paging_space *s);
/* Where 2 MiB of RAM were taken away: one page over and over, which nobody else has. */
void paging_space_sink(struct paging_space *s, gpa_t gpa);

/*
 * fn is called, masked and perhaps with locks held, when root mode touches RAM that was taken away:
 * it maps something there and returns true, or the hypervisor panics. s is what this CPU has loaded,
 * which in the middle of a switch is not the current thread's. Set once.
 */
typedef bool paging_fault_fn(const struct paging_space *s, gpa_t gpa);
void paging_set_fault(paging_fault_fn *fn);
/* By the exception's handler: was a fault at va put right so? */
bool paging_fault(uint64_t va);

/*
 * Where all of memory would be visible if there were a map of it: is hpa readable there from the
 * executing thread? True only for the hypervisor's own memory; a page fault on the way is survived.
 */
bool paging_direct_readable(hpa_t hpa);
/* Likewise for the place of the loaded VM's RAM. */
bool paging_vm_readable(gpa_t gpa);

/*
 * A 2 MiB window of the executing CPU onto any memory (scrubbing, loading a VM that is not ours).
 * hpa is 2 MiB aligned. Valid until the next call on this CPU or the next sleep.
 */
void *paging_window(hpa_t hpa);
void paging_window_close(void);

#endif
