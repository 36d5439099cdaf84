/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects: slabs of one size class per page, and whole pages for what is larger. */
/* A page's header says what it holds, so that freeing needs no size. */
#include "hv/base/heap.h"

#include "hv/base/lock.h"
#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/lib/list.h"
#include "hv/lib/string.h"

#define HEADER_SIZE 64u
#define SLAB_MAGIC  0x51ab51abu
#define LARGE_MAGIC 0x1a46e1a4u

struct slab {
	uint32_t magic;
	uint16_t size_class; /* LARGE: order of pages */
	uint16_t used;
	void *free;	       /* linked through the first word of each free object */
	struct list_node node; /* in its class while it has room */
};
_Static_assert(sizeof(struct slab) <= HEADER_SIZE, "fits before the first object");

static const uint16_t sizes[] = { 32, 64, 128, 256, 496, 1008, 2016 };
static struct spinlock lock = SPINLOCK_INIT(LOCK_HEAP);
static struct list_node with_room[ARRAY_SIZE(sizes)]; /* [lock] */

static struct slab *slab_new(unsigned int cls)
{
	char *page = page_alloc_as(0, PAGE_HEAP);
	struct slab *s = (struct slab *)page;

	if (page == NULL) {
		return NULL;
	}
	s->magic = SLAB_MAGIC;
	s->size_class = (uint16_t)cls;
	for (size_t off = HEADER_SIZE; off + sizes[cls] <= PAGE_SIZE; off += sizes[cls]) {
		*(void **)(page + off) = s->free;
		s->free = page + off;
	}
	return s;
}

/* [lock] An object of a slab of cls that has room, NULL if none has. */
static void *take_object(unsigned int cls)
{
	struct slab *s;
	void *p;

	if (with_room[cls].next == NULL) {
		list_init(&with_room[cls]);
	}
	if (list_empty(&with_room[cls])) {
		return NULL;
	}
	s = container_of(with_room[cls].next, struct slab, node);
	p = s->free;
	s->free = *(void **)p;
	s->used++;
	if (s->free == NULL) {
		list_remove(&s->node);
	}
	return p;
}

static void *alloc_small(unsigned int cls)
{
	struct slab *s;
	void *p;

	spin_lock(&lock);
	p = take_object(cls);
	spin_unlock(&lock);
	if (p == NULL) {
		s = slab_new(cls);
		if (s == NULL) {
			return NULL;
		}
		spin_lock(&lock);
		list_push_front(&with_room[cls], &s->node);
		p = take_object(cls);
		spin_unlock(&lock);
	}
	memset(p, 0, sizes[cls]);
	return p;
}

static void *alloc_large(size_t size)
{
	unsigned int order = 0;
	struct slab *s;

	while ((PAGE_SIZE << order) < size + HEADER_SIZE) {
		order++;
	}
	s = order <= 9 ? page_alloc_as(order, PAGE_HEAP) : NULL;
	if (s == NULL) {
		return NULL;
	}
	s->magic = LARGE_MAGIC;
	s->size_class = (uint16_t)order;
	return (char *)s + HEADER_SIZE;
}

void *heap_alloc(size_t size)
{
	for (unsigned int cls = 0; cls < ARRAY_SIZE(sizes); cls++) {
		if (size <= sizes[cls]) {
			return alloc_small(cls);
		}
	}
	return size < 2 * MIB ? alloc_large(size) : NULL;
}

void heap_free(void *p)
{
	struct slab *s = (struct slab *)ALIGN_DOWN((uint64_t)p, PAGE_SIZE);
	bool empty;

	if (p == NULL) {
		return;
	}
	if (s->magic == LARGE_MAGIC) {
		page_free_as(s, s->size_class, PAGE_HEAP);
		return;
	}
	BUG_ON(s->magic != SLAB_MAGIC);
	spin_lock(&lock);
	if (s->free == NULL) {
		list_push_front(&with_room[s->size_class], &s->node);
	}
	*(void **)p = s->free;
	s->free = p;
	empty = --s->used == 0;
	if (empty) {
		list_remove(&s->node);
	}
	spin_unlock(&lock);
	if (empty) {
		page_free_as(s, 0, PAGE_HEAP);
	}
}

char *heap_strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *copy = heap_alloc(len);

	if (copy != NULL) {
		memcpy(copy, s, len);
	}
	return copy;
}
