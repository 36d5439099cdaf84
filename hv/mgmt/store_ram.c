/* SPDX-License-Identifier: BSD-2-Clause */
/* Files by name, and who uses them as a disk's: one who writes, or any number who read; what stands on others. */
/* Where their bytes are is ram_bytes.c's; names are checked by store.c. */
#include "hv/mgmt/store_ram.h"

#include "drivers/block/block.h"
#include "hv/base/heap.h"
#include "hv/base/lock.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/list.h"
#include "hv/lib/string.h"
#include "hv/mgmt/ram_bytes.h"

struct ram_file {
	struct list_node node; /* in `files` once it is finished */
	char name[STORE_FILE_MAX];
	uint64_t size;		    /* written by its one writer */
	unsigned int users;	    /* [L] who has it open as a block_file; */
	bool writer;		    /* [L] that is one, who writes */
	bool gone;		    /* [L] deleted: the last user frees it */
	char base[STORE_FILE_MAX];  /* [L] the file that it stands on; "": none */
	char whole[STORE_FILE_MAX]; /* [L] the one of which it is a part; "": none */
	struct ram_bytes bytes;
};

static struct list_node files = LIST_INIT(files);
static struct spinlock lock = SPINLOCK_INIT(LOCK_CONSOLE); /* [L] files, and who uses them */

uint64_t store_ram_used(void)
{
	return ram_bytes_used();
}

static struct ram_file *file_at(const struct list_node *n)
{
	return n == &files ? NULL : container_of(n, struct ram_file, node);
}

static struct ram_file *find(const char *name)
{
	struct list_node *n;

	list_for_each (n, &files) {
		if (strcmp(file_at(n)->name, name) == 0) {
			return file_at(n);
		}
	}
	return NULL;
}

/* [L] A file that stands on the one of that name, or on what that is a part of; or NULL. */
static const struct ram_file *above(const char *name)
{
	const struct ram_file *r = find(name);
	const char *whole = r != NULL ? r->whole : "";
	struct list_node *n;

	list_for_each (n, &files) {
		const char *base = file_at(n)->base;

		if (base[0] != '\0' && (strcmp(base, name) == 0 || strcmp(base, whole) == 0)) {
			return file_at(n);
		}
	}
	return NULL;
}

static int ram_open(const char *name, struct store_file *f)
{
	struct ram_file *r;

	spin_lock(&lock);
	r = find(name);
	spin_unlock(&lock);
	if (r == NULL) {
		return -ENOENT;
	}
	f->file = r;
	f->size = __atomic_load_n(&r->size, __ATOMIC_RELAXED);
	return 0;
}

static const char *ram_next(const char *prev, uint64_t *size)
{
	const struct ram_file *r;
	bool lost;

	spin_lock(&lock);
	r = prev == NULL ? NULL : find(prev);
	lost = prev != NULL && r == NULL;
	r = lost ? NULL : file_at(r == NULL ? files.next : r->node.next);
	spin_unlock(&lock);
	if (r == NULL) {
		return NULL;
	}
	*size = __atomic_load_n(&r->size, __ATOMIC_RELAXED);
	return r->name;
}

static int ram_read(const struct store_file *f, uint64_t off, void *buf, size_t len)
{
	struct ram_file *r = f->file;

	ram_bytes_read(&r->bytes, off, buf, len);
	return 0;
}

/* ---- making files ---- */

/* [L] 0, -EBUSY, -EPERM */
static int may_go(const struct ram_file *r)
{
	return r->users > 0 ? -EBUSY : above(r->name) != NULL ? -EPERM : 0;
}

static int ram_create(const char *name, struct store_file *f)
{
	struct ram_file *r;
	int err;

	spin_lock(&lock);
	r = find(name);
	err = r != NULL ? may_go(r) : 0;
	spin_unlock(&lock);
	if (err != 0) {
		return err;
	}
	r = heap_alloc(sizeof(*r));
	if (r == NULL) {
		return -ENOMEM;
	}
	list_init(&r->node);
	ram_bytes_init(&r->bytes);
	string_copy(r->name, name, sizeof(r->name));
	f->file = r;
	f->size = 0;
	return 0;
}

static int ram_append(struct store_file *f, const void *buf, size_t len)
{
	struct ram_file *r = f->file;
	int err = ram_bytes_write(&r->bytes, f->size, buf, len);

	f->size += err == 0 ? len : 0;
	return err;
}

static void forget(struct ram_file *r)
{
	ram_bytes_free(&r->bytes);
	heap_free(r);
}

/* Takes it out of the list; true if nobody uses it: the caller forgets it. [L] */
static bool take_out(struct ram_file *r)
{
	list_remove(&r->node);
	r->gone = true;
	return r->users == 0;
}

static void ram_finish(struct store_file *f, bool keep)
{
	struct ram_file *r = f->file, *old = NULL;

	r->size = f->size;
	if (!keep) {
		forget(r);
		return;
	}
	spin_lock(&lock);
	old = find(r->name);
	old = old != NULL && take_out(old) ? old : NULL;
	list_push_back(&files, &r->node);
	spin_unlock(&lock);
	if (old != NULL) {
		forget(old);
	}
}

static int ram_remove(const struct store_file *f)
{
	struct ram_file *r = f->file;
	int err;

	spin_lock(&lock);
	err = may_go(r);
	if (err == 0) {
		(void)take_out(r);
	}
	spin_unlock(&lock);
	if (err == 0) {
		forget(r);
	}
	return err;
}

/* ---- as a block_file ---- */

struct ram_block {
	struct block_file file;
	struct ram_file *r;
};

static struct ram_file *file_of(struct block_file *f)
{
	return container_of(f, struct ram_block, file)->r;
}

