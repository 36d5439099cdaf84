/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of the NVMe driver share: a controller, with a queue for itself and one for its disks. */
/* For nvme.c and nvme_queue.c only. */
#ifndef DRIVERS_HOST_NVME_H
#define DRIVERS_HOST_NVME_H

#include "hv/base/lock.h"
#include "hv/lib/types.h"
#include "hv/mutex.h"

struct thread;

#define NVME_SLOTS  4u		 /* commands under way in a queue */
#define NVME_DEPTH  16u		 /* entries of a queue: never full */
#define NVME_BUFFER (64ul * KIB) /* most bytes that a command moves */

/* The parts of a submission queue entry that commands differ in. */
struct nvme_command {
	uint8_t opcode;
	uint32_t nsid;
	uint64_t prp; /* 0: the slot's buffer, `bytes` of it */
	uint32_t bytes;
	uint32_t cdw10, cdw11, cdw12;
};

/* One command: its place in memory, and who waits for its end. */
struct nvme_slot {
	struct mutex busy;     /* the rest is its holder's, but: */
	uint8_t *buffer;       /* (c) */
	uint8_t *prps;	       /* (c) the pages of the buffer but the first */
	struct thread *waiter; /* [queue's lock] NULL: nothing is under way */
	bool done;	       /* [queue's lock] */
	uint16_t status;       /* [queue's lock] of the completion, without the phase */
};

struct nvme_queue {
	struct spinlock lock;	    /* what follows but for what is constant */
	uint8_t *sq, *cq;	    /* (c) a page each */
	volatile uint32_t *sq_bell; /* (c) */
	volatile uint32_t *cq_bell; /* (c) */
	unsigned int tail, head;
	unsigned int phase; /* of completions that are new */
	bool stopped;	    /* nothing is submitted: the controller is off */
	unsigned int next;  /* slot to try; atomic */
	struct nvme_slot slots[NVME_SLOTS];
};

/* Memory; bells are set. -ENOMEM: nvme_queue_free. */
int nvme_queue_init(struct nvme_queue *q);
void nvme_queue_free(struct nvme_queue *q);
/* Empty again, for a controller that was reset; all slots held or unused. */
void nvme_queue_restart(struct nvme_queue *q);
/* Nothing more is submitted, and who waits is told that it failed. */
void nvme_queue_stop(struct nvme_queue *q);
/* Completions that are new. */
void nvme_queue_irq(struct nvme_queue *q);

/* A slot that is the caller's until nvme_queue_give; sleeps. */
struct nvme_slot *nvme_queue_take(struct nvme_queue *q);
void nvme_queue_give(struct nvme_slot *s);
/* Runs a command and sleeps until its end: 0, -EIO and s->status; -ETIMEDOUT; -ENODEV: stopped, before or meanwhile. */
int nvme_queue_run(struct nvme_queue *q, struct nvme_slot *s, const struct nvme_command *c);

#endif
