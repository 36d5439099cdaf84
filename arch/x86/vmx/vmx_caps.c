/* SPDX-License-Identifier: BSD-2-Clause */
/* Capability negotiation, as data: which control bits we must, may and must not have. */
/* Enables nothing. */
#include "arch/x86/vmx/vmx_caps.h"

#include "arch/x86/cpu/x86.h"

/* SDM Vol. 3D, Appendix "VMX Capability Reporting Facility". */
#define MSR_VMX_BASIC	    0x480u
#define MSR_VMX_PIN	    0x481u
#define MSR_VMX_PROC	    0x482u
#define MSR_VMX_EXIT	    0x483u
#define MSR_VMX_ENTRY	    0x484u
#define MSR_VMX_MISC	    0x485u
#define MSR_VMX_CR0_FIXED0  0x486u
#define MSR_VMX_CR0_FIXED1  0x487u
#define MSR_VMX_CR4_FIXED0  0x488u
#define MSR_VMX_CR4_FIXED1  0x489u
#define MSR_VMX_PROC2	    0x48bu
#define MSR_VMX_EPT_VPID    0x48cu
#define MSR_VMX_TRUE_OFFSET 0xcu /* from VMX_PIN to VMX_TRUE_PIN, and so on */

#define BASIC_TRUE_CONTROLS	 BIT(55)
#define BASIC_MEMORY_TYPE(basic) ((basic) >> 50 & 0xf)
#define MEMORY_WB		 6u

enum want { REQUIRED, WANTED, UNWANTED };

struct control {
	enum vmx_word word;
	enum want want;
	uint64_t bit;
	const char *name;
};

/* Bits that are asked for later (window exiting, IA-32e mode) need to be possible: REQUIRED too. */
static const struct control controls[] = {
	{ VMX_PIN, REQUIRED, PIN_EXTERNAL_INTERRUPT, "external-interrupt exiting" },
	{ VMX_PIN, REQUIRED, PIN_NMI, "NMI exiting" },
	{ VMX_PIN, REQUIRED, PIN_VIRTUAL_NMIS, "virtual NMIs" },
	{ VMX_PIN, WANTED, PIN_PREEMPTION_TIMER, "VMX-preemption timer" },
	{ VMX_PROC, REQUIRED, PROC_INTERRUPT_WINDOW, "interrupt-window exiting" },
	{ VMX_PROC, REQUIRED, PROC_NMI_WINDOW, "NMI-window exiting" },
	{ VMX_PROC, REQUIRED, PROC_TSC_OFFSETTING, "TSC offsetting" },
	{ VMX_PROC, REQUIRED, PROC_HLT, "HLT exiting" },
	{ VMX_PROC, REQUIRED, PROC_MWAIT, "MWAIT exiting" },
	{ VMX_PROC, REQUIRED, PROC_MONITOR, "MONITOR exiting" },
	{ VMX_PROC, REQUIRED, PROC_RDPMC, "RDPMC exiting" },
	{ VMX_PROC, REQUIRED, PROC_CR8_LOAD, "CR8-load exiting" },
	{ VMX_PROC, REQUIRED, PROC_CR8_STORE, "CR8-store exiting" },
	{ VMX_PROC, REQUIRED, PROC_IO, "unconditional I/O exiting" },
	{ VMX_PROC, REQUIRED, PROC_MSR_BITMAPS, "MSR bitmaps" },
	{ VMX_PROC, REQUIRED, PROC_SECONDARY, "secondary controls" },
	{ VMX_PROC, WANTED, PROC_TPR_SHADOW, "TPR shadow" },
	{ VMX_PROC, UNWANTED, PROC_CR3_LOAD, "CR3-load exiting" },
	{ VMX_PROC, UNWANTED, PROC_CR3_STORE, "CR3-store exiting" },
	{ VMX_PROC, UNWANTED, PROC_INVLPG, "INVLPG exiting" },
	{ VMX_PROC, UNWANTED, PROC_RDTSC, "RDTSC exiting" },
	{ VMX_PROC, UNWANTED, PROC_MOV_DR, "MOV-DR exiting" },
	{ VMX_PROC2, REQUIRED, PROC2_EPT, "EPT" },
	{ VMX_PROC2, REQUIRED, PROC2_UNRESTRICTED_GUEST, "unrestricted guest" },
	{ VMX_PROC2, WANTED, PROC2_VPID, "VPID" },
	{ VMX_PROC2, WANTED, PROC2_RDTSCP, "RDTSCP" },
	{ VMX_PROC2, WANTED, PROC2_INVPCID, "INVPCID" },
	{ VMX_PROC2, WANTED, PROC2_PAUSE_LOOP, "PAUSE-loop exiting" },
	{ VMX_PROC2, WANTED, PROC2_WBINVD, "WBINVD exiting" },
	{ VMX_PROC2, WANTED, PROC2_APIC_ACCESSES, "virtual APIC accesses" },
	{ VMX_PROC2, WANTED, PROC2_APIC_REGISTERS, "APIC-register virtualization" },
	{ VMX_PROC2, WANTED, PROC2_VIRTUAL_INTERRUPTS, "virtual-interrupt delivery" },
	{ VMX_PROC2, WANTED, PROC2_X2APIC, "x2APIC virtualization" },
	{ VMX_EXIT, REQUIRED, EXIT_HOST_64, "64-bit host" },
	{ VMX_EXIT, REQUIRED, EXIT_SAVE_DEBUG, "save debug controls" },
	{ VMX_EXIT, REQUIRED, EXIT_SAVE_PAT, "save PAT" },
	{ VMX_EXIT, REQUIRED, EXIT_LOAD_PAT, "load host PAT" },
	{ VMX_EXIT, REQUIRED, EXIT_SAVE_EFER, "save EFER" },
	{ VMX_EXIT, REQUIRED, EXIT_LOAD_EFER, "load host EFER" },
	{ VMX_EXIT, WANTED, EXIT_SAVE_TIMER, "save VMX-preemption timer" },
	{ VMX_EXIT, UNWANTED, EXIT_ACK_INTERRUPT, "acknowledge interrupt on exit" },
	{ VMX_ENTRY, REQUIRED, ENTRY_LOAD_DEBUG, "load debug controls" },
	{ VMX_ENTRY, REQUIRED, ENTRY_IA32E, "64-bit guests" },
	{ VMX_ENTRY, REQUIRED, ENTRY_LOAD_PAT, "load PAT" },
	{ VMX_ENTRY, REQUIRED, ENTRY_LOAD_EFER, "load EFER" },
};

