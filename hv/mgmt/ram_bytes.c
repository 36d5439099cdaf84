/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of tables of chunks, one for each GiB; bytes move through a window, a slice at a time. */
/* A chunk's old content is another's: it is cleared before the chunk is part of anything. */
#include "hv/mgmt/ram_bytes.h"

#include "arch/paging.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define SLICE	    16384u /* copied between checkpoints: 2,048 iterations */
#define SPAN_CHUNKS (GIB / PAGE_CHUNK_SIZE)

struct ram_span { /* where the chunks of 1 GiB are; 0: a hole */
	hpa_t chunk[SPAN_CHUNKS];
	struct ram_span *next;
};

static uint64_t used; /* bytes of chunks; atomic */

uint64_t ram_bytes_used(void)
{
	return __atomic_load_n(&used, __ATOMIC_RELAXED);
}

void ram_bytes_init(struct ram_bytes *b)
{
	mutex_init(&b->mutex);
	b->first = NULL;
}

/* ---- chunks: the mutex is held ---- */

/* The place of the chunk in which off lies. NULL: there is none, or with `make` no memory for it. */
static hpa_t *place(struct ram_bytes *b, uint64_t off, bool make)
{
	struct ram_span **s = &b->first;
	uint64_t i = off / PAGE_CHUNK_SIZE;

	for (;; i -= SPAN_CHUNKS) {
		if (*s == NULL && make) {
			*s = heap_alloc(sizeof(**s));
			thread_checkpoint();
		}
		if (*s == NULL || i < SPAN_CHUNKS) {
			return *s ? &(*s)->chunk[i] : NULL;
		}
		s = &(*s)->next;
	}
}

static void clear_part(hpa_t chunk, uint64_t off, uint64_t len)
{
	while (len > 0) {
		uint64_t n = u64_min(len, SLICE);
		char *window = paging_window(chunk);

		memset(window + off, 0, n);
		paging_window_close();
		off += n;
		len -= n;
		thread_checkpoint();
	}
}

static int fill(hpa_t *at)
{
	struct page_stats stats;
	hpa_t chunk;

	page_stats(&stats);
	if (stats.free < PAGE_HEADROOM + PAGE_CHUNK_SIZE) {
		return -ENOSPC;
	}
	if (page_alloc_chunks(1, &chunk) != 1) {
		return -ENOSPC;
	}
	clear_part(chunk, 0, PAGE_CHUNK_SIZE);
	*at = chunk;
	__atomic_fetch_add(&used, PAGE_CHUNK_SIZE, __ATOMIC_RELAXED);
	return 0;
}

static void give_back(hpa_t *at)
{
	page_free_chunks(*at, 1);
	at->v = 0;
	__atomic_fetch_sub(&used, PAGE_CHUNK_SIZE, __ATOMIC_RELAXED);
}

void ram_bytes_free(struct ram_bytes *b)
{
	while (b->first != NULL) {
		struct ram_span *s = b->first;

		for (unsigned int i = 0; i < SPAN_CHUNKS; i++) {
			if (s->chunk[i].v != 0) {
				give_back(&s->chunk[i]);
				thread_checkpoint();
			}
		}
		b->first = s->next;
		heap_free(s);
	}
}

/* ---- bytes ---- */

/* Bytes from off on that lie in one chunk, a slice at most. */
static uint64_t slice(uint64_t off, uint64_t len)
{
	return u64_min(u64_min(len, SLICE), PAGE_CHUNK_SIZE - off % PAGE_CHUNK_SIZE);
}

static void read_slice(struct ram_bytes *b, uint64_t off, void *buf, uint64_t len)
{
	const hpa_t *at = place(b, off, false);
	const char *window;

	if (at == NULL || at->v == 0) {
		memset(buf, 0, len);
		return;
	}
	window = paging_window(*at);
	memcpy(buf, window + off % PAGE_CHUNK_SIZE, len);
	paging_window_close();
}

void ram_bytes_read(struct ram_bytes *b, uint64_t off, void *buf, uint64_t len)
{
	char *to = buf;

	while (len > 0) {
		uint64_t n = slice(off, len);

		mutex_lock(&b->mutex);
		read_slice(b, off, to, n);
		mutex_unlock(&b->mutex);
		off += n;
		to += n;
		len -= n;
		thread_checkpoint();
	}
}

static int write_slice(struct ram_bytes *b, uint64_t off, const void *buf, uint64_t len)
{
	hpa_t *at = place(b, off, true);
	int err = at == NULL ? -ENOSPC : at->v == 0 ? fill(at) : 0;
	char *window;

	if (err != 0) {
		return err;
	}
	window = paging_window(*at);
	memcpy(window + off % PAGE_CHUNK_SIZE, buf, len);
	paging_window_close();
	return 0;
}

int ram_bytes_write(struct ram_bytes *b, uint64_t off, const void *buf, uint64_t len)
{
	const char *from = buf;
	int err = range_within(off, len, RAM_BYTES_MAX) ? 0 : -ENOSPC;

	while (err == 0 && len > 0) {
		uint64_t n = slice(off, len);

		mutex_lock(&b->mutex);
		err = write_slice(b, off, from, n);
		mutex_unlock(&b->mutex);
		off += n;
		from += n;
		len -= n;
		thread_checkpoint();
	}
	return err;
}

void ram_bytes_clear(struct ram_bytes *b, uint64_t off, uint64_t len)
{
	while (len > 0) {
		uint64_t in = off % PAGE_CHUNK_SIZE, n = u64_min(len, PAGE_CHUNK_SIZE - in);
		hpa_t *at;

		mutex_lock(&b->mutex);
		at = place(b, off, false);
		if (at == NULL) { /* nothing from here on */
			n = len;
		} else if (at->v != 0 && n == PAGE_CHUNK_SIZE) {
			give_back(at);
		} else if (at->v != 0) {
			clear_part(*at, in, n);
		}
		mutex_unlock(&b->mutex);
		off += n;
		len -= n;
		thread_checkpoint();
	}
}
