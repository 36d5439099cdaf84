/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's registers as a processor that virtualizes the local APIC keeps them: the virtual-APIC */
/* page of SDM Vol. 3C, "APIC Virtualization and Virtual Interrupts". What turns it on is the backend's. */
#ifndef ARCH_X86_HVM_VLAPIC_PAGE_H
#define ARCH_X86_HVM_VLAPIC_PAGE_H

#include "arch/x86/hvm/vlapic.h"

/*
 * While l->live, TPR, PPR, ISR and what of the requests the processor knows of are in l->page; the other
 * registers are there as well, for the guest to read, but l->s has them too. vlapic_sync() ends that.
 * All functions: v's thread, but where said.
 */

enum vlapic_mode { VLAPIC_SOFTWARE, VLAPIC_XAPIC, VLAPIC_X2APIC };

/* Who ought to do the work from now on. */
enum vlapic_mode vlapic_page_mode(const struct vlapic *l);
/* Writes the page from l->s, less requests. The highest vector in service, or 0. */
uint8_t vlapic_page_fill(struct vlapic *l);
/* Gives the processor what was requested since; the highest of that, or 0. */
uint8_t vlapic_page_request(struct vlapic *l);
/* Level-triggered vectors are other ones: for the guest to read. */
void vlapic_page_set_triggers(struct vlapic *l, const uint64_t tmr[4]);
/* The guest wrote this register of the page: what follows from that. */
void vlapic_page_written(struct vlapic *l, uint32_t offset);
/* Back into l->s. vlapic_sync() calls it. */
void vlapic_page_pull(struct vlapic *l);

/* Any thread: as the page has it just now, with l->live. */
uint32_t vlapic_page_ppr(const struct vlapic *l);
bool vlapic_page_requests(const struct vlapic *l, uint8_t vector);
int vlapic_page_highest_request(const struct vlapic *l);

#endif
