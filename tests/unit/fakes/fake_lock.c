/* SPDX-License-Identifier: BSD-2-Clause */
/* Spinlocks for host tests: taking one twice, or freeing one that is not taken, fails the program. */
/* Checks no ranks: hv/base/lock.c is tested by itself. */
#include "hv/base/lock.h"

#include <stdlib.h>

void spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock){ .rank = rank };
}

void spin_lock(struct spinlock *l)
{
	if (l->taken++ != 0) {
		abort();
	}
}

void spin_unlock(struct spinlock *l)
{
	if (--l->taken != 0) {
		abort();
	}
}
