/* SPDX-License-Identifier: BSD-2-Clause */
/* The only way to touch guest memory: bounds-checked copies and slices of the RAM of the VM whose */
/* thread is running. */
#ifndef HV_GUEST_MEM_H
#define HV_GUEST_MEM_H

#include "hv/gpa_space.h"
#include "hv/lib/types.h"

struct vm;

/*
 * All need vm's address space loaded: call from a thread of that VM. Copies return 0 or -EFAULT when
 * any byte is not RAM (then nothing was copied).
 */
int guest_mem_read(struct vm *vm, gpa_t gpa, void *buf, size_t len);
int guest_mem_write(struct vm *vm, gpa_t gpa, const void *buf, size_t len);

/*
 * A slice of RAM that stays where it is while the VM exists; NULL if any byte is not RAM, or lies in the
 * balloon and cannot be brought back. What the guest gives away later may still be touched: that
 * is harmless for all but the guest.
 */
void *guest_mem_slice(struct vm *vm, gpa_t gpa, size_t len);

/*
 * Copies from any thread (a loader of a VM that does not run yet), through the CPU's window; yields
 * between chunks. -EFAULT as above.
 */
int guest_mem_load(struct vm *vm, gpa_t gpa, const void *buf, size_t len);

/* Where a slice lies. */
gpa_t guest_mem_gpa(const void *slice);

/*
 * Writes into the RAM of a VM from threads of any other, through the CPU's window: 2 MiB of it are mapped
 * at a time, writable, between open and close, which are one masked stretch. gpa is within RAM, as of a
 * slice got before; what the guest has given away since is not written. Bytes of `buf` may be the
 * executing thread's VM's. Locks below LOCK_MEMORY may be held.
 */
struct guest_mem_window {
	struct vm *vm;
	uint64_t chunk; /* gpa of what is mapped */
	uint8_t *at;	/* NULL: nothing is */
};
void guest_mem_window_open(struct guest_mem_window *w, struct vm *vm);
void guest_mem_window_write(struct guest_mem_window *w, gpa_t gpa, const void *buf, size_t len);
void guest_mem_window_close(struct guest_mem_window *w);

#endif
