/* SPDX-License-Identifier: BSD-2-Clause */
/* Spinlocks, and the check that each CPU takes them in rising rank. */
/* Ranks are a bit mask per CPU: at most one lock of a rank is held at a time. */
#include "hv/base/lock.h"

#include "arch/cpu.h"
#include "hv/base/panic.h"

static uint32_t held[CPU_MAX]; /* [O] bit = rank */
static bool bypassed;	       /* a panic prints: the other CPUs stand still */

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	l->taken = 0;
	l->rank = rank;
}

static void check_rank(const struct spinlock *l, uint32_t mine)
{
	if (unlikely(mine >> l->rank) && !bypassed) {
		panic_stop("lock of rank %d taken under ranks %x", l->rank, mine);
	}
}

void spin_lock(struct spinlock *l)
{
	unsigned int cpu = cpu_id();

	check_rank(l, held[cpu]);
	while (unlikely(__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE)) && !bypassed) {
		while (!bypassed && __atomic_load_n(&l->taken, __ATOMIC_RELAXED)) {
			cpu_relax();
		}
	}
	held[cpu] |= 1u << l->rank;
}

bool spin_trylock(struct spinlock *l)
{
	if (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE)) {
		return false;
	}
	held[cpu_id()] |= 1u << l->rank;
	return true;
}

void spin_unlock(struct spinlock *l)
{
	held[cpu_id()] &= ~(1u << l->rank);
	__atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}

bool spin_any_held(void)
{
	return held[cpu_id()] != 0;
}

void spin_bypass_all(void)
{
	bypassed = true;
}