#define APICV (PROC2_APIC_ACCESSES | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS | PROC2_X2APIC)

/* Set only while something waits, or by the guest's mode: not in the initial words. */
static const uint64_t on_demand[VMX_WORDS] = {
	[VMX_PROC] = PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW | PROC_TPR_SHADOW,
	[VMX_PROC2] = APICV,
	[VMX_ENTRY] = ENTRY_IA32E,
};

/* SDM Vol. 3D, "VPID and EPT Capabilities": bits of IA32_VMX_EPT_VPID_CAP. */
#define EPT_CAP_WALK_4	BIT(6)
#define EPT_CAP_WB	BIT(14)
#define EPT_CAP_2M	BIT(16)
#define EPT_CAP_1G	BIT(17)
#define EPT_CAP_INVEPT	(BIT(20) | BIT(25)) /* with the single-context type */
#define EPT_CAP_INVVPID (BIT(32) | BIT(41)) /* with the single-context type */

static const struct {
	enum want want;
	uint64_t bits;
	const char *name;
} ept_caps[] = {
	{ REQUIRED, EPT_CAP_WALK_4, "EPT with 4 levels" },
	{ REQUIRED, EPT_CAP_WB, "EPT in write-back memory" },
	{ REQUIRED, EPT_CAP_INVEPT, "INVEPT of one context" },
	{ REQUIRED, EPT_CAP_2M, "EPT 2 MiB pages" },
	{ WANTED, EPT_CAP_1G, "EPT 1 GiB pages" },
	{ WANTED, EPT_CAP_INVVPID, "INVVPID of one context" },
};

struct report {
	struct hvm_feature *rows;
	unsigned int count;
	unsigned int max;
};

static bool report(struct report *r, const char *name, bool required, bool present)
{
	if (r->count < r->max) {
		r->rows[r->count++] = (struct hvm_feature){ name, required, present };
	}
	return present;
}

/* Low half: bits that must be 1; high half: bits that may be 1. */
static uint64_t allowed(const struct vmx_caps_source *src, enum vmx_word word, uint64_t basic)
{
	static const uint32_t msrs[VMX_WORDS] = { MSR_VMX_PIN, MSR_VMX_PROC, MSR_VMX_PROC2,
						  MSR_VMX_EXIT, MSR_VMX_ENTRY };
	uint32_t msr = msrs[word];

	if (word != VMX_PROC2 && (basic & BASIC_TRUE_CONTROLS)) {
		msr += MSR_VMX_TRUE_OFFSET;
	}
	return src->msr(msr);
}

