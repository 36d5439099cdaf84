/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounds-checked access to the RAM of the VM whose address space is loaded. */
/* Device ranges are hv/iobus's. */
#include "hv/guest_mem.h"

#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include "hv/vm_memory.h"

void *guest_mem_slice(struct vm *vm, gpa_t gpa, size_t len)
{
	if (!gpa_space_is_ram(&vm->mem, gpa, len) ||
	    (unlikely(vm->mem.balloon != NULL) && !vm_memory_bring(vm, gpa, len))) {
		return NULL;
	}
	return (void *)(PAGING_VM_BASE + gpa.v);
}

int guest_mem_read(struct vm *vm, gpa_t gpa, void *buf, size_t len)
{
	const void *p = guest_mem_slice(vm, gpa, len);

	if (p == NULL) {
		return -EFAULT;
	}
	memcpy(buf, p, len);
	return 0;
}

int guest_mem_write(struct vm *vm, gpa_t gpa, const void *buf, size_t len)
{
	void *p = guest_mem_slice(vm, gpa, len);

	if (p == NULL) {
		return -EFAULT;
	}
	memcpy(p, buf, len);
	return 0;
}

#define LOAD_SLICE (32 * KIB)

/* The host memory behind gpa, up to the end of its 2 MiB chunk. */
static hpa_t find_hpa(const struct gpa_space *s, gpa_t gpa)
{
	hpa_t chunk = { 0 };

	(void)gpa_space_chunk(s, gpa, &chunk); /* none has left: it does not run yet */
	return hpa_add(chunk, gpa.v % PAGE_CHUNK_SIZE);
}

int guest_mem_load(struct vm *vm, gpa_t gpa, const void *buf, size_t len)
{
	const char *src = buf;

	if (!gpa_space_is_ram(&vm->mem, gpa, len)) {
		return -EFAULT;
	}
	while (len > 0) {
		hpa_t hpa = find_hpa(&vm->mem, gpa);
		uint64_t off = hpa.v % PAGE_CHUNK_SIZE;
		uint64_t n = u64_min(u64_min(len, LOAD_SLICE), PAGE_CHUNK_SIZE - off);
		char *window = paging_window((hpa_t){ hpa.v - off });

		memcpy(window + off, src, n);
		paging_window_close();
		thread_checkpoint();
		gpa.v += n;
		src += n;
		len -= n;
	}
	return 0;
}

/* ---- for other VMs' threads ---- */

gpa_t guest_mem_gpa(const void *slice)
{
	return (gpa_t){ (uint64_t)slice - PAGING_VM_BASE };
}

void guest_mem_window_open(struct guest_mem_window *w, struct vm *vm)
{
	*w = (struct guest_mem_window){ .vm = vm };
	gpa_space_visit(&vm->mem);
}

/* The window shows the 2 MiB at `chunk`, or nothing. */
static void show(struct guest_mem_window *w, uint64_t chunk)
{
	hpa_t hpa;

	w->chunk = chunk;
	w->at = gpa_space_visit_chunk(&w->vm->mem, (gpa_t){ chunk }, &hpa) ? paging_window(hpa)
									   : NULL;
}

void guest_mem_window_write(struct guest_mem_window *w, gpa_t gpa, const void *buf, size_t len)
{
	const uint8_t *src = buf;

	while (len > 0) {
		uint64_t off = gpa.v % PAGE_CHUNK_SIZE;
		uint64_t n = u64_min(len, PAGE_CHUNK_SIZE - off);

		if (w->at == NULL || w->chunk != gpa.v - off) {
			show(w, gpa.v - off);
		}
		if (w->at != NULL) {
			memcpy(w->at + off, src, n);
		}
		gpa.v += n;
		src += n;
		len -= n;
	}
}

void guest_mem_window_close(struct guest_mem_window *w)
{
	paging_window_close();
	gpa_space_leave(&w->vm->mem);
}
