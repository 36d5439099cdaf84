/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns disk limit: how much a VM's disk may do in a second, also while the VM runs. */
/* Holds nothing back: hv/vm_disk_limit and the disk's device do. */
#include "hv/base/heap.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/vm.h"

static const char *const limits[] = { "iops=", "bandwidth=" };

/* argv[n], KEY=VALUE, into *disk; -EINVAL after the error. */
static int take(struct shell_call *c, unsigned int n, struct vm_disk_config *disk, struct diag *d)
{
	const char *word = c->argv[n];
	char key[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		if (string_starts_with(word, limits[i])) {
			string_copy(key, limits[i], strlen(limits[i]));
			config_set_disk(disk, key, word + strlen(limits[i]), cmd_config_env(), d);
			return diag_any(d) ? shell_error(c, "%s", d->entries[0].text) : 0;
		}
	}
	return shell_error(c, "found \"%.40s\", allowed: iops=N, bandwidth=SIZE", word);
}

static int set_limits(struct shell_call *c, struct vm *vm, unsigned int n)
{
	struct vm_disk_config disk = vm->cfg.disks[n];
	struct diag *d = heap_alloc(sizeof(*d));
	int err = d != NULL ? 0 : shell_error(c, "out of memory");

	for (unsigned int i = 2; err == 0 && i < c->argc; i++) {
		err = take(c, i, &disk, d);
	}
	heap_free(d);
	if (err == 0) {
		vm_disk_change_limit(vm, n, disk.iops, disk.bandwidth);
		shell_out_printf(c->out, "%s: disk %u: set\n", vm->cfg.name, n);
	}
	return err;
}

static int limit_locked(struct shell_call *c, struct vm *vm)
{
	uint64_t n;

	if (string_to_u64(c->argv[1], &n) != 0 || n >= vm->cfg.disk_count) {
		return shell_error(c, "%s has no disk %.20s; vm info %s shows them", vm->cfg.name,
				   c->argv[1], vm->cfg.name);
	}
	return vm->doing != NULL ? cmd_vm_refused(c, vm, NULL) : set_limits(c, vm, (unsigned int)n);
}

static int cmd_limit(struct shell_call *c)
{
	return cmd_vm_with(c, limit_locked);
}

static void offer_limits(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		line_edit_offer(le, limits[i]);
	}
}

static const struct shell_cmd cmds[] = {
	{ "disk", "limit", "VM DISK LIMIT...",
	  "limit what a disk does in a second, or lift that\n"
	  "DISK is its number, as in vm info. iops=N: requests, bandwidth=SIZE: bytes; 0 is no\n"
	  "limit. At once, also while the VM runs, and kept by config save:\n"
	  "disk limit web1 0 iops=500 bandwidth=10M",
	  cmd_limit },
};

static const struct shell_kind kinds[] = { { "LIMIT", offer_limits } };

const struct shell_table cmd_disk_limit_table = { cmds, ARRAY_SIZE(cmds), kinds,
						  ARRAY_SIZE(kinds) };
