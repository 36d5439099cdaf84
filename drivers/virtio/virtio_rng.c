/* SPDX-License-Identifier: BSD-2-Clause */
/* The entropy device (5.4): fills the driver's buffers with random bytes, so many a second. */
/* Where they come from is hv/base/random's. */
#include "arch/clock.h"
#include "drivers/virtio/virtio_pci.h"
#include "hv/base/random.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/timer.h"
#include "hv/vdev.h"
#include "hv/vm.h"

/* A token is a byte; they are earned at RATE, and at most BURST are kept. */
#define RATE	  (1ul * MIB) /* a second */
#define BURST	  (64 * KIB)
#define CHUNK	  512u	/* bytes from the generator at once */
#define IN_ONE_GO 4096u /* bytes before others get their turn */
#define WAIT	  1024u /* tokens to wait for when there are none */

struct virtio_rng_state {
	struct virtio_pci_state pci;
	uint64_t tokens;
};

struct virtio_rng {
	struct virtio_pci pci;
	struct timer refill; /* set: the driver waits for tokens */
	uint64_t earned_at;  /* ticks up to which tokens were given; ahead of now: some are owed */
	struct virtq_chain chain;
	struct virtio_rng_state s;
};

static uint64_t token_ticks(uint64_t tokens)
{
	return tokens * clock_hz() / RATE;
}

static void earn(struct virtio_rng *r)
{
	uint64_t now = clock_now();
	uint64_t since = now > r->earned_at ? u64_min(now - r->earned_at, token_ticks(BURST)) : 0;
	uint64_t earned = since * RATE / clock_hz();

	if (since == 0) {
		return;
	}
	r->s.tokens = u64_min(r->s.tokens + earned, BURST);
	/* Fractions of a token are kept for the next time. */
	r->earned_at = now - (since - token_ticks(earned));
}

static void spend(struct virtio_rng *r, uint64_t tokens)
{
	uint64_t have = u64_min(tokens, r->s.tokens);

	r->s.tokens -= have;
	r->earned_at += token_ticks(tokens - have);
}

static uint64_t fill(struct virtio_rng *r, uint64_t room)
{
	uint8_t bytes[CHUNK];
	uint64_t done = 0;

	while (done < room) {
		size_t n = u64_min(room - done, sizeof(bytes));

		random_bytes(bytes, n);
		done += virtq_write(&r->chain, done, bytes, n);
	}
	memset(bytes, 0, sizeof(bytes));
	return done;
}

/*
 * 5.4.6.1: one byte or more for each buffer. All of it, if need be on credit: Linux 6.1.192 waits for ever
 * after an answer that is shorter than its buffer.
 */
static void rng_notify(struct virtio_dev *d, unsigned int queue)
{
	struct virtio_rng *r = container_of(virtio_pci_of(d), struct virtio_rng, pci);
	struct virtq *q = &d->queue[queue];
	uint64_t budget = IN_ONE_GO;
	bool more = true; /* or not known: a virtq_pop() that finds none asks for more */

	earn(r);
	while (budget > 0 && r->s.tokens > 0 && (more = virtq_pop(q, &r->chain))) {
		uint64_t n = u64_min(r->chain.write_len, IN_ONE_GO);

		virtq_push(q, &r->chain, (uint32_t)fill(r, n));
		spend(r, n);
		budget -= u64_min(budget, n + 64); /* an empty one costs as well */
	}
	virtq_signal(q);
	if (!more) {
		return;
	}
	if (r->s.tokens > 0) {
		virtio_dev_again(d, queue);
	} else if (!timer_is_set(&r->refill)) {
		timer_set(&r->refill, r->earned_at + token_ticks(WAIT) + 1);
	}
}

static void refilled(struct timer *t)
{
	struct virtio_rng *r = container_of(t, struct virtio_rng, refill);
	struct vm *vm = r->pci.d.vm;

	spin_lock(&vm->dev_lock);
	virtio_dev_again(&r->pci.d, 0);
	spin_unlock(&vm->dev_lock);
}

static const struct virtio_dev_class rng_class = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_ENTROPY,
	.pci_class = 0x00ff00, /* "Device was built before Class Code definitions": no better one */
	.queues = 1,
	.queue_size = 256,
	.notify = rng_notify,
};

/* ---- the vdev class ---- */

static bool wanted(const struct vm_config *cfg)
{
	return cfg->rng;
}

static int create(struct vm *vm, void *dev)
{
	struct virtio_rng *r = dev;

	timer_init(&r->refill, refilled);
	return virtio_pci_create(&r->pci, vm, &rng_class, &r->s.pci, NULL, VIRTIO_SLOT_RNG);
}

static void reset(void *dev)
{
	struct virtio_rng *r = dev;

	timer_cancel(&r->refill);
	virtio_pci_reset(&r->pci);
	r->s.tokens = BURST;
	r->earned_at = clock_now();
}

static void work(void *dev)
{
	virtio_dev_work(&((struct virtio_rng *)dev)->pci.d);
}

static void destroy(void *dev)
{
	timer_destroy(&((struct virtio_rng *)dev)->refill);
}

static int after_load(void *dev)
{
	struct virtio_rng *r = dev;

	r->earned_at = clock_now();
	return r->s.tokens > BURST ? -EINVAL : virtio_pci_load(&r->pci);
}

static const struct vdev_class virtio_rng_class = {
	.name = "virtio-rng",
	.stage = VDEV_CHIP,
	.size = sizeof(struct virtio_rng),
	.wanted = wanted,
	.create = create,
	.reset = reset,
	.work = work,
	.destroy = destroy,
	.state_offset = offsetof(struct virtio_rng, s),
	.state_size = sizeof(struct virtio_rng_state),
	.state_version = VIRTIO_PCI_STATE_VERSION,
	.after_load = after_load,
};
VDEV_REGISTER(virtio_rng_class);
