/* SPDX-License-Identifier: BSD-2-Clause */
/* What a virtual device is to the core: a class that registers itself in a linker section. */
/* Which ranges and interrupts it uses is its own business, through iobus and virq. */
#ifndef HV_VDEV_H
#define HV_VDEV_H

#include "hv/lib/list.h"
#include "hv/lib/types.h"

struct vm;
struct vm_config;

enum vdev_stage {		   /* created in this order, destroyed in the reverse */
		  VDEV_CONTROLLER, /* interrupt controllers, buses */
		  VDEV_CHIP,	   /* what sits on them */
		  VDEV_STAGES,
};

struct vdev_class {
	const char *name;
	enum vdev_stage stage;
	size_t size; /* of its struct, which the core allocates zeroed */
	/* NULL (always) or: does this VM have one? */
	bool (*wanted)(const struct vm_config *cfg);
	/* Claims ranges, sets timers up. May not sleep on locks; -Exxx: the VM does not start. */
	int (*create)(struct vm *vm, void *dev);
	/* Instead of these two, for a class of which a VM may have several: how many, and the i-th. */
	unsigned int (*count)(const struct vm_config *cfg);
	int (*create_nth)(struct vm *vm, void *dev, unsigned int i);
	/* Power-on state. Called after create and at a reset, devices' lock held. */
	void (*reset)(void *dev);
	/*
	 * NULL or: does what vdev_request_work() put off. On a vCPU's thread, devices' lock held; a
	 * checkpoint follows, so that a device need bound its own work only.
	 */
	void (*work)(void *dev);
	/*
	 * NULL or: behind work(), but no lock is held: it may sleep and take long, with
	 * thread_checkpoint(). Called whether there is something to do or not, also by several of
	 * the VM's vCPUs at once.
	 */
	void (*serve)(void *dev);
	/* Destroys timers. The bus claims vanish with the VM. No lock held; may be NULL. */
	void (*destroy)(void *dev);
	/* The guest-visible state, saved and loaded as one versioned block. */
	size_t state_offset;
	size_t state_size;
	uint32_t state_version;
	/* Called before saving and after loading (re-arm timers, check every field: -EINVAL). */
	void (*before_save)(void *dev);
	int (*after_load)(void *dev);
};

struct vdev {
	struct list_node node; /* in vm->devices, in order of creation */
	const struct vdev_class *cls;
	unsigned int index; /* of its class' devices */
	void *dev;
};

#define VDEV_REGISTER(cls)                                                                         \
	static const struct vdev_class *const vdev_entry_##cls                                     \
		__attribute__((used, section(".vdev_classes"))) = &(cls)

/* By hv/vm_life.c, on a thread without spinlocks; new devices are reset by vdev_create_all. */
int vdev_create_all(struct vm *vm);
void vdev_destroy_all(struct vm *vm);

/*
 * For devices: asks for work() and serve() of vm's devices on one of its vCPUs' threads, before that enters the
 * guest again: what came in a timer or from another thread but touches guest memory, or would take
 * long in one go. Any thread, interrupt windows too; devices' lock held, or by what destroy() waits for.
 */
void vdev_request_work(struct vm *vm);
/* In serve(), or a worker: the VM ends, so that nothing which is under way need be finished. */
bool vdev_is_ending(void);
/* By hv/vcpu.c. */
void vdev_work_all(struct vm *vm);

#endif
