/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens and closes the disks of a VM through whoever knows files and formats. */
/* Reads and writes nothing. */
#include "hv/vm_disk.h"

#include "arch/clock.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vm.h"

static const struct vm_disk_ops *disk_ops;

void vm_disk_set_ops(const struct vm_disk_ops *ops)
{
	disk_ops = ops;
}

int vm_disk_open_all(struct vm *vm, const char **why)
{
	int err = 0;

	for (unsigned int i = 0; err == 0 && i < vm->cfg.disk_count; i++) {
		struct vm_disk *disk = &vm->disk[i];

		if (disk->dev == NULL) {
			const struct vm_disk_config *cfg = &vm->cfg.disks[i];

			memset(disk, 0, sizeof(*disk));
			vm_disk_limit_set(&disk->limit, cfg->iops, cfg->bandwidth,
					  clock_ticks_to_ns(clock_now()));
			err = disk_ops->open(vm, i, &disk->dev, why);
			thread_checkpoint();
		}
	}
	return err;
}

void vm_disk_change_limit(struct vm *vm, unsigned int i, unsigned int iops, uint64_t bandwidth)
{
	vm->cfg.disks[i].iops = iops;
	vm->cfg.disks[i].bandwidth = bandwidth;
	spin_lock(&vm->dev_lock);
	vm_disk_limit_set(&vm->disk[i].limit, iops, bandwidth, clock_ticks_to_ns(clock_now()));
	spin_unlock(&vm->dev_lock);
}

void vm_disk_close_all(struct vm *vm)
{
	for (unsigned int i = 0; i < VM_DISKS_MAX; i++) {
		if (vm->disk[i].dev != NULL) {
			disk_ops->close(vm->disk[i].dev);
			vm->disk[i].dev = NULL;
			thread_checkpoint();
		}
	}
}

const char *vm_disk_op_name(enum vm_disk_op op)
{
	static const char *const names[VM_DISK_OPS] = {
		[VM_DISK_READ] = "read",
		[VM_DISK_WRITE] = "write",
		[VM_DISK_FLUSH] = "flush",
		[VM_DISK_DISCARD] = "discard",
	};

	return names[op];
}
