/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's MSRs: which exist for whom, which values are refused, what a write changes. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/vmsr.c arch/x86/hvm/vmsr_rules.c arch/x86/hvm/vmsr_mtrr.c */
/* TEST_SOURCES: arch/x86/hvm/kvm_leaf.c arch/x86/hvm/kvm_msr.c arch/x86/hvm/pvclock.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c arch/x86/hvm/pv_steal.c */
/* TEST_SOURCES: arch/x86/irq/clock_scale.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c arch/x86/hvm/event.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_cpuid.c */
#include "arch/x86/hvm/vmsr.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/vmsr_rules.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_arch.h"
#include "fakes/fake_cpuid.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_timer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct vcpu *v;
static struct vcpu_x86 x86;
static uint64_t val;

uint64_t vcpu_x86_xcr0(const struct vcpu *cpu)
{
	return cpu->x86->xcr0;
}

static int make(bool amd)
{
	fake_timer_reset();
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	v->x86 = &x86;
	fake_cpuid_amd = amd;
	return vcpuid_create(v) != 0 || vlapic_create(v) != 0;
}

static int intel(void **state)
{
	(void)state;
	return make(false);
}

static int amd(void **state)
{
	(void)state;
	return make(true);
}

static int teardown(void **state)
{
	(void)state;
	vlapic_destroy(v);
	vcpuid_destroy(v);
	return 0;
}

static void test_exits(void **state)
{
	(void)state;
	v->gprs[GPR_RCX] = MSR_EFER | 0x500000000;
	fake_states[0].regs[HVM_EFER] = 0x501;
	v->gprs[GPR_RAX] = v->gprs[GPR_RDX] = UINT64_MAX;
	assert_int_equal(exit_rdmsr(v), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == 0x501);
	assert_true(v->gprs[GPR_RDX] == 0);
	v->gprs[GPR_RAX] = 0xffffffff00000901;
	v->gprs[GPR_RDX] = 0xffffffff00000000;
	assert_int_equal(exit_wrmsr(v), EXIT_SKIP_INSN);
	assert_true(fake_states[0].regs[HVM_EFER] == 0xd01); /* LMA stays */
	v->gprs[GPR_RCX] = 0x12345;
	assert_int_equal(exit_rdmsr(v), EXIT_RESUME);
	assert_int_equal(v->exception.vector, VEC_GP);
	assert_int_equal(exit_wrmsr(v), EXIT_RESUME);
}

static void test_unknown(void **state)
{
	(void)state;
	for (uint32_t msr = 0; msr < 0x1000; msr++) { /* nothing here may crash */
		(void)vmsr_read(v, msr, &val);
		(void)vmsr_read(v, 0xc0000000 + msr, &val);
		(void)vmsr_read(v, 0xc0010000 + msr, &val);
	}
	assert_false(vmsr_read(v, 0xffffffff, &val));
	assert_false(vmsr_write(v, 0xc0000079, 0));
	assert_false(vmsr_write(v, 0xfe, 0));	    /* read-only */
	assert_false(vmsr_write(v, 0x4b564d00, 0)); /* no paravirtual interface either */
	assert_int_equal(x86.unknown_msrs, 16);
}

static void test_vendor(void **state)
{
	(void)state;
	assert_true(vmsr_read(v, 0x1a0, &val));
	assert_false(vmsr_read(v, 0xc0010015, &val));
	teardown(state);
	make(true);
	assert_false(vmsr_read(v, 0x1a0, &val));
	assert_true(vmsr_read(v, 0xc0010015, &val));
}

static void test_efer(void **state)
{
	(void)state;
	assert_true(vmsr_write(v, MSR_EFER, 0x900));
	assert_true(fake_states[0].regs[HVM_EFER] == 0x900);
	assert_false(vmsr_write(v, MSR_EFER, 0x1000)); /* SVME */
	assert_false(vmsr_write(v, MSR_EFER, 0x4000)); /* FFXSR: not on Intel */
	assert_false(vmsr_write(v, MSR_EFER, 2));
	fake_states[0].regs[HVM_CR0] = CR0_PG | CR0_PE;
	assert_false(vmsr_write(v, MSR_EFER, 0x800)); /* LME while paging */
	assert_true(vmsr_write(v, MSR_EFER, 0x101));
}

