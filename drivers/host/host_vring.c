/* SPDX-License-Identifier: BSD-2-Clause */
/* Lays the ring out in a page, fills it, reads what comes back. */
/* Notifies nobody. */
#include "drivers/host/host_vring.h"

#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define AVAIL(n) (VIRTQ_DESC_SIZE * (n))
#define USED(n)	 ALIGN_UP(AVAIL(n) + VIRTQ_AVAIL_BYTES(n), VIRTQ_USED_ALIGN)

_Static_assert(USED(HOST_VRING_MAX) + VIRTQ_USED_BYTES(HOST_VRING_MAX) <= PAGE_SIZE, "one page");

int host_vring_init(struct host_vring *r, uint16_t size)
{
	BUG_ON(size == 0 || size > HOST_VRING_MAX || (size & (size - 1)) != 0);
	r->size = size;
	r->mem = page_alloc(0);
	if (r->mem == NULL) {
		return -ENOMEM;
	}
	host_vring_restart(r);
	return 0;
}

void host_vring_free(struct host_vring *r)
{
	if (r->mem != NULL) {
		page_free(r->mem, 0);
	}
}

void host_vring_restart(struct host_vring *r)
{
	memset(r->mem, 0, PAGE_SIZE);
	r->avail = r->used = 0;
}

hpa_t host_vring_desc(const struct host_vring *r)
{
	return paging_hpa(r->mem);
}

hpa_t host_vring_avail(const struct host_vring *r)
{
	return paging_hpa(r->mem + AVAIL(r->size));
}

hpa_t host_vring_used(const struct host_vring *r)
{
	return paging_hpa(r->mem + USED(r->size));
}

void host_vring_put(struct host_vring *r, uint16_t i, const void *mem, uint32_t len, uint16_t flags,
		    uint16_t next)
{
	uint8_t *d = r->mem + VIRTQ_DESC_SIZE * (size_t)i;

	bytes_put_le64(d, paging_hpa(mem).v);
	bytes_put_le32(d + 8, len);
	bytes_put_le16(d + 12, flags);
	bytes_put_le16(d + 14, next);
}

/* 2.7.13 "Supplying Buffers to The Device": entries are there before the index. */
void host_vring_offer(struct host_vring *r, uint16_t head)
{
	uint8_t *ring = r->mem + AVAIL(r->size);

	bytes_put_le16(ring + VIRTQ_RING_ENTRIES + 2u * (r->avail % r->size), head);
	r->avail++;
	__atomic_store_n((uint16_t *)(void *)(ring + VIRTQ_RING_IDX), r->avail, __ATOMIC_RELEASE);
}

static uint16_t load(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

/* 2.7.10 "Available Buffer Notification Suppression" */
bool host_vring_wants_kick(const struct host_vring *r)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(load(r->mem + USED(r->size) + VIRTQ_RING_FLAGS) & VIRTQ_NO_NOTIFY);
}

/* 2.7.7 "Used Buffer Notification Suppression" */
void host_vring_mute(struct host_vring *r)
{
	bytes_put_le16(r->mem + AVAIL(r->size) + VIRTQ_RING_FLAGS, VIRTQ_NO_INTERRUPT);
}

bool host_vring_listen(struct host_vring *r)
{
	bytes_put_le16(r->mem + AVAIL(r->size) + VIRTQ_RING_FLAGS, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the flag is there before we look */
	return load(r->mem + USED(r->size) + VIRTQ_RING_IDX) != r->used;
}

/* 2.7.14 "Receiving Used Buffers From The Device" */
int host_vring_collect(struct host_vring *r, struct host_vring_end *out)
{
	const uint8_t *ring = r->mem + USED(r->size);
	uint16_t idx = load(ring + VIRTQ_RING_IDX);
	const uint8_t *entry = ring + VIRTQ_RING_ENTRIES + 8u * (size_t)(r->used % r->size);
	uint32_t id = bytes_get_le32(entry);

	if (idx == r->used) {
		return 0;
	}
	if ((uint16_t)(idx - r->used) > (uint16_t)(r->avail - r->used) || id >= r->size) {
		return -EPROTO;
	}
	*out = (struct host_vring_end){ .head = (uint16_t)id, .len = bytes_get_le32(entry + 4) };
	r->used++;
	return 1;
}
