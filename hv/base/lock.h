/* SPDX-License-Identifier: BSD-2-Clause */
/* Spinlocks with a rank. Root mode runs masked, so there is no irq variant and no handler to fear. */
/* Ranks are taken in rising order only; each CPU checks that. Sleeping locks are hv/mutex. */
#ifndef HV_BASE_LOCK_H
#define HV_BASE_LOCK_H

#include "hv/lib/types.h"

/* The one list of ranks: outermost first. */
enum lock_rank {
	LOCK_DEVICES, /* a VM's device models */
	LOCK_VIRQ,    /* a VM's interrupt controllers' shared state */
	LOCK_NET, /* a switch, a NAT, a table of either: never two, never across a call of ops */
	LOCK_NET_PORT, /* what a port has received and not yet passed on */
	LOCK_CONSOLE,  /* a guest serial port's output ring, the shell's input */
	LOCK_THREADS,  /* the list of all threads */
	LOCK_MUTEX,    /* wait list of a sleeping lock */
	LOCK_DISK,     /* a controller of the host's: what its interrupt handler tells */
	LOCK_TIMER,    /* a CPU's timer heap */
	LOCK_MEMORY,   /* which of a VM's pages are in its balloon */
	LOCK_SCHED,    /* a CPU's run queue */
	LOCK_IRQ,      /* vectors of devices, and the I/O APICs */
	LOCK_PCI,      /* the host's PCI configuration ports */
	LOCK_PAGING,
	LOCK_HEAP,
	LOCK_RANDOM, /* the random generator's key */
	LOCK_PAGE,
	LOCK_LOG,
	LOCK_SCREEN, /* the management terminal's last row */
	LOCK_UART,   /* the host's serial port */
};

struct spinlock {
	uint32_t taken; /* 1 while held */
	enum lock_rank rank;
};

#define SPINLOCK_INIT(r)                                                                           \
	{                                                                                          \
		.rank = (r)                                                                        \
	}

void spin_init(struct spinlock *l, enum lock_rank rank);
/* BUG if this CPU holds a lock of the same or a higher rank. */
void spin_lock(struct spinlock *l);
/* False if it is taken. */
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
/* True if this CPU holds any spinlock: then it must not sleep or open an interrupt window. */
bool spin_any_held(void);
/* Panic only: from now on no lock is waited for. */
void spin_bypass_all(void);

#endif
