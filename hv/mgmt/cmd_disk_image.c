/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands that make, check, change and delete disk images. */
/* Copies are cmd_disk_copy.c's. */
#include "hv/mgmt/cmd_disk_image.h"

#include "arch/clock.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/disk_file.h"
#include "hv/mgmt/progress.h"
#include "hv/vm.h"

/* ---- what is shared ---- */

const char *cmd_disk_image_known(struct shell_call *c, const char *format)
{
	for (unsigned int i = VM_DISK_NO_FORMAT + 1; config_disk_formats[i] != NULL; i++) {
		if (strcmp(config_disk_formats[i], format) == 0) {
			return config_disk_formats[i];
		}
	}
	shell_error(c, "found the format \"%.20s\", allowed: %s", format, CONFIG_DISK_FORMATS);
	return NULL;
}

/* The format that a VM's configuration gives the file, or NULL. */
static const char *configured(const char *file)
{
	const char *format = NULL;

	vm_list_lock();
	for (const struct vm *vm = vm_next(NULL); vm != NULL && format == NULL; vm = vm_next(vm)) {
		for (unsigned int i = 0; i < vm->cfg.disk_count && format == NULL; i++) {
			if (strcmp(vm->cfg.disks[i].file, file) == 0) {
				format = config_disk_formats[vm->cfg.disks[i].format];
			}
		}
	}
	vm_list_unlock();
	return format;
}

const char *cmd_disk_image_format(struct shell_call *c, unsigned int i, const char *option)
{
	const char *given = shell_value(c, option), *format, *why;
	struct store_file f;

	if (given != NULL) {
		return cmd_disk_image_known(c, given);
	}
	format = configured(c->argv[i]);
	format = format != NULL ? format : disk_file_format(c->argv[i]);
	if (format == NULL && store_open(c->argv[i], &f, &why) != 0) {
		shell_error(c, "%s", why);
	} else if (format == NULL) {
		shell_error(c, "no VM has the disk %.64s: %s says what it is: %s", c->argv[i],
			    option, CONFIG_DISK_FORMATS);
	}
	return format;
}

bool cmd_disk_image_size(struct shell_call *c, const char *text, uint64_t *size)
{
	if (string_to_size(text, size) != 0 || *size == 0 || *size % BLOCK_SECTOR != 0) {
		shell_error(
			c,
			"found the size %.24s, allowed: a multiple of 512, like 1536, 512K, 10G or 2T",
			text);
		return false;
	}
	return true;
}

bool cmd_disk_image_fixed(struct shell_call *c, const char *format, const char **subformat)
{
	static const char *const formats[] = { "vdi", "vhd", "vmdk" };

	*subformat = NULL;
	if (!shell_option(c, "--fixed") || strcmp(format, "raw") == 0) { /* that always is */
		return true;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		*subformat = strcmp(format, formats[i]) == 0 ? "fixed" : *subformat;
	}
	if (*subformat == NULL) {
		shell_error(c, "--fixed is for vdi, vhd and vmdk; %s takes space as it is written",
			    format);
	}
	return *subformat != NULL;
}

uint64_t cmd_disk_image_seed(void)
{
	return clock_now();
}

/* Opens argv[0]; NULL after shell_error. */
static struct block_dev *open_image(struct shell_call *c, enum disk_file_use use)
{
	const char *format = cmd_disk_image_format(c, 0, "--format");
	char why[CMD_DISK_WHY];
	struct block_dev *d;

	if (format == NULL) {
		return NULL;
	}
	if (disk_file_open(c->argv[0], format, use, &d, why, sizeof(why)) != 0) {
		shell_error(c, "%s", why);
		return NULL;
	}
	return d;
}

/* Closes d; err, or what closing returned, is said. 0 and no word if all went well. */
static int close_image(struct shell_call *c, struct block_dev *d, int err, const char *what)
{
	int closed = block_close(d);

	err = err != 0 ? err : closed;
	return err == 0 ? 0
			: shell_error(c, "cannot %s %.64s: %s", what, c->argv[0], errno_text(err));
}

/* ---- create, delete ---- */

