/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands out the ASIDs of one CPU in order and starts over in a new generation. */
/* Never takes one back: a vCPU that has gone leaves its number unused until then. */
#include "arch/x86/svm/asid.h"

void asid_init(struct asid_pool *p, uint32_t limit)
{
	*p = (struct asid_pool){ .limit = limit, .next = 1, .generation = 1 };
}

enum asid_flush asid_assign(struct asid_pool *p, struct asid_tag *t)
{
	enum asid_flush flush = ASID_FLUSH_OWN;

	if (p->next >= p->limit) {
		p->generation++;
		p->next = 1;
		flush = ASID_FLUSH_ALL;
	}
	t->pool = p;
	t->generation = p->generation;
	t->asid = p->next++;
	return flush;
}