static int block_read_ram(struct block_file *f, uint64_t off, const struct block_vec *v,
			  unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		ram_bytes_read(&file_of(f)->bytes, off, v[i].base, v[i].len);
		off += v[i].len;
	}
	return 0;
}

static void grow(struct block_file *f, uint64_t size)
{
	struct ram_file *r = file_of(f);

	spin_lock(&lock); /* writers at once: the largest end stays */
	size = u64_max(size, r->size);
	__atomic_store_n(&r->size, size, __ATOMIC_RELAXED);
	__atomic_store_n(&f->size, size, __ATOMIC_RELEASE);
	spin_unlock(&lock);
}

static int block_write_ram(struct block_file *f, uint64_t off, const struct block_vec *v,
			   unsigned int n)
{
	int err = 0;

	for (unsigned int i = 0; err == 0 && i < n; i++) {
		err = ram_bytes_write(&file_of(f)->bytes, off, v[i].base, v[i].len);
		off += v[i].len;
	}
	if (err == 0 && off > __atomic_load_n(&f->size, __ATOMIC_RELAXED)) {
		grow(f, off);
	}
	return err;
}

/* Host memory has no power cut to survive. */
static int block_flush_ram(struct block_file *f UNUSED)
{
	return 0;
}

static int block_truncate_ram(struct block_file *f, uint64_t size)
{
	struct ram_file *r = file_of(f);

	if (size < f->size) {
		uint64_t old = f->size;

		__atomic_store_n(&r->size, size, __ATOMIC_RELAXED);
		__atomic_store_n(&f->size, size, __ATOMIC_RELEASE);
		ram_bytes_clear(&r->bytes, size, ALIGN_UP(old, PAGE_CHUNK_SIZE) - size);
		return 0;
	}
	if (size > RAM_BYTES_MAX) {
		return -ENOSPC;
	}
	grow(f, size);
	return 0;
}

/* Chunks that are given back, only: clearing parts of one would take time for nothing. */
static int block_discard_ram(struct block_file *f, uint64_t off, uint64_t len)
{
	uint64_t start = ALIGN_UP(off, PAGE_CHUNK_SIZE);
	uint64_t end = ALIGN_DOWN(off + len, PAGE_CHUNK_SIZE);

	if (start < end) {
		ram_bytes_clear(&file_of(f)->bytes, start, end - start);
	}
	return 0;
}

static void block_close_ram(struct block_file *f)
{
	struct ram_block *b = container_of(f, struct ram_block, file);
	bool last;

	spin_lock(&lock);
	b->r->users--;
	b->r->writer = false;
	last = b->r->gone && b->r->users == 0;
	spin_unlock(&lock);
	if (last) {
		forget(b->r);
	}
	heap_free(b);
}

static const struct block_file_ops block_ops = {
	.read = block_read_ram,
	.write = block_write_ram,
	.flush = block_flush_ram,
	.truncate = block_truncate_ram,
	.discard = block_discard_ram,
	.close = block_close_ram,
};

/* [L] */
static int claim(struct ram_file *r, bool readonly)
{
	if (r == NULL) {
		return -ENOENT;
	}
	if (r->writer || (!readonly && r->users > 0)) {
		return -EBUSY;
	}
	if (!readonly && above(r->name) != NULL) {
		return -EPERM;
	}
	r->users++;
	r->writer = !readonly;
	return 0;
}

static int ram_open_block(const char *name, bool readonly, struct block_file **out)
{
	struct ram_block *b = heap_alloc(sizeof(*b));
	int err;

	if (b == NULL) {
		return -ENOMEM;
	}
	spin_lock(&lock);
	b->r = find(name);
	err = claim(b->r, readonly);
	spin_unlock(&lock);
	if (err != 0) {
		heap_free(b);
		return err;
	}
	b->file = (struct block_file){
		.ops = &block_ops, .size = b->r->size, .readonly = readonly, .immediate = true
	};
	*out = &b->file;
	return 0;
}

/* ---- what stands on what ---- */

/* [L] base is name, or stands on it: a header may say so. */
static bool closes_loop(const char *name, const char *base)
{
	const struct ram_file *r = find(base);

	while (r != NULL && strcmp(r->name, name) != 0) {
		r = find(r->base);
	}
	return r != NULL;
}

static void ram_stand_on(const char *name, const char *base)
{
	struct ram_file *r;

	spin_lock(&lock);
	r = find(name);
	if (r != NULL) {
		string_copy(r->base, closes_loop(name, base) ? "" : base, sizeof(r->base));
	}
	spin_unlock(&lock);
}

static void ram_belong_to(const char *name, const char *whole)
{
	struct ram_file *r;

	spin_lock(&lock);
	r = find(name);
	if (r != NULL) {
		string_copy(r->whole, whole, sizeof(r->whole));
	}
	spin_unlock(&lock);
}

static bool ram_find_above(const char *base, char *name)
{
	const struct ram_file *r;

	spin_lock(&lock);
	r = above(base);
	if (r != NULL) {
		string_copy(name, r->name, STORE_FILE_MAX);
	}
	spin_unlock(&lock);
	return r != NULL;
}

static const struct store_ops ops = {
	.open = ram_open,
	.read = ram_read,
	.next = ram_next,
	.create = ram_create,
	.append = ram_append,
	.finish = ram_finish,
	.remove = ram_remove,
	.stand_on = ram_stand_on,
	.belong_to = ram_belong_to,
	.find_above = ram_find_above,
	.open_block = ram_open_block,
};

const struct store store_ram = {
	.name = "ram",
	.what = "host memory, until the next boot",
	.ops = &ops,
	.used = store_ram_used,
};
