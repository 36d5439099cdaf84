/* SPDX-License-Identifier: BSD-2-Clause */
/* Files as lists of 2 MiB chunks of host memory. */
/* Names are checked by store.c. */
#include "hv/mgmt/store_ram.h"

#include "arch/paging.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/list.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define SLICE 16384u /* copied between checkpoints: 2,048 iterations */

/* Where the chunks of 1 GiB of a file are. */
struct span {
	hpa_t chunk[GIB / PAGE_CHUNK_SIZE];
	struct span *next;
};

struct ram_file {
	struct list_node node; /* in `files` once it is finished */
	char name[STORE_FILE_MAX];
	uint64_t size;
	uint64_t chunks;
	struct span *first;
};

static struct list_node files = LIST_INIT(files);
static uint64_t used; /* bytes of chunks; atomic */

uint64_t store_ram_used(void)
{
	return __atomic_load_n(&used, __ATOMIC_RELAXED);
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

static int ram_open(const char *name, struct store_file *f)
{
	struct ram_file *r = find(name);

	if (r == NULL) {
		return -ENOENT;
	}
	f->file = r;
	f->size = r->size;
	return 0;
}

static const char *ram_next(const char *prev, uint64_t *size)
{
	const struct ram_file *r = prev == NULL ? NULL : find(prev);

	if (prev != NULL && r == NULL) {
		return NULL;
	}
	r = file_at(r == NULL ? files.next : r->node.next);
	if (r == NULL) {
		return NULL;
	}
	*size = r->size;
	return r->name;
}

/* ---- chunks ---- */

/* The place of chunk i of the file; a new span for the first of each GiB. NULL: no memory for it. */
static hpa_t *place(struct ram_file *r, uint64_t i)
{
	struct span **s = &r->first;

	for (; i >= ARRAY_SIZE((*s)->chunk); i -= ARRAY_SIZE((*s)->chunk)) {
		s = &(*s)->next;
	}
	if (*s == NULL) {
		*s = heap_alloc(sizeof(**s));
	}
	return *s != NULL ? &(*s)->chunk[i] : NULL;
}

static int add_chunk(struct ram_file *r)
{
	hpa_t *at = place(r, r->chunks);

	if (at == NULL || page_alloc_chunks(1, at) != 1) {
		return -ENOSPC;
	}
	r->chunks++;
	__atomic_fetch_add(&used, PAGE_CHUNK_SIZE, __ATOMIC_RELAXED);
	return 0;
}

static void free_chunks(struct ram_file *r)
{
	for (uint64_t i = 0; i < r->chunks; i++) {
		page_free_chunks(*place(r, i), 1);
		__atomic_fetch_sub(&used, PAGE_CHUNK_SIZE, __ATOMIC_RELAXED);
		thread_checkpoint();
	}
	while (r->first != NULL) {
		struct span *next = r->first->next;

		heap_free(r->first);
		r->first = next;
	}
}

/* Bytes from off on that lie in one chunk, a slice at most. */
static size_t part(uint64_t off, size_t len)
{
	return u64_min(u64_min(len, SLICE), PAGE_CHUNK_SIZE - off % PAGE_CHUNK_SIZE);
}

static int ram_read(const struct store_file *f, uint64_t off, void *buf, size_t len)
{
	struct ram_file *r = f->file;
	char *to = buf;

	while (len > 0) {
		size_t n = part(off, len);
		const char *window = paging_window(*place(r, off / PAGE_CHUNK_SIZE));

		memcpy(to, window + off % PAGE_CHUNK_SIZE, n);
		paging_window_close();
		off += n;
		to += n;
		len -= n;
		thread_checkpoint();
	}
	return 0;
}

/* ---- writing ---- */

static int ram_create(const char *name, struct store_file *f)
{
	struct ram_file *r = heap_alloc(sizeof(*r));

	if (r == NULL) {
		return -ENOMEM;
	}
	list_init(&r->node);
	string_copy(r->name, name, sizeof(r->name));
	f->file = r;
	f->size = 0;
	return 0;
}

static int ram_append(struct store_file *f, const void *buf, size_t len)
{
	struct ram_file *r = f->file;
	const char *from = buf;

	while (len > 0) {
		size_t n = part(f->size, len);
		int err = f->size == r->chunks * PAGE_CHUNK_SIZE ? add_chunk(r) : 0;
		char *window;

		if (err != 0) {
			return err;
		}
		window = paging_window(*place(r, f->size / PAGE_CHUNK_SIZE));
		memcpy(window + f->size % PAGE_CHUNK_SIZE, from, n);
		paging_window_close();
		f->size += n;
		from += n;
		len -= n;
		thread_checkpoint();
	}
	return 0;
}

static void forget(struct ram_file *r)
{
	free_chunks(r);
	heap_free(r);
}

static void take_out(struct ram_file *r)
{
	if (r != NULL) {
		list_remove(&r->node);
		forget(r);
	}
}

static void ram_finish(struct store_file *f, bool keep)
{
	struct ram_file *r = f->file;

	r->size = f->size;
	if (keep) {
		take_out(find(r->name));
		list_push_back(&files, &r->node);
	} else {
		forget(r);
	}
}

static void ram_remove(const struct store_file *f)
{
	take_out(f->file);
}

static const struct store_ops ops = {
	.open = ram_open,
	.read = ram_read,
	.next = ram_next,
	.create = ram_create,
	.append = ram_append,
	.finish = ram_finish,
	.remove = ram_remove,
};

const struct store store_ram = {
	.name = "ram",
	.what = "host memory, until the next boot",
	.ops = &ops,
	.used = store_ram_used,
};
