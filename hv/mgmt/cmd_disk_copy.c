/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns disk clone and disk convert: images made from images. */
/* The work itself is reading and writing, a slice at a time. */
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/cmd_disk_image.h"
#include "hv/mgmt/disk_file.h"
#include "hv/mgmt/progress.h"
#include "hv/thread.h"

#define SLICE (32ul * KIB) /* looked through for zeros between checkpoints: 4,096 iterations */

/* ---- copying ---- */

/* The new image reads as zeros: those need not be written. */
static int copy_slice(struct block_dev *from, struct block_dev *to, uint64_t off, uint8_t *buf,
		      uint64_t len)
{
	struct block_vec v = { buf, len };
	struct block_cursor all = { .v = &v, .n = 1 };
	bool zero;
	int err = block_read(from, off, &v, 1);

	if (err == 0 && (block_cursor_same(all, len, len, len, &zero) < len || !zero)) {
		err = block_write(to, off, &v, 1);
	}
	thread_checkpoint();
	return err;
}

static int copy(struct progress *p, struct block_dev *from, struct block_dev *to)
{
	uint64_t size = from->size;
	uint8_t *buf = heap_alloc(SLICE);
	int err = buf != NULL ? 0 : -ENOMEM;

	for (uint64_t off = 0; err == 0 && off < size; off += SLICE) {
		if (progress_step(p, off, size)) {
			err = -EAGAIN;
			break;
		}
		err = copy_slice(from, to, off, buf, u64_min(SLICE, size - off));
	}
	heap_free(buf);
	return err;
}

/* argv[0], open as `from`, into the new image argv[1]. What is not whole is not kept. */
static int copy_image(struct shell_call *c, struct block_dev *from,
		      const struct image_create_params *params)
{
	struct progress p = { .c = c };
	char why[CMD_DISK_WHY];
	struct disk_file_made made;
	struct block_dev *to;
	int err, closed;

	if (disk_file_create(c->argv[1], params, &made, why, sizeof(why)) != 0) {
		return shell_error(c, "cannot create %s", why);
	}
	err = disk_file_open(c->argv[1], params->format, DISK_FILE_WRITE, &to, why, sizeof(why));
	if (err != 0) {
		disk_file_unmake(&made);
		return shell_error(c, "%s", why);
	}
	err = copy(&p, from, to);
	progress_end(&p);
	closed = block_close(to);
	err = err != 0 ? err : closed;
	if (err == 0) {
		return 0;
	}
	disk_file_unmake(&made);
	return p.stopped ? shell_error(c, "stopped: there is no %.64s", c->argv[1])
			 : shell_error(c, "cannot copy %.64s to %.64s: %s", c->argv[0], c->argv[1],
				       errno_text(err));
}

/* Opens argv[0]; NULL after shell_error. */
static struct block_dev *open_source(struct shell_call *c, const char *format)
{
	char why[CMD_DISK_WHY];
	struct block_dev *d;

	if (disk_file_open(c->argv[0], format, DISK_FILE_READ, &d, why, sizeof(why)) != 0) {
		shell_error(c, "%s", why);
		return NULL;
	}
	return d;
}

/* ---- convert ---- */

/* Also the new disk's size, if it shall be larger. */
static int convert(struct shell_call *c, struct block_dev *from, struct image_create_params *p)
{
	const char *size = shell_value(c, "--size");

	p->size = from->size;
	if (size != NULL && !cmd_disk_image_size(c, size, &p->size)) {
		return -EINVAL;
	}
	if (p->size < from->size) {
		return shell_error(c, "%.64s has %lu bytes: a copy cannot have less", c->argv[0],
				   from->size);
	}
	return copy_image(c, from, p);
}

static int cmd_convert(struct shell_call *c)
{
	const char *format = shell_value(c, "--format");
	struct image_create_params p = { .seed = cmd_disk_image_seed() };
	const char *source = cmd_disk_image_format(c, 0, "--from");
	struct block_dev *from;
	int err;

	if (source == NULL) {
		return -EINVAL;
	}
	format = format != NULL ? format : disk_file_format(c->argv[1]);
	if (format == NULL) {
		return shell_error(c, "--format is missing");
	}
	p.format = cmd_disk_image_known(c, format);
	from = p.format != NULL && cmd_disk_image_fixed(c, p.format, &p.subformat)
		       ? open_source(c, source)
		       : NULL;
	if (from == NULL) {
		return -EINVAL;
	}
	err = convert(c, from, &p);
	(void)block_close(from);
	if (err == 0) {
		shell_out_printf(c->out, "%s: holds what %s does, as %s\n", c->argv[1], c->argv[0],
				 p.format);
	}
	return err;
}

