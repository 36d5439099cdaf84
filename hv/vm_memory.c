/* SPDX-License-Identifier: BSD-2-Clause */
/* Order and lack of memory: out of the second-level tables, then into the balloon; flushed everywhere, */
/* then the host's. Does not know who asks. */
#include "hv/vm_memory.h"

#include "arch/hvm.h"
#include "hv/base/page.h"
#include "hv/gpa_balloon.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "hv/vm_life.h"
#include "hv/vm_worker.h"

#define BRING_MAX   8u	       /* pages in an exit: who asks may hold a lock */
#define BRING_BYTES (16 * MIB) /* looked through at once */

/* A vCPU, or a worker that has vm's memory. */
static void ask_for_chunk(struct vm *vm)
{
	struct vcpu *v = vcpu_current();

	__atomic_store_n(&vm->wants_chunk, true, __ATOMIC_SEQ_CST);
	vcpu_request(v != NULL && v->vm == vm ? v : vm->vcpus[0], VCPU_REQ_MEMORY);
}

int vm_memory_take(struct vm *vm, gpa_t page)
{
	if (!gpa_space_is_ram(&vm->mem, page, PAGE_SIZE)) {
		return -EINVAL;
	}
	if (gpa_balloon_create(&vm->mem) != 0 || hvm->slat_unmap(vm, page, PAGE_SIZE) != 0) {
		return -ENOMEM;
	}
	switch (gpa_balloon_take(&vm->mem, page)) {
	case GPA_TAKEN_NOT:
		return -ENOMEM; /* unmapped, but not given away: the next touch maps it */
	case GPA_TAKEN_CHUNK:
		vm_request_all(vm, VCPU_REQ_MEMORY);
		return 0;
	case GPA_TAKEN:
		break;
	}
	return 0;
}

/* Devices' lock held. */
static int map_page(struct vm *vm, gpa_t page)
{
	hpa_t hpa;
	int err = gpa_balloon_give(&vm->mem, page, &hpa);

	return err != 0 ? err : hvm->slat_map(vm, page, hpa, PAGE_SIZE, HVM_RWX);
}

void vm_memory_give(struct vm *vm, gpa_t page)
{
	if (vm->mem.balloon != NULL && gpa_space_is_ram(&vm->mem, page, PAGE_SIZE)) {
		(void)map_page(vm, page);
	}
}

bool vm_memory_touch(struct vm *vm, gpa_t gpa)
{
	gpa_t page = { ALIGN_DOWN(gpa.v, PAGE_SIZE) };
	int err;

	if (!gpa_space_is_ram(&vm->mem, page, PAGE_SIZE)) {
		return false;
	}
	spin_lock(&vm->dev_lock);
	err = map_page(vm, page);
	spin_unlock(&vm->dev_lock);
	if (err == -EAGAIN) {
		ask_for_chunk(vm);
	} else if (err != 0) {
		vm_crash(vm, "no hypervisor memory to map the page at %lx again", page.v);
	}
	return true;
}

/* A few for each exit, or turn of a worker: a driver may name thousands in a chain. */
static bool may_bring(void)
{
	struct vcpu *v = vcpu_current();

	if (v == NULL) {
		struct vm_worker *w = vm_worker_current();

		return w != NULL && w->brought++ < BRING_MAX;
	}
	if (v->brought_at != v->exits) {
		v->brought_at = v->exits;
		v->brought = 0;
	}
	return v->brought++ < BRING_MAX;
}

bool vm_memory_bring(struct vm *vm, gpa_t gpa, uint64_t len)
{
	gpa_t page;
	hpa_t hpa;

	if (len > BRING_BYTES) {
		return false;
	}
	while (!gpa_balloon_is_whole(&vm->mem, gpa, len, &page)) {
		int err = may_bring() ? gpa_balloon_give(&vm->mem, page, &hpa) : -E2BIG;

		if (err == -EAGAIN) {
			ask_for_chunk(vm); /* for the next time */
		}
		if (err != 0) {
			return false;
		}
	}
	return true;
}

void vm_memory_work(struct vcpu *v)
{
	struct vm *vm = v->vm;

	paging_space_load(&vm->mem.root); /* forgets what has left */
	if (vm->mem.balloon == NULL) {
		return;
	}
	if (__atomic_exchange_n(&vm->wants_chunk, false, __ATOMIC_SEQ_CST) &&
	    gpa_balloon_add_spare(&vm->mem) == -ENOSPC) {
		vm_crash(vm, "its guest touched memory that it had given away, and the host has "
			     "none free");
	}
	while (gpa_balloon_reap(&vm->mem)) {
		thread_checkpoint();
	}
}

/*
 * A pointer that was kept into what the guest has given away since: a ring, say. What it did before
 * does not come back; without memory it writes to nowhere, and ends.
 */
static bool on_fault(const struct paging_space *space, gpa_t gpa)
{
	struct gpa_space *s =
		container_of((struct paging_space *)(uintptr_t)space, struct gpa_space, root);
	struct vm *vm = container_of(s, struct vm, mem);

	if (s->balloon == NULL || !gpa_space_is_ram(s, gpa, 1)) {
		return false;
	}
	if (!gpa_balloon_attach(s, gpa)) {
		paging_space_sink(&s->root, gpa);
		vm_crash(vm, "a device of its guest's uses memory at %lx that it gave away", gpa.v);
	}
	if (hvm->fault_mended != NULL) {
		hvm->fault_mended();
	}
	return true;
}

void vm_memory_init(void)
{
	paging_set_fault(on_fault);
}

/* ---- by the administrator ---- */

static int lacking(struct vm *vm, uint64_t bytes, const char **why)
{
	char needs[16], free[16];
	struct page_stats s;

	page_stats(&s);
	fmt_snprintf(vm->why, sizeof(vm->why),
		     "not enough free host memory: it needs %s more, %s are free",
		     fmt_size(needs, sizeof(needs), bytes - vm->mem.held),
		     fmt_size(free, sizeof(free), s.for_guests));
	*why = vm->why;
	return -ENOSPC;
}

/* What it asked for and did not get in full goes back. */
static void drop_spares(struct vm *vm, uint64_t bytes)
{
	while (vm->mem.held > bytes && gpa_balloon_drop_spare(&vm->mem)) {
		thread_checkpoint();
	}
}

int vm_memory_reserve(struct vm *vm, uint64_t bytes, const char **why)
{
	uint64_t held = vm->mem.held;
	struct page_stats s;
	int err = 0;

	if (vm->mem.balloon == NULL) {
		return 0; /* it has all it may have */
	}
	page_stats(&s);
	if (bytes > held && bytes - held > s.for_guests) {
		return lacking(vm, bytes, why);
	}
	/* Its guest may give away meanwhile what it gets: it is not run after. */
	for (uint64_t n = vm->mem.size / PAGE_CHUNK_SIZE; err == 0 && n > 0 && vm->mem.held < bytes;
	     n--) {
		err = gpa_balloon_add_spare(&vm->mem);
	}
	if (err == -ENOSPC) {
		drop_spares(vm, held);
		return lacking(vm, bytes, why);
	}
	drop_spares(vm, u64_max(bytes, PAGE_CHUNK_SIZE));
	return 0;
}
