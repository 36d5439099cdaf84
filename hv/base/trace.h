/* SPDX-License-Identifier: BSD-2-Clause */
/* Flight recorder: a ring of small binary records per CPU, always on. */
/* Records only; the console and panic print them. */
#ifndef HV_BASE_TRACE_H
#define HV_BASE_TRACE_H

#include "arch/cpu.h"
#include "hv/lib/types.h"

#define TRACE_RECORDS 1024u /* per CPU; a power of two */

enum trace_kind { TRACE_NONE, TRACE_EXIT, TRACE_SWITCH, TRACE_IRQ, TRACE_WAKE, TRACE_INJECT };

struct trace_record {
	uint64_t tsc;  /* when it began */
	uint32_t took; /* ticks in root mode, for exits */
	uint16_t kind; /* enum trace_kind */
	uint16_t code; /* exit reason, vector, thread id */
	uint64_t a;    /* RIP for exits */
	uint32_t b;    /* low half of the qualification */
	uint32_t vcpu; /* vm id << 16 | vcpu id */
};

struct trace_ring {
	uint32_t next; /* records ever written, modulo 2^32 */
	struct trace_record *rec;
};

extern struct trace_ring trace_rings[CPU_MAX];

/* Allocates the executing CPU's ring; until then records are dropped. -ENOMEM */
int trace_init_cpu(void);

static inline struct trace_record *trace_add(struct trace_ring *ring)
{
	return &ring->rec[ring->next++ & (TRACE_RECORDS - 1)];
}

void trace_event(enum trace_kind kind, uint16_t code, uint64_t a, uint32_t b);
/* As of a moment (ticks) that is just past. */
void trace_event_at(uint64_t tsc, enum trace_kind kind, uint16_t code, uint64_t a, uint32_t b);

#endif
