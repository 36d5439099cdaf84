/* SPDX-License-Identifier: BSD-2-Clause */
/* What a disk of a VM may do in a second: so many requests, so many bytes. */
/* Holds nobody back: the disk's device asks, and waits. No lock: that is the device's. */
#ifndef HV_VM_DISK_LIMIT_H
#define HV_VM_DISK_LIMIT_H

#include "hv/lib/ratelimit.h"

struct vm_disk_limit {
	struct ratelimit requests;
	struct ratelimit bytes;
};

/* Per second; 0: no limit. now, here and below: ns. */
void vm_disk_limit_set(struct vm_disk_limit *l, uint64_t iops, uint64_t bandwidth, uint64_t now);
static inline bool vm_disk_limit_is_set(const struct vm_disk_limit *l)
{
	return (l->requests.rate | l->bytes.rate) != 0;
}
/* 0: the next request may begin, however large; else the time from which on it may. */
uint64_t vm_disk_limit_wait(const struct vm_disk_limit *l, uint64_t now);
/* So much begins now. */
void vm_disk_limit_charge(struct vm_disk_limit *l, uint64_t requests, uint64_t bytes, uint64_t now);

#endif
