/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest is told by CPUID on a Haswell and on an EPYC host. */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c arch/x86/hvm/exit_cpuid.c */
/* TEST_SOURCES: tests/unit/fakes/fake_cpuid.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c arch/x86/hvm/kvm_leaf.c */
#include "arch/x86/hvm/vcpuid.h"

#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_cpuid.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_hvm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct vcpu *v;
static struct vcpu_x86 x86;
static struct vlapic lapic;

uint64_t vcpu_x86_xcr0(const struct vcpu *cpu)
{
	return cpu->x86->xcr0;
}

static void make(bool amd)
{
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	x86.xcr0 = 1;
	v->x86 = &x86;
	v->lapic = &lapic;
	lapic.s.base = VLAPIC_BASE | VLAPIC_BASE_ENABLE;
	fake_cpuid_amd = amd;
}

static int intel(void **state)
{
	(void)state;
	make(false);
	return vcpuid_create(v);
}

static int amd(void **state)
{
	(void)state;
	make(true);
	return vcpuid_create(v);
}

static int teardown(void **state)
{
	(void)state;
	vcpuid_destroy(v);
	return fake_heap_live == 0 ? 0 : -1;
}

static struct x86_cpuid ask(uint32_t leaf, uint32_t sub)
{
	v->gprs[GPR_RAX] = leaf | 0xdead00000000;
	v->gprs[GPR_RCX] = sub;
	assert_int_equal(exit_cpuid(v), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] <= UINT32_MAX); /* the upper halves are cleared */
	return (struct x86_cpuid){ (uint32_t)v->gprs[GPR_RAX], (uint32_t)v->gprs[GPR_RBX],
				   (uint32_t)v->gprs[GPR_RCX], (uint32_t)v->gprs[GPR_RDX] };
}

static void test_identity(void **state)
{
	struct x86_cpuid r = ask(0, 0);

	(void)state;
	assert_int_equal(r.eax, 0x16);
	assert_int_equal(r.ebx, 0x756e6547);
	assert_int_equal(ask(1, 0).eax, 0x306c3);
	r = ask(0x40000000, 0);
	assert_int_equal(r.eax, 0x40000000);
	assert_memory_equal(&r.ebx, "InsulaHV\0\0\0", 12);
	assert_int_equal(ask(0x80000000, 0).eax, 0x80000008);
}

static void test_intel_leaf1(void **state)
{
	struct x86_cpuid r = ask(1, 0);

	(void)state;
	assert_int_equal(r.ebx, 0x00010800); /* one CPU, APIC ID 0, CLFLUSH of 64 bytes */
	assert_int_equal(r.ecx & (BIT(3) | BIT(5) | BIT(6) | BIT(15)),
			 0);		      /* MONITOR VMX SMX PDCM */
	assert_int_equal(r.ecx >> 21 & 1, 1); /* x2APIC */
	assert_int_equal(r.ecx >> 24 & 1, 1); /* TSC-deadline */
	assert_int_equal(r.ecx >> 31, 1);     /* hypervisor */
	assert_int_equal(r.ecx >> 26 & 1, 1); /* XSAVE */
	assert_int_equal(r.edx & BIT(21), 0); /* debug store */
	assert_int_equal(r.edx & BIT(28), 0); /* HTT: one CPU */
	assert_int_equal(r.edx >> 9 & 1, 1);  /* APIC */
}

static void test_dynamic_bits(void **state)
{
	(void)state;
	assert_int_equal(ask(1, 0).ecx & BIT(27), 0);
	fake_states[0].regs[HVM_CR4] = CR4_OSXSAVE;
	assert_int_equal(ask(1, 0).ecx & BIT(27), BIT(27));
	lapic.s.base = VLAPIC_BASE;
	assert_int_equal(ask(1, 0).edx & BIT(9), 0);
}

