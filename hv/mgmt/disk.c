/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens the image in a boot module, with the images that it stands on, and an overlay above. */
/* Files of other stores cannot be disks in this version. */
#include "hv/mgmt/disk.h"

#include "drivers/block/image.h"
#include "drivers/block/memfile.h"
#include "drivers/block/overlay.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/config.h"
#include "hv/vm.h"

static int open_module(const char *path, struct block_file **out)
{
	struct bootfs_file f;
	int err = bootfs_find(path, &f);

	if (err != 0) {
		return err;
	}
	*out = memfile_open(f.data, f.size);
	return *out != NULL ? 0 : -ENOMEM;
}

/* An image names its backing file as one beside it: among the boot modules. */
static int open_backing(void *arg UNUSED, const char *name, struct block_file **out)
{
	char path[VM_PATH_MAX];

	if ((size_t)fmt_snprintf(path, sizeof(path), "boot:%s", name) >= sizeof(path)) {
		return -ENOENT;
	}
	return open_module(path, out);
}

static int open_extent(void *arg, const char *name, bool readonly UNUSED, struct block_file **out)
{
	return open_backing(arg, name, out);
}

static int open_image(const struct vm_disk_config *cfg, struct block_dev **out, char *why,
		      size_t size)
{
	static const char not_there[] = " is not among the boot modules; store ls boot: lists them";
	struct image_open_params p = {
		.format = config_disk_formats[cfg->format],
		.readonly = true,
		.backing = open_backing,
		.extent = open_extent,
	};
	struct image_why image_why;
	int err = open_module(cfg->file, &p.file);

	if (err != 0) {
		fmt_snprintf(why, size, "%s%s", cfg->file,
			     err == -ENOMEM ? ": too little memory to open it" : not_there);
		return err;
	}
	err = image_open(&p, out, &image_why);
	if (err != 0) {
		fmt_snprintf(why, size, "%s: %s", cfg->file, image_why.text);
	}
	return err;
}

int disk_open(const struct vm_disk_config *cfg, struct block_dev **out, char *why, size_t size)
{
	struct block_dev *base;
	int err = open_image(cfg, &base, why, size);

	if (err != 0 || cfg->overlay == 0) {
		*out = err == 0 ? base : NULL;
		return err;
	}
	err = overlay_open(base, cfg->overlay, out);
	if (err != 0) {
		(void)block_close(base);
		fmt_snprintf(why, size, "%s: its overlay: %s", cfg->file, errno_text(err));
	}
	return err;
}

/* ---- for VMs ---- */

static int open_disk(struct vm *vm, unsigned int i, struct block_dev **out, const char **why)
{
	*why = vm->why;
	return disk_open(&vm->cfg.disks[i], out, vm->why, sizeof(vm->why));
}

static void close_disk(struct block_dev *dev)
{
	int err = block_close(dev);

	if (err != 0) {
		log_printf(LOG_HOST, "a disk could not be flushed: %s", errno_text(err));
	}
}

static const struct vm_disk_ops ops = { .open = open_disk, .close = close_disk };

void disk_init(void)
{
	vm_disk_set_ops(&ops);
}
