/* SPDX-License-Identifier: BSD-2-Clause */
/* The switchboard between interrupt sources and controllers. */
/* Holds no interrupt state but the PIC's output pin. */
#include "hv/virq.h"

#include "hv/vm.h"

#define ISA_IRQS 16u

static const struct virq_lapic_ops *lapic_ops;

void virq_set_lapic_ops(const struct virq_lapic_ops *ops)
{
	lapic_ops = ops;
}

void virq_set_line(struct vm *vm, unsigned int gsi, bool level)
{
	struct virq *q = &vm->virq;

	if (gsi < ISA_IRQS && q->pic_ops != NULL) {
		q->pic_ops->set_line(q->pic, gsi, level);
	}
	if (q->ioapic_ops != NULL) {
		q->ioapic_ops->set_line(q->ioapic, gsi == 0 ? 2 : gsi, level);
	}
}

void virq_pulse_line(struct vm *vm, unsigned int gsi)
{
	virq_set_line(vm, gsi, true);
	virq_set_line(vm, gsi, false);
}

bool virq_line_waits(struct vm *vm, unsigned int gsi)
{
	const struct virq *q = &vm->virq;

	if (gsi < ISA_IRQS && q->pic_ops != NULL && q->pic_ops->waits(q->pic, gsi)) {
		return true;
	}
	return q->ioapic_ops != NULL && q->ioapic_ops->waits(q->ioapic, gsi == 0 ? 2 : gsi);
}

bool virq_msg_waits(struct vm *vm, const struct virq_msg *msg)
{
	return lapic_ops != NULL && lapic_ops->waits(vm, msg);
}

void virq_set_pic_output(struct vm *vm, bool level)
{
	vm->virq.pic_output = level;
	if (lapic_ops != NULL) {
		lapic_ops->pic_output(vm, level);
	}
}

void virq_send(struct vm *vm, const struct virq_msg *msg)
{
	if (lapic_ops != NULL) {
		lapic_ops->send(vm, msg);
	}
}

void virq_send_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	struct virq_msg msg = {
		.dest = address >> 12 & 0xff,
		.logical = address >> 2 & 1,
		.vector = data & 0xff,
		.mode = data >> 8 & 7,
		.level = data >> 15 & 1,
	};

	if (address >> 20 == 0xfee) {
		virq_send(vm, &msg);
	}
}

void virq_eoi(struct vm *vm, uint8_t vector)
{
	spin_lock(&vm->dev_lock);
	if (vm->virq.ioapic_ops != NULL) {
		vm->virq.ioapic_ops->eoi(vm->virq.ioapic, vector);
	}
	spin_unlock(&vm->dev_lock);
}

uint8_t virq_acknowledge_pic(struct vm *vm)
{
	uint8_t vector;

	spin_lock(&vm->dev_lock);
	vector = vm->virq.pic_ops->acknowledge(vm->virq.pic);
	spin_unlock(&vm->dev_lock);
	return vector;
}
