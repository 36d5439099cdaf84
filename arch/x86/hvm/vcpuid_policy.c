/* SPDX-License-Identifier: BSD-2-Clause */
/* The policy of the guest's CPUID: which of the host's bits a guest sees, which we add. */
/* Holds no VM's state. SDM Vol. 2A and APM Vol. 3, "CPUID". */
#include "arch/x86/hvm/vcpuid_policy.h"

#include "arch/hvm.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid_host.h"
#include "hv/lib/string.h"
#include "hv/vcpu.h"

enum { EAX, EBX, ECX, EDX };

#define ALL  UINT32_MAX
#define B(n) (1u << (n))

static const struct vcpuid_policy policy[] = {
	{
		/*
		 * Hidden: DTES64, MONITOR, DS-CPL, VMX, SMX, EIST, TM2, PDCM, DCA; PSN, DS, ACPI, TM,
		 * PBE. OSXSAVE follows the guest's CR4.
		 */
		.leaf = 1,
		.mask = { .eax = 0x0fff3fff,
			  .ebx = 0xff00,
			  .ecx = B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) |
				 B(22) | B(23) | B(25) | B(26) | B(28) | B(29) | B(30),
			  .edx = 0x0f8bfbff },
		.set = { .ecx = B(21) | B(24) |
				B(31), /* x2APIC, TSC-deadline: emulated; hypervisor */
			 .edx = B(9) },
	},
	{ .leaf = 2, .vendor = VCPUID_INTEL, .mask = { ALL, ALL, ALL, ALL } },
	{ .leaf = 6, .set = { .eax = B(2) } }, /* ARAT: our APIC timer never stops */
	{
		/*
		 * Hidden: RTM, HLE, MPX, resource director, PT, SGX, PKU, CET, LA57, WAITPKG.
		 * SPEC_CTRL and PRED_CMD (EDX 26, 27, 31) are on Intel's CPUs only: AMD's say so in
		 * leaf 80000008h. Hidden for now: MD_CLEAR, ARCH_CAPABILITIES, L1D_FLUSH.
		 */
		.leaf = 7,
		.mask = { .ebx = B(0) | B(3) | B(5) | B(6) | B(7) | B(8) | B(9) | B(10) | B(13) |
				 B(16) | B(17) | B(18) | B(19) | B(20) | B(21) | B(23) | B(24) |
				 B(28) | B(29) | B(30) | B(31),
			  .ecx = B(1) | B(2) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | B(14) |
				 B(22) | B(27) | B(28),
			  .edx = B(2) | B(3) | B(4) | B(8) | B(14) | B(26) | B(27) | B(31) },
		.set = { .ebx = B(1) }, /* TSC_ADJUST: emulated */
	},
	{
		/*
		 * Hidden: SVM, EXTAPIC, AltMovCr8, IBS, OSVW, SKINIT, WDT, LWP, NodeId, TopologyExt,
		 * PerfCtr*, DataBreakpoint, MONITORX.
		 */
		.leaf = 0x80000001,
		.mask = { .eax = ALL,
			  .ecx = B(0) | B(5) | B(6) | B(7) | B(8) | B(11) | B(16) | B(21),
			  .edx = B(11) | B(20) | B(22) | B(25) | B(26) | B(27) | B(29) | B(30) |
				 B(31) },
	},
	{ .leaf = 0x80000002, .mask = { ALL, ALL, ALL, ALL } },
	{ .leaf = 0x80000003, .mask = { ALL, ALL, ALL, ALL } },
	{ .leaf = 0x80000004, .mask = { ALL, ALL, ALL, ALL } },
	{ .leaf = 0x80000005, .vendor = VCPUID_AMD, .mask = { ALL, ALL, ALL, ALL } },
	{ .leaf = 0x80000006, .mask = { ALL, ALL, ALL, ALL } },
	{ .leaf = 0x80000007, .mask = { .edx = B(8) } }, /* invariant TSC */
	/* CLZERO, XSAVE of error pointers, WBNOINVD; no speculation control, see leaf 7. */
	{ .leaf = 0x80000008, .mask = { .eax = 0xff, .ebx = B(0) | B(2) | B(9) } },
	{ .leaf = 0x80000019, .vendor = VCPUID_AMD, .mask = { ALL, ALL, 0, 0 } },
	{ .leaf = 0x8000001a, .vendor = VCPUID_AMD, .mask = { 7, 0, 0, 0 } },
};

