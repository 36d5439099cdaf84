/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks the guest's own page tables: linear to guest-physical, with the checks a CPU would make. */
/* Second-level translation is not consulted: guest_mem knows what is RAM. */
#ifndef ARCH_X86_HVM_WALK_H
#define ARCH_X86_HVM_WALK_H

#include "hv/lib/types.h"

struct vcpu;

enum walk_access {
	WALK_READ = 0,
	WALK_WRITE = BIT(1), /* numbers of the page-fault error code */
	WALK_FETCH = BIT(4),
	WALK_SYSTEM = BIT(8), /* supervisor whatever the CPL: descriptor tables, TSS */
	WALK_TOUCH = BIT(9),  /* set accessed and dirty bits, as an access does */
};

/* SDM Vol. 3A, "Page-Fault Exceptions". */
#define WALK_PF_PRESENT	 BIT(0)
#define WALK_PF_WRITE	 BIT(1)
#define WALK_PF_USER	 BIT(2)
#define WALK_PF_RESERVED BIT(3)
#define WALK_PF_FETCH	 BIT(4)

/*
 * v's thread. True: *gpa is where linear lies. False: *error is the error code for #PF; nothing was
 * changed. access: a sum of WALK_*. Tables that lie outside RAM read as not present.
 */
bool walk_linear(struct vcpu *v, uint64_t linear, unsigned int access, gpa_t *gpa, uint32_t *error);

#define WALK_LEVELS 4u

/* The guest's entries that a translation depends on, from the top, and what they held. */
struct walk_trail {
	const void *entry[WALK_LEVELS];
	uint64_t value[WALK_LEVELS];
	unsigned int depth; /* 0: paging is off */
};

/*
 * The same for the instruction that the CPU has just fetched: no check, nothing is set. False: the
 * tables do not lead anywhere (any more).
 */
bool walk_code(struct vcpu *v, uint64_t linear, gpa_t *gpa, struct walk_trail *trail);

/*
 * As walk_linear for an access that the guest makes now: touches, and raises #PF or (not canonical)
 * #GP. 0 or -EACCES.
 */
int walk_access(struct vcpu *v, uint64_t linear, unsigned int access, gpa_t *gpa);

/* Bits 63:47 all the same (SDM Vol. 1, "Canonical Addressing"). */
static inline bool walk_canonical(uint64_t linear)
{
	return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

/*
 * Copies len bytes (at most a page) to or from linear memory at v's current privilege. RAM only. 0;
 * -EACCES after raising #PF or #GP; -EFAULT if a byte is not RAM. A write that fails writes nothing.
 */
int walk_read(struct vcpu *v, uint64_t linear, void *buf, unsigned int len, unsigned int access);
int walk_write(struct vcpu *v, uint64_t linear, const void *buf, unsigned int len);
/* Would walk_write succeed? Raises what it would raise. */
int walk_probe_write(struct vcpu *v, uint64_t linear, unsigned int len);

#endif
