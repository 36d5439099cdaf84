/* SPDX-License-Identifier: BSD-2-Clause */
/* Budgets of CPU time: see sched_budget.h. */
/* Pure: a simulator in tests/unit runs this very code. */
#include "hv/sched_budget.h"

void sched_budget_spend(struct sched_budget *b, uint64_t now, uint64_t ticks, uint64_t credit)
{
	uint64_t kept = credit * 100 / b->percent;
	uint64_t least = now > kept ? now - kept : 0;
	uint64_t paid = __atomic_load_n(&b->paid, __ATOMIC_RELAXED);
	uint64_t next;

	do {
		next = u64_max(paid, least) + ticks * 100 / b->percent;
	} while (!__atomic_compare_exchange_n(&b->paid, &paid, next, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}

void sched_budget_refund(struct sched_budget *b, int64_t ticks)
{
	int64_t time = ticks * 100 / (int64_t)b->percent;

	__atomic_fetch_sub(&b->paid, (uint64_t)time, __ATOMIC_RELAXED);
}