const struct vcpuid_policy *vcpuid_policy_rows(unsigned int *count)
{
	*count = ARRAY_SIZE(policy);
	return policy;
}

struct feature {
	const char *name;
	uint32_t leaf;
	uint8_t reg;
	uint8_t bit;
	uint8_t needs; /* index + 1 into features of what it cannot be without; 0: nothing */
};

/* Order matters: a feature stands behind the one it needs. */
enum { NEEDS_NONE, NEEDS_XSAVE, NEEDS_AVX, NEEDS_AVX512F };

static const struct feature features[] = {
	{ "xsave", 1, ECX, 26, NEEDS_NONE },
	{ "avx", 1, ECX, 28, NEEDS_XSAVE },
	{ "avx512f", 7, EBX, 16, NEEDS_AVX },
	{ "fma", 1, ECX, 12, NEEDS_AVX },
	{ "f16c", 1, ECX, 29, NEEDS_AVX },
	{ "avx2", 7, EBX, 5, NEEDS_AVX },
	{ "vaes", 7, ECX, 9, NEEDS_AVX },
	{ "vpclmulqdq", 7, ECX, 10, NEEDS_AVX },
	{ "xop", 0x80000001, ECX, 11, NEEDS_AVX },
	{ "fma4", 0x80000001, ECX, 16, NEEDS_AVX },
	{ "avx512dq", 7, EBX, 17, NEEDS_AVX512F },
	{ "avx512ifma", 7, EBX, 21, NEEDS_AVX512F },
	{ "avx512cd", 7, EBX, 28, NEEDS_AVX512F },
	{ "avx512bw", 7, EBX, 30, NEEDS_AVX512F },
	{ "avx512vl", 7, EBX, 31, NEEDS_AVX512F },
	{ "avx512vbmi", 7, ECX, 1, NEEDS_AVX512F },
	{ "avx512_vbmi2", 7, ECX, 6, NEEDS_AVX512F },
	{ "avx512_vnni", 7, ECX, 11, NEEDS_AVX512F },
	{ "avx512_bitalg", 7, ECX, 12, NEEDS_AVX512F },
	{ "avx512_vpopcntdq", 7, ECX, 14, NEEDS_AVX512F },
	{ "avx512_4vnniw", 7, EDX, 2, NEEDS_AVX512F },
	{ "avx512_4fmaps", 7, EDX, 3, NEEDS_AVX512F },
	{ "avx512_vp2intersect", 7, EDX, 8, NEEDS_AVX512F },
	{ "sse3", 1, ECX, 0, NEEDS_NONE },
	{ "pclmulqdq", 1, ECX, 1, NEEDS_NONE },
	{ "ssse3", 1, ECX, 9, NEEDS_NONE },
	{ "cx16", 1, ECX, 13, NEEDS_NONE },
	{ "sse4_1", 1, ECX, 19, NEEDS_NONE },
	{ "sse4_2", 1, ECX, 20, NEEDS_NONE },
	{ "x2apic", 1, ECX, 21, NEEDS_NONE },
	{ "movbe", 1, ECX, 22, NEEDS_NONE },
	{ "popcnt", 1, ECX, 23, NEEDS_NONE },
	{ "tsc_deadline", 1, ECX, 24, NEEDS_NONE },
	{ "aes", 1, ECX, 25, NEEDS_NONE },
	{ "rdrand", 1, ECX, 30, NEEDS_NONE },
	{ "hypervisor", 1, ECX, 31, NEEDS_NONE },
	{ "pcid", 1, ECX, 17, NEEDS_NONE },
	{ "invpcid", 7, EBX, 10, NEEDS_NONE },
	{ "fsgsbase", 7, EBX, 0, NEEDS_NONE },
	{ "tsc_adjust", 7, EBX, 1, NEEDS_NONE },
	{ "bmi1", 7, EBX, 3, NEEDS_NONE },
	{ "smep", 7, EBX, 7, NEEDS_NONE },
	{ "bmi2", 7, EBX, 8, NEEDS_NONE },
	{ "erms", 7, EBX, 9, NEEDS_NONE },
	{ "rdseed", 7, EBX, 18, NEEDS_NONE },
	{ "adx", 7, EBX, 19, NEEDS_NONE },
	{ "smap", 7, EBX, 20, NEEDS_NONE },
	{ "clflushopt", 7, EBX, 23, NEEDS_NONE },
	{ "clwb", 7, EBX, 24, NEEDS_NONE },
	{ "sha_ni", 7, EBX, 29, NEEDS_NONE },
	{ "umip", 7, ECX, 2, NEEDS_NONE },
	{ "gfni", 7, ECX, 8, NEEDS_NONE },
	{ "rdpid", 7, ECX, 22, NEEDS_NONE },
	{ "movdiri", 7, ECX, 27, NEEDS_NONE },
	{ "movdir64b", 7, ECX, 28, NEEDS_NONE },
	{ "fsrm", 7, EDX, 4, NEEDS_NONE },
	{ "serialize", 7, EDX, 14, NEEDS_NONE },
	{ "spec_ctrl", 7, EDX, 26, NEEDS_NONE },
	{ "stibp", 7, EDX, 27, NEEDS_NONE },
	{ "ssbd", 7, EDX, 31, NEEDS_NONE },
	{ "arat", 6, EAX, 2, NEEDS_NONE },
	{ "abm", 0x80000001, ECX, 5, NEEDS_NONE },
	{ "sse4a", 0x80000001, ECX, 6, NEEDS_NONE },
	{ "misalignsse", 0x80000001, ECX, 7, NEEDS_NONE },
	{ "3dnowprefetch", 0x80000001, ECX, 8, NEEDS_NONE },
	{ "tbm", 0x80000001, ECX, 21, NEEDS_NONE },
	{ "nx", 0x80000001, EDX, 20, NEEDS_NONE },
	{ "mmxext", 0x80000001, EDX, 22, NEEDS_NONE },
	{ "fxsr_opt", 0x80000001, EDX, 25, NEEDS_NONE },
	{ "pdpe1gb", 0x80000001, EDX, 26, NEEDS_NONE },
	{ "rdtscp", 0x80000001, EDX, 27, NEEDS_NONE },
	{ "3dnowext", 0x80000001, EDX, 30, NEEDS_NONE },
	{ "3dnow", 0x80000001, EDX, 31, NEEDS_NONE },
	{ "constant_tsc", 0x80000007, EDX, 8, NEEDS_NONE },
	{ "clzero", 0x80000008, EBX, 0, NEEDS_NONE },
};

