/* SPDX-License-Identifier: BSD-2-Clause */
/* Opens a disk or partition of the host, or an image there or in a file, with the images that it stands */
/* on, and an overlay above if it shall not be changed. Files of stores are disk_file.c's. */
#include "hv/mgmt/disk.h"

#include "drivers/block/image.h"
#include "drivers/block/overlay.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/config.h"
#include "hv/mgmt/disk_file.h"
#include "hv/mgmt/disk_host.h"
#include "hv/mgmt/store.h"
#include "hv/vm.h"

static bool writes(const struct vm_disk_config *cfg)
{
	return !cfg->readonly && cfg->overlay == 0;
}

/* An image on a disk of the host's names its backing file as one among the boot modules. */
static int open_backing(void *arg UNUSED, const char *name, struct block_file **out)
{
	char path[VM_PATH_MAX];

	if ((size_t)fmt_snprintf(path, sizeof(path), "boot:%s", name) >= sizeof(path)) {
		return -ENOENT;
	}
	return store_open_block(path, true, out);
}

/* Where errors happen: `size` bytes for one line. */
struct why {
	char *text;
	size_t size;
};

static int open_image(const struct vm_disk_config *cfg, struct block_file *file,
		      struct block_dev **out, const struct why *why)
{
	const struct image_open_params p = {
		.file = file,
		.format = config_disk_formats[cfg->format],
		.readonly = !writes(cfg),
		.backing = open_backing,
	};
	struct image_why image_why;
	char place[VM_PATH_MAX];
	int err = image_open(&p, out, &image_why);

	if (err != 0) {
		fmt_snprintf(why->text, why->size, "%s: %s",
			     vm_config_disk_place(cfg, place, sizeof(place)), image_why.text);
	}
	return err;
}

/* What is raw is the partition itself; an image of any other format lies in it as in a file. */
static int open_host(const struct vm_disk_config *cfg, const char *user, struct block_dev **out,
		     const struct why *why)
{
	const struct disk_host_params p = {
		.disk = cfg->disk,
		.partition = cfg->partition,
		.readonly = !writes(cfg),
		.user = user,
	};
	struct block_file *file;
	int err = disk_host_open(&p, out, why->text, why->size);

	if (err != 0 || cfg->format == VM_DISK_RAW) {
		return err;
	}
	file = block_file_of_dev(*out);
	if (file == NULL) {
		(void)block_close(*out);
		fmt_snprintf(why->text, why->size, "%s: too little memory to open it", cfg->disk);
		return -ENOMEM;
	}
	return open_image(cfg, file, out, why);
}

int disk_open(const struct vm_disk_config *cfg, const char *user, struct block_dev **out, char *why,
	      size_t size)
{
	const struct why w = { why, size };
	struct block_dev *base;
	char place[VM_PATH_MAX];
	int err = cfg->disk[0] != '\0'
			  ? open_host(cfg, user, &base, &w)
			  : disk_file_open(cfg->file, config_disk_formats[cfg->format],
					   writes(cfg) ? DISK_FILE_WRITE : DISK_FILE_READ, &base,
					   why, size);

	if (err != 0 || cfg->overlay == 0) {
		*out = err == 0 ? base : NULL;
		return err;
	}
	err = overlay_open(base, cfg->overlay, out);
	if (err != 0) {
		(void)block_close(base);
		fmt_snprintf(why, size, "%s: its overlay: %s",
			     vm_config_disk_place(cfg, place, sizeof(place)), errno_text(err));
	}
	return err;
}

/* ---- for VMs ---- */

static int open_disk(struct vm *vm, unsigned int i, struct block_dev **out, const char **why)
{
	*why = vm->why;
	return disk_open(&vm->cfg.disks[i], vm->cfg.name, out, vm->why, sizeof(vm->why));
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
	disk_host_init();
	vm_disk_set_ops(&ops);
}