/* ---- clone ---- */

/* The next command would take it for what its name says. */
static int check_name(struct shell_call *c, const char *format)
{
	const char *named = disk_file_format(c->argv[1]);

	return named == NULL || strcmp(named, format) == 0
		       ? 0
		       : shell_error(c, "the clone is a %s, and %.64s is named as %s", format,
				     c->argv[1], named);
}

/* A file that stands on argv[0], beside it. */
static int link_clone(struct shell_call *c, const char *format, uint64_t size)
{
	const char *name = strchr(c->argv[0], ':') + 1;
	struct image_backing base = { { 0 }, { 0 } };
	struct image_create_params p = { .size = size,
					 .backing = &base,
					 .seed = cmd_disk_image_seed() };
	struct disk_file_made made;
	struct block_dev *clone;
	char why[CMD_DISK_WHY];

	if (strncmp(c->argv[0], c->argv[1], (size_t)(name - c->argv[0])) != 0) {
		return shell_error(c, "a clone stands beside what it is of; --full makes one of "
				      "its own, in any store");
	}
	p.format = strcmp(format, "qed") == 0 ? "qed" : "qcow2";
	if (check_name(c, p.format) != 0) {
		return -EINVAL;
	}
	string_copy(base.name, name, sizeof(base.name));
	string_copy(base.format, format, sizeof(base.format));
	if (strcmp(p.format, "qed") == 0) {
		base.format[0] = '\0'; /* QED can say no more than that it is raw */
	}
	if (disk_file_create(c->argv[1], &p, &made, why, sizeof(why)) != 0) {
		return shell_error(c, "cannot create %s", why);
	}
	if (disk_file_open(c->argv[1], p.format, DISK_FILE_WRITE, &clone, why, sizeof(why)) != 0) {
		disk_file_unmake(&made); /* the chain would be too long, for one */
		return shell_error(c, "cannot clone: %s", why);
	}
	(void)block_close(clone);
	shell_out_printf(c->out, "%s: a clone, %s; while it is there %s is not written\n",
			 c->argv[1], p.format, c->argv[0]);
	return 0;
}

static int full_clone(struct shell_call *c, const char *format, struct block_dev *from)
{
	struct image_create_params p = { .format = format,
					 .size = from->size,
					 .seed = cmd_disk_image_seed() };
	int err = check_name(c, format);

	err = err == 0 ? copy_image(c, from, &p) : err;
	if (err == 0) {
		shell_out_printf(c->out, "%s: a copy of %s\n", c->argv[1], c->argv[0]);
	}
	return err;
}

static int cmd_clone(struct shell_call *c)
{
	const char *format = cmd_disk_image_format(c, 0, "--format");
	struct block_dev *from = format != NULL ? open_source(c, format) : NULL;
	int err;

	if (from == NULL) {
		return -EINVAL;
	}
	err = shell_option(c, "--full") ? full_clone(c, format, from)
					: link_clone(c, format, from->size);
	(void)block_close(from);
	return err;
}

static const struct shell_cmd cmds[] = {
	{ "disk", "clone", "FILE NEW [--format FORMAT] [--full]",
	  "make a disk that begins as another one\n"
	  "Without --full NEW stands on FILE, in the same store, and takes what differs: a\n"
	  "qcow2 for any FILE but a qed, whose clone is a qed. Both are made in constant\n"
	  "time: their tables come as they are written. vdi, vhd, vmdk and qcow would cost\n"
	  "their allocation table, and only take part as FILE. While NEW is there, FILE is\n"
	  "neither written nor removed. --full copies all of it, in FILE's format; Ctrl-C stops.",
	  cmd_clone },
	{ "disk", "convert", "FILE NEW [--format FORMAT] [--from FORMAT] [--fixed] [--size SIZE]",
	  "copy a disk into an image of another format\n"
	  "FORMAT is NEW's, if its name does not say it (ram:web.vmdk); --from is FILE's,\n"
	  "if neither its name nor a VM does. --size makes it larger. Ctrl-C stops: then\n"
	  "there is no NEW. What FILE stands on is copied; snapshots inside of it are not.",
	  cmd_convert },
};

const struct shell_table cmd_disk_copy_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
