/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot modules as files; a module named "bundle", or PVH's single unnamed one, as an archive. */
/* Never writes, and never looks into any other module. */
#include "hv/mgmt/bootfs.h"

#include "arch/paging.h"
#include "boot/boot_info.h"
#include "drivers/block/memfile.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cpio.h"
#include "hv/thread.h"

#define PREFIX	   "boot:"
#define COPY_SLICE 16384u

static const struct boot_info *boot;

static bool is_bundle(const struct boot_module *m)
{
	return strcmp(m->name, "bundle") == 0 || (m->name[0] == '\0' && boot->module_count == 1);
}

static bool next_in_bundle(const struct boot_module *m, uint64_t *offset, struct bootfs_file *out)
{
	struct cpio_file f;

	if (cpio_next(paging_direct(m->base), m->size, offset, &f) != 1) {
		return false;
	}
	*out = (struct bootfs_file){ f.name, f.data, f.size };
	return true;
}

bool bootfs_next(struct bootfs_cursor *cursor, struct bootfs_file *out)
{
	while (boot != NULL && cursor->module < boot->module_count) {
		const struct boot_module *m = &boot->modules[cursor->module];

		if (!is_bundle(m)) {
			cursor->module++;
			*out = (struct bootfs_file){ m->name, paging_direct(m->base), m->size };
			return true;
		}
		if (next_in_bundle(m, &cursor->offset, out)) {
			return true;
		}
		cursor->module++;
		cursor->offset = 0;
	}
	return false;
}

int bootfs_find(const char *path, struct bootfs_file *out)
{
	struct bootfs_cursor cursor = { 0 };

	if (!string_starts_with(path, PREFIX)) {
		return -EINVAL;
	}
	while (bootfs_next(&cursor, out)) {
		if (strcmp(out->name, path + strlen(PREFIX)) == 0) {
			return 0;
		}
	}
	return -ENOENT;
}

static void check_bundle(const struct boot_module *m)
{
	struct cpio_file f;
	uint64_t offset = 0;
	int got;

	do {
		got = cpio_next(paging_direct(m->base), m->size, &offset, &f);
	} while (got == 1);
	if (got < 0) {
		log_printf(LOG_HOST, "boot: the bundle is damaged at byte %lu", offset);
	}
}

void bootfs_init(const struct boot_info *info)
{
	boot = info;
	for (unsigned int i = 0; i < info->module_count; i++) {
		if (is_bundle(&info->modules[i])) {
			check_bundle(&info->modules[i]);
		}
	}
}

/* ---- as a store ---- */

static int store_find(const char *name, struct bootfs_file *out)
{
	struct bootfs_cursor cursor = { 0 };

	while (bootfs_next(&cursor, out)) {
		if (strcmp(out->name, name) == 0) {
			return 0;
		}
	}
	return -ENOENT;
}

static int boot_open(const char *name, struct store_file *f)
{
	struct bootfs_file found;
	int err = store_find(name, &found);

	if (err == 0) {
		f->file = (void *)(uintptr_t)found.data;
		f->size = found.size;
	}
	return err;
}

static int boot_read(const struct store_file *f, uint64_t off, void *buf, size_t len)
{
	for (size_t done = 0; done < len; done += COPY_SLICE) {
		memcpy((char *)buf + done, (const char *)f->file + off + done,
		       u64_min(len - done, COPY_SLICE));
		thread_checkpoint();
	}
	return 0;
}

static const char *boot_next(const char *prev, uint64_t *size)
{
	struct bootfs_cursor cursor = { 0 };
	bool found = prev == NULL;
	struct bootfs_file f;

	while (bootfs_next(&cursor, &f)) {
		if (found) {
			*size = f.size;
			return f.name;
		}
		found = strcmp(f.name, prev) == 0;
	}
	return NULL;
}

static int boot_open_block(const char *name, bool readonly, struct block_file **out)
{
	struct bootfs_file found;
	int err = readonly ? store_find(name, &found) : -EROFS;

	if (err != 0) {
		return err;
	}
	*out = memfile_open(found.data, found.size);
	return *out != NULL ? 0 : -ENOMEM;
}

static const struct store_ops ops = {
	.open = boot_open,
	.read = boot_read,
	.next = boot_next,
	.open_block = boot_open_block,
};

const struct store bootfs_store = { .name = "boot",
				    .what = "boot modules, read-only",
				    .ops = &ops };
