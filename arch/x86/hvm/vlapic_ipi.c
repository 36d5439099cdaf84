/* SPDX-License-Identifier: BSD-2-Clause */
/* Which local APICs a message addresses, and what it does there: IPIs, MSIs, the IO-APIC's. */
/* What INIT and SIPI do to a vCPU is hv/vcpu's. */
#include "arch/x86/hvm/vlapic_parts.h"
#include "hv/vcpu.h"
#include "hv/vm.h"

#define BROADCAST_X2APIC UINT32_MAX
#define BROADCAST_XAPIC	 0xffu

#define ICR_LOGICAL BIT(11)
#define ICR_ASSERT  BIT(14)
#define ICR_LEVEL   BIT(15)

enum shorthand { SHORT_NONE, SHORT_SELF, SHORT_ALL, SHORT_OTHERS };

/* vCPU i's, NULL while it is made or taken apart. */
static struct vlapic *nth(const struct vm *vm, unsigned int i)
{
	return vm->vcpus[i] != NULL ? vm->vcpus[i]->lapic : NULL;
}

static bool is_broadcast(const struct virq_msg *msg)
{
	return msg->dest == (msg->wide ? BROADCAST_X2APIC : BROADCAST_XAPIC);
}

/* SDM "Logical Destination Mode in x2APIC Mode": cluster, and a bit for each of its CPUs. */
static bool matches_cluster(uint32_t id, uint32_t dest)
{
	uint32_t ldr = vlapic_x2apic_ldr(id);

	return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff) != 0;
}

/* SDM "Logical Destination Mode". An 8-bit message means cluster 0 to an x2APIC. */
static bool matches_logical(const struct vlapic *l, const struct virq_msg *msg)
{
	uint32_t ldr = l->s.ldr >> 24;

	if (vlapic_is_x2apic(l)) {
		return matches_cluster(l->v->id, msg->dest);
	}
	if (msg->dest > BROADCAST_XAPIC) {
		return false;
	}
	if (l->s.dfr >> 28 == 0xf) { /* flat */
		return (ldr & msg->dest) != 0;
	}
	return ldr >> 4 == msg->dest >> 4 && (ldr & msg->dest & 0xf) != 0;
}

static bool matches(const struct vlapic *l, const struct virq_msg *msg)
{
	if (l == NULL || !vlapic_is_enabled(l)) {
		return false;
	}
	if (is_broadcast(msg) && !(msg->logical && !msg->wide && vlapic_is_x2apic(l))) {
		return true;
	}
	return msg->logical ? matches_logical(l, msg) : l->v->id == msg->dest;
}

static void deliver(struct vlapic *l, const struct virq_msg *msg)
{
	switch (msg->mode) {
	case VIRQ_FIXED:
	case VIRQ_LOWEST:
		vlapic_accept(l, msg->vector, msg->level);
		break;
	case VIRQ_NMI:
		vcpu_set_pending(l->v, VCPU_PENDING_NMI);
		break;
	case VIRQ_INIT:
		vcpu_send_init(l->v);
		break;
	case VIRQ_STARTUP:
		vcpu_send_startup(l->v, msg->vector);
		break;
	case VIRQ_EXTINT:
		vcpu_set_pending(l->v, VCPU_PENDING_IRQ);
		break;
	default: /* SMI: there is no SMM */
		break;
	}
}

/*
 * "Lowest Priority Delivery Mode": the least busy of those addressed. Among equals the vector decides
 * where the search begins, so that one vector stays on one CPU and several spread.
 */
static struct vlapic *lowest(struct vm *vm, const struct virq_msg *msg)
{
	struct vlapic *best = NULL;

	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		struct vlapic *l = nth(vm, (i + msg->vector) % vm->vcpu_count);

		if (matches(l, msg) && vlapic_is_sw_enabled(l) &&
		    (best == NULL || vlapic_ppr(l) < vlapic_ppr(best))) {
			best = l;
		}
	}
	return best;
}

/* The one vCPU that can match, if that is clear from the message alone; else VM_CPUS_MAX. */
static unsigned int only_one(const struct virq_msg *msg)
{
	return !msg->logical && msg->dest < VM_CPUS_MAX ? msg->dest : VM_CPUS_MAX;
}

static void send_matching(struct vm *vm, const struct virq_msg *msg)
{
	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		struct vlapic *l = nth(vm, i);

		if (matches(l, msg)) {
			deliver(l, msg);
		}
	}
}

void vlapic_send(struct vm *vm, const struct virq_msg *msg)
{
	unsigned int i = only_one(msg);
	struct vlapic *l;

	if (i == VM_CPUS_MAX && msg->mode != VIRQ_LOWEST) {
		send_matching(vm, msg);
		return;
	}
	l = i < VM_CPUS_MAX ? nth(vm, i) : lowest(vm, msg);
	if (matches(l, msg)) {
		deliver(l, msg);
	}
}

bool vlapic_waits(struct vm *vm, const struct virq_msg *msg)
{
	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		const struct vlapic *l = nth(vm, i);

		if (matches(l, msg) && vlapic_requests(l, msg->vector)) {
			return true;
		}
	}
	return false;
}

static void send_all(struct vlapic *l, const struct virq_msg *msg, bool self)
{
	struct vm *vm = l->v->vm;

	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		struct vlapic *to = nth(vm, i);

		if (to != NULL && vlapic_is_enabled(to) && (self || to != l)) {
			deliver(to, msg);
		}
	}
}

static bool is_in_mask(const uint64_t mask[2], uint64_t n)
{
	return n < 128 && (mask[n / 64] & BIT(n % 64)) != 0;
}

/* An NMI needs no local APIC that software has enabled. */
static bool takes(const struct vlapic *l, const struct virq_msg *msg)
{
	return l != NULL && vlapic_is_enabled(l) &&
	       (vlapic_is_sw_enabled(l) || msg->mode == VIRQ_NMI);
}

unsigned int vlapic_send_mask(struct vm *vm, uint64_t first, const uint64_t mask[2],
			      const struct virq_msg *msg)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		struct vlapic *l = is_in_mask(mask, i - first) ? nth(vm, i) : NULL;

		if (takes(l, msg)) {
			deliver(l, msg);
			count++;
		}
	}
	return count;
}

/* SDM "Interrupt Command Register (ICR)", level: the de-assert of an INIT only set arbitration IDs. */
static bool is_deassert(uint64_t icr)
{
	return (icr >> 8 & 7) == VIRQ_INIT && (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL;
}

void vlapic_ipi(struct vlapic *l, uint64_t icr)
{
	struct virq_msg msg = {
		.dest = (uint32_t)(icr >> (vlapic_is_x2apic(l) ? 32 : 56)),
		.vector = (uint8_t)icr,
		.mode = icr >> 8 & 7,
		.wide = vlapic_is_x2apic(l),
		.logical = (icr & ICR_LOGICAL) != 0,
	};

	if ((msg.mode == VIRQ_FIXED || msg.mode == VIRQ_LOWEST) && msg.vector < 16) {
		vlapic_error(l, VLAPIC_ESR_SEND_VECTOR);
		return;
	}
	if (is_deassert(icr)) {
		return;
	}
	switch (icr >> 18 & 3) {
	case SHORT_NONE:
		vlapic_send(l->v->vm, &msg);
		break;
	case SHORT_SELF:
		deliver(l, &msg);
		break;
	default:
		send_all(l, &msg, (icr >> 18 & 3) == SHORT_ALL);
		break;
	}
}
