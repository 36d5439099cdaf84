/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns host memory: where every byte of the host's RAM is. The parts of a sum follow it, indented. */
/* Counts nothing itself: hv/base/page and the VMs do. */
#include "boot/boot_info.h"
#include "hv/base/page.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/store_ram.h"
#include "hv/vm.h"

/* One moment's figures; of the sums each is exactly its parts. */
struct account {
	struct page_stats s;
	uint64_t image, modules, reserved; /* of s.image */
	uint64_t store;			   /* files of the store ram: */
	uint64_t guest;			   /* the rest of s.guest */
	uint64_t changing;		   /* of guest: VMs being made or taken apart */
};

static const struct boot_info *boot;

void cmd_host_memory_init(const struct boot_info *info)
{
	boot = info;
}

/* Notes what each VM has; their sum. */
static uint64_t take_vms(void)
{
	uint64_t sum = 0;

	for (struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		vm->held_seen = vm_is_up(vm) ? gpa_space_held(&vm->mem) : 0;
		sum += vm->held_seen;
	}
	return sum;
}

/* Balloons move meanwhile: until no chunk has come or gone while they were looked at. */
static void take_stats(struct account *a, uint64_t *vms)
{
	struct page_stats again;

	page_stats(&again);
	do {
		a->s = again;
		*vms = take_vms();
		a->store = store_ram_used();
		page_stats(&again);
	} while (again.guest != a->s.guest);
}

static void take(struct account *a)
{
	uint64_t vms;

	take_stats(a, &vms);
	a->image = boot->image_end.v - boot->image_start.v;
	a->modules = 0;
	for (unsigned int i = 0; i < boot->module_count; i++) {
		a->modules += boot->modules[i].size;
	}
	a->reserved = a->s.image - a->image - a->modules;
	a->guest = a->s.guest - a->store;
	a->changing = a->guest - u64_min(vms, a->guest);
}

struct row {
	const char *name, *what;
	uint64_t bytes;
};

static void print_rows(struct shell_out *out, const char *indent, const struct row *rows,
		       unsigned int count)
{
	char size[16];

	for (unsigned int i = 0; i < count; i++) {
		shell_out_printf(out, "%s%-*s %10s  %s\n", indent, 12 - (int)strlen(indent),
				 rows[i].name, fmt_size(size, sizeof(size), rows[i].bytes),
				 rows[i].what);
	}
}

static void json_rows(struct json *j, const struct row *rows, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		json_u64(j, rows[i].name, rows[i].bytes);
	}
}

static void print_vms(struct shell_out *out, const struct account *a)
{
	char size[16];

	for (const struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (vm_is_up(vm)) {
			shell_out_printf(out, "  %-10s %10s  RAM of that VM\n", vm->cfg.name,
					 fmt_size(size, sizeof(size), vm->held_seen));
		}
	}
	if (a->changing != 0) {
		shell_out_printf(out, "  %-10s %10s  of VMs being made or taken apart\n", "-",
				 fmt_size(size, sizeof(size), a->changing));
	}
}

static void json_vms(struct json *j, const struct account *a)
{
	json_object(j, "vms");
	for (const struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (vm_is_up(vm)) {
			json_u64(j, vm->cfg.name, vm->held_seen);
		}
	}
	json_end(j);
	json_u64(j, "changing", a->changing);
}

struct rows {
	struct row sums[6], image[3], hypervisor[6];
	struct row for_vms;
};

static struct rows rows_of(const struct account *a)
{
	const uint64_t *use = a->s.use;

	return (struct rows){
		.sums = {
			{ "total", "RAM that the boot loader reported", a->s.total },
			{ "image", "the hypervisor's image and the boot modules", a->s.image },
			{ "hypervisor", "allocated by the hypervisor", a->s.hypervisor },
			{ "guest", "RAM of VMs that are on", a->guest },
			{ "store", "files of the store ram:", a->store },
			{ "free", "for any of them", a->s.free },
		},
		.image = {
			{ "image", "the loaded image", a->image },
			{ "modules", "boot modules", a->modules },
			{ "reserved", "below 1 MiB, and beside these in their 2 MiB", a->reserved },
		},
		.hypervisor = {
			{ "heap", "objects", use[PAGE_HEAP] },
			{ "stacks", "of threads; kept for the next", use[PAGE_STACKS] },
			{ "slat", "VMs' second-level page tables", use[PAGE_SLAT] },
			{ "map", "who owns which page", use[PAGE_MAP] },
			{ "disks", "what VMs wrote to volatile disks", use[PAGE_DISKS] },
			{ "other", "root-mode page tables, vCPUs, trace", use[PAGE_OTHER] },
		},
		.for_vms = { "for VMs", "in whole 2 MiB", a->s.for_guests },
	};
}

static void print_memory(struct shell_out *out, const struct account *a)
{
	const struct rows r = rows_of(a);

	print_rows(out, "", &r.sums[0], 2);
	print_rows(out, "  ", r.image, ARRAY_SIZE(r.image));
	print_rows(out, "", &r.sums[2], 1);
	print_rows(out, "  ", r.hypervisor, ARRAY_SIZE(r.hypervisor));
	print_rows(out, "", &r.sums[3], 1);
	print_vms(out, a);
	print_rows(out, "", &r.sums[4], 2);
	print_rows(out, "  ", &r.for_vms, 1);
}

static void json_memory(struct shell_out *out, const struct account *a)
{
	const struct rows r = rows_of(a);
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_rows(&j, r.sums, ARRAY_SIZE(r.sums));
	json_object(&j, "of_image");
	json_rows(&j, r.image, ARRAY_SIZE(r.image));
	json_end(&j);
	json_object(&j, "of_hypervisor");
	json_rows(&j, r.hypervisor, ARRAY_SIZE(r.hypervisor));
	json_end(&j);
	json_vms(&j, a);
	json_u64(&j, "for_vms", a->s.for_guests);
	json_finish(&j);
}

static int memory_locked(struct shell_call *c)
{
	struct account a;

	take(&a);
	if (shell_json(c)) {
		json_memory(c->out, &a);
	} else {
		print_memory(c->out, &a);
	}
	return 0;
}

static int cmd_memory(struct shell_call *c)
{
	return cmd_vm_locked(c, memory_locked);
}

static const struct shell_cmd cmds[] = {
	{ "host", "memory", "[--json]",
	  "who uses the host's memory\n"
	  "Every byte is in one row: total is image + hypervisor + guest + store + free,\n"
	  "and each of these is the sum of the indented rows below it, but for free: what\n"
	  "VMs can get of it comes in pieces of 2 MiB.",
	  cmd_memory },
};

const struct shell_table cmd_host_memory_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
