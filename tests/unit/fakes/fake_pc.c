/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM made of emulated chips only, for host tests: creates them, reaches their ports, moves time. */
/* No CPU, no memory, no scheduler. */
#include "tests/unit/fakes/fake_pc.h"

#include "arch/clock.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/timer.h"
#include "hv/vdev.h"
#include "hv/vm_worker.h"
#include "tests/unit/fakes/fake_arch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Clang's sanitizer puts a redzone of zeros behind each entry: read unchecked, NULL is skipped. */
extern const struct vdev_class *const vdev_classes_start[], *const vdev_classes_end[];

struct vm fake_vm;
unsigned int fake_resets;
unsigned int fake_pauses;
unsigned int fake_poweroffs;
unsigned int fake_works;
unsigned int fake_checkpoints;
void (*fake_on_checkpoint)(void);
unsigned int fake_logs;
char fake_log[160];
unsigned int fake_nics;
bool fake_intr;
bool fake_ending;
unsigned int fake_sent;
struct virq_msg fake_msg;

/* ---- what the devices call ---- */

uint64_t clock_wall_seconds(void)
{
	return FAKE_PC_WALL + (fake_now - FAKE_PC_START) / 1000000000;
}

void thread_checkpoint(void)
{
	fake_checkpoints++;
	if (fake_on_checkpoint != NULL) {
		fake_on_checkpoint();
	}
}

__attribute__((weak)) bool thread_should_yield(void)
{
	return false;
}

void thread_unpark(struct thread *t UNUSED)
{
}

void vm_request_reset(struct vm *vm UNUSED)
{
	fake_resets++;
}

void vm_request_pause(struct vm *vm UNUSED)
{
	fake_pauses++;
}

void vm_poweroff(struct vm *vm UNUSED)
{
	fake_poweroffs++;
}

void vm_log(struct vm *vm UNUSED, const char *fmt, ...)
{
	va_list ap;

	fake_logs++;
	va_start(ap, fmt);
	vsnprintf(fake_log, sizeof(fake_log), fmt, ap);
	va_end(ap);
}

void vdev_request_work(struct vm *vm UNUSED)
{
	fake_works++;
}

static void take_msg(struct vm *vm UNUSED, const struct virq_msg *msg)
{
	fake_sent++;
	fake_msg = *msg;
}

static void take_intr(struct vm *vm UNUSED, bool level)
{
	fake_intr = level;
}

static bool waits_nowhere(struct vm *vm UNUSED, const struct virq_msg *msg UNUSED)
{
	return false;
}

static const struct virq_lapic_ops lapic = { .send = take_msg,
					     .pic_output = take_intr,
					     .waits = waits_nowhere };

/* ---- life ---- */

/* Workers do nothing until fake_pc_run_workers() lets them, nor while the VM is paused. */
int vm_worker_start(struct vm_worker *w, struct vm *vm, const char *name UNUSED,
		    void (*work)(void *dev), void *dev)
{
	*w = (struct vm_worker){ .vm = vm, .work = work, .dev = dev };
	list_push_back(&vm->workers, &w->node);
	return 0;
}

void vm_worker_stop(struct vm_worker *w)
{
	if (w->vm != NULL) {
		list_remove(&w->node);
	}
}

void vm_worker_wake(struct vm_worker *w)
{
	w->wanted = true;
}

unsigned int fake_pc_run_workers(void)
{
	unsigned int runs = 0;
	struct list_node *it;

	list_for_each (it, &fake_vm.workers) {
		struct vm_worker *w = container_of(it, struct vm_worker, node);

		for (; w->wanted && !fake_vm.workers_hold; runs++) {
			w->wanted = false;
			w->work(w->dev);
		}
	}
	return runs;
}

bool vdev_is_ending(void)
{
	return fake_ending;
}

static void create(const struct vdev_class *cls, unsigned int i)
{
	struct vdev *d = calloc(1, sizeof(*d));

	d->cls = cls;
	d->index = i;
	d->dev = calloc(1, cls->size);
	list_push_back(&fake_vm.devices, &d->node);
	BUG_ON((cls->create_nth ? cls->create_nth(&fake_vm, d->dev, i)
				: cls->create(&fake_vm, d->dev)) != 0);
}

static unsigned int wanted(const struct vdev_class *cls)
{
	if (cls->count) {
		return cls->count(&fake_vm.cfg);
	}
	return !cls->wanted || cls->wanted(&fake_vm.cfg) ? 1 : 0;
}

__attribute__((no_sanitize("address"))) static void create_stage(enum vdev_stage stage)
{
	for (const struct vdev_class *const *c = vdev_classes_start; c < vdev_classes_end; c++) {
		unsigned int count = *c && (*c)->stage == stage ? wanted(*c) : 0;

		for (unsigned int i = 0; i < count; i++) {
			create(*c, i);
		}
	}
}

__attribute__((weak)) void fake_pc_configure(struct vm *vm UNUSED)
{
}

