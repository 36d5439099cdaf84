/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what lies between hv/save_vm.c and the host: a store in a buffer, memory, two vCPUs' parts. */
/* The chips are fakes/fake_pc's. */
#include "tests/unit/hv/save_lab.h"

#include "arch/hvm.h"
#include "arch/paging.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/crc32c.h"
#include "hv/lib/errno.h"
#include "hv/vm_life.h"
#include "hv/vm_memory.h"
#include "tests/unit/fakes/fake_pc.h"

#include <stdlib.h>
#include <string.h>

#define RAM (2 * MIB)

uint8_t *save_lab_file;
size_t save_lab_size, save_lab_room, save_lab_reads;
uint8_t *save_lab_ram;
const uint64_t *save_lab_given;
uint64_t save_lab_taken[8];

static struct vcpu vcpus[2];
static struct vcpu *caller; /* whose thread is executing */
static struct gpa_extent extent = { .size = RAM };

/* ---- what save_vm.c calls ---- */

void *paging_window(hpa_t hpa)
{
	return save_lab_ram + hpa.v;
}

void paging_window_close(void)
{
}

bool gpa_space_chunk(const struct gpa_space *s, gpa_t gpa, hpa_t *chunk)
{
	chunk->v = 0;
	return gpa.v < s->size;
}

bool gpa_space_is_ram(const struct gpa_space *s, gpa_t gpa, uint64_t len)
{
	return range_within(gpa.v, len, s->size);
}

const uint64_t *gpa_balloon_map(const struct gpa_space *s, gpa_t gpa)
{
	(void)s;
	(void)gpa;
	return save_lab_given;
}

int vm_memory_take(struct vm *vm, gpa_t page)
{
	if (!gpa_space_is_ram(&vm->mem, page, PAGE_SIZE) || vm->dev_lock.taken == 0) {
		abort();
	}
	save_lab_taken[page.v / PAGE_SIZE / 64] |= BIT(page.v / PAGE_SIZE % 64);
	return 0;
}

void thread_yield(void)
{
}

void vcpu_call(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg)
{
	caller = v;
	fn(v, arg);
	caller = NULL;
}

void hvm_vcpu_set_tsc(struct vcpu *v)
{
	v->tsc_offset += v->vm->tsc_offset;
}

static size_t part_size(const struct vcpu *v)
{
	(void)v;
	return 4;
}

static int timed_save(struct vcpu *v, void *block)
{
	memcpy(block, &v->pending, 4);
	return 0;
}

/* On its own thread: there nobody else has its state. */
static int part_save(struct vcpu *v, void *block)
{
	if (caller != v) {
		abort();
	}
	return timed_save(v, block);
}

static int part_load(struct vcpu *v, const void *block)
{
	memcpy(&v->pending, block, 4);
	return v->pending < 8 ? 0 : -EINVAL;
}

const struct hvm_part *hvm_part(unsigned int i)
{
	static const struct hvm_part parts[] = {
		{ "cpu", 1, false, part_size, part_save, part_load },
		{ "lapic", 1, true, part_size, timed_save, part_load },
	};

	return i < ARRAY_SIZE(parts) ? &parts[i] : NULL;
}

/* As the real one, without a VM to take apart. */
int vm_life_start_from(struct vm *vm, const struct vm_source *src, const char **why)
{
	int err;

	memset(save_lab_ram, 0, RAM);
	memset(save_lab_taken, 0, sizeof(save_lab_taken));
	fake_pc_reset();
	vm->tsc_offset = 0;
	err = src->memory(vm, src->arg, why);
	return err != 0 ? err : src->state(vm, src->arg, why);
}

/* ---- the store ---- */

static int lab_append(void *arg, const void *buf, size_t len)
{
	(void)arg;
	if (len > save_lab_room || save_lab_size + len > SAVE_LAB_MAX) {
		return -ENOSPC;
	}
	save_lab_room -= len;
	memcpy(save_lab_file + save_lab_size, buf, len);
	save_lab_size += len;
	return 0;
}

static int lab_read(void *arg, uint64_t off, void *buf, size_t len)
{
	(void)arg;
	if (!range_within(off, len, save_lab_size)) {
		abort(); /* the reader has to know better */
	}
	save_lab_reads++;
	memcpy(buf, save_lab_file + off, len);
	return 0;
}

/* ---- life ---- */

void save_lab_start(void)
{
	save_lab_ram = aligned_alloc(4096, RAM);
	save_lab_file = malloc(SAVE_LAB_MAX);
	memset(save_lab_ram, 0, RAM);
	fake_pc_start(NULL);
	fake_vm.cfg.testdev = false;
	fake_vm.cfg.cpus = fake_vm.vcpu_count = 2;
	fake_vm.mem =
		(struct gpa_space){ .size = RAM, .low_size = RAM, .count = 1, .extents = &extent };
	fake_vm.tsc_hz = 1000000000;
	for (unsigned int i = 0; i < 2; i++) {
		vcpus[i] = (struct vcpu){ .id = i, .vm = &fake_vm, .pending = i + 1 };
		fake_vm.vcpus[i] = &vcpus[i];
	}
}

void save_lab_stop(void)
{
	fake_pc_stop(NULL);
	save_lab_given = NULL;
	free(save_lab_ram);
	free(save_lab_file);
}

int save_lab_save(void)
{
	struct save_out out = { .append = lab_append };
	const char *why;

	save_lab_size = 0;
	return save_vm_write(&fake_vm, &out, "[vm.x]\n", 7, &why);
}

int save_lab_restore(void)
{
	const struct save_in in = { .read = lab_read, .size = save_lab_size };
	const char *why;
	int err = save_check(&in, &why);

	return err != 0 ? err : save_vm_start(&fake_vm, &in, false, &why);
}

void save_lab_sum(void)
{
	uint32_t crc;

	if (save_lab_size >= sizeof(crc)) {
		crc = crc32c(0, save_lab_file, save_lab_size - sizeof(crc));
		memcpy(save_lab_file + save_lab_size - sizeof(crc), &crc, sizeof(crc));
	}
}
