/* SPDX-License-Identifier: BSD-2-Clause */
/* The split ring: every value of the driver's is read once, checked here, and never looked at again. */
/* What buffers mean is the devices'; how an interrupt travels is the transport's. */
#include "drivers/virtio/virtq.h"

#include "drivers/virtio/virtio_dev.h"
#include "drivers/virtio/virtio_regs.h"
#include "drivers/virtio/virtq_mem.h"
#include "hv/guest_mem.h"
#include "hv/lib/string.h"

#define CHAIN_BYTES_MAX (1ul << 32) /* 2.7.5 "The Virtqueue Descriptor Table" */

struct desc { /* the local copy */
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct table { /* of descriptors: the queue's own, or an indirect one */
	const uint8_t *base;
	uint32_t count;
	bool indirect;
};

/* ---- setting up ---- */

void virtq_reset(struct virtq *q, uint16_t size)
{
	memset(q->s, 0, sizeof(*q->s));
	q->s->size = size;
	q->s->vector = VIRTIO_NO_VECTOR;
	q->put = 0;
	q->epoch++;
}

static uint8_t *area(const struct virtq *q, uint64_t gpa, uint32_t len, uint32_t align)
{
	return gpa % align == 0 ? guest_mem_slice(q->dev->vm, (gpa_t){ gpa }, len) : NULL;
}

const char *virtq_enable(struct virtq *q)
{
	const struct virtq_state *s = q->s;

	if (s->size == 0 || (s->size & (s->size - 1)) || s->size > q->dev->cls->queue_size) {
		return "queue size";
	}
	q->desc = area(q, s->desc, VIRTQ_DESC_SIZE * s->size, VIRTQ_DESC_ALIGN);
	q->avail = area(q, s->driver, VIRTQ_AVAIL_BYTES(s->size), VIRTQ_AVAIL_ALIGN);
	q->used = area(q, s->device, VIRTQ_USED_BYTES(s->size), VIRTQ_USED_ALIGN);
	if (!q->desc || !q->avail || !q->used) {
		return "queue address";
	}
	q->indirect = virtio_dev_has(q->dev, VIRTIO_F_INDIRECT_DESC);
	q->event_idx = virtio_dev_has(q->dev, VIRTIO_F_EVENT_IDX);
	q->s->enabled = 1;
	return NULL;
}

/* ---- taking chains ---- */

static bool fail(struct virtq *q, const char *why)
{
	virtio_dev_broken(q->dev, "queue %u: %s", q->number, why);
	return false;
}

static struct desc load_desc(const struct table *t, uint32_t i)
{
	uint64_t raw[2];

