/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands about disks: those that VMs have, what is in an image; and their rows of vm info. */
/* Changes nothing. */
#include "drivers/block/overlay.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/cmd_disk_image.h"
#include "hv/mgmt/disk_file.h"
#include "hv/mgmt/show.h"
#include "hv/thread.h"
#include "hv/vm.h"

/* What becomes of writes. */
static const char *mode(const struct vm_disk_config *cfg)
{
	return cfg->readonly ? "read-only" : cfg->overlay != 0 ? "overlay" : "written";
}

/* Bytes of RAM that hold what the guest wrote; 0 while the disk is not open. VM list locked. */
static uint64_t written(const struct vm *vm, unsigned int i)
{
	bool has = vm_is_up(vm) && vm->cfg.disks[i].overlay != 0 && vm->disk[i].dev != NULL;

	return has ? overlay_used(vm->disk[i].dev) : 0;
}

/* ---- rows of vm info ---- */

static void print_counters(struct shell_out *out, const struct vm_disk *disk)
{
	for (unsigned int op = 0; op < VM_DISK_OPS; op++) {
		char size[16];

		shell_out_printf(out, "%s%s %lu", op == 0 ? "           " : ", ",
				 vm_disk_op_name((enum vm_disk_op)op), disk->requests[op]);
		if (op != VM_DISK_FLUSH) {
			shell_out_printf(out, " (%s)",
					 fmt_size(size, sizeof(size), disk->bytes[op]));
		}
	}
	shell_out_printf(out, "\n           errors %lu, at most %u requests at once\n",
			 disk->errors, disk->at_once);
}

static void print_limits(struct shell_out *out, const struct vm_disk_config *cfg)
{
	char size[16];

	if (cfg->iops != 0) {
		shell_out_printf(out, ", at most %u requests/s", cfg->iops);
	}
	if (cfg->bandwidth != 0) {
		shell_out_printf(out, ", at most %s/s",
				 fmt_size(size, sizeof(size), cfg->bandwidth));
	}
}

void cmd_disk_print(struct shell_out *out, const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->cfg.disk_count; i++) {
		const struct vm_disk_config *cfg = &vm->cfg.disks[i];
		char size[16], used[16], place[VM_PATH_MAX];

		shell_out_printf(out, "disk %-2u    %s, %s, %s", i,
				 vm_config_disk_place(cfg, place, sizeof(place)),
				 config_disk_formats[cfg->format], mode(cfg));
		print_limits(out, cfg);
		if (!vm_is_up(vm) || vm->disk[i].dev == NULL) {
			shell_out_puts(out, "\n");
			continue;
		}
		shell_out_printf(out, ", %s", fmt_size(size, sizeof(size), vm->disk[i].dev->size));
		if (cfg->overlay != 0) {
			shell_out_printf(out, ", %s of %s written to RAM",
					 fmt_size(used, sizeof(used), written(vm, i)),
					 fmt_size(size, sizeof(size), cfg->overlay));
		}
		shell_out_puts(out, "\n");
		print_counters(out, &vm->disk[i]);
	}
}

static void json_counters(struct json *j, const struct vm_disk *disk)
{
	json_u64(j, "size", disk->dev->size);
	for (unsigned int op = 0; op < VM_DISK_OPS; op++) {
		json_object(j, vm_disk_op_name((enum vm_disk_op)op));
		json_u64(j, "requests", disk->requests[op]);
		json_u64(j, "bytes", disk->bytes[op]);
		json_end(j);
	}
	json_u64(j, "errors", disk->errors);
	json_u64(j, "at_once", disk->at_once);
}

static void json_disks(struct json *j, const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->cfg.disk_count; i++) {
		const struct vm_disk_config *cfg = &vm->cfg.disks[i];
		char place[VM_PATH_MAX];

		json_object(j, NULL);
		json_string(j, "vm", vm->cfg.name);
		json_u64(j, "disk", i);
		json_string(j, "file", vm_config_disk_place(cfg, place, sizeof(place)));
		json_string(j, "format", config_disk_formats[cfg->format]);
		json_string(j, "mode", mode(cfg));
		json_u64(j, "overlay_used", written(vm, i));
		json_u64(j, "iops", cfg->iops);
		json_u64(j, "bandwidth", cfg->bandwidth);
		if (vm_is_up(vm) && vm->disk[i].dev != NULL) {
			json_counters(j, &vm->disk[i]);
		}
		json_end(j);
	}
}

void cmd_disk_json(struct json *j, const struct vm *vm)
{
	json_array(j, "disks");
	json_disks(j, vm);
	json_end(j);
}

/* ---- list ---- */

static struct json list; /* one shell: goes on where the list of VMs is not locked any more */

static void list_json(struct shell_call *c)
{
	json_begin(&list, c->out);
	json_array(&list, NULL);
	for (const struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		json_disks(&list, vm);
	}
}

static unsigned int list_vm(struct shell_call *c, const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->cfg.disk_count; i++) {
		const struct vm_disk_config *cfg = &vm->cfg.disks[i];
		bool open = vm_is_up(vm) && vm->disk[i].dev != NULL;
		char size[16], used[16], place[VM_PATH_MAX];

		shell_out_printf(c->out, "%-15.15s %4u %-30.30s %-6s %10s %10s\n", vm->cfg.name, i,
				 vm_config_disk_place(cfg, place, sizeof(place)),
				 config_disk_formats[cfg->format],
				 open ? fmt_size(size, sizeof(size), vm->disk[i].dev->size) : "-",
				 cfg->overlay == 0 ? mode(cfg)
				 : open		   ? fmt_size(used, sizeof(used), written(vm, i))
						   : "-");
	}
	return vm->cfg.disk_count;
}

