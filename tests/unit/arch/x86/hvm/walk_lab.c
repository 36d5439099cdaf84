/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the vCPU and the page tables that tests of the guest page walk begin with. */
/* Checks nothing. */
#include "arch/x86/hvm/walk_lab.h"

#include "arch/x86/hvm/vcpuid.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include <string.h>

struct vcpu *walk_lab_vcpu;
uint64_t *walk_lab_regs;

static struct vcpu_x86 x86;

int walk_lab_setup(uint64_t frame, uint64_t flags)
{
	fake_guest_mem_reset();
	walk_lab_vcpu = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	walk_lab_vcpu->x86 = &x86;
	walk_lab_regs = fake_states[0].regs;
	fake_hvm_long_mode(walk_lab_vcpu, PML4);
	fake_guest_mem_put64(PML4 + 8, PDPT | flags);
	fake_guest_mem_put64(PDPT + 16, PD | flags);
	fake_guest_mem_put64(PD + 24, PT | flags);
	fake_guest_mem_put64(PT + 32, frame | flags);
	return vcpuid_create(walk_lab_vcpu);
}