static const struct feature *find(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		if (strcmp(features[i].name, name) == 0) {
			return &features[i];
		}
	}
	return NULL;
}

bool hvm_cpuid_feature_known(const char *name)
{
	return find(name) != NULL;
}

static uint32_t *reg_of(struct vcpuid_view *view, uint32_t leaf, unsigned int reg)
{
	bool ext = leaf >= 0x80000000u;
	const struct vcpuid_leaf *l = ext ? &view->ext[leaf & 0xff] : &view->basic[leaf & 0x1f];
	struct x86_cpuid *r = &view->rows[l->first];
	uint32_t *regs[] = { &r->eax, &r->ebx, &r->ecx, &r->edx };

	return regs[reg];
}

static bool view_has(const struct vcpuid_view *view, const struct feature *f)
{
	uint32_t val = *reg_of((struct vcpuid_view *)(uintptr_t)view, f->leaf, f->reg);

	return (val & B(f->bit)) != 0;
}

static void clear(struct vcpuid_view *view, const struct feature *f)
{
	*reg_of(view, f->leaf, f->reg) &= ~B(f->bit);
}

void vcpuid_policy_clear(struct vcpuid_view *view, const char *name)
{
	const struct feature *f = find(name);

	if (f != NULL) {
		clear(view, f);
	}
}