static int list_locked(struct shell_call *c)
{
	unsigned int rows = 0;

	if (shell_json(c)) {
		list_json(c);
		return 0;
	}
	for (const struct vm *vm = vm_next(NULL); vm != NULL; vm = vm_next(vm)) {
		if (rows == 0 && vm->cfg.disk_count > 0) {
			shell_out_printf(c->out, "%-15s %4s %-30s %-6s %10s %10s\n", "VM", "DISK",
					 "FILE", "FORMAT", "SIZE", "WRITTEN");
		}
		rows += list_vm(c, vm);
	}
	if (rows == 0) {
		shell_out_puts(c->out,
			       "No VM has a disk; config help disks says how to give it one.\n");
	}
	return 0;
}

static int cmd_list(struct shell_call *c)
{
	int err = cmd_vm_locked(c, list_locked);

	if (err != 0) {
		return err;
	}
	if (shell_json(c)) {
		list.out = c->out;
		cmd_disk_host_json(&list);
		json_finish(&list);
	} else {
		cmd_disk_host_print(c->out);
	}
	return 0;
}

/* ---- info ---- */

/* Names are their maker's: nothing but letters. */
static const char *tame(char *name)
{
	for (char *p = name; *p != '\0'; p++) {
		*p = *p >= ' ' && *p < 0x7f ? *p : '?';
	}
	return name;
}

static void print_base(struct shell_call *c, struct block_dev *d)
{
	char name[STORE_FILE_MAX];

	string_copy(name, image_base_name(d), sizeof(name));
	if (name[0] != '\0') {
		shell_out_printf(c->out, "stands on  %s\n", tame(name));
	}
}

/* There may be tens of thousands: *err is -EAGAIN after Ctrl-C. False: *err says why there is no other. */
static bool next_snapshot(struct shell_call *c, struct block_dev *d, unsigned int i,
			  struct image_snapshot *s, int *err)
{
	thread_checkpoint();
	*err = shell_interrupted(c) ? -EAGAIN : image_snapshot_list(d, i, s);
	return *err == 0;
}

static int print_snapshots(struct shell_call *c, struct block_dev *d)
{
	struct image_snapshot s;
	char date[SHOW_MAX];
	int err;

	for (unsigned int i = 0; next_snapshot(c, d, i, &s, &err); i++) {
		shell_out_printf(c->out, "snapshot   %s, %s\n",
				 show_date(date, sizeof(date), s.seconds), tame(s.name));
	}
	return err;
}

static int json_snapshots(struct shell_call *c, struct json *j, struct block_dev *d)
{
	struct image_snapshot s;
	int err;

	json_array(j, "snapshots");
	for (unsigned int i = 0; next_snapshot(c, d, i, &s, &err); i++) {
		json_object(j, NULL);
		json_string(j, "name", s.name);
		json_u64(j, "seconds", s.seconds);
		json_end(j);
	}
	json_end(j);
	return err;
}

/* 0, or why there are not all of the snapshots. */
static int print_info(struct shell_call *c, const char *format, struct block_dev *d)
{
	struct json j;
	char size[16];
	int err;

	if (!shell_json(c)) {
		shell_out_printf(c->out, "format     %s\nsize       %lu bytes, %s\n", format,
				 d->size, fmt_size(size, sizeof(size), d->size));
		shell_out_printf(c->out, "clusters   %s\n",
				 fmt_size(size, sizeof(size), d->granularity));
		print_base(c, d);
		err = print_snapshots(c, d);
		return err == -ENOENT || err == -ENOTSUP ? 0 : err;
	}
	json_begin(&j, c->out);
	json_object(&j, NULL);
	json_string(&j, "file", c->argv[0]);
	json_string(&j, "format", format);
	json_u64(&j, "size", d->size);
	json_u64(&j, "cluster_size", d->granularity);
	json_string(&j, "base", image_base_name(d));
	err = json_snapshots(c, &j, d);
	json_finish(&j);
	return err == -ENOENT || err == -ENOTSUP ? 0 : err;
}

static int cmd_info(struct shell_call *c)
{
	const char *format = cmd_disk_image_format(c, 0, "--format");
	struct block_dev *d;
	char why[CMD_DISK_WHY];
	int err;

	if (format == NULL) {
		return -EINVAL;
	}
	if (disk_file_open(c->argv[0], format, DISK_FILE_READ, &d, why, sizeof(why)) != 0) {
		return shell_error(c, "%s", why);
	}
	err = print_info(c, format, d);
	(void)block_close(d);
	return err == 0		? 0
	       : err == -EAGAIN ? shell_error(c, "stopped")
				: shell_error(c, "%.64s: its snapshots cannot be read: %s",
					      c->argv[0], errno_text(err));
}

static const struct shell_cmd cmds[] = {
	{ "disk", "list", "[--json]",
	  "the disks of all VMs, and those of this machine\n"
	  "WRITTEN is what its guest wrote, kept in RAM until the VM is off. vm info VM has\n"
	  "how many requests went through.",
	  cmd_list },
	{ "disk", "info", "FILE [--format FORMAT] [--json]",
	  "format, size, snapshots and base of a disk image\n"
	  "FORMAT need be given for a file that no VM has as a disk and whose name does not\n"
	  "end with it (web.qcow2): what is in it is never asked.",
	  cmd_info },
};

const struct shell_table cmd_disk_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
