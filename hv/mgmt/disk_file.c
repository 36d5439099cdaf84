/* SPDX-License-Identifier: BSD-2-Clause */
/* Between names of stores' files and drivers/block's images. */
/* Never looks into a file to find what it is. */
#include "hv/mgmt/disk_file.h"

#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

/* "ram:" of "ram:a" and "b" make "ram:b". */
static bool beside(const char *path, const char *name, char *out)
{
	const char *colon = strchr(path, ':');
	int len = colon != NULL ? (int)(colon - path) + 1 : 0;

	return fmt_snprintf(out, DISK_FILE_PATH, "%.*s%s", len, path, name) < (int)DISK_FILE_PATH;
}

/* What an image stands on, as it is opened. */
struct chain {
	const char *path; /* the image's */
	unsigned int count;
	char base[IMAGE_CHAIN_MAX][STORE_FILE_MAX]; /* each stands on the next */
};

static int open_extent(void *arg, const char *name, bool readonly, struct block_file **out)
{
	const struct chain *c = arg;
	char path[DISK_FILE_PATH];

	return beside(c->path, name, path) ? store_open_block(path, readonly, out) : -ENOENT;
}

static int open_backing(void *arg, const char *name, struct block_file **out)
{
	struct chain *c = arg;
	int err = open_extent(c, name, true, out);

	if (err == 0 && c->count < IMAGE_CHAIN_MAX) {
		string_copy(c->base[c->count++], name, STORE_FILE_MAX);
	}
	return err;
}

/* From now on none of them is written. */
static void keep_bases(const struct chain *c)
{
	char path[DISK_FILE_PATH];

	if (c->count == 0) {
		store_stand_on(c->path, "");
	}
	string_copy(path, c->path, sizeof(path));
	for (unsigned int i = 0; i < c->count; i++) {
		store_stand_on(path, c->base[i]);
		(void)beside(c->path, c->base[i], path);
	}
}

static int explain(const char *path, int err, char *why, size_t size)
{
	bool boot = string_starts_with(path, "boot:");
	char above[STORE_FILE_MAX];

	if (err == -ENOENT && boot) {
		fmt_snprintf(why, size,
			     "%s is not among the boot modules; store ls boot: lists them", path);
	} else if (err == -ENOENT) {
		fmt_snprintf(why, size, "there is no %s", path);
	} else if (err == -EPERM && store_find_above(path, above)) {
		fmt_snprintf(
			why, size,
			"%s cannot be written: %s stands on it; readonly, an overlay or another "
			"clone can use it",
			path, above);
	} else if (err == -EINVAL) {
		fmt_snprintf(why, size, "%s is in no store; store list shows the stores", path);
	} else if (err == -ENOMEM) {
		fmt_snprintf(why, size, "%s: too little memory to open it", path);
	} else {
		fmt_snprintf(why, size, "%s is %s", path,
			     err == -EROFS ? "read-only" : errno_text(err));
	}
	return err;
}

int disk_file_open(const char *path, const char *format, enum disk_file_use use,
		   struct block_dev **out, char *why, size_t size)
{
	struct chain chain = { .path = path };
	struct image_open_params p = {
		.format = format,
		.readonly = use == DISK_FILE_READ,
		.repair = use == DISK_FILE_REPAIR,
		.backing = open_backing,
		.extent = open_extent,
		.arg = &chain,
		/* What these stand on, unless they say that it is raw, is as they are. */
		.backing_format =
			strcmp(format, "qed") == 0 || strcmp(format, "qcow") == 0 ? format : NULL,
	};
	struct image_why image_why;
	int err = store_open_block(path, p.readonly, &p.file);

	if (err != 0) {
		return explain(path, err, why, size);
	}
	err = image_open(&p, out, &image_why);
	if (err != 0) {
		fmt_snprintf(why, size, "%s: %s", path, image_why.text);
		return err;
	}
	/* Whoever only looks has the bases open, and changes nothing. */
	if (use == DISK_FILE_WRITE) {
		keep_bases(&chain);
	}
	return 0;
}

/* ---- making ---- */

/* An empty file, open for writing. */
static int make_file(const char *path, struct block_file **out, char *why, size_t size)
{
	struct store_file f;
	const char *said;
	int err = store_create(path, &f, &said);

	if (err != 0) {
		fmt_snprintf(why, size, "%.64s: %s", path, said);
		return err;
	}
	f.store->ops->finish(&f, true);
	err = store_open_block(path, false, out);
	if (err != 0) {
		(void)store_remove(path, &said);
	}
	return err == 0 ? 0 : explain(path, err, why, size);
}

struct making {
	struct disk_file_made *made;
	char why[96];
};

static int make_extent(void *arg, const char *name, struct block_file **out)
{
	struct making *m = arg;
	char path[DISK_FILE_PATH];
	int err = beside(m->made->path, name, path) ? make_file(path, out, m->why, sizeof(m->why))
						    : -EINVAL;

	if (err == 0) {
		string_copy(m->made->extent, path, sizeof(m->made->extent));
		store_belong_to(path, strchr(m->made->path, ':') + 1);
	}
	return err;
}

void disk_file_unmake(const struct disk_file_made *made)
{
	const char *said;

	(void)store_remove(made->path, &said);
	if (made->extent[0] != '\0') {
		(void)store_remove(made->extent, &said);
	}
}

int disk_file_create(const char *path, const struct image_create_params *p,
		     struct disk_file_made *made, char *why, size_t size)
{
	struct making m = { .made = made };
	struct image_create_params params = *p;
	struct image_why image_why;
	struct block_file *f;
	int err = make_file(path, &f, why, size);

	if (err != 0) {
		return err;
	}
	*made = (struct disk_file_made){ { 0 }, { 0 } };
	string_copy(made->path, path, sizeof(made->path));
	params.name = strchr(path, ':') + 1;
	params.extent = make_extent;
	params.arg = &m;
	err = image_create(f, &params, &image_why);
	block_file_close(f);
	if (err == 0 && p->backing != NULL) {
		store_stand_on(path, p->backing->name);
	}
	if (err != 0) {
		fmt_snprintf(why, size, "%s: %s", path, m.why[0] != '\0' ? m.why : image_why.text);
		disk_file_unmake(made);
	}
	return err;
}

/* ---- names ---- */

const char *disk_file_format(const char *path)
{
	static const struct {
		const char *suffix, *format;
	} formats[] = {
		{ ".qcow2", "qcow2" }, { ".vmdk", "vmdk" }, { ".vdi", "vdi" }, { ".vhd", "vhd" },
		{ ".qed", "qed" },     { ".qcow", "qcow" }, { ".raw", "raw" }, { ".img", "raw" },
	};
	const char *dot = strrchr(path, '.');

	for (unsigned int i = 0; dot != NULL && i < ARRAY_SIZE(formats); i++) {
		if (strcmp(dot, formats[i].suffix) == 0) {
			return formats[i].format;
		}
	}
	return NULL;
}
