/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueues as a device sees them: bounds-checked buffers out, completions in, interrupts */
/* no more often than the driver wants. Everything here runs on a thread of the VM, lock held. */
#ifndef DRIVERS_VIRTIO_VIRTQ_H
#define DRIVERS_VIRTIO_VIRTQ_H

#include "hv/lib/types.h"

struct virtio_dev;

#define VIRTQ_SIZE_MAX 256u /* entries of a ring, and so segments of a chain */

struct virtq_state {	 /* saved */
	uint64_t desc;	 /* guest-physical: descriptor table, */
	uint64_t driver; /* available ring, */
	uint64_t device; /* used ring */
	uint16_t size;
	uint16_t vector;
	uint16_t next;	    /* available index of the next chain to take */
	uint16_t used;	    /* used index: chains completed */
	uint16_t signalled; /* used index when an interrupt was last considered */
	uint8_t enabled;
	uint8_t reserved[5];
};
_Static_assert(sizeof(struct virtq_state) == 40, "part of the saved state");

struct virtq {
	struct virtq_state *s;
	struct virtio_dev *dev;
	uint8_t *desc; /* slices, valid while enabled */
	uint8_t *avail;
	uint8_t *used;
	uint16_t number; /* (c) */
	bool indirect;	 /* negotiated features, while enabled */
	bool event_idx;
	uint32_t epoch; /* of the enabling: older completions vanish */
	uint16_t put;	/* virtq_put since virtq_publish */
};

struct virtq_seg {
	uint8_t *base;
	uint32_t len; /* never 0 */
};

/* A buffer taken from a queue: plain copies, nothing in it changes under the device's hands. */
struct virtq_chain {
	uint64_t read_len;  /* bytes in seg[0 .. readable) */
	uint64_t write_len; /* bytes in seg[readable .. count) */
	uint32_t epoch;
	uint16_t head;
	uint16_t readable;
	uint16_t count;
	uint16_t walked; /* descriptors looked at, empty ones too: what taking it cost */
	struct virtq_seg seg[VIRTQ_SIZE_MAX];
};

/*
 * Takes the next buffer: true, and *c is filled. False: there is none (then the driver has been asked
 * to notify of the next), or the driver broke a rule and the device needs a reset.
 */
bool virtq_pop(struct virtq *q, struct virtq_chain *c);
/* The same, but if there is none, when the driver notifies is left as it is. */
bool virtq_pop_quietly(struct virtq *q, struct virtq_chain *c);
/*
 * Behind that: asks to be notified of the n-th buffer from now on, not of those before, if the driver can
 * count (else it notifies of each anyway). True: so many are there already.
 */
bool virtq_ask_after(struct virtq *q, uint16_t n);
/* Behind a pop: is there another buffer? If not, the driver has been asked to notify of it. */
bool virtq_more(struct virtq *q);
/* Undoes the last virtq_pop(): the next takes the same buffer. Nothing was pushed in between. */
void virtq_put_back(struct virtq *q, const struct virtq_chain *c);
/*
 * Completes c: len bytes of its writable part were filled from its start. In any order, at any time;
 * a chain from before a reset is ignored. The driver hears of it at virtq_signal().
 */
void virtq_push(struct virtq *q, const struct virtq_chain *c, uint32_t len);
/* As virtq_push, but the driver sees it at virtq_publish only, with all others put since, at once. */
void virtq_put(struct virtq *q, const struct virtq_chain *c, uint32_t len);
/* The same for a chain of which that much was kept. */
void virtq_put_head(struct virtq *q, uint16_t head, uint32_t epoch, uint32_t len);
/* In the same go as the virtq_put()s. */
void virtq_publish(struct virtq *q);
/*
 * Looks once more at a chain that was taken and not pushed: *c is filled from what the driver has there
 * now. False: that breaks a rule; the device needs a reset.
 */
bool virtq_retake(struct virtq *q, uint16_t head, struct virtq_chain *c);
/* The last n chains taken are as if they had not been: not pushed yet; what was put is forgotten. */
void virtq_unpop(struct virtq *q, unsigned int n);
/* After a batch of virtq_push(): interrupts the driver if it wants that. */
void virtq_signal(struct virtq *q);

/* Copies between c's readable (writable) part from byte off on, and buf; bytes that there were. */
size_t virtq_read(const struct virtq_chain *c, uint64_t off, void *buf, size_t len);
size_t virtq_write(const struct virtq_chain *c, uint64_t off, const void *buf, size_t len);
/* Where byte off of c's writable part lies; NULL: it is shorter. */
uint8_t *virtq_byte(const struct virtq_chain *c, uint64_t off);

/* ---- the transport's side ---- */

/* Power-on state, with room for size entries. */
void virtq_reset(struct virtq *q, uint16_t size);
/*
 * Looks at what the driver has set up and begins; or again after a load, with the indices as they are.
 * NULL, or which rule it breaks.
 */
const char *virtq_enable(struct virtq *q);

#endif
