/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual-processor identifiers: one per vCPU, and INVVPID. */
/* When to flush is the caller's to know. */
#include "arch/x86/vmx/vpid.h"

#include "arch/x86/vmx/vmx_vcpu.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"

#define VPIDS 4096u

static uint64_t taken[VPIDS / 64]; /* bit 0 stays unused: VPID 0 is the host's */

/* SDM Vol. 3C, "Guidelines for Use of the INVVPID Instruction". */
void vpid_flush(uint16_t vpid)
{
	struct {
		uint64_t vpid;
		uint64_t linear;
	} descriptor = { vpid, 0 };
	bool fail;

	__asm__ volatile("invvpid %[d], %[type]"
			 : "=@ccbe"(fail)
			 : [d] "m"(descriptor), [type] "r"(1ul)
			 : "memory");
	BUG_ON(fail);
}

int vpid_take(uint16_t *vpid)
{
	*vpid = 0;
	if (!vmx_caps.vpid) {
		return 0;
	}
	for (unsigned int i = 1; i < VPIDS; i++) {
		if (!(__atomic_fetch_or(&taken[i / 64], BIT(i % 64), __ATOMIC_RELAXED) &
		      BIT(i % 64))) {
			*vpid = (uint16_t)i;
			return 0;
		}
	}
	return -ENOSPC;
}

void vpid_give(uint16_t vpid)
{
	if (vpid == 0) {
		return;
	}
	__atomic_fetch_and(&taken[vpid / 64], ~BIT(vpid % 64), __ATOMIC_RELAXED);
}
