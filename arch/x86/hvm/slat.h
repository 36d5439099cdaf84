/* SPDX-License-Identifier: BSD-2-Clause */
/* Second-level address translation: the four-level tables that EPT and NPT share, guest-physical to */
/* host-physical. What an entry's bits are is the backend's struct slat_format. */
#ifndef ARCH_X86_HVM_SLAT_H
#define ARCH_X86_HVM_SLAT_H

#include "arch/hvm.h"
#include "hv/lib/types.h"

struct slat_format {
	/* An entry that maps a page of level 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB). Not 0. */
	uint64_t (*leaf)(hpa_t hpa, enum hvm_right rights, unsigned int level);
	uint64_t (*table)(hpa_t table); /* an entry that points to the next table. Not 0. */
	/* The inverse for leaves: what may be done there. */
	enum hvm_right (*rights)(uint64_t leaf, unsigned int level);
	bool (*is_leaf)(uint64_t entry, unsigned int level); /* entry is not 0; level 1 always */
	bool large_1g;					     /* the CPU offers 1 GiB pages */
};

/*
 * Changes need the VM's devices' lock (or a VM that does not run yet). An entry is 0 or valid.
 * generation: a backend compares it with what it last saw before each entry and then flushes that
 * vCPU's translations. It changes when a translation that a CPU may hold was taken away or replaced.
 */
struct slat {
	hpa_t root;		       /* (c) 4 KiB, level 4 */
	const struct slat_format *fmt; /* (c) */
	uint64_t generation;	       /* atomic */
	uint64_t tables;	       /* 4 KiB tables allocated, the root included */
};

/* -ENOMEM */
int slat_create(struct slat *s, const struct slat_format *fmt);
/* Frees the tables; the VM's vCPUs do not run any more. */
void slat_destroy(struct slat *s);

/*
 * Maps [gpa, gpa + size), 4 KiB aligned and below 2^48, in the largest pages that fit; replaces what
 * was there, splitting a large page of which only a part is replaced. -EINVAL, -ENOMEM (a part may
 * have been mapped then).
 */
int slat_map(struct slat *s, gpa_t gpa, hpa_t hpa, uint64_t size, enum hvm_right rights);
/* Takes away what is mapped there. -EINVAL, -ENOMEM (to split a large page). */
int slat_unmap(struct slat *s, gpa_t gpa, uint64_t size);
/* False if gpa is not mapped. rights may be NULL. */
bool slat_lookup(const struct slat *s, gpa_t gpa, hpa_t *hpa, enum hvm_right *rights);

/* All that CPUs hold of it is stale, as if a translation had been taken away. Any context. */
static inline void slat_forget(struct slat *s)
{
	__atomic_fetch_add(&s->generation, 1, __ATOMIC_RELEASE);
}

static inline uint64_t slat_generation(const struct slat *s)
{
	return __atomic_load_n(&s->generation, __ATOMIC_ACQUIRE);
}

#endif
