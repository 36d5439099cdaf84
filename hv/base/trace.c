/* SPDX-License-Identifier: BSD-2-Clause */
/* The rings of the flight recorder, one per CPU. */
/* Before a CPU has its ring, records go to a common scrap. */
#include "hv/base/trace.h"

#include "arch/clock.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"

_Static_assert(sizeof(struct trace_record) == 32, "small enough to keep always on");
#define RING_ORDER 3u
_Static_assert(TRACE_RECORDS * sizeof(struct trace_record) <= PAGE_SIZE << RING_ORDER, "ring");

struct trace_ring trace_rings[CPU_MAX];

int trace_init_cpu(void)
{
	struct trace_record *rec = page_alloc(RING_ORDER);

	if (rec == NULL) {
		return -ENOMEM;
	}
	trace_rings[cpu_id()].rec = rec;
	return 0;
}

void trace_event(enum trace_kind kind, uint16_t code, uint64_t a, uint32_t b)
{
	trace_event_at(clock_now(), kind, code, a, b);
}

void trace_event_at(uint64_t tsc, enum trace_kind kind, uint16_t code, uint64_t a, uint32_t b)
{
	struct trace_ring *ring = &trace_rings[cpu_id()];
	struct trace_record *r;

	if (ring->rec == NULL) {
		return;
	}
	r = trace_add(ring);
	r->tsc = tsc;
	r->took = 0;
	r->kind = (uint16_t)kind;
	r->code = code;
	r->a = a;
	r->b = b;
	r->vcpu = 0;
}
