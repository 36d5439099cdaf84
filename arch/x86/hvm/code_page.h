/* SPDX-License-Identifier: BSD-2-Clause */
/* The page that a vCPU's code was last fetched from, with the page-table entries that lead there. */
/* Holds nothing that can be stale: the entries are compared each time, the RAM is read each time. */
#ifndef ARCH_X86_HVM_CODE_PAGE_H
#define ARCH_X86_HVM_CODE_PAGE_H

#include "arch/x86/hvm/walk.h"

/* [O] Long mode only: there CR3 and the entries say everything about a translation. */
struct code_page {
	uint64_t tag; /* linear address of the page, plus 1; 0: none */
	uint64_t cr3;
	uint64_t generation; /* of the VM's RAM in root mode: the pointers below lead to RAM */
	const uint64_t *entry[WALK_LEVELS]; /* those not needed point to a 0 */
	uint64_t value[WALK_LEVELS];
	const uint8_t *code;
};

/*
 * The page of RAM that linear lies in, by the guest's own tables; NULL if they lead nowhere or not to
 * RAM. v's thread. cr3, efer: as they are now.
 */
const uint8_t *code_page_find(struct vcpu *v, uint64_t linear, uint64_t cr3, uint64_t efer);

#endif
