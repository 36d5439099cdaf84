/* SPDX-License-Identifier: BSD-2-Clause */
/* Address-space identifiers of one CPU: which tag a vCPU's translations carry in its TLB. */
/* Pure: neither knows the VMCB nor flushes; it says when the caller must. */
#ifndef ARCH_X86_SVM_ASID_H
#define ARCH_X86_SVM_ASID_H

#include "hv/lib/types.h"

struct asid_pool {	/* one per CPU, touched only by it */
	uint32_t limit; /* ASIDs 1 .. limit - 1 are for guests; 0 is the host's */
	uint32_t next;
	uint64_t generation; /* counts how often the ASIDs ran out; never 0 */
};

struct asid_tag { /* one per vCPU */
	const struct asid_pool *pool;
	uint64_t generation;
	uint64_t tables; /* generation of the VM's second-level tables that the ASID may know */
	uint32_t asid;
};

/* What the next VMRUN must do to the TLB. */
enum asid_flush {
	ASID_KEEP,
	ASID_FLUSH_OWN, /* translations under this ASID may be of an earlier owner or another time */
	ASID_FLUSH_ALL, /* every ASID changes hands */
};

/* limit: the count CPUID gives, at least 2. */
void asid_init(struct asid_pool *p, uint32_t limit);

/* Is t good on this CPU as it is? Then asid_assign is not needed. */
static inline bool asid_valid(const struct asid_pool *p, const struct asid_tag *t)
{
	return t->pool == p && t->generation == p->generation;
}

/* Gives t an ASID that nobody has had on this CPU in this generation. */
enum asid_flush asid_assign(struct asid_pool *p, struct asid_tag *t);

/* What the next VMRUN of t's vCPU here must do, its VM's tables being of that generation now. */
static inline enum asid_flush asid_prepare(struct asid_pool *p, struct asid_tag *t, uint64_t tables)
{
	enum asid_flush flush = ASID_FLUSH_OWN;

	if (likely(asid_valid(p, t) && t->tables == tables)) {
		return ASID_KEEP;
	}
	if (!asid_valid(p, t)) {
		flush = asid_assign(p, t);
	}
	t->tables = tables;
	return flush;
}

#endif