void vcpuid_policy_close(struct vcpuid_view *view)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		if (features[i].needs != NEEDS_NONE &&
		    !view_has(view, &features[features[i].needs - 1])) {
			clear(view, &features[i]);
		}
	}
}

#define XCR0_X87_SSE 3ul
#define XCR0_AVX     BIT(2)
#define XCR0_AVX512  (7ul << 5)

uint64_t vcpuid_policy_xcr0(const struct vcpuid_view *view)
{
	struct x86_cpuid host = vcpuid_host(0xd, 0);
	uint64_t xcr0 = XCR0_X87_SSE;

	if (!view_has(view, &features[NEEDS_XSAVE - 1])) {
		return 0;
	}
	xcr0 |= view_has(view, &features[NEEDS_AVX - 1]) ? XCR0_AVX : 0;
	xcr0 |= view_has(view, &features[NEEDS_AVX512F - 1]) ? XCR0_AVX512 : 0;
	return xcr0 & ((uint64_t)host.edx << 32 | host.eax);
}

/* Where the features that our own checks ask for are. */
static const struct {
	uint32_t leaf;
	uint8_t reg;
	uint8_t bit;
} checks[] = {
	[VCPUID_VME] = { 1, EDX, 1 },
	[VCPUID_DE] = { 1, EDX, 2 },
	[VCPUID_PSE] = { 1, EDX, 3 },
	[VCPUID_PAE] = { 1, EDX, 6 },
	[VCPUID_MCE] = { 1, EDX, 7 },
	[VCPUID_PGE] = { 1, EDX, 13 },
	[VCPUID_FXSR] = { 1, EDX, 24 },
	[VCPUID_SSE] = { 1, EDX, 25 },
	[VCPUID_XSAVE] = { 1, ECX, 26 },
	[VCPUID_FSGSBASE] = { 7, EBX, 0 },
	[VCPUID_SMEP] = { 7, EBX, 7 },
	[VCPUID_SMAP] = { 7, EBX, 20 },
	[VCPUID_UMIP] = { 7, ECX, 2 },
	[VCPUID_PCID] = { 1, ECX, 17 },
	[VCPUID_INVPCID] = { 7, EBX, 10 },
	[VCPUID_NX] = { 0x80000001, EDX, 20 },
	[VCPUID_LM] = { 0x80000001, EDX, 29 },
	[VCPUID_SYSCALL] = { 0x80000001, EDX, 11 },
	[VCPUID_FXSR_OPT] = { 0x80000001, EDX, 25 },
	[VCPUID_RDTSCP] = { 0x80000001, EDX, 27 },
	[VCPUID_PAGE1GB] = { 0x80000001, EDX, 26 },
	[VCPUID_TSC_ADJUST] = { 7, EBX, 1 },
	[VCPUID_TSC_DEADLINE] = { 1, ECX, 24 },
	[VCPUID_X2APIC] = { 1, ECX, 21 },
	[VCPUID_SPEC_CTRL] = { 7, EDX, 26 },
	[VCPUID_STIBP] = { 7, EDX, 27 },
	[VCPUID_SSBD] = { 7, EDX, 31 },
};

bool vcpuid_has(const struct vcpu *v, enum vcpuid_feature f)
{
	return (*reg_of(v->x86->cpuid, checks[f].leaf, checks[f].reg) & B(checks[f].bit)) != 0;
}
