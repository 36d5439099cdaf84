/* SPDX-License-Identifier: BSD-2-Clause */
/* The vCPU and its local APIC, switched on by software, that tests of it begin with. */
/* Checks nothing. */
#ifndef TESTS_UNIT_ARCH_X86_HVM_VLAPIC_LAB_H
#define TESTS_UNIT_ARCH_X86_HVM_VLAPIC_LAB_H

#include "arch/x86/hvm/vlapic.h"

/* The only vCPU, at time 0 without any timer; NULL: no memory. */
struct vcpu *vlapic_lab_begin(void);
/* A teardown: fails if something is still allocated. */
int vlapic_lab_end(void **state);

#endif