static void test_intel_hidden(void **state)
{
	(void)state;
	assert_int_equal(ask(5, 0).eax, 0);
	assert_int_equal(ask(6, 0).eax, 4); /* ARAT only */
	assert_int_equal(ask(6, 0).ecx, 0);
	assert_int_equal(ask(0xa, 0).eax, 0);
	assert_int_equal(ask(7, 0).edx, 0x8c000000); /* IBRS, STIBP, SSBD; no L1D_FLUSH */
	assert_int_equal(ask(7, 0).ebx, 0x27ab);
	assert_int_equal(ask(7, 1).ebx, 0); /* no such subleaf */
	assert_int_equal(ask(7, 2).edx, 0);
	assert_int_equal(ask(7, 0).eax, 0);
}

static void test_caches_and_topology(void **state)
{
	(void)state;
	assert_int_equal(ask(4, 0).eax, 0x121); /* no CPU shares it, one core in the package */
	assert_int_equal(ask(4, 1).eax, 0x163);
	assert_int_equal(ask(4, 2).eax, 0);
	assert_int_equal(ask(4, 77).eax, 0);
	assert_int_equal(ask(0xb, 0).ecx, 0x100);
	assert_int_equal(ask(0xb, 1).ebx, 1);
	assert_int_equal(ask(0xb, 1).ecx, 0x201);
	assert_int_equal(ask(0xb, 9).ebx, 0);
}

static void test_xsave_leaf(void **state)
{
	(void)state;
	assert_int_equal(ask(0xd, 0).eax, 7);
	assert_int_equal(ask(0xd, 0).ebx, 576);
	assert_int_equal(ask(0xd, 0).ecx, 832);
	x86.xcr0 = 7;
	assert_int_equal(ask(0xd, 0).ebx, 832);
	assert_int_equal(ask(0xd, 1).eax, 1);
	assert_int_equal(ask(0xd, 1).ebx, 0); /* no XSAVEC */
	assert_int_equal(ask(0xd, 2).eax, 256);
	assert_int_equal(ask(0xd, 2).ebx, 576);
	assert_int_equal(ask(0xd, 3).eax, 0);
	assert_int_equal(ask(0xd, 63).eax, 0);
	assert_int_equal(vcpuid_xsave_size(x86.cpuid), 832);
}

static void test_frequency(void **state)
{
	struct x86_cpuid r = ask(0x15, 0);

	(void)state;
	assert_int_equal(r.eax, r.ebx);
	assert_int_equal(r.ecx, 1000000000);
	assert_int_equal(ask(0x16, 0).eax, 1000);
}

/* SDM Vol. 2A, "CPUID": a leaf above the range answers as the highest basic one. */
static void test_out_of_range_intel(void **state)
{
	(void)state;
	assert_int_equal(ask(0x17, 0).eax, 1000);
	assert_int_equal(ask(0x80000009, 0).eax, 1000);
	assert_int_equal(ask(0xffffffff, 0).eax, 1000);
	assert_int_equal(ask(0x40000001, 0).eax, 0);
	assert_int_equal(ask(0x40000010, 0).eax, 0);
}

static void test_amd(void **state)
{
	struct x86_cpuid r = ask(0x80000001, 0);

	(void)state;
	assert_int_equal(ask(0, 0).eax, 0xd);
	assert_int_equal(r.ecx & (BIT(2) | BIT(3) | BIT(4) | BIT(9) | BIT(22)),
			 0);		     /* SVM … TOPOEXT */
	assert_int_equal(r.ecx & BIT(0), 1); /* LAHF */
	assert_int_equal(r.edx & 0x3ff, ask(1, 0).edx & 0x3ff);
	assert_int_equal(r.edx >> 29 & 1, 1); /* LM */
	assert_int_equal(ask(0x8000000a, 0).ebx, 0);
	assert_int_equal(ask(0x80000007, 0).edx, 0x100);
	assert_int_equal(ask(0x80000007, 0).ebx, 0);
	assert_int_equal(ask(0x80000008, 0).eax, 0x3030);
	assert_int_equal(ask(0x80000008, 0).ecx, 0);
	assert_int_equal(ask(1, 0).ecx >> 21 & 1, 1); /* x2APIC though the host has none */
	assert_int_equal(ask(0xe, 0).eax, 0);
	assert_int_equal(ask(0x15, 0).eax, 0);
	assert_int_equal(ask(0x8000001f, 0).eax, 0);
	x86.xcr0 = 7;
	assert_int_equal(ask(0xd, 1).eax, 7); /* XSAVEOPT, XSAVEC, XGETBV1; no XSAVES */
	assert_int_equal(ask(0xd, 1).ebx, 832);
}

