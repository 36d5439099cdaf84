/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's hypercalls: whom an IPI to a bitmap reaches, among 16 vCPUs, and what wild arguments do. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/kvm_hypercall.c arch/x86/hvm/kvm_leaf.c arch/x86/hvm/exit.c */
/* TEST_SOURCES: arch/x86/hvm/event.c arch/x86/hvm/pv_eoi.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_timer.h"
#include <string.h>

#include <cmocka.h>

#define CPUS	   16u
#define SEND_IPI   10u
#define YIELD	   11u
#define FIXED	   0x61ul
#define NMI	   0x400ul
#define EINVAL_	   ((uint64_t)-22)
#define ENOSYS_	   ((uint64_t)-1000)
#define ALL_OTHERS 0xfffeul

static struct vcpu *v;
static struct vcpu_x86 x86;
static struct vcpuid_view view;
static unsigned int bits;

unsigned int exit_code_bits(const struct vcpu *cpu)
{
	(void)cpu;
	return bits;
}

static int setup(void **state)
{
	(void)state;
	fake_timer_reset();
	v = fake_hvm_reset();
	bits = 64;
	memset(&x86, 0, sizeof(x86));
	memset(&view, 0, sizeof(view));
	x86.cpuid = &view;
	fake_vm.cfg.paravirt = true;
	kvm_leaf_make(&view, &fake_vm.cfg);
	fake_vm.vcpu_count = CPUS;
	for (unsigned int i = 0; i < CPUS; i++) {
		fake_vcpus[i].x86 = &x86;
		if (vlapic_create(&fake_vcpus[i]) != 0) {
			return -1;
		}
		vlapic_mmio_write(fake_vcpus[i].lapic, 0xf0, 0x1ff);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CPUS; i++) {
		vlapic_destroy(&fake_vcpus[i]);
	}
	return 0;
}

/* The answer; the instruction is stepped over. */
static uint64_t call(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	v->gprs[GPR_RAX] = number;
	v->gprs[GPR_RBX] = a0;
	v->gprs[GPR_RCX] = a1;
	v->gprs[GPR_RDX] = a2;
	v->gprs[GPR_RSI] = a3;
	assert_int_equal(exit_hypercall(v), EXIT_SKIP_INSN);
	return v->gprs[GPR_RAX];
}

/* Who has an interrupt or an NMI waiting, as a mask; forgets it. */
static uint32_t got(bool nmi)
{
	uint32_t mask = 0;

	for (unsigned int i = 0; i < CPUS; i++) {
		uint64_t *irr = &fake_vcpus[i].lapic->s.irr[FIXED / 64];
		bool has = nmi ? (fake_vcpus[i].pending & VCPU_PENDING_NMI) != 0
			       : (*irr & BIT(FIXED % 64)) != 0;

		mask |= (uint32_t)has << i;
		*irr = 0;
		fake_vcpus[i].pending = 0;
	}
	return mask;
}

