/* SPDX-License-Identifier: BSD-2-Clause */
/* What this CPU's VMX can do, and the control words that follow from it. */
/* Reads capability MSRs only; changes nothing. */
#ifndef ARCH_X86_VMX_VMX_CAPS_H
#define ARCH_X86_VMX_VMX_CAPS_H

#include "arch/hvm.h"
#include "hv/lib/types.h"

#define CPUID1_ECX_VMX BIT(5)

enum vmx_word { VMX_PIN, VMX_PROC, VMX_PROC2, VMX_EXIT, VMX_ENTRY, VMX_WORDS };

/* SDM Vol. 3C, "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control Fields". */
#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI		       BIT(3)
#define PIN_VIRTUAL_NMIS       BIT(5)
#define PIN_PREEMPTION_TIMER   BIT(6)

#define PROC_INTERRUPT_WINDOW BIT(2)
#define PROC_TSC_OFFSETTING   BIT(3)
#define PROC_HLT	      BIT(7)
#define PROC_INVLPG	      BIT(9)
#define PROC_MWAIT	      BIT(10)
#define PROC_RDPMC	      BIT(11)
#define PROC_RDTSC	      BIT(12)
#define PROC_CR3_LOAD	      BIT(15)
#define PROC_CR3_STORE	      BIT(16)
#define PROC_CR8_LOAD	      BIT(19)
#define PROC_CR8_STORE	      BIT(20)
#define PROC_TPR_SHADOW	      BIT(21)
#define PROC_NMI_WINDOW	      BIT(22)
#define PROC_MOV_DR	      BIT(23)
#define PROC_IO		      BIT(24)
#define PROC_MSR_BITMAPS      BIT(28)
#define PROC_MONITOR	      BIT(29)
#define PROC_SECONDARY	      BIT(31)

#define PROC2_APIC_ACCESSES	 BIT(0)
#define PROC2_EPT		 BIT(1)
#define PROC2_RDTSCP		 BIT(3)
#define PROC2_X2APIC		 BIT(4)
#define PROC2_VPID		 BIT(5)
#define PROC2_WBINVD		 BIT(6)
#define PROC2_UNRESTRICTED_GUEST BIT(7)
#define PROC2_APIC_REGISTERS	 BIT(8)
#define PROC2_VIRTUAL_INTERRUPTS BIT(9)
#define PROC2_PAUSE_LOOP	 BIT(10)
#define PROC2_INVPCID		 BIT(12)

#define EXIT_SAVE_DEBUG	   BIT(2)
#define EXIT_HOST_64	   BIT(9)
#define EXIT_ACK_INTERRUPT BIT(15)
#define EXIT_SAVE_PAT	   BIT(18)
#define EXIT_LOAD_PAT	   BIT(19)
#define EXIT_SAVE_EFER	   BIT(20)
#define EXIT_LOAD_EFER	   BIT(21)
#define EXIT_SAVE_TIMER	   BIT(22)

#define ENTRY_LOAD_DEBUG BIT(2)
#define ENTRY_IA32E	 BIT(9)
#define ENTRY_LOAD_PAT	 BIT(14)
#define ENTRY_LOAD_EFER	 BIT(15)

/* How the negotiation reads MSRs and CPUID leaf 1 ECX: a unit test puts its own here. */
struct vmx_caps_source {
	uint64_t (*msr)(uint32_t msr);
	uint32_t (*cpuid1_ecx)(void);
};

struct vmx_caps {
	uint32_t revision;		 /* of the VMCS layout */
	uint32_t words[VMX_WORDS];	 /* what to write into the five control fields */
	uint64_t cr0_fixed0, cr0_fixed1; /* bits that must be 1, bits that may be 1, in root mode */
	uint64_t cr4_fixed0, cr4_fixed1;
	bool ept_1g;
	bool vpid;
	bool apicv;		  /* every part of APIC virtualization but posted interrupts */
	bool timer;		  /* VMX-preemption timer, saved at exits */
	unsigned int timer_shift; /* it counts TSC >> shift */
};

/*
 * Fills up to max rows and *caps; returns the count. *caps is of use only if no required row is
 * absent. Stops early where going on would fault.
 */
unsigned int vmx_caps_probe(const struct vmx_caps_source *src, struct vmx_caps *caps,
			    struct hvm_feature *rows, unsigned int max);

/* CPUID leaf 1. */
#define CPUID1_ECX_VMX BIT(5)

/* IA32_FEATURE_CONTROL. */
#define FEATURE_CONTROL_LOCK  BIT(0)
#define FEATURE_CONTROL_VMXON BIT(2) /* outside SMX */

#endif