static void test_has(void **state)
{
	(void)state;
	assert_true(vcpuid_has(v, VCPUID_LM));
	assert_true(vcpuid_has(v, VCPUID_NX));
	assert_true(vcpuid_has(v, VCPUID_SMEP));
	assert_false(vcpuid_has(v, VCPUID_SMAP));
	assert_true(vcpuid_is_intel(v));
	assert_true(vcpuid_reserved_pa(v) == (BIT(52) - BIT(39)));
	assert_int_equal(vcpuid_xcr0_offered(v), 7);
}

/* A configuration takes features away, and with them what cannot be without. */
static void test_removed(void **state)
{
	(void)state;
	make(false);
	fake_vm.cfg.cpuid_count = 3;
	strcpy(fake_vm.cfg.cpuid[0], "-rdrand");
	strcpy(fake_vm.cfg.cpuid[1], "-avx");
	strcpy(fake_vm.cfg.cpuid[2], "-nonsense");
	assert_int_equal(vcpuid_create(v), 0);
	assert_int_equal(ask(1, 0).ecx & (BIT(30) | BIT(28) | BIT(12) | BIT(29)), 0);
	assert_int_equal(ask(7, 0).ebx & BIT(5), 0); /* AVX2 */
	assert_int_equal(ask(0xd, 0).eax, 3);
	vcpuid_destroy(v);
	strcpy(fake_vm.cfg.cpuid[0], "-xsave");
	assert_int_equal(vcpuid_create(v), 0);
	assert_int_equal(ask(1, 0).ecx & (BIT(26) | BIT(28)), 0);
	assert_int_equal(ask(0xd, 0).eax, 0);
	assert_int_equal(vcpuid_xsave_size(x86.cpuid), 512);
	vcpuid_destroy(v);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(hvm_cpuid_feature_known("rdrand"));
	assert_true(hvm_cpuid_feature_known("pcid"));
	assert_false(hvm_cpuid_feature_known("-rdrand"));
	assert_false(hvm_cpuid_feature_known("vmx"));
	assert_false(hvm_cpuid_feature_known(""));
}

static void test_exit_reads_no_host(void **state)
{
	unsigned int reads;

	(void)state;
	reads = fake_cpuid_reads;
	for (uint32_t leaf = 0; leaf < 0x20; leaf++) {
		(void)ask(leaf, 0);
		(void)ask(0x80000000 + leaf, 3);
	}
	assert_int_equal(fake_cpuid_reads, reads);
}

static void test_no_memory(void **state)
{
	(void)state;
	make(false);
	fake_heap_limit = 0;
	assert_int_not_equal(vcpuid_create(v), 0);
	fake_heap_limit = ~0ul;
}

#define TEST(f, host) cmocka_unit_test_setup_teardown(f, host, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_identity, intel),
		TEST(test_intel_leaf1, intel),
		TEST(test_dynamic_bits, intel),
		TEST(test_intel_hidden, intel),
		TEST(test_caches_and_topology, intel),
		TEST(test_xsave_leaf, intel),
		TEST(test_frequency, intel),
		TEST(test_out_of_range_intel, intel),
		TEST(test_amd, amd),
		TEST(test_has, intel),
		TEST(test_exit_reads_no_host, amd),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
