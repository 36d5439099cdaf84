/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a crashed vCPU's state into its VM's new dump, a line at a time, and keeps the last one. */
/* Decides neither when a VM crashes nor where the text is shown. */
#include "hv/vm_dump.h"

#include "arch/hvm.h"
#include "hv/base/heap.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vm.h"

_Static_assert(sizeof(struct vm_dump) == VM_DUMP_SIZE, "a power of two for the heap");

/* A line that does not fit is left out whole. */
static void add_line(const char *line)
{
	struct vm_dump *d = vcpu_current()->vm->new_dump;
	size_t len = strlen(line);

	if (len + 1 <= sizeof(d->text) - d->len) {
		memcpy(d->text + d->len, line, len);
		d->text[d->len + len] = '\n';
		d->len += (uint32_t)len + 1;
	}
	thread_checkpoint();
}

void vm_dump_take(struct vcpu *v)
{
	struct vm *vm = v->vm;

	vm->new_dump = heap_alloc(sizeof(*vm->new_dump));
	if (vm->new_dump != NULL) {
		vm->new_dump->len = 0;
		hvm_vcpu_dump(v, add_line);
	}
}

void vm_dump_keep(struct vm *vm)
{
	if (vm->new_dump != NULL) {
		heap_free(vm->dump);
		vm->dump = vm->new_dump;
		vm->new_dump = NULL;
	}
}

void vm_dump_free(struct vm *vm)
{
	heap_free(vm->dump);
	vm->dump = NULL;
}
