/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds a store by name and checks what it is asked for. */
/* Where the bytes are is store_ram.c's and bootfs.c's. */
#include "hv/mgmt/store.h"

#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/store_ram.h"

static const struct store *const stores[] = { &bootfs_store, &store_ram };

const struct store *store_get(unsigned int i)
{
	return i < ARRAY_SIZE(stores) ? stores[i] : NULL;
}

static int fail(const char **why, int err, const char *fmt, const char *a)
{
	static char text[STORE_FILE_MAX + 96]; /* the shell's thread */

	fmt_snprintf(text, sizeof(text), fmt, a);
	*why = text;
	return err;
}

/* The store that path names, and in *name what is behind its colon. */
static const struct store *find(const char *path, const char **name)
{
	const char *colon = strchr(path, ':');

	for (unsigned int i = 0; colon != NULL && i < ARRAY_SIZE(stores); i++) {
		size_t len = strlen(stores[i]->name);

		if (len == (size_t)(colon - path) && memcmp(path, stores[i]->name, len) == 0) {
			*name = colon + 1;
			return stores[i];
		}
	}
	return NULL;
}

static int no_store(const char *path, const char **why)
{
	return fail(
		why, -EINVAL,
		strchr(path, ':') != NULL
			? "no store has the name before the colon of %.64s; store list shows all"
			: "%.64s is not named as STORE:FILE; store list shows the stores",
		path);
}

static int open_in(const struct store *s, const char *name, struct store_file *f)
{
	*f = (struct store_file){ .store = s };
	return s->ops->open(name, f);
}

int store_open(const char *path, struct store_file *f, const char **why)
{
	const char *name;
	const struct store *s = find(path, &name);

	if (s == NULL) {
		return no_store(path, why);
	}
	return open_in(s, name, f) == 0 ? 0 : fail(why, -ENOENT, "there is no %.64s", path);
}

/* Letters, digits and a few signs: a name that no terminal and no file system minds. */
static bool name_ok(const char *name)
{
	const char *p = name;

	for (; *p != '\0'; p++) {
		bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

		if (!letter && !(*p >= '0' && *p <= '9') && strchr("-_.", *p) == NULL) {
			return false;
		}
	}
	return p != name && *name != '.' && (size_t)(p - name) < STORE_FILE_MAX;
}

/* err of a file that cannot be removed or replaced. */
static int kept(const char *path, int err, const char **why)
{
	char above[STORE_FILE_MAX];

	if (err == -EBUSY) {
		return fail(why, err, "%.64s is in use", path);
	}
	return err == -EPERM && store_find_above(path, above)
		       ? fail(why, err, "%.40s stands on it", above)
		       : fail(why, err, "%s", errno_text(err));
}

int store_replace(const char *path, struct store_file *f, const char **why)
{
	const char *name;
	const struct store *s = find(path, &name);
	int err;

	if (s == NULL) {
		return no_store(path, why);
	}
	if (s->ops->create == NULL) {
		return fail(why, -EROFS, "%.16s: is read-only", s->name);
	}
	if (!name_ok(name)) {
		return fail(why, -EINVAL,
			    "found the file name \"%.40s\", allowed: up to 63 letters, digits, "
			    "'-', '_' and '.'",
			    name);
	}
	*f = (struct store_file){ .store = s };
	err = s->ops->create(name, f);
	return err == 0 ? 0 : kept(path, err, why);
}

int store_create(const char *path, struct store_file *f, const char **why)
{
	const char *name;
	const struct store *s = find(path, &name);

	if (s != NULL && s->ops->create != NULL && open_in(s, name, f) == 0) {
		return fail(why, -EEXIST, "there is a file %.64s already", path);
	}
	return store_replace(path, f, why);
}

int store_remove(const char *path, const char **why)
{
	struct store_file f;
	int err = store_open(path, &f, why);

	if (err != 0) {
		return err;
	}
	if (f.store->ops->remove == NULL) {
		return fail(why, -EROFS, "%.16s: is read-only", f.store->name);
	}
	err = f.store->ops->remove(&f);
	return err == 0 ? 0 : kept(path, err, why);
}

int store_open_block(const char *path, bool readonly, struct block_file **out)
{
	const char *name;
	const struct store *s = find(path, &name);

	return s == NULL || s->ops->open_block == NULL ? -EINVAL
						       : s->ops->open_block(name, readonly, out);
}

void store_stand_on(const char *path, const char *base)
{
	const char *name;
	const struct store *s = find(path, &name);

	if (s != NULL && s->ops->stand_on != NULL) {
		s->ops->stand_on(name, base);
	}
}

void store_belong_to(const char *path, const char *whole)
{
	const char *name;
	const struct store *s = find(path, &name);

	if (s != NULL && s->ops->belong_to != NULL) {
		s->ops->belong_to(name, whole);
	}
}

bool store_find_above(const char *path, char *name)
{
	const char *base;
	const struct store *s = find(path, &base);

	return s != NULL && s->ops->find_above != NULL && s->ops->find_above(base, name);
}
