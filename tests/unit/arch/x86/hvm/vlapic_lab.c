/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the vCPU of vlapic_lab.h over fake_hvm.h, and takes it apart. */
/* Checks nothing. */
#include "arch/x86/hvm/vlapic_lab.h"

#include "fakes/fake_heap.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_timer.h"

static struct vcpu *v;

struct vcpu *vlapic_lab_begin(void)
{
	fake_timer_reset();
	v = fake_hvm_reset();
	if (vlapic_create(v) != 0) {
		return NULL;
	}
	vlapic_mmio_write(v->lapic, 0xf0, 0x1ff); /* software enable, spurious vector FFh */
	return v;
}

int vlapic_lab_end(void **state)
{
	(void)state;
	vlapic_destroy(v);
	return fake_heap_live == 0 ? 0 : -1;
}
