/* SPDX-License-Identifier: BSD-2-Clause */
/* Control registers: refused values, entering and leaving paging and long mode, PDPTEs, XCR0. */
/* TEST_SOURCES: arch/x86/hvm/cr.c arch/x86/hvm/fetch.c arch/x86/hvm/code_page.c arch/x86/hvm/walk.c arch/x86/hvm/event.c */
/* TEST_SOURCES: arch/x86/hvm/insn.c arch/x86/hvm/insn_map.c */
/* TEST_SOURCES: arch/x86/hvm/kvm_leaf.c */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c tests/unit/fakes/fake_cpuid.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_lapic.c */
/* TEST_SOURCES: tests/unit/fakes/fake_guest_mem.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_lapic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PG (CR0_PG | CR0_PE)

static struct vcpu *v;
static struct vcpu_x86 x86;
static uint64_t *regs;

static int setup(void **state)
{
	(void)state;
	fake_guest_mem_reset();
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	x86.xcr0 = 1;
	v->x86 = &x86;
	regs = fake_states[0].regs;
	regs[HVM_CR0] = CR0_ET;
	return vcpuid_create(v);
}

static int teardown(void **state)
{
	(void)state;
	vcpuid_destroy(v);
	return 0;
}

static void good(unsigned int cr, uint64_t val)
{
	assert_int_equal(exit_write_cr(v, cr, val), EXIT_SKIP_INSN);
	assert_int_equal(v->pending, 0);
}

static void bad(unsigned int cr, uint64_t val)
{
	assert_int_equal(exit_write_cr(v, cr, val), EXIT_RESUME);
	assert_int_equal(v->pending, VCPU_PENDING_EXCEPTION);
	assert_int_equal(v->exception.vector, VEC_GP);
	v->pending = 0;
}

static void test_cr0_refused(void **state)
{
	(void)state;
	fake_hvm_long_mode(v, 0x1000);
	bad(0, CR0_PG);	     /* paging without protection */
	bad(0, PG | CR0_NW); /* NW without CD */
	bad(0, PG | BIT(32));
	bad(0, CR0_PE);		       /* paging off in 64-bit code */
	good(0, PG | CR0_WP | BIT(6)); /* an undefined bit of the low half is ignored */
	assert_true(regs[HVM_CR0] == (PG | CR0_WP | CR0_ET));
}

static void test_long_mode(void **state)
{
	(void)state;
	regs[HVM_EFER] = EFER_LME;
	bad(0, PG); /* without PAE */
	assert_true(regs[HVM_EFER] == EFER_LME);
	good(4, CR4_PAE);
	good(0, PG);
	assert_true(regs[HVM_EFER] == (EFER_LME | EFER_LMA));
	bad(4, 0);				  /* PAE stays in long mode */
	fake_states[0].segs[HVM_CS].attr = 0xc9b; /* compatibility mode: it may leave */
	good(0, CR0_PE);
	assert_true(regs[HVM_EFER] == EFER_LME);
	fake_states[0].segs[HVM_CS].attr = 0xa9b;
	bad(0, PG); /* CS.L set before long mode is active */
}

static void test_pdptes(void **state)
{
	(void)state;
	fake_guest_mem_put64(0x5000, 0x6001);
	fake_guest_mem_put64(0x5018, 0x7001);
	regs[HVM_CR3] = 0x5000;
	good(4, CR4_PAE);
	good(0, PG);
	assert_true(regs[HVM_PDPTE0] == 0x6001);
	assert_true(regs[HVM_PDPTE1] == 0);
	assert_true(regs[HVM_PDPTE3] == 0x7001);
	fake_guest_mem_put64(0x8008, 0x9003); /* R/W is reserved */
	bad(3, 0x8000);
	assert_true(regs[HVM_CR3] == 0x5000);
	assert_true(regs[HVM_PDPTE0] == 0x6001);
	fake_guest_mem_put64(0x8008, 0x9001);
	good(3, 0x8000);
	assert_true(regs[HVM_PDPTE1] == 0x9001);
	fake_guest_mem_put64(0x8008, 0xa001);
	good(4, CR4_PAE | CR4_PGE); /* reloads them */
	assert_true(regs[HVM_PDPTE1] == 0xa001);
	good(3, 0xfffff000); /* not RAM: not present */
	assert_true(regs[HVM_PDPTE1] == 0);
}

