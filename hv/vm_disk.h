/* SPDX-License-Identifier: BSD-2-Clause */
/* The disks of a VM that is on: what they stand on, and what went through. */
/* Opening an image is hv/mgmt/disk.c's, serving the guest its device's. */
#ifndef HV_VM_DISK_H
#define HV_VM_DISK_H

#include "hv/vm_config.h"
#include "hv/vm_disk_limit.h"

struct block_dev;
struct vm;

enum vm_disk_op { VM_DISK_READ, VM_DISK_WRITE, VM_DISK_FLUSH, VM_DISK_DISCARD, VM_DISK_OPS };

struct vm_disk {
	struct block_dev *dev; /* NULL: it is not open */
	/* Since it was opened; written with the devices' lock held, read by anybody. */
	uint64_t requests[VM_DISK_OPS];
	uint64_t bytes[VM_DISK_OPS];
	unsigned int at_once; /* requests under way, at most so far */
	uint64_t errors; /* requests that failed for what lies below, not for the guest's mistake */
	struct vm_disk_limit limit; /* [dev_lock] */
};

/* Registered once, by hv/mgmt/disk. Both: threads, no lock held; may sleep. */
struct vm_disk_ops {
	/* vm->cfg.disks[i]; 0 or -Exxx with *why. */
	int (*open)(struct vm *vm, unsigned int i, struct block_dev **out, const char **why);
	void (*close)(struct block_dev *dev);
};
void vm_disk_set_ops(const struct vm_disk_ops *ops);

/*
 * By hv/vm_life.c. Opens those of the configuration that are not open; -Exxx and *why: the caller
 * closes. Disks stay open while a VM is reset: what is volatile lasts until it is off.
 */
int vm_disk_open_all(struct vm *vm, const char **why);
void vm_disk_close_all(struct vm *vm);

/* Other limits for one of vm's disks, from now on and in its configuration. List locked, vm not claimed. */
void vm_disk_change_limit(struct vm *vm, unsigned int i, unsigned int iops, uint64_t bandwidth);

const char *vm_disk_op_name(enum vm_disk_op op); /* "read" … */

#endif
