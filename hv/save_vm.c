/* SPDX-License-Identifier: BSD-2-Clause */
/* Saves and restores a VM: the sections of its file, in which order, and what must happen at once. */
/* Memory is save_ram.c's; a block's content is checked by whoever owns it. */
#include "hv/save_vm.h"

#include "arch/clock.h"
#include "arch/hvm.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/save_ram.h"
#include "hv/thread.h"
#include "hv/vdev.h"
#include "hv/vm_life.h"

#define TIME	     "time"
#define TIME_VERSION 1u
#define HZ_TOLERANCE 2000u /* rates of two machines may differ by that part: NTP mends 1/2000 */

struct save_time {
	uint64_t tsc;	  /* of a vCPU that did not move its own, at the moment of the save */
	uint64_t hz;	  /* as the guest was told */
	uint64_t differs; /* 1: some vCPU did */
};

static int fail(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

/* ---- what has times in it, taken in one go ---- */

struct item { /* a device, or such a part of a vCPU */
	const char *name;
	uint32_t instance;
	uint32_t version;
	size_t size;
	uint8_t *block;
	struct vdev *d; /* or NULL, and: */
	struct vcpu *v;
	const struct hvm_part *p;
};

/* The blocks that belong to one moment, one behind the other. */
struct moment {
	struct save_time time;
	uint8_t *blocks;
	size_t size;
};

typedef int item_fn(const struct item *it, void *arg);

static struct item device_item(struct vdev *d)
{
	return (struct item){ .name = d->cls->name,
			      .instance = d->index,
			      .version = d->cls->state_version,
			      .size = d->cls->state_size,
			      .d = d };
}

static struct item part_item(struct vcpu *v, const struct hvm_part *p)
{
	return (struct item){ .name = p->name,
			      .instance = v->id,
			      .version = p->version,
			      .size = p->size(v),
			      .v = v,
			      .p = p };
}

static int visit(struct moment *m, struct item it, item_fn *fn, void *arg)
{
	it.block = m->blocks != NULL ? m->blocks + m->size : NULL;
	m->size += it.size;
	return fn(&it, arg);
}

static int each_device(struct vm *vm, struct moment *m, enum vdev_stage stage, item_fn *fn,
		       void *arg)
{
	struct list_node *n;
	int err = 0;

	list_for_each (n, &vm->devices) {
		struct vdev *d = container_of(n, struct vdev, node);

		if (err == 0 && d->cls->stage == stage && d->cls->state_size != 0) {
			err = visit(m, device_item(d), fn, arg);
		}
	}
	return err;
}

/*
 * Chips, then interrupt controllers, then local APICs: while a chip drives its lines anew, those that
 * remember how the lines stood, and what they made of it, have yet to be loaded over that.
 */
static int each_timed(struct vm *vm, struct moment *m, item_fn *fn, void *arg)
{
	const struct hvm_part *p;
	int err;

	m->size = 0;
	err = each_device(vm, m, VDEV_CHIP, fn, arg);
	err = err != 0 ? err : each_device(vm, m, VDEV_CONTROLLER, fn, arg);
	for (unsigned int i = 0; (p = hvm_part(i)) != NULL; i++) {
		for (unsigned int c = 0; p->timed && err == 0 && c < vm->cfg.cpus; c++) {
			err = visit(m, part_item(vm->vcpus[c], p), fn, arg);
		}
	}
	return err;
}

static int only_count(const struct item *it, void *arg)
{
	(void)it;
	(void)arg;
	return 0;
}

static int moment_create(struct vm *vm, struct moment *m)
{
	*m = (struct moment){ .blocks = NULL };
	(void)each_timed(vm, m, only_count, NULL);
	m->blocks = heap_alloc(m->size);
	thread_checkpoint();
	return m->blocks != NULL ? 0 : -ENOMEM;
}

static uint8_t *state_of(const struct vdev *d)
{
	return (uint8_t *)d->dev + d->cls->state_offset;
}

static int take(const struct item *it, void *arg)
{
	(void)arg;
	if (it->d == NULL) {
		return it->p->save(it->v, it->block);
	}
	if (it->d->cls->before_save != NULL) {
		it->d->cls->before_save(it->d->dev);
	}
	memcpy(it->block, state_of(it->d), it->size);
	return 0;
}

/* Masked and with the devices' lock: no time passes between two blocks that are to agree. */
static int moment_take(struct vm *vm, struct moment *m)
{
	int err;

	spin_lock(&vm->dev_lock);
	m->time = (struct save_time){ .tsc = clock_now() + vm->tsc_offset,
				      .hz = vm->tsc_hz,
				      .differs = vm->tsc_differs };
	err = each_timed(vm, m, take, NULL);
	spin_unlock(&vm->dev_lock);
	thread_checkpoint();
	return err;
}

/* ---- writing ---- */

static int put(struct save_out *out, const char *name, unsigned int instance, uint32_t version,
	       const void *data, size_t size)
{
	struct save_section s = { .version = version, .instance = instance, .length = size };
	int err;

	string_copy(s.name, name, sizeof(s.name));
	err = save_section(out, &s);
	return err != 0 ? err : save_data(out, data, size);
}

struct taking {
	const struct hvm_part *p;
	void *block;
	int err;
};

/* On v's thread: there nobody else has its state, whatever wakes it. */
static void take_part(struct vcpu *v, void *arg)
{
	struct taking *t = arg;

	t->err = t->p->save(v, t->block);
}

static int write_part(struct vcpu *v, const struct hvm_part *p, struct save_out *out)
{
	size_t size = p->size(v);
	struct taking t = { .p = p, .block = heap_alloc(size), .err = -ENOMEM };
	int err = -ENOMEM;

	if (t.block != NULL) {
		vcpu_call(v, take_part, &t);
		err = t.err != 0 ? t.err : put(out, p->name, v->id, p->version, t.block, size);
	}
	heap_free(t.block);
	return err;
}

static int write_vcpu(struct vcpu *v, struct save_out *out)
{
	const struct hvm_part *p;
	int err = 0;

	for (unsigned int i = 0; err == 0 && (p = hvm_part(i)) != NULL; i++) {
		if (!p->timed) {
			err = write_part(v, p, out);
		}
	}
	return err;
}

static int write_item(const struct item *it, void *arg)
{
	return put(arg, it->name, it->instance, it->version, it->block, it->size);
}

/* No device comes or goes while the VM is claimed. */
static int write_moment(struct vm *vm, struct moment *m, struct save_out *out)
{
	int err = put(out, TIME, 0, TIME_VERSION, &m->time, sizeof(m->time));

	return err != 0 ? err : each_timed(vm, m, write_item, out);
}

static int write_timed(struct vm *vm, struct save_out *out)
{
	struct moment m;
	int err = moment_create(vm, &m);

	while (err == 0 && (err = moment_take(vm, &m)) == -EAGAIN) {
		err = 0;
		thread_yield();
	}
	err = err != 0 ? err : write_moment(vm, &m, out);
	heap_free(m.blocks);
	return err;
}

int save_vm_write(struct vm *vm, struct save_out *out, const char *config, size_t config_size,
		  const char **why)
{
	int err = save_begin(out);

	err = err != 0 ? err : put(out, SAVE_VM_CONFIG, 0, 1, config, config_size);
	for (unsigned int i = 0; err == 0 && i < vm->cfg.cpus; i++) {
		err = write_vcpu(vm->vcpus[i], out);
	}
	err = err != 0 ? err : write_timed(vm, out);
	err = err != 0 ? err : save_ram_write(&vm->mem, out);
	err = err != 0 ? err : save_end(out);
	return err == 0 ? 0 : fail(why, errno_text(err), err);
}

/* ---- restoring ---- */

struct restore {
	const struct save_in *in;
	unsigned int used; /* sections that were loaded: there may be no others */
	const char **why;
};

/* Reads section `name` of instance whole, of exactly that version and size. */
static int get(struct restore *r, const char *name, unsigned int instance, uint32_t version,
	       void *data, size_t size)
{
	struct save_place p;

	if (save_find(r->in, name, instance, &p) != 0 || p.s.version != version ||
	    p.s.length != size) {
		return -EINVAL;
	}
	r->used++;
	return save_read(r->in, &p, 0, data, size);
}

static int load_memory(struct vm *vm, void *arg, const char **why)
{
	struct restore *r = arg;
	int err = save_ram_load(vm, r->in, &r->used);

	return err == 0 ? 0 : fail(why, "its memory does not fit its configuration", err);
}

static const char *refused(const char *what, unsigned int instance, int err)
{
	static char text[96]; /* the shell's thread */

	if (err == -ENOMEM) {
		return errno_text(err);
	}
	if (err == -ENODEV) {
		return "it was saved on a machine with another processor";
	}
	fmt_snprintf(text, sizeof(text), "what it holds of %.16s %u cannot be", what, instance);
	return text;
}

static int load_part(struct vcpu *v, const struct hvm_part *p, struct restore *r)
{
	size_t size = p->size(v);
	void *block = heap_alloc(size);
	int err = -ENOMEM;

	if (block != NULL) {
		err = get(r, p->name, v->id, p->version, block, size);
		err = err != 0 ? err : p->load(v, block);
		thread_checkpoint();
	}
	heap_free(block);
	return err;
}

static int load_vcpu(struct vcpu *v, struct restore *r)
{
	const struct hvm_part *p;

	for (unsigned int i = 0; (p = hvm_part(i)) != NULL; i++) {
		int err = p->timed ? 0 : load_part(v, p, r);

		if (err != 0) {
			return fail(r->why, refused(p->name, v->id, err), err);
		}
	}
	/* It looks at what came before the save, tells its guest the time anew, has what is in the balloon leave. */
	__atomic_fetch_or(&v->requests,
			  VCPU_REQ_START | VCPU_REQ_CLOCK | VCPU_REQ_DEVICES | VCPU_REQ_MEMORY,
			  __ATOMIC_SEQ_CST);
	return 0;
}

static int read_item(const struct item *it, void *arg)
{
	struct restore *r = arg;
	int err = get(r, it->name, it->instance, it->version, it->block, it->size);

	return err == 0 ? 0 : fail(r->why, refused(it->name, it->instance, err), err);
}

static bool time_ok(const struct save_time *t)
{
	uint64_t hz = clock_hz();
	uint64_t off = t->hz > hz ? t->hz - hz : hz - t->hz;

	return off <= hz / HZ_TOLERANCE && t->differs <= 1;
}

static int read_moment(struct vm *vm, struct moment *m, struct restore *r)
{
	if (get(r, TIME, 0, TIME_VERSION, &m->time, sizeof(m->time)) != 0 || !time_ok(&m->time)) {
		return fail(r->why, "its clock had another rate than this machine's", -ENODEV);
	}
	return each_timed(vm, m, read_item, r);
}

/* Every section is one that was looked for, and there once. */
static int check_no_others(const struct restore *r)
{
	struct save_place p = { .data = 0 };
	unsigned int count = 0;

	while (save_next(r->in, &p)) {
		count++;
		thread_checkpoint();
	}
	return count == r->used ? 0 : fail(r->why, "it has sections that are not known", -EINVAL);
}

static int give(const struct item *it, void *arg)
{
	struct restore *r = arg;
	int err = 0;

	if (it->d == NULL) {
		err = it->p->load(it->v, it->block);
	} else {
		memcpy(state_of(it->d), it->block, it->size);
		err = it->d->cls->after_load != NULL ? it->d->cls->after_load(it->d->dev) : 0;
	}
	return err == 0 ? 0 : fail(r->why, refused(it->name, it->instance, err), err);
}

/* In one go, as it was taken: from here on the guest's time passes again. */
static int moment_give(struct vm *vm, struct moment *m, struct restore *r)
{
	int err;

	spin_lock(&vm->dev_lock);
	vm->tsc_hz = m->time.hz;
	vm->tsc_differs = m->time.differs != 0;
	vm->tsc_offset = m->time.tsc - clock_now();
	for (unsigned int i = 0; i < vm->cfg.cpus; i++) {
		hvm_vcpu_set_tsc(vm->vcpus[i]);
	}
	err = each_timed(vm, m, give, r);
	spin_unlock(&vm->dev_lock);
	thread_checkpoint();
	return err;
}

static int load_moment(struct vm *vm, struct restore *r)
{
	struct moment m;
	int err = moment_create(vm, &m);

	err = err != 0 ? err : read_moment(vm, &m, r);
	err = err != 0 ? err : check_no_others(r);
	err = err != 0 ? err : moment_give(vm, &m, r);
	heap_free(m.blocks);
	return err;
}

static int load_state(struct vm *vm, void *arg, const char **why)
{
	struct restore *r = arg;
	int err = 0;

	*why = errno_text(-ENOMEM);
	r->why = why;
	for (unsigned int i = 0; err == 0 && i < vm->cfg.cpus; i++) {
		err = load_vcpu(vm->vcpus[i], r);
	}
	return err != 0 ? err : load_moment(vm, r);
}

int save_vm_start(struct vm *vm, const struct save_in *in, bool paused, const char **why)
{
	struct restore r = { .in = in, .used = 1 }; /* the configuration was read */
	const struct vm_source src = {
		.memory = load_memory,
		.state = load_state,
		.arg = &r,
		.paused = paused,
	};

	return vm_life_start_from(vm, &src, why);
}
