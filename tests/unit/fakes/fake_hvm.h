/* SPDX-License-Identifier: BSD-2-Clause */
/* One VM with up to 16 vCPUs for tests of arch/x86/hvm: registers are plain arrays. */
/* Guest memory is fakes/fake_guest_mem.h, time fakes/fake_arch.h and fake_timer.h. */
#ifndef TESTS_UNIT_FAKES_FAKE_HVM_H
#define TESTS_UNIT_FAKES_FAKE_HVM_H

#include "arch/hvm.h"
#include "hv/vm.h"

#define FAKE_CPUS 16u

struct fake_cpu_state {
	uint64_t regs[HVM_REGS];
	struct hvm_segment segs[HVM_SEGS];
	struct hvm_halfway halfway;
};

extern struct vm fake_vm;
extern struct vcpu fake_vcpus[FAKE_CPUS];
extern struct fake_cpu_state fake_states[FAKE_CPUS];
extern char fake_crash[256];	/* text of vm_crash, "" if it was not called */
extern unsigned int fake_kicks; /* calls of vcpu_set_pending */
extern char fake_starts[64];	/* "i3 s3:9a …": vcpu_send_init, vcpu_send_startup; "reset" */
extern int fake_eoi;		/* vector of the last virq_eoi, -1: none */
extern unsigned int fake_flushes[FAKE_CPUS]; /* calls of flush_tlb */
extern uint64_t fake_favoured;		     /* whom vcpu_sibling_favour was last asked for */
extern uint64_t fake_waiting;		     /* the one vCPU that waits for a CPU */
extern uint8_t fake_pic_vector;		     /* what the PIC acknowledges with */

/* All zero but: hvm, vCPU 0 (`v`) of 1 vCPU, its x86 and CPUID if the test links them. */
struct vcpu *fake_hvm_reset(void);
/* 64-bit kernel mode, paging as given, CPL 0. */
void fake_hvm_long_mode(struct vcpu *v, uint64_t cr3);

#endif