static void test_bitmaps(void **state)
{
	static const struct {
		uint64_t low, high, first;
		uint32_t want;
	} rows[] = {
		{ ALL_OTHERS, 0, 0, ALL_OTHERS },
		{ 1, 0, 0, 1 },
		{ 5, 0, 3, 1u << 3 | 1u << 5 },
		{ ~0ul, ~0ul, 0, 0xffff },
		{ ~0ul, ~0ul, 14, 3u << 14 },
		{ 0, ~0ul, 0, 0 },	    /* 64 to 127: there are none */
		{ 0, 3, (uint64_t)-63, 6 }, /* whatever number the first has, it is arithmetic */
		{ 2, 0, (uint64_t)-1, 1 },  /* ... that wraps */
		{ ~0ul, ~0ul, 1ul << 32, 0 },
		{ ~0ul, ~0ul, INT64_MAX, 0 },
		{ 0, 0, 0, 0 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t count = (uint64_t)__builtin_popcount(rows[i].want);

		assert_true(call(SEND_IPI, rows[i].low, rows[i].high, rows[i].first, FIXED) ==
			    count);
		assert_int_equal(got(false), rows[i].want);
		assert_true(call(SEND_IPI, rows[i].low, rows[i].high, rows[i].first, NMI) == count);
		assert_int_equal(got(true), rows[i].want);
	}
	assert_true(kvm_leaf_is_used(v, KVM_PV_SEND_IPI));
}

static void test_narrow(void **state)
{
	(void)state;
	bits = 32;
	assert_true(call(SEND_IPI, ~0ul << 32 | 6, ~0ul << 32, ~0ul << 32 | 1,
			 ~0ul << 32 | FIXED) == 2);
	assert_int_equal(got(false), 0xc);
	assert_true(call(SEND_IPI, 0, 1, (uint32_t)-30, FIXED) == 0); /* 32 bits do not wrap */
	assert_true(call(SEND_IPI, 6, 0, 0, 0x1000) == (uint32_t)-22);
	assert_int_equal(got(false), 0);
}

/* Every mode and every further bit of an ICR: only fixed and NMI, to whom the bitmap says. */
static void test_wild_icr(void **state)
{
	(void)state;
	for (uint64_t mode = 0; mode < 8; mode++) {
		bool ok = mode == VIRQ_FIXED || mode == VIRQ_NMI;
		uint64_t icr = mode << 8 | FIXED;

		assert_true(call(SEND_IPI, 2, 0, 0, icr) == (ok ? 1 : EINVAL_));
		assert_int_equal(got(mode == VIRQ_NMI), ok ? 2 : 0);
		assert_true(call(SEND_IPI, 2, 0, 0, icr | BIT(14)) == (ok ? 1 : EINVAL_));
		got(false);
	}
	for (unsigned int bit = 11; bit < 64; bit++) {
		if (bit != 14) {
			assert_true(call(SEND_IPI, 2, 0, 0, FIXED | BIT(bit)) == EINVAL_);
		}
	}
	for (uint64_t vector = 0; vector < 16; vector++) {
		assert_true(call(SEND_IPI, ~0ul, 0, 0, vector) == EINVAL_);
	}
	assert_int_equal(got(false) | got(true), 0);
	assert_string_equal(fake_starts, "");
}

/* Those that cannot take it are not counted. */
static void test_disabled(void **state)
{
	(void)state;
	vlapic_mmio_write(fake_vcpus[1].lapic, 0xf0, 0xff);
	assert_true(vlapic_set_base(fake_vcpus[2].lapic, VLAPIC_BASE));
	fake_vm.vcpus[3] = NULL;
	assert_true(call(SEND_IPI, 0x1e, 0, 0, FIXED) == 1);
	assert_int_equal(got(false), 0x10);
	assert_true(call(SEND_IPI, 0x1e, 0, 0, NMI) == 2);
	assert_int_equal(got(true), 0x12);
}

static void test_yield(void **state)
{
	(void)state;
	fake_waiting = 5;
	assert_true(call(YIELD, 4, 0, 0, 0) == 0);
	assert_true(call(YIELD, ~0ul, 0, 0, 0) == 0);
	assert_true(fake_favoured == ~0ul);
	v->gprs[GPR_RAX] = YIELD;
	v->gprs[GPR_RBX] = 5;
	assert_int_equal(exit_hypercall(v), EXIT_SPIN);
	assert_true(v->gprs[GPR_RAX] == 0 && fake_favoured == 5);
}

static void test_numbers(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 100; n++) {
		if (n != SEND_IPI && n != YIELD) {
			assert_true(call(n, ~0ul, ~0ul, 0, FIXED) == ENOSYS_);
		}
	}
	assert_true(call(~0ul, 2, 0, 0, FIXED) == ENOSYS_);
	assert_true(call(1ul << 32 | SEND_IPI, 2, 0, 0, FIXED) == ENOSYS_);
	fake_states[0].segs[HVM_SS].attr |= 3 << 5; /* CPL 3 */
	assert_true(call(SEND_IPI, 2, 0, 0, FIXED) == (uint64_t)-1);
	assert_int_equal(got(false), 0);
}

static void test_not_offered(void **state)
{
	(void)state;
	fake_vm.cfg.paravirt = false;
	kvm_leaf_make(&view, &fake_vm.cfg);
	v->gprs[GPR_RAX] = SEND_IPI;
	v->gprs[GPR_RBX] = 2;
	v->gprs[GPR_RSI] = FIXED;
	assert_int_equal(exit_hypercall(v), EXIT_RESUME);
	assert_int_equal(v->exception.vector, VEC_UD);
	assert_int_equal(got(false), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bitmaps), TEST(test_narrow),	TEST(test_wild_icr),	TEST(test_disabled),
		TEST(test_yield),   TEST(test_numbers), TEST(test_not_offered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
