/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MAC address is behind which port: a set-associative hash table. */
/* Knows no packets. */
#include "drivers/net/mactable.h"
#include "hv/base/heap.h"
#include "hv/base/random.h"
#include "hv/lib/errno.h"

int mactable_init(struct mactable *t, uint32_t sets)
{
	*t = (struct mactable){ .sets = sets };
	t->entry = heap_alloc((size_t)sets * MACTABLE_WAYS * sizeof(*t->entry));
	random_bytes(&t->key, sizeof(t->key));
	t->key |= 1;
	return t->entry != NULL ? 0 : -ENOMEM;
}

void mactable_exit(struct mactable *t)
{
	heap_free(t->entry);
	t->entry = NULL;
}

static struct mac_entry *set_of(const struct mactable *t, uint64_t mac)
{
	uint64_t hash = mac * t->key;

	hash = (hash ^ hash >> 29) * t->key;
	return &t->entry[(hash >> 32 & (t->sets - 1)) * MACTABLE_WAYS];
}

static struct mac_entry *find(const struct mactable *t, uint64_t mac)
{
	struct mac_entry *set = set_of(t, mac);

	for (unsigned int i = 0; i < MACTABLE_WAYS; i++) {
		if (set[i].mac == mac) {
			return &set[i];
		}
	}
	return NULL;
}

static bool is_old(const struct mac_entry *e, uint64_t now)
{
	return e->seen != MACTABLE_FIXED && now > e->seen && now - e->seen > MACTABLE_AGE;
}

int mactable_find(const struct mactable *t, uint64_t mac, uint64_t now)
{
	const struct mac_entry *e = find(t, mac);

	return e != NULL && mac != 0 && !is_old(e, now) ? e->port : -1;
}

static void free_entry(struct mactable *t, struct mac_entry *e)
{
	t->learnt[e->port] = (uint16_t)(t->learnt[e->port] - (e->seen != MACTABLE_FIXED));
	*e = (struct mac_entry){ 0 };
}

/* A free place in mac's set, or one that is too old, emptied; NULL: all are in use. */
static struct mac_entry *place_for(struct mactable *t, uint64_t mac, uint64_t now)
{
	struct mac_entry *set = set_of(t, mac);

	for (unsigned int i = 0; i < MACTABLE_WAYS; i++) {
		if (set[i].mac != 0 && is_old(&set[i], now)) {
			free_entry(t, &set[i]);
		}
		if (set[i].mac == 0) {
			return &set[i];
		}
	}
	return NULL;
}

static void put(struct mactable *t, struct mac_entry *e, uint64_t mac, uint16_t port, uint64_t seen)
{
	*e = (struct mac_entry){ .mac = mac, .port = port, .seen = seen };
	t->learnt[port] = (uint16_t)(t->learnt[port] + (seen != MACTABLE_FIXED));
}

void mactable_learn(struct mactable *t, uint64_t mac, uint16_t port, uint16_t most, uint64_t now)
{
	struct mac_entry *e = find(t, mac);

	if (mac == 0 || (e != NULL && e->seen == MACTABLE_FIXED)) {
		return;
	}
	if (e != NULL && e->port == port) {
		e->seen = now;
		return;
	}
	if (t->learnt[port] >= most) {
		return;
	}
	if (e != NULL) { /* it has moved */
		free_entry(t, e);
	} else {
		e = place_for(t, mac, now);
	}
	if (e != NULL) {
		put(t, e, mac, port, now);
	}
}

/* What was only learnt makes way. */
static struct mac_entry *place_by_force(struct mactable *t, uint64_t mac)
{
	struct mac_entry *set = set_of(t, mac);

	for (unsigned int i = 0; i < MACTABLE_WAYS; i++) {
		if (set[i].seen != MACTABLE_FIXED) {
			free_entry(t, &set[i]);
			return &set[i];
		}
	}
	return NULL;
}

int mactable_fix(struct mactable *t, uint64_t mac, uint16_t port)
{
	struct mac_entry *e = find(t, mac);

	if (mac == 0 || (e != NULL && e->seen == MACTABLE_FIXED)) {
		return -EEXIST;
	}
	if (e != NULL) {
		free_entry(t, e);
	} else {
		e = place_for(t, mac, 0);
	}
	e = e != NULL ? e : place_by_force(t, mac);
	if (e == NULL) {
		return -ENOSPC;
	}
	put(t, e, mac, port, MACTABLE_FIXED);
	return 0;
}

void mactable_forget_port(struct mactable *t, uint16_t port, bool fixed)
{
	for (uint32_t i = 0; i < t->sets * MACTABLE_WAYS; i++) {
		struct mac_entry *e = &t->entry[i];

		if (e->mac != 0 && e->port == port && (fixed || e->seen != MACTABLE_FIXED)) {
			free_entry(t, e);
		}
	}
}

void mactable_expire(struct mactable *t, uint64_t now)
{
	for (uint32_t i = 0; i < t->sets * MACTABLE_WAYS; i++) {
		if (t->entry[i].mac != 0 && is_old(&t->entry[i], now)) {
			free_entry(t, &t->entry[i]);
		}
	}
}

const struct mac_entry *mactable_next(const struct mactable *t, uint32_t *cursor)
{
	while (*cursor < t->sets * MACTABLE_WAYS) {
		const struct mac_entry *e = &t->entry[(*cursor)++];

		if (e->mac != 0) {
			return e;
		}
	}
	return NULL;
}