static void test_tsc(void **state)
{
	(void)state;
	fake_now = 5000;
	v->tsc_offset = -5000ul;
	assert_true(vmsr_read(v, MSR_TSC, &val));
	assert_true(val == 0);
	assert_true(vmsr_write(v, MSR_TSC, 1000000));
	assert_true(vmsr_read(v, MSR_TSC, &val));
	assert_true(val == 1000000);
	assert_true(fake_states[0].regs[HVM_TSC_OFFSET] == v->tsc_offset);
	assert_true(vmsr_read(v, MSR_TSC_ADJUST, &val));
	assert_true(val == 1000000);
	assert_true(vmsr_write(v, MSR_TSC_ADJUST, 0));
	assert_true(vmsr_read(v, MSR_TSC, &val));
	assert_true(val == 0);
}

static void test_tsc_deadline(void **state)
{
	(void)state;
	vlapic_mmio_write(v->lapic, 0xf0, 0x1ff);
	vlapic_mmio_write(v->lapic, 0x320, 0x400ec);
	assert_true(vmsr_write(v, MSR_TSC_DEADLINE, 7000));
	assert_true(vmsr_read(v, MSR_TSC_DEADLINE, &val));
	assert_true(val == 7000);
	fake_timer_run(7000);
	assert_int_equal(vlapic_pending(v->lapic), 0xec);
}

static void test_apic_base(void **state)
{
	(void)state;
	assert_true(vmsr_read(v, MSR_APIC_BASE, &val));
	assert_true(val == 0xfee00900);
	assert_false(vmsr_read(v, 0x802, &val));
	assert_true(vmsr_write(v, MSR_APIC_BASE, 0xfee00d00));
	assert_true(vmsr_read(v, 0x803, &val));
	assert_int_equal(val, 0x50014);
	assert_false(vmsr_write(v, MSR_APIC_BASE, 0xfed00d00));
}

/* The fake Haswell has IBRS, STIBP and SSBD. */
static void test_spec_ctrl(void **state)
{
	(void)state;
	assert_true(vmsr_read(v, MSR_SPEC_CTRL, &val) && val == 0);
	assert_true(vmsr_write(v, MSR_SPEC_CTRL, 7));
	assert_true(fake_states[0].regs[HVM_SPEC_CTRL] == 7);
	assert_false(vmsr_write(v, MSR_SPEC_CTRL, 8));
	assert_false(vmsr_write(v, MSR_SPEC_CTRL, 1ul << 32));
	assert_true(vmsr_read(v, MSR_SPEC_CTRL, &val) && val == 7);
	fake_states[0].regs[HVM_SPEC_CTRL] = 0x83; /* by itself: what is saved can be restored */
	assert_true(vmsr_read(v, MSR_SPEC_CTRL, &val) && val == 3);
	assert_false(vmsr_read(v, MSR_PRED_CMD, &val));
}

static void test_spec_ctrl_amd(void **state)
{
	(void)state;
	assert_false(vmsr_read(v, MSR_SPEC_CTRL, &val));
	assert_false(vmsr_write(v, MSR_SPEC_CTRL, 0));
}

static void test_pat(void **state)
{
	(void)state;
	assert_true(vmsr_write(v, MSR_PAT, 0x0407010600070106));
	assert_true(fake_states[0].regs[HVM_PAT] == 0x0407010600070106);
	assert_false(vmsr_write(v, MSR_PAT, 0x0007040600070402)); /* 2, 3, 8 are no types */
	assert_false(vmsr_write(v, MSR_PAT, 0x0307040600070406));
	assert_false(vmsr_write(v, MSR_PAT, 0x0007040608070406));
	assert_true(fake_states[0].regs[HVM_PAT] == 0x0407010600070106);
}

static void test_mtrr(void **state)
{
	(void)state;
	assert_true(vmsr_read(v, 0xfe, &val));
	assert_int_equal(val, 0x508);
	assert_true(vmsr_write(v, 0x20e, 0xc0000006));
	assert_true(vmsr_write(v, 0x20f, 0x7fc0000800));
	assert_true(vmsr_read(v, 0x20f, &val));
	assert_true(val == 0x7fc0000800);
	assert_false(vmsr_write(v, 0x200, 0xc0000002));
	assert_false(vmsr_write(v, 0x200, 0xc0000100));
	assert_false(vmsr_write(v, 0x201, BIT(45)));
	assert_false(vmsr_write(v, 0x201, 0x400));
	assert_false(vmsr_read(v, 0x210, &val));
	assert_true(vmsr_write(v, 0x250, 0x0606060606060606));
	assert_true(vmsr_write(v, 0x26f, 0x0505050505050505));
	assert_true(vmsr_read(v, 0x26f, &val));
	assert_true(val == 0x0505050505050505);
	assert_true(x86.mtrr_fixed[10] == val);
	assert_false(vmsr_write(v, 0x259, 0x0706060606060606)); /* 7 is for the PAT */
	assert_false(vmsr_read(v, 0x25a, &val));
	assert_true(vmsr_write(v, 0x2ff, 0xc06));
	assert_false(vmsr_write(v, 0x2ff, 0x1c06));
	assert_false(vmsr_write(v, 0x2ff, 0xc03));
}