	virtq_mem_copy16(raw, t->base + (size_t)i * VIRTQ_DESC_SIZE);
	return (struct desc){ .addr = raw[0],
			      .len = (uint32_t)raw[1],
			      .flags = (uint16_t)(raw[1] >> 32),
			      .next = (uint16_t)(raw[1] >> 48) };
}

static const char *add_segment(struct virtq *q, struct virtq_chain *c, const struct desc *d)
{
	bool write = d->flags & VIRTQ_DESC_WRITE;
	uint8_t *base;

	if (!write && c->write_len > 0) {
		return "device-readable descriptor behind a device-writable one";
	}
	if (d->len == 0) {
		return NULL;
	}
	if (c->read_len + c->write_len + d->len > CHAIN_BYTES_MAX) {
		return "chain of more than 2^32 bytes";
	}
	base = guest_mem_slice(q->dev->vm, (gpa_t){ d->addr }, d->len);
	if (!base) {
		return "buffer outside of RAM";
	}
	c->seg[c->count++] = (struct virtq_seg){ base, d->len };
	c->readable = (uint16_t)(c->readable + !write);
	*(write ? &c->write_len : &c->read_len) += d->len;
	return NULL;
}

/* 2.7.5.3 "Indirect Descriptors": the device ignores the write flag of what refers to a table. */
static const char *enter_indirect(const struct virtq *q, struct table *t, const struct desc *d)
{
	if (!q->indirect) {
		return "indirect descriptor without the feature";
	}
	if (t->indirect) {
		return "indirect descriptor in an indirect table";
	}
	if (d->flags & VIRTQ_DESC_NEXT) {
		return "indirect descriptor with a next one";
	}
	if (d->len == 0 || d->len % VIRTQ_DESC_SIZE) {
		return "length of an indirect table";
	}
	t->base = guest_mem_slice(q->dev->vm, (gpa_t){ d->addr }, d->len);
	t->count = d->len / VIRTQ_DESC_SIZE;
	t->indirect = true;
	return t->base ? NULL : "indirect table outside of RAM";
}

/*
 * Segments are at most as many as descriptors, and those at most the queue's size (2.7.5.3.1: with
 * those of the indirect table): no loop goes on.
 */
static const char *walk(struct virtq *q, struct virtq_chain *c)
{
	struct table t = { q->desc, q->s->size, false };
	uint32_t i = c->head;

	for (c->walked = 0; c->walked < q->s->size;) {
		const char *why;
		struct desc d;

		if (i >= t.count) {
			return "descriptor index";
		}
		d = load_desc(&t, i);
		if (d.flags & VIRTQ_DESC_INDIRECT) {
			why = enter_indirect(q, &t, &d);
			i = 0;
		} else {
			why = add_segment(q, c, &d);
			i = d.next;
			c->walked++;
		}
		if (why) {
			return why;
		}
		if (!(d.flags & (VIRTQ_DESC_NEXT | VIRTQ_DESC_INDIRECT))) {
			return NULL;
		}
	}
	return "chain longer than the queue, or a loop";
}

static uint16_t load_avail(const struct virtq *q)
{
	return virtq_mem_load16(q->avail + VIRTQ_RING_IDX);
}

/*
 * 2.7.10 "Available Buffer Notification Suppression": asks for a notification of the buffer at that index,
 * then looks once more for those that came meanwhile.
 */
static uint16_t ask_for(struct virtq *q, uint16_t index)
{
	if (q->event_idx) {
		virtq_mem_store16(q->used + VIRTQ_AVAIL_EVENT(q->s->size), index);
		virtq_mem_fence();
		return load_avail(q);
	}
	return q->s->next;
}

static bool is_live(const struct virtq *q)
{
	return q->s->enabled && virtio_dev_is_live(q->dev);
}

static bool take(struct virtq *q, uint16_t head, struct virtq_chain *c)
{
	const char *why;

	c->read_len = c->write_len = 0;
	c->count = c->readable = 0;
	c->epoch = q->epoch;
	c->head = head;
	why = walk(q, c);
	return why == NULL || fail(q, why);
}

bool virtq_retake(struct virtq *q, uint16_t head, struct virtq_chain *c)
{
	return is_live(q) && take(q, head, c);
}

bool virtq_ask_after(struct virtq *q, uint16_t n)
{
	return is_live(q) &&
	       (uint16_t)(ask_for(q, (uint16_t)(q->s->next + n - 1)) - q->s->next) >= n;
}

bool virtq_more(struct virtq *q)
{
	return is_live(q) && (load_avail(q) != q->s->next || ask_for(q, q->s->next) != q->s->next);
}

static bool pop(struct virtq *q, struct virtq_chain *c, bool ask)
{
	struct virtq_state *s = q->s;
	uint16_t avail;

	if (!is_live(q)) {
		return false;
	}
	avail = load_avail(q);
	if (avail == s->next && ask) {
		avail = ask_for(q, s->next);
	}
	if (avail == s->next) {
		return false;
	}
	if ((uint16_t)(avail - s->next) > s->size - (uint16_t)(s->next - s->used)) {
		return fail(q, "available index");
	}
	if (!take(q,
		  virtq_mem_load16(q->avail + VIRTQ_RING_ENTRIES + 2u * (s->next & (s->size - 1u))),
		  c)) {
		return false;
	}
	s->next++;
	return true;
}

bool virtq_pop(struct virtq *q, struct virtq_chain *c)
{
	return pop(q, c, true);
}

bool virtq_pop_quietly(struct virtq *q, struct virtq_chain *c)
{
	return pop(q, c, false);
}

void virtq_put_back(struct virtq *q, const struct virtq_chain *c)
{
	if (is_live(q) && c->epoch == q->epoch) {
		q->s->next--;
	}
}

/* ---- completing them ---- */

void virtq_put_head(struct virtq *q, uint16_t head, uint32_t epoch, uint32_t len)
{
	struct virtq_state *s = q->s;
	uint8_t *entry;

	if (!is_live(q) || epoch != q->epoch) {
		return;
	}
	entry = q->used + VIRTQ_RING_ENTRIES + 8u * ((uint32_t)(s->used + q->put) & (s->size - 1u));
	virtq_mem_store32(entry, head);
	virtq_mem_store32(entry + 4, len);
	q->put++;
}

void virtq_put(struct virtq *q, const struct virtq_chain *c, uint32_t len)
{
	virtq_put_head(q, c->head, c->epoch, len);
}

void virtq_publish(struct virtq *q)
{
	if (q->put != 0) {
		q->s->used = (uint16_t)(q->s->used + q->put);
		q->put = 0;
		virtq_mem_store16(q->used + VIRTQ_RING_IDX, q->s->used);
	}
}

void virtq_push(struct virtq *q, const struct virtq_chain *c, uint32_t len)
{
	virtq_put(q, c, len);
	virtq_publish(q);
}

void virtq_unpop(struct virtq *q, unsigned int n)
{
	q->s->next = (uint16_t)(q->s->next - n);
	q->put = 0;
}

/* 2.7.7 "Used Buffer Notification Suppression" */
static bool wants_interrupt(const struct virtq *q)
{
	const struct virtq_state *s = q->s;
	uint16_t event;

	if (!q->event_idx) {
		return !(virtq_mem_load16(q->avail + VIRTQ_RING_FLAGS) & VIRTQ_NO_INTERRUPT);
	}
	event = virtq_mem_load16(q->avail + VIRTQ_USED_EVENT(s->size));
	/* Was the entry that it names among those completed since the last look? */
	return (uint16_t)(s->used - event - 1) < (uint16_t)(s->used - s->signalled);
}

void virtq_signal(struct virtq *q)
{
	struct virtq_state *s = q->s;
	bool wanted;

	if (!is_live(q) || s->used == s->signalled) {
		return;
	}
	virtq_mem_fence(); /* the index is out before the driver's wish is read */
	wanted = wants_interrupt(q);
	s->signalled = s->used;
	if (wanted) {
		virtio_dev_interrupt(q->dev, s->vector, VIRTIO_ISR_QUEUE);
	}
}

/* ---- copying ---- */

/* One direction of a copy over seg[first .. last). */
static size_t copy(const struct virtq_seg *seg, const struct virtq_seg *end, uint64_t off,
		   uint8_t *buf, size_t len, bool to_guest)
{
	size_t done = 0;

	for (; seg < end && done < len; seg++) {
		size_t n;

		if (off >= seg->len) {
			off -= seg->len;
			continue;
		}
		n = u64_min(seg->len - off, len - done);
		if (to_guest) {
			memcpy(seg->base + off, buf + done, n);
		} else {
			memcpy(buf + done, seg->base + off, n);
		}
		done += n;
		off = 0;
	}
	return done;
}

size_t virtq_read(const struct virtq_chain *c, uint64_t off, void *buf, size_t len)
{
	return copy(c->seg, c->seg + c->readable, off, buf, len, false);
}

size_t virtq_write(const struct virtq_chain *c, uint64_t off, const void *buf, size_t len)
{
	return copy(c->seg + c->readable, c->seg + c->count, off, (uint8_t *)(uintptr_t)buf, len,
		    true);
}

uint8_t *virtq_byte(const struct virtq_chain *c, uint64_t off)
{
	for (unsigned int i = c->readable; i < c->count; i++) {
		if (off < c->seg[i].len) {
			return c->seg[i].base + off;
		}
		off -= c->seg[i].len;
	}
	return NULL;
}
