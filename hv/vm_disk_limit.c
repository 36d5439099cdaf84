/* SPDX-License-Identifier: BSD-2-Clause */
/* Two buckets, of which the emptier one decides. */
/* Knows no disk. */
#include "hv/vm_disk_limit.h"

/*
 * ns: a guest that waits for each request's end loses nothing of its rate by what it does in between, and
 * one that rested gains less than 2 % of a second.
 */
#define BURST 15000000ul

void vm_disk_limit_set(struct vm_disk_limit *l, uint64_t iops, uint64_t bandwidth, uint64_t now)
{
	ratelimit_set(&l->requests, iops, BURST, now);
	ratelimit_set(&l->bytes, bandwidth, BURST, now);
}

uint64_t vm_disk_limit_wait(const struct vm_disk_limit *l, uint64_t now)
{
	return u64_max(ratelimit_wait(&l->requests, now), ratelimit_wait(&l->bytes, now));
}

void vm_disk_limit_charge(struct vm_disk_limit *l, uint64_t requests, uint64_t bytes, uint64_t now)
{
	ratelimit_charge(&l->requests, requests, now);
	ratelimit_charge(&l->bytes, bytes, now);
}
