/* SPDX-License-Identifier: BSD-2-Clause */
/* A local APIC without interrupts and an XCR0 without hardware, for tests of their neighbours. */
/* Remembers MMIO accesses and CR8. */
#include "fakes/fake_lapic.h"

#include "arch/x86/hvm/vcpu_x86.h"
#include "hv/vcpu.h"

struct fake_lapic fake_lapic;

void vlapic_sync(struct vlapic *l)
{
	(void)l;
}

int vlapic_pending(const struct vlapic *l)
{
	(void)l;
	return -1;
}

bool vlapic_takes_pic(const struct vlapic *l)
{
	(void)l;
	return false;
}

void vlapic_take(struct vlapic *l, uint8_t vector)
{
	(void)l;
	(void)vector;
}

unsigned int vlapic_send_mask(struct vm *vm, uint64_t first, const uint64_t mask[2],
			      const struct virq_msg *msg)
{
	(void)vm;
	(void)first;
	(void)mask;
	(void)msg;
	return ++fake_lapic.masks;
}

bool vlapic_has_mmio(const struct vlapic *l)
{
	(void)l;
	return true;
}

uint32_t vlapic_mmio_read(struct vlapic *l, uint32_t offset)
{
	(void)l;
	fake_lapic.offset = offset;
	fake_lapic.reads++;
	return fake_lapic.val;
}

void vlapic_mmio_write(struct vlapic *l, uint32_t offset, uint32_t val)
{
	(void)l;
	fake_lapic.offset = offset;
	fake_lapic.val = val;
	fake_lapic.writes++;
}

uint64_t vlapic_get_cr8(const struct vlapic *l)
{
	(void)l;
	return fake_lapic.cr8;
}

void vlapic_set_cr8(struct vlapic *l, uint64_t cr8)
{
	(void)l;
	fake_lapic.cr8 = cr8;
}

uint64_t vcpu_x86_xcr0(const struct vcpu *v)
{
	return v->x86->xcr0;
}

void vcpu_x86_set_xcr0(struct vcpu *v, uint64_t val)
{
	v->x86->xcr0 = val;
}