int fake_pc_start(void **state UNUSED)
{
	memset(&fake_vm, 0, sizeof(fake_vm));
	fake_now = FAKE_PC_START;
	fake_pauses = 0;
	fake_resets = fake_poweroffs = fake_sent = fake_works = fake_logs = 0;
	fake_log[0] = '\0';
	fake_intr = false;
	fake_vm.cfg.testdev = fake_vm.cfg.hvc = fake_vm.cfg.rng = fake_vm.cfg.balloon = true;
	fake_vm.cfg.nic_count = fake_nics;
	for (unsigned int i = 0; i < fake_nics; i++) {
		fake_vm.cfg.nics[i] = (struct vm_nic){ .net = "lan", .link = true };
	}
	fake_vm.mem.size = 5 * GIB;
	fake_vm.mem.low_size = GPA_LOW_RAM_MAX;
	timer_init_cpu();
	spin_init(&fake_vm.dev_lock, LOCK_DEVICES);
	list_init(&fake_vm.devices);
	list_init(&fake_vm.workers);
	guest_console_init(&fake_vm.console);
	guest_console_init(&fake_vm.hvc);
	virq_set_lapic_ops(&lapic);
	fake_pc_configure(&fake_vm);
	create_stage(VDEV_CONTROLLER);
	create_stage(VDEV_CHIP);
	fake_pc_reset();
	return 0;
}

void fake_pc_reset(void)
{
	struct list_node *it;

	spin_lock(&fake_vm.dev_lock);
	list_for_each (it, &fake_vm.devices) {
		struct vdev *d = container_of(it, struct vdev, node);

		d->cls->reset(d->dev);
	}
	spin_unlock(&fake_vm.dev_lock);
}

void fake_pc_work(void)
{
	struct list_node *it;

	spin_lock(&fake_vm.dev_lock);
	list_for_each (it, &fake_vm.devices) {
		struct vdev *d = container_of(it, struct vdev, node);

		if (d->cls->work) {
			d->cls->work(d->dev);
		}
	}
	spin_unlock(&fake_vm.dev_lock);
	list_for_each (it, &fake_vm.devices) {
		struct vdev *d = container_of(it, struct vdev, node);

		if (d->cls->serve) {
			d->cls->serve(d->dev);
		}
	}
}

int fake_pc_stop(void **state UNUSED)
{
	while (!list_empty(&fake_vm.devices)) {
		struct vdev *d = container_of(fake_vm.devices.prev, struct vdev, node);

		if (d->cls->destroy) {
			d->cls->destroy(d->dev);
		}
		list_remove(&d->node);
		free(d->dev);
		free(d);
	}
	return 0;
}

/* ---- accesses ---- */

static uint64_t access_bus(struct iobus *bus, uint64_t addr, uint8_t size, bool write, uint64_t val)
{
	struct io_access a = { .addr = addr, .size = size, .write = write, .val = val };

	spin_lock(&fake_vm.dev_lock);
	BUG_ON(iobus_access(bus, &a) == IO_FAULT);
	spin_unlock(&fake_vm.dev_lock);
	return a.val;
}

uint32_t fake_in(uint16_t port, uint8_t size)
{
	return (uint32_t)access_bus(&fake_vm.pio, port, size, false, 0);
}

void fake_out(uint16_t port, uint8_t size, uint32_t val)
{
	access_bus(&fake_vm.pio, port, size, true, val);
}

uint64_t fake_read(uint64_t gpa, uint8_t size)
{
	return access_bus(&fake_vm.mmio, gpa, size, false, 0);
}

void fake_write(uint64_t gpa, uint8_t size, uint64_t val)
{
	access_bus(&fake_vm.mmio, gpa, size, true, val);
}

/* ---- time and interrupts ---- */

void fake_pass(uint64_t ns)
{
	uint64_t end = fake_now + ns;
	unsigned int alarms = 0;

	while (timer_next() <= end) {
		BUG_ON(++alarms > 1000000);
		fake_now = u64_max(fake_now, timer_next());
		timer_alarm();
	}
	fake_now = end;
}

void fake_line(unsigned int gsi, bool level)
{
	spin_lock(&fake_vm.dev_lock);
	virq_set_line(&fake_vm, gsi, level);
	spin_unlock(&fake_vm.dev_lock);
}

uint8_t fake_acknowledge(void)
{
	return virq_acknowledge_pic(&fake_vm);
}

bool fake_pic_requests(unsigned int irq)
{
	uint16_t port = irq < 8 ? 0x20 : 0xa0;

	outb(port, 0x0a); /* OCW3: read IRR */
	return inb(port) >> (irq & 7) & 1;
}

/* ---- state ---- */

static struct vdev *find(const char *name)
{
	struct list_node *it;

	list_for_each (it, &fake_vm.devices) {
		struct vdev *d = container_of(it, struct vdev, node);

		if (strcmp(d->cls->name, name) == 0) {
			return d;
		}
	}
	panic_stop("no device %s", name);
}

size_t fake_pc_state_size(const char *name)
{
	return find(name)->cls->state_size;
}

static int save_and_load(const char *name, uint64_t ns, size_t at, int val)
{
	struct vdev *d = find(name);
	char *state = (char *)d->dev + d->cls->state_offset;
	char *copy = malloc(d->cls->state_size);
	int err;

	spin_lock(&fake_vm.dev_lock);
	if (d->cls->before_save) {
		d->cls->before_save(d->dev);
	}
	memcpy(copy, state, d->cls->state_size);
	d->cls->reset(d->dev);
	spin_unlock(&fake_vm.dev_lock);
	fake_pass(ns);
	spin_lock(&fake_vm.dev_lock);
	memcpy(state, copy, d->cls->state_size);
	if (val >= 0) {
		state[at] = (char)val;
	}
	err = d->cls->after_load ? d->cls->after_load(d->dev) : 0;
	if (err) {
		d->cls->reset(d->dev);
	}
	spin_unlock(&fake_vm.dev_lock);
	free(copy);
	return err;
}

int fake_pc_save_and_load(const char *name, uint64_t ns)
{
	return save_and_load(name, ns, 0, -1);
}

int fake_pc_load_corrupt(const char *name, size_t at, uint8_t val)
{
	return save_and_load(name, 0, at, val);
}
