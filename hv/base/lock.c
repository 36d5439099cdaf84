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

static void take(struct spinlock *l, unsigned int cpu)
{
	held[cpu] |= 1u << l->rank;
}

/* Apart, so that the way to a free lock is short. */
static __attribute__((noinline)) void wait_and_take(struct spinlock *l, unsigned int cpu)
{
	while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE) && !bypassed) {
		while (!bypassed && __atomic_load_n(&l->taken, __ATOMIC_RELAXED)) {
			cpu_relax();
		}
	}
	take(l, cpu);
}

static __attribute__((noinline)) void out_of_order(struct spinlock *l, unsigned int cpu)
{
	if (!bypassed) {
		panic_stop("lock of rank %d taken under ranks %x", l->rank, held[cpu]);
	}
	wait_and_take(l, cpu);
}

void spin_lock(struct spinlock *l)
{
	unsigned int cpu = cpu_id();

	if (unlikely(held[cpu] >> l->rank)) {
		out_of_order(l, cpu);
	} else if (unlikely(__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))) {
		wait_and_take(l, cpu);
	} else {
		take(l, cpu);
	}
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