/* One row of the table against one word; an UNWANTED bit that is forced on is a row that is absent. */
static void negotiate(const struct control *c, uint64_t limits, uint32_t *word, struct report *r)
{
	bool may = (limits >> 32 & c->bit) != 0;
	bool must = (limits & c->bit) != 0;

	if (c->want == UNWANTED) {
		if (must) {
			report(r, c->name, false, false);
		}
		return;
	}
	if (may && !(on_demand[c->word] & c->bit)) {
		*word |= (uint32_t)c->bit;
	}
	/* What every VMX of the last fifteen years has is reported only where it is missing. */
	if (!may || c->want == WANTED || c->word == VMX_PROC2) {
		report(r, c->name, c->want == REQUIRED, may);
	}
}

static void negotiate_words(const struct vmx_caps_source *src, struct vmx_caps *caps,
			    struct report *r)
{
	uint64_t basic = src->msr(MSR_VMX_BASIC);
	uint64_t limits[VMX_WORDS] = { 0 };

	for (unsigned int w = 0; w < VMX_WORDS; w++) {
		/* The secondary word's MSR exists only if the primary word may enable it. */
		if (w != VMX_PROC2 || (limits[VMX_PROC] >> 32 & PROC_SECONDARY)) {
			limits[w] = allowed(src, (enum vmx_word)w, basic);
		}
		caps->words[w] = (uint32_t)limits[w];
	}
	/* One without the others would not spare the exits that count. */
	caps->apicv = (limits[VMX_PROC] >> 32 & PROC_TPR_SHADOW) != 0 &&
		      (limits[VMX_PROC2] >> 32 & APICV) == APICV;
	for (unsigned int i = 0; i < ARRAY_SIZE(controls); i++) {
		negotiate(&controls[i], limits[controls[i].word], &caps->words[controls[i].word],
			  r);
	}
}

static void negotiate_ept(const struct vmx_caps_source *src, struct vmx_caps *caps,
			  struct report *r)
{
	uint64_t have;

	if (!(caps->words[VMX_PROC2] & PROC2_EPT)) {
		caps->words[VMX_PROC2] &= ~(uint32_t)PROC2_VPID;
		return; /* the MSR may not exist; the missing EPT has been reported */
	}
	have = src->msr(MSR_VMX_EPT_VPID);
	for (unsigned int i = 0; i < ARRAY_SIZE(ept_caps); i++) {
		report(r, ept_caps[i].name, ept_caps[i].want == REQUIRED,
		       (have & ept_caps[i].bits) == ept_caps[i].bits);
	}
	caps->ept_1g = (have & EPT_CAP_1G) != 0;
	caps->vpid = (caps->words[VMX_PROC2] & PROC2_VPID) &&
		     (have & EPT_CAP_INVVPID) == EPT_CAP_INVVPID;
	if (!caps->vpid) {
		caps->words[VMX_PROC2] &= ~(uint32_t)PROC2_VPID;
	}
}

/* The timer is of use only if it stops in root mode and goes on from there. */
static void settle_timer(const struct vmx_caps_source *src, struct vmx_caps *caps)
{
	caps->timer = (caps->words[VMX_PIN] & PIN_PREEMPTION_TIMER) &&
		      (caps->words[VMX_EXIT] & EXIT_SAVE_TIMER);
	caps->timer_shift = src->msr(MSR_VMX_MISC) & 0x1f;
	if (!caps->timer) {
		caps->words[VMX_PIN] &= ~(uint32_t)PIN_PREEMPTION_TIMER;
		caps->words[VMX_EXIT] &= ~(uint32_t)EXIT_SAVE_TIMER;
	}
}

/* True unless the firmware has locked VMX away. An unlocked register is set by cpu_enable. */
static bool firmware_allows(const struct vmx_caps_source *src)
{
	uint64_t fc = src->msr(MSR_FEATURE_CONTROL);

	return !(fc & FEATURE_CONTROL_LOCK) || (fc & FEATURE_CONTROL_VMXON);
}

unsigned int vmx_caps_probe(const struct vmx_caps_source *src, struct vmx_caps *caps,
			    struct hvm_feature *rows, unsigned int max)
{
	struct report r = { rows, 0, max };
	uint64_t basic;

	*caps = (struct vmx_caps){ 0 };
	if (!report(&r, "VMX", true, src->cpuid1_ecx() & CPUID1_ECX_VMX)) {
		return r.count;
	}
	report(&r, "VMX enabled by firmware", true, firmware_allows(src));
	basic = src->msr(MSR_VMX_BASIC);
	caps->revision = (uint32_t)basic & 0x7fffffff;
	report(&r, "VMCS in write-back memory", true, BASIC_MEMORY_TYPE(basic) == MEMORY_WB);
	negotiate_words(src, caps, &r);
	negotiate_ept(src, caps, &r);
	settle_timer(src, caps);
	caps->cr0_fixed0 = src->msr(MSR_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = src->msr(MSR_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = src->msr(MSR_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = src->msr(MSR_VMX_CR4_FIXED1);
	return r.count;
}
