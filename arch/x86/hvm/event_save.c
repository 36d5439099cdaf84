/* SPDX-License-Identifier: BSD-2-Clause */
/* What others may send a vCPU at any moment, in a pause as well: NMI, INIT, SIPI; as a saved block. */
/* What its own thread alone raises is vcpu_save.c's, interrupts are the local APIC's. */
#include "arch/x86/hvm/vcpu_save.h"

#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vcpu.h"

struct event_block {
	uint32_t pending; /* VCPU_PENDING_NMI */
	uint32_t start;	  /* struct mp_init */
};
_Static_assert(sizeof(struct event_block) == 8, "part of the saved state");

static size_t size(const struct vcpu *v)
{
	(void)v;
	return sizeof(struct event_block);
}

static int save(struct vcpu *v, void *block)
{
	const struct event_block b = {
		.pending = __atomic_load_n(&v->pending, __ATOMIC_SEQ_CST) & VCPU_PENDING_NMI,
		.start = __atomic_load_n(&v->start.word, __ATOMIC_SEQ_CST),
	};

	memcpy(block, &b, sizeof(b));
	return 0;
}

static int load(struct vcpu *v, const void *block)
{
	struct event_block b;

	memcpy(&b, block, sizeof(b));
	if ((b.pending & ~VCPU_PENDING_NMI) != 0 || !mp_init_is_word(b.start)) {
		return -EINVAL;
	}
	__atomic_fetch_and(&v->pending, ~(uint32_t)VCPU_PENDING_NMI, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&v->pending, b.pending, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->start.word, b.start, __ATOMIC_SEQ_CST);
	return 0;
}

/* Timed: a chip may send until the moment in which the chips are taken, and does no more after it. */
const struct hvm_part event_save_part = {
	.name = "event",
	.version = 1,
	.timed = true,
	.size = size,
	.save = save,
	.load = load,
};
