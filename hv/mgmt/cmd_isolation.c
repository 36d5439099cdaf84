/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `host isolation`: tries to read VMs' memory from root mode where it must not be visible. */
/* The reads are real and end in page faults; what is expected and what came out is printed. */
#include "arch/paging.h"
#include "hv/lib/errno.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/shell.h"
#include "hv/thread.h"
#include "hv/vm.h"

/* What a thread that runs in one VM's address space (NULL: in none's) sees. */
struct view {
	struct vm *vm;
	struct shell_call *call;
	unsigned int wrong;
};

static void expect(struct view *view, const char *what, uint64_t addr, bool readable, bool wanted)
{
	shell_out_printf(view->call->out, "  %-34s %012lx  %s%s\n", what, addr,
			 readable ? "readable" : "page fault", readable == wanted ? "" : "  WRONG");
	view->wrong += readable != wanted;
}

static void try_reads(void *arg)
{
	struct view *view = arg;

	expect(view, "the hypervisor's own memory", paging_hpa(thread_current()).v,
	       paging_direct_readable(paging_hpa(thread_current())), true);
	expect(view, "where a VM's RAM is mapped", PAGING_VM_BASE, paging_vm_readable((gpa_t){ 0 }),
	       view->vm != NULL);
	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (vm_is_up(vm)) {
			hpa_t ram = vm->mem.extents[0].hpa;

			expect(view, vm->cfg.name, ram.v, paging_direct_readable(ram), false);
		}
	}
}

static int look_from(struct shell_call *c, struct vm *vm, unsigned int *wrong)
{
	struct view view = { .vm = vm, .call = c };
	struct thread_params p = { .name = "isolation",
				   .body = try_reads,
				   .arg = &view,
				   .space = vm != NULL ? &vm->mem.root : NULL };
	struct thread *t;

	shell_out_printf(c->out, "From a thread of %s:\n",
			 vm != NULL ? vm->cfg.name : "the hypervisor");
	if (thread_create(&t, &p) != 0) {
		return -ENOMEM;
	}
	thread_join(t);
	*wrong += view.wrong;
	return 0;
}

static int look_locked(struct shell_call *c)
{
	unsigned int wrong = 0;
	int err = look_from(c, NULL, &wrong);

	for (struct vm *vm = vm_next(NULL); err == 0 && vm != NULL; vm = vm_next(vm)) {
		if (vm_is_up(vm)) {
			err = look_from(c, vm, &wrong);
		}
	}
	if (err != 0) {
		return shell_error(c, "%s", errno_text(err));
	}
	if (wrong != 0) {
		return shell_error(c, "%u reads did not end as they must", wrong);
	}
	shell_out_puts(c->out, "Every read ended as it must.\n");
	return 0;
}

static int cmd_isolation(struct shell_call *c)
{
	return cmd_vm_locked(c, look_locked);
}

static const struct shell_cmd cmds[] = {
	{ "host", "isolation", "",
	  "try to read VMs' memory from root mode\n"
	  "Reads, from a thread of the hypervisor and from one of each VM, where the VMs' memory would\n"
	  "be if all memory were mapped: each read must end in a page fault.",
	  cmd_isolation },
};

const struct shell_table cmd_isolation_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
