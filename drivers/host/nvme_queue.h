/* SPDX-License-Identifier: BSD-2-Clause */
/* A pair of NVMe queues: commands in, completions out. */
/* For the NVMe driver only. Who waits for which command is disk_slots'. */
#ifndef DRIVERS_HOST_NVME_QUEUE_H
#define DRIVERS_HOST_NVME_QUEUE_H

#include "drivers/host/disk_slots.h"

#define NVME_DEPTH 16u /* entries of a queue: never full */

/* The parts of a submission queue entry that commands differ in; data is the job's. */
struct nvme_command {
	uint8_t opcode;
	uint32_t nsid;
	uint64_t prp; /* 0: the slot's buffer, if the job has data */
	uint32_t cdw10, cdw11, cdw12;
};

struct nvme_queue {
	struct disk_slots slots;    /* its lock is that of what is not constant */
	uint8_t *sq, *cq;	    /* (c) a page each */
	uint8_t *prps[DISK_SLOTS];  /* (c) the pages of a slot's buffer but the first */
	volatile uint32_t *sq_bell; /* (c) */
	volatile uint32_t *cq_bell; /* (c) */
	unsigned int tail, head;
	unsigned int phase; /* of completions that are new */
};

/* Memory; bells are set, ops->submit is nvme_queue_submit. -ENOMEM: nvme_queue_free. */
int nvme_queue_init(struct nvme_queue *q, const struct disk_slots_ops *ops);
void nvme_queue_free(struct nvme_queue *q);
/* Empty again, for a controller that was reset; nothing is under way. */
void nvme_queue_restart(struct nvme_queue *q);
/* Completions that are new. */
void nvme_queue_irq(struct nvme_queue *q);

/* A job's command is a struct nvme_command. */
void nvme_queue_submit(struct disk_slots *s, unsigned int slot, const struct disk_job *j);

#endif