static void test_cr3(void **state)
{
	(void)state;
	fake_hvm_long_mode(v, 0x1000);
	good(3, 0x2018);
	assert_true(regs[HVM_CR3] == 0x2018);
	bad(3, BIT(40)); /* the CPU has 39 address bits */
	bad(3, BIT(63) | 0x3000);
	good(3, 0x3000);
	good(4, CR4_PAE | CR4_PCIDE);
	good(3, BIT(63) | 0x4001);
	assert_true(regs[HVM_CR3] == 0x4001);
}

static void test_pcide(void **state)
{
	(void)state;
	bad(4, CR4_PAE | CR4_PCIDE); /* not in long mode */
	fake_hvm_long_mode(v, 0x1005);
	bad(4, CR4_PAE | CR4_PCIDE); /* PCID is not 0 */
	regs[HVM_CR3] = 0x1000;
	good(4, CR4_PAE | CR4_PCIDE);
	fake_states[0].segs[HVM_CS].attr = 0xc9b;
	bad(0, CR0_PE); /* paging off with PCIDE */
}

static void test_cr4_offered(void **state)
{
	static const uint64_t hidden[] = { CR4_SMAP, BIT(12), BIT(13), BIT(14), BIT(22),
					   BIT(23),  BIT(24), BIT(32), CR4_UMIP };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++) {
		fake_hvm_long_mode(v, 0x1000);
		bad(4, CR4_PAE | hidden[i]);
	}
	good(4, CR4_PAE | CR4_SMEP | CR4_OSXSAVE | CR4_FSGSBASE | CR4_MCE);
}

static void test_cr8(void **state)
{
	(void)state;
	fake_hvm_long_mode(v, 0x1000);
	good(8, 9);
	assert_int_equal(fake_lapic.cr8, 9);
	bad(8, 16);
	assert_int_equal(exit_read_cr(v, 8, GPR_R8), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_R8] == 9);
}

static void test_reads(void **state)
{
	(void)state;
	regs[HVM_CR2] = 0x22;
	regs[HVM_CR3] = 0x33000;
	regs[HVM_CR4] = 0x44;
	assert_int_equal(exit_read_cr(v, 2, GPR_RSP), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RSP] == 0x22);
	assert_int_equal(exit_read_cr(v, 3, 15), EXIT_SKIP_INSN);
	assert_true(v->gprs[15] == 0x33000);
	assert_int_equal(exit_read_cr(v, 0, 0), EXIT_SKIP_INSN);
	assert_true(v->gprs[0] == CR0_ET);
	for (unsigned int cr = 0; cr < 16; cr++) {
		if (cr == 1 || (cr > 4 && cr != 8)) {
			assert_int_equal(exit_read_cr(v, cr, 0), EXIT_RESUME);
			assert_int_equal(v->exception.vector, VEC_UD);
			v->pending = 0;
			assert_int_equal(exit_write_cr(v, cr, 0), EXIT_RESUME);
			assert_int_equal(v->exception.vector, VEC_UD);
			v->pending = 0;
		}
	}
}

static void set_xcr(uint64_t n, uint64_t val, enum exit_action expected)
{
	v->gprs[GPR_RCX] = n;
	v->gprs[GPR_RAX] = (uint32_t)val;
	v->gprs[GPR_RDX] = val >> 32;
	assert_int_equal(exit_xsetbv(v), expected);
	v->pending = 0;
}

static void test_xcr0(void **state)
{
	(void)state;
	set_xcr(0, 7, EXIT_SKIP_INSN);
	assert_true(x86.xcr0 == 7);
	set_xcr(0, 3, EXIT_SKIP_INSN);
	set_xcr(0, 1, EXIT_SKIP_INSN);
	set_xcr(0, 0, EXIT_RESUME);    /* x87 is always on */
	set_xcr(0, 5, EXIT_RESUME);    /* AVX without SSE */
	set_xcr(0, 0xe7, EXIT_RESUME); /* AVX-512 is not offered */
	set_xcr(0, 7 | BIT(63), EXIT_RESUME);
	set_xcr(1, 7, EXIT_RESUME);
	fake_states[0].segs[HVM_SS].attr = 0x60; /* CPL 3 */
	set_xcr(0, 7, EXIT_RESUME);
	assert_true(x86.xcr0 == 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cr0_refused), TEST(test_long_mode), TEST(test_pdptes),
		TEST(test_cr3),		TEST(test_pcide),     TEST(test_cr4_offered),
		TEST(test_cr8),		TEST(test_reads),     TEST(test_xcr0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