static void test_mtrr_firmware(void **state)
{
	(void)state;
	vmsr_mtrr_firmware(v);
	assert_true(vmsr_read(v, 0x2ff, &val));
	assert_int_equal(val, 0xc06);
	assert_true(vmsr_read(v, 0x259, &val)); /* VGA */
	assert_true(val == 0);
	assert_true(vmsr_read(v, 0x258, &val));
	assert_true(val == 0x0606060606060606);
	assert_true(vmsr_read(v, 0x200, &val));
	assert_true(val == 0xc0000000);
	assert_true(vmsr_read(v, 0x201, &val));
	assert_true(val == (0x7fc0000000 | 0x800)); /* 1 GiB, 39 address bits */
}

/* What Linux reads on AMD without a net. */
static void test_amd_linux(void **state)
{
	(void)state;
	assert_true(vmsr_read(v, 0xc0010015, &val));
	assert_true(vmsr_write(v, 0xc0010015, val));
	assert_true(vmsr_read(v, 0xc0010015, &val));
	assert_int_equal(val >> 24 & 1, 1); /* the TSC runs at P0's rate */
	assert_true(vmsr_read(v, 0xc001001f, &val));
	assert_true(vmsr_write(v, 0xc001001f, val | BIT(46)));
	assert_true(vmsr_read(v, 0xc001001f, &val));
	assert_true(val == BIT(46));
	assert_true(vmsr_read(v, 0xc0010010, &val));
	assert_true(vmsr_read(v, 0x8b, &val));
	assert_true(vmsr_read(v, 0xc0011029, &val));
	assert_int_equal(val & 2, 2);
	fake_vm.mem.size = 5 * GIB;
	fake_vm.mem.low_size = 3 * GIB;
	assert_true(vmsr_read(v, 0xc001001a, &val));
	assert_true(val == 3 * GIB);
	assert_true(vmsr_read(v, 0xc001001d, &val));
	assert_true(val == 6 * GIB);
}

static void test_intel_linux(void **state)
{
	static const uint32_t reads[] = { 0x17, 0x1b,  0x3a,  0x8b,  0xce,
					  0xfe, 0x179, 0x17a, 0x1a0, 0x1d9 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(reads); i++) {
		assert_true(vmsr_read(v, reads[i], &val));
	}
	assert_true(vmsr_read(v, 0x179, &val));
	assert_int_equal(val, 0);
	assert_true(vmsr_write(v, 0x8b, 0));
	assert_true(vmsr_write(v, 0x17a, 4));
	assert_false(vmsr_write(v, 0x17a, 8));
	assert_true(vmsr_write(v, 0x1d9, 2));
	assert_false(vmsr_write(v, 0x1d9, 0x40));
}

static void test_passthrough(void **state)
{
	unsigned int count;
	const uint32_t *list = vmsr_passthrough(&count);

	(void)state;
	for (unsigned int i = 0; i < count;
	     i++) { /* they are never both emulated and passed through */
		assert_false(vmsr_read(v, list[i], &val));
	}
	assert_int_equal(count, 11);
}

#define TEST(f, host) cmocka_unit_test_setup_teardown(f, host, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_exits, intel),     TEST(test_unknown, intel),
		TEST(test_vendor, intel),    TEST(test_efer, intel),
		TEST(test_tsc, intel),	     TEST(test_tsc_deadline, intel),
		TEST(test_apic_base, intel), TEST(test_pat, intel),
		TEST(test_spec_ctrl, intel), TEST(test_spec_ctrl_amd, amd),
		TEST(test_mtrr, intel),	     TEST(test_mtrr_firmware, intel),
		TEST(test_amd_linux, amd),   TEST(test_intel_linux, intel),
		TEST(test_passthrough, amd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
