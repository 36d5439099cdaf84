/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest is told of KVM's interface: leaves, features by configuration, MSRs, hypercalls. */
/* TEST_SOURCES: arch/x86/hvm/kvm_leaf.c arch/x86/hvm/kvm_msr.c arch/x86/hvm/kvm_hypercall.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c arch/x86/hvm/pvclock.c arch/x86/irq/clock_scale.c arch/x86/hvm/exit.c */
/* TEST_SOURCES: arch/x86/hvm/pv_steal.c */
/* TEST_SOURCES: arch/x86/hvm/event.c tests/unit/fakes/fake_lapic.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_guest_mem.c */
#include "arch/x86/hvm/kvm_leaf.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/kvm_msr.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_arch.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include "hv/thread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct vcpu *v;
static struct vcpu_x86 x86;
static struct vcpuid_view view;
static struct vlapic lapic;
static struct thread thread;

unsigned int exit_code_bits(const struct vcpu *cpu)
{
	return (fake_states[cpu->id].segs[HVM_CS].attr & X86_SEG_L) != 0 ? 64 : 32;
}

static int setup(void **state)
{
	(void)state;
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	memset(&view, 0, sizeof(view));
	fake_tsc_agrees = true;
	memset(&lapic, 0, sizeof(lapic));
	v->lapic = &lapic;
	v->x86 = &x86;
	v->thread = &thread;
	x86.cpuid = &view;
	fake_vm.cfg.paravirt = true;
	kvm_leaf_make(&view, &fake_vm.cfg);
	return 0;
}

static struct x86_cpuid row(uint32_t leaf)
{
	for (unsigned int i = 0; i < view.hyper_count; i++) {
		if (view.hyper[i].leaf == leaf) {
			return view.hyper[i].regs;
		}
	}
	return (struct x86_cpuid){ 0 };
}

static void test_signatures(void **state)
{
	struct x86_cpuid kvm = row(0x40000000), own = row(0x40000100);
	uint32_t name[3] = { kvm.ebx, kvm.ecx, kvm.edx };

	(void)state;
	assert_int_equal(kvm.eax, 0x40000010);
	assert_memory_equal(name, "KVMKVMKVM\0\0\0", 12);
	assert_int_equal(own.eax, 0x40000100);
	assert_memory_equal(&own.ebx, "InsulaHV\0\0\0\0", 12);
	assert_true(view.hyper_count <= ARRAY_SIZE(view.hyper));
}

static void test_features(void **state)
{
	uint32_t bits = row(0x40000001).eax;

	(void)state;
	assert_int_equal(bits & BIT(0), 0);		/* the old pair of MSRs is not there */
	assert_int_equal(bits & (BIT(4) | BIT(14)), 0); /* asynchronous page faults: never */
	assert_int_equal(bits & (BIT(7) | BIT(12)), 0);
	assert_int_equal(bits & BIT(11) && bits & BIT(13), 1);
	assert_int_equal(bits >> 3 & 1, 1);
	assert_int_equal(bits >> 5 & 1, 1);
	assert_int_equal(bits >> 9 & 1, 1);
	assert_int_equal(bits >> 6 & 1, 1);
	assert_int_equal(bits >> 24 & 1, 1);
	assert_int_equal(row(0x40000001).edx, 0);
	assert_true(kvm_leaf_has(v, KVM_CLOCKSOURCE2));
}

static void test_not_stable(void **state)
{
	(void)state;
	fake_tsc_agrees = false;
	kvm_leaf_make(&view, &fake_vm.cfg);
	assert_int_equal(row(0x40000001).eax >> 24 & 1, 0);
	assert_false(kvm_leaf_has(v, KVM_CLOCKSOURCE_STABLE));
	assert_true(kvm_leaf_has(v, KVM_CLOCKSOURCE2));
}

static void test_timing(void **state)
{
	(void)state;
	assert_int_equal(row(0x40000010).eax, 1000000); /* kHz */
	assert_int_equal(row(0x40000010).ebx, 1000000);
}

static void switch_off(void)
{
	fake_vm.cfg.paravirt = false;
	kvm_leaf_make(&view, &fake_vm.cfg);
}

static void test_switched_off(void **state)
{
	uint64_t val;
	bool used;

	(void)state;
	switch_off();
	assert_memory_equal(&view.hyper[0].regs.ebx, "InsulaHV\0\0\0\0", 12);
	assert_int_equal(view.hyper_count, 1);
	assert_false(kvm_leaf_any(v));
	for (uint32_t msr = KVM_MSR_FIRST; msr <= KVM_MSR_LAST; msr++) {
		assert_false(kvm_msr_read(v, msr, &val));
		assert_false(kvm_msr_write(v, msr, 0x1001));
	}
	for (unsigned int i = 0; hvm_paravirt(v, i, &used) != NULL; i++) {
		assert_false(used);
	}
}

static void test_used(void **state)
{
	bool used;

	(void)state;
	assert_string_equal(hvm_paravirt(v, 0, &used), "kvmclock");
	assert_false(used);
	assert_true(kvm_msr_write(v, 0x4b564d01, 0x1001));
	hvm_paravirt(v, 0, &used);
	assert_true(used);
	assert_true(kvm_msr_write(v, 0x4b564d01, 0));
	hvm_paravirt(v, 0, &used);
	assert_false(used);
}

/* Any value for any of the MSRs: refused or taken, never out of the guest's RAM. */
static void test_hostile_values(void **state)
{
	static const uint64_t base[] = {
		0, 0x1000, FAKE_RAM - 64, FAKE_RAM, 0xfee00000, ~0ul - 63
	};
	uint64_t val;

	(void)state;
	for (uint32_t msr = KVM_MSR_FIRST; msr <= KVM_MSR_LAST; msr++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(base); i++) {
			for (uint64_t low = 0; low < 64; low++) {
				if (kvm_msr_write(v, msr, base[i] + low)) {
					assert_true(kvm_msr_read(v, msr, &val));
					assert_true(val == base[i] + low);
				}
			}
		}
	}
}

static void test_hypercall(void **state)
{
	(void)state;
	fake_hvm_long_mode(v, 0);
	v->gprs[GPR_RAX] = 9;
	assert_int_equal(exit_hypercall(v), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == -1000ul);
	fake_states[0].segs[HVM_CS].attr = 0xc9b;
	assert_int_equal(exit_hypercall(v), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == (uint32_t)-1000);
	fake_states[0].segs[HVM_SS].attr |= 3 << 5; /* CPL 3 */
	assert_int_equal(exit_hypercall(v), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == UINT32_MAX);
	switch_off();
	assert_int_equal(exit_hypercall(v), EXIT_RESUME);
	assert_int_equal(v->exception.vector, VEC_UD);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_signatures),	   TEST(test_features),	    TEST(test_not_stable),
		TEST(test_timing),	   TEST(test_switched_off), TEST(test_used),
		TEST(test_hostile_values), TEST(test_hypercall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