static int cmd_create(struct shell_call *c)
{
	const char *format = shell_value(c, "--format"), *size = shell_value(c, "--size");
	struct image_create_params p = { .seed = cmd_disk_image_seed() };
	struct disk_file_made made;
	char why[CMD_DISK_WHY], text[16];

	format = format != NULL ? format : disk_file_format(c->argv[0]);
	if (format == NULL || size == NULL) {
		return shell_error(c, "%s is missing", format == NULL ? "--format" : "--size");
	}
	p.format = cmd_disk_image_known(c, format);
	if (p.format == NULL || !cmd_disk_image_size(c, size, &p.size) ||
	    !cmd_disk_image_fixed(c, p.format, &p.subformat)) {
		return -EINVAL;
	}
	if (disk_file_create(c->argv[0], &p, &made, why, sizeof(why)) != 0) {
		return shell_error(c, "cannot create %s", why);
	}
	shell_out_printf(c->out, "%s: created, %s, %s\n", c->argv[0], p.format,
			 fmt_size(text, sizeof(text), p.size));
	return 0;
}

/* ---- check ---- */

static bool step(void *arg, uint64_t done, uint64_t total)
{
	return progress_step(arg, done, total);
}

static void print_check(struct shell_call *c, const struct image_check *r)
{
	struct json j;

	if (shell_json(c)) {
		json_begin(&j, c->out);
		json_object(&j, NULL);
		json_string(&j, "file", c->argv[0]);
		json_u64(&j, "corruptions", r->corruptions);
		json_u64(&j, "leaks", r->leaks);
		json_u64(&j, "fixed", r->fixed);
		json_finish(&j);
	} else if (r->corruptions + r->leaks == 0) {
		shell_out_printf(c->out, "%s: clean\n", c->argv[0]);
	} else {
		shell_out_printf(c->out, "%s: %lu wrong, %lu lost places, %lu repaired\n",
				 c->argv[0], r->corruptions, r->leaks, r->fixed);
	}
}

static int say_check(struct shell_call *c, int err, bool stopped, const struct image_check *r)
{
	if (stopped) {
		return shell_error(c, "stopped");
	}
	if (err == -ENOTSUP) {
		return shell_error(c, "%.64s has nothing that could be compared", c->argv[0]);
	}
	if (err != 0) {
		return shell_error(c, "cannot check %.64s: %s", c->argv[0], errno_text(err));
	}
	print_check(c, r);
	if (r->corruptions > r->fixed) {
		return shell_error(c, "%.64s is damaged: %s", c->argv[0], r->first.text);
	}
	return 0;
}

static int cmd_check(struct shell_call *c)
{
	bool repair = shell_option(c, "--repair");
	struct block_dev *d = open_image(c, repair ? DISK_FILE_REPAIR : DISK_FILE_READ);
	struct progress p = { .c = c };
	const struct image_watch w = { .step = step, .arg = &p };
	struct image_check result;
	int err, closed;

	if (d == NULL) {
		return -EINVAL;
	}
	err = image_check(d, repair, &w, &result);
	progress_end(&p);
	closed = block_close(d);
	return say_check(c, err != 0 ? err : closed, p.stopped, &result);
}

/* ---- snapshots ---- */

static int say_snapshot(struct shell_call *c, int err, const char *done)
{
	const char *why = err == -ENOTSUP  ? "only qcow2 has snapshots, and of the disk's size only"
			  : err == -EEXIST ? "there is one of that name"
			  : err == -ENOENT ? "there is none of that name"
					   : errno_text(err);

	if (err != 0) {
		return shell_error(c, "%.64s, snapshot %.64s: %s", c->argv[0], c->argv[1], why);
	}
	shell_out_printf(c->out, "%s: %s %s\n", c->argv[0], done, c->argv[1]);
	return 0;
}

static int cmd_snapshot(struct shell_call *c)
{
	struct block_dev *d = open_image(c, DISK_FILE_WRITE);
	int err, closed;

	if (d == NULL) {
		return -EINVAL;
	}
	err = shell_option(c, "--delete")
		      ? image_snapshot_remove(d, c->argv[1])
		      : image_snapshot_create(d, c->argv[1], clock_wall_seconds());
	closed = block_close(d);
	return say_snapshot(c, err != 0 ? err : closed,
			    shell_option(c, "--delete") ? "deleted snapshot" : "snapshot");
}

