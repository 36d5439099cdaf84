/* SPDX-License-Identifier: BSD-2-Clause */
/* One vCPU in long mode with one page mapped: the start of the tests of walk.c and code_page.c. */
/* No interrupts: event.c's neighbours are absent here. */
#ifndef TESTS_UNIT_ARCH_X86_HVM_WALK_LAB_H
#define TESTS_UNIT_ARCH_X86_HVM_WALK_LAB_H

#include "arch/x86/hvm/vcpu_x86.h"

/* Where the tables are, and what they map: PML4 entry 1, PDPT 2, PD 3, PT 4. */
#define PML4   0x1000u
#define PDPT   0x2000u
#define PD     0x3000u
#define PT     0x4000u
#define LINEAR (1ul << 39 | 2ul << 30 | 3ul << 21 | 4ul << 12 | 0x123)

extern struct vcpu *walk_lab_vcpu;
extern uint64_t *walk_lab_regs;

/* Everything anew; the page at frame, each entry with the flags. 0, or vcpuid_create's error. */
int walk_lab_setup(uint64_t frame, uint64_t flags);

#endif
