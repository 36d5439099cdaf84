/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MAC address is behind which port: a hash table of fixed size, learnt and aged. */
/* No lock and no clock; ports are small numbers. */
#ifndef DRIVERS_NET_MACTABLE_H
#define DRIVERS_NET_MACTABLE_H

#include "hv/lib/types.h"

#define MACTABLE_AGE   300000000000ul /* ns: IEEE 802.1Q, "Ageing Time" */
#define MACTABLE_PORTS 128u
#define MACTABLE_WAYS  4u

struct mac_entry {
	uint64_t mac;  /* 48 bits, first byte highest; 0: free */
	uint64_t seen; /* ns; MACTABLE_FIXED for addresses that are configured */
	uint16_t port;
};
#define MACTABLE_FIXED UINT64_MAX

struct mactable {
	struct mac_entry *entry; /* sets of MACTABLE_WAYS */
	uint32_t sets;		 /* a power of two */
	uint64_t key;		 /* random, so that nobody can choose who collides */
	uint16_t learnt[MACTABLE_PORTS];
};

/* sets is a power of two. -ENOMEM. mactable_exit takes back what it allocated. */
int mactable_init(struct mactable *t, uint32_t sets);
void mactable_exit(struct mactable *t);

/* The port, or -1. */
int mactable_find(const struct mactable *t, uint64_t mac, uint64_t now);
/*
 * mac was seen at port. A configured address stays where it is, a fresh entry never makes way for
 * another address, and a port has at most `most` learnt entries: what is not learnt is flooded.
 */
void mactable_learn(struct mactable *t, uint64_t mac, uint16_t port, uint16_t most, uint64_t now);
/* mac is at port for good. -EEXIST if it is so elsewhere, -ENOSPC if its set is full of such. */
int mactable_fix(struct mactable *t, uint64_t mac, uint16_t port);
/* Forgets what was learnt at port; with `fixed`, what was configured too. */
void mactable_forget_port(struct mactable *t, uint16_t port, bool fixed);
/* Frees what is too old; mactable_find ignores it in any case. */
void mactable_expire(struct mactable *t, uint64_t now);
/* Entries in use, for lists: NULL at the end; *cursor begins with 0. */
const struct mac_entry *mactable_next(const struct mactable *t, uint32_t *cursor);

#endif
