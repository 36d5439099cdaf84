/* SPDX-License-Identifier: BSD-2-Clause */
/* Creates, resets and destroys the devices of a VM from the registered classes. */
/* Knows no device by name. */
#include "hv/vdev.h"

#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "hv/vm_worker.h"

extern const struct vdev_class *const vdev_classes_start[], *const vdev_classes_end[];

static int create_one(struct vm *vm, const struct vdev_class *cls, unsigned int i)
{
	struct vdev *d = heap_alloc(sizeof(*d));
	int err;

	if (d == NULL) {
		return -ENOMEM;
	}
	d->cls = cls;
	d->index = i;
	d->dev = heap_alloc(cls->size);
	if (d->dev == NULL) {
		heap_free(d);
		return -ENOMEM;
	}
	list_push_back(&vm->devices, &d->node);
	err = cls->create_nth != NULL ? cls->create_nth(vm, d->dev, i) : cls->create(vm, d->dev);
	if (err != 0) {
		log_printf(LOG_HOST, "vm %s: device %s: %s", vm->cfg.name, cls->name,
			   errno_text(err));
	}
	return err;
}

static unsigned int wanted(const struct vm *vm, const struct vdev_class *cls)
{
	if (cls->count != NULL) {
		return cls->count(&vm->cfg);
	}
	return cls->wanted == NULL || cls->wanted(&vm->cfg) ? 1 : 0;
}

static int create_class(struct vm *vm, const struct vdev_class *cls)
{
	unsigned int count = wanted(vm, cls);
	int err = 0;

	for (unsigned int i = 0; err == 0 && i < count; i++) {
		err = create_one(vm, cls, i);
		thread_checkpoint();
	}
	return err;
}

static int create_stage(struct vm *vm, enum vdev_stage stage)
{
	int err = 0;

	for (const struct vdev_class *const *c = vdev_classes_start;
	     err == 0 && c < vdev_classes_end; c++) {
		err = (*c)->stage == stage ? create_class(vm, *c) : 0;
	}
	return err;
}

/* One at a time, others' turn in between: no vCPU is there yet to see some of them half done. */
static void reset_all(struct vm *vm)
{
	struct list_node *n;

	list_for_each (n, &vm->devices) {
		struct vdev *d = container_of(n, struct vdev, node);

		if (d->cls->reset != NULL) {
			spin_lock(&vm->dev_lock);
			d->cls->reset(d->dev);
			spin_unlock(&vm->dev_lock);
		}
		thread_checkpoint();
	}
}

int vdev_create_all(struct vm *vm)
{
	for (unsigned int s = 0; s < VDEV_STAGES; s++) {
		int err = create_stage(vm, (enum vdev_stage)s);

		if (err != 0) {
			vdev_destroy_all(vm);
			return err;
		}
	}
	reset_all(vm);
	return 0;
}

/* vCPUs are made after the devices and taken apart after them, too. */
void vdev_request_work(struct vm *vm)
{
	struct vcpu *v = vcpu_current();

	if (v == NULL || v->vm != vm) {
		v = __atomic_load_n(&vm->vcpus[0], __ATOMIC_ACQUIRE);
	}
	if (v != NULL) {
		vcpu_request(v, VCPU_REQ_DEVICES);
	}
}

/* Each has a turn of its own: what eight NICs have to do is too much in one go. */
static void work_one(struct vm *vm, const struct vdev *d)
{
	spin_lock(&vm->dev_lock);
	d->cls->work(d->dev);
	spin_unlock(&vm->dev_lock);
	thread_checkpoint();
}

void vdev_work_all(struct vm *vm)
{
	struct list_node *n;

	/* The list stays as it is while a vCPU's thread runs. */
	list_for_each (n, &vm->devices) {
		struct vdev *d = container_of(n, struct vdev, node);

		if (d->cls->work != NULL) {
			work_one(vm, d);
		}
	}
	list_for_each (n, &vm->devices) {
		struct vdev *d = container_of(n, struct vdev, node);

		if (d->cls->serve != NULL) {
			d->cls->serve(d->dev);
		}
	}
}

bool vdev_is_ending(void)
{
	const struct vcpu *v = vcpu_current();

	if (v == NULL) {
		const struct vm_worker *w = vm_worker_current();

		return w != NULL && vm_worker_is_ending(w);
	}
	return (__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & VCPU_REQ_STOP) != 0;
}

void vdev_destroy_all(struct vm *vm)
{
	while (!list_empty(&vm->devices)) {
		struct vdev *d = container_of(vm->devices.prev, struct vdev, node);

		if (d->cls->destroy != NULL) {
			d->cls->destroy(d->dev);
		}
		list_remove(&d->node);
		heap_free(d->dev);
		heap_free(d);
	}
}
