/* SPDX-License-Identifier: BSD-2-Clause */
/* Which local APICs a message addresses, and what it does there: IPIs, MSIs, the IO-APIC's. */
/* Starting and resetting CPUs by INIT and SIPI is not here. */
#include "arch/x86/hvm/vlapic_parts.h"
#include "hv/vcpu.h"
#include "hv/vm.h"

#define BROADCAST_X2APIC UINT32_MAX
#define BROADCAST_XAPIC	 0xffu

enum shorthand { SHORT_NONE, SHORT_SELF, SHORT_ALL, SHORT_OTHERS };

/* SDM "Logical Destination Mode". */
static bool matches_logical(const struct vlapic *l, uint32_t dest)
{
	uint32_t ldr = l->s.ldr >> 24;

	if (vlapic_is_x2apic(l)) {
		ldr = vlapic_x2apic_ldr(l->v->id);
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff) != 0;
	}
	if (l->s.dfr >> 28 == 0xf) { /* flat */
		return (ldr & dest) != 0;
	}
	return ldr >> 4 == (dest >> 4 & 0xf) && (ldr & dest & 0xf) != 0;
}

static bool matches(const struct vlapic *l, const struct virq_msg *msg)
{
	if (!vlapic_is_enabled(l)) {
		return false;
	}
	if (msg->dest == BROADCAST_XAPIC || msg->dest == BROADCAST_X2APIC) {
		return true;
	}
	return msg->logical ? matches_logical(l, msg->dest) : l->v->id == msg->dest;
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
	case VIRQ_EXTINT:
		vcpu_set_pending(l->v, VCPU_PENDING_IRQ);
		break;
	default: /* SMI: there is no SMM. INIT, SIPI: no second CPU */
		break;
	}
}

/* "Lowest Priority Delivery Mode": the least busy of those addressed. */
static struct vlapic *lowest(struct vm *vm, const struct virq_msg *msg)
{
	struct vlapic *best = NULL;

	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		struct vlapic *l = vm->vcpus[i]->lapic;

		if (matches(l, msg) && vlapic_is_sw_enabled(l) &&
		    (best == NULL || vlapic_ppr(l) < vlapic_ppr(best))) {
			best = l;
		}
	}
	return best;
}

void vlapic_send(struct vm *vm, const struct virq_msg *msg)
{
	if (msg->mode == VIRQ_LOWEST) {
		struct vlapic *l = lowest(vm, msg);

		if (l != NULL) {
			deliver(l, msg);
		}
		return;
	}
	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		if (matches(vm->vcpus[i]->lapic, msg)) {
			deliver(vm->vcpus[i]->lapic, msg);
		}
	}
}

bool vlapic_waits(struct vm *vm, const struct virq_msg *msg)
{
	for (unsigned int i = 0; i < vm->vcpu_count; i++) {
		const struct vlapic *l = vm->vcpus[i]->lapic;

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
		struct vlapic *to = vm->vcpus[i]->lapic;

		if (vlapic_is_enabled(to) && (self || to != l)) {
			deliver(to, msg);
		}
	}
}

void vlapic_ipi(struct vlapic *l, uint64_t icr)
{
	struct virq_msg msg = {
		.dest = (uint32_t)(icr >> (vlapic_is_x2apic(l) ? 32 : 56)),
		.vector = (uint8_t)icr,
		.mode = icr >> 8 & 7,
		.logical = (icr & BIT(11)) != 0,
	};

	if ((msg.mode == VIRQ_FIXED || msg.mode == VIRQ_LOWEST) && msg.vector < 16) {
		vlapic_error(l, VLAPIC_ESR_SEND_VECTOR);
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