static int cmd_rollback(struct shell_call *c)
{
	struct block_dev *d = open_image(c, DISK_FILE_WRITE);
	int err, closed;

	if (d == NULL) {
		return -EINVAL;
	}
	err = image_snapshot_restore(d, c->argv[1]);
	closed = block_close(d);
	return say_snapshot(c, err != 0 ? err : closed, "holds again what it did at");
}

/* ---- resize ---- */

/* Nobody could go back to one that is of another size. 0: there is none. */
static int check_snapshots(struct shell_call *c, struct block_dev *d)
{
	struct image_snapshot s;
	int err = image_snapshot_list(d, 0, &s);

	if (err == -ENOENT || err == -ENOTSUP) {
		return 0;
	}
	return err == 0
		       ? shell_error(c,
				     "%.64s has snapshots, which are of its size now: disk convert "
				     "--size makes a larger one without",
				     c->argv[0])
		       : shell_error(c, "%.64s: its snapshots cannot be read: %s", c->argv[0],
				     errno_text(err));
}

static int cmd_resize(struct shell_call *c)
{
	struct block_dev *d;
	uint64_t size;
	char text[16];
	int err;

	if (!cmd_disk_image_size(c, c->argv[1], &size)) {
		return -EINVAL;
	}
	d = open_image(c, DISK_FILE_WRITE);
	if (d == NULL) {
		return -EINVAL;
	}
	if (check_snapshots(c, d) != 0) {
		(void)block_close(d);
		return -EINVAL;
	}
	err = image_grow(d, size);
	if (err == -EINVAL || err == -ENOTSUP) {
		fmt_size(text, sizeof(text), d->size);
		(void)block_close(d);
		return err == -EINVAL
			       ? shell_error(c, "%.64s has %s: it can only grow", c->argv[0], text)
			       : shell_error(c,
					     "%.64s cannot grow in place: disk convert --size "
					     "makes a larger one",
					     c->argv[0]);
	}
	err = close_image(c, d, err, "resize");
	if (err == 0) {
		shell_out_printf(c->out, "%s: %s\n", c->argv[0],
				 fmt_size(text, sizeof(text), size));
	}
	return err;
}

static const struct shell_cmd cmds[] = {
	{ "disk", "create", "FILE [--format FORMAT] [--size SIZE] [--fixed]",
	  "make an empty disk image\n"
	  "FILE is STORE:FILE, in a store that can be written, and must not exist. FORMAT\n"
	  "is raw, qcow2, vdi, vhd, qed, qcow or vmdk; without it the file's name says it:\n"
	  "ram:web.qcow2. It takes space as it is written. --fixed: all from the start, for\n"
	  "vdi, vhd and vmdk (whose second file is NAME-flat.vmdk).",
	  cmd_create },
	{ "disk", "check", "FILE [--format FORMAT] [--repair] [--json]",
	  "look for what is wrong in a disk image\n"
	  "A running VM's is not looked at. --repair makes right what can be known: counts\n"
	  "and flags of qcow2, copies of a VMDK's tables. Ctrl-C stops.",
	  cmd_check },
	{ "disk", "snapshot", "FILE NAME [--format FORMAT] [--delete]",
	  "keep inside of a qcow2 disk what it holds now\n"
	  "disk rollback goes back to it; --delete forgets it. No running VM may have the\n"
	  "disk.",
	  cmd_snapshot },
	{ "disk", "rollback", "FILE NAME [--format FORMAT]",
	  "give a disk back what a snapshot kept\n"
	  "What was written since is lost; the snapshot stays.",
	  cmd_rollback },
	{ "disk", "resize", "FILE SIZE [--format FORMAT]",
	  "make a disk larger, by zeros at its end\n"
	  "raw and qed; qcow2 and vdi as far as their tables have room: otherwise, and for\n"
	  "others, or if it has snapshots, disk convert --size makes a larger copy.\n"
	  "Partitions stay as they are.",
	  cmd_resize },
	{ "disk", "delete", "FILE",
	  "delete a disk image that no running VM has\n"
	  "A flat VMDK is two files; each is deleted by its name.",
	  cmd_store_delete },
};

const struct shell_table cmd_disk_image_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
