/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest page walk in all modes: translation, rights, error codes, accessed and dirty bits. */
/* TEST_SOURCES: arch/x86/hvm/walk.c arch/x86/hvm/event.c tests/unit/fakes/fake_hvm.c */
/* TEST_SOURCES: tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/arch/x86/hvm/walk_lab.c arch/x86/hvm/kvm_leaf.c tests/unit/fakes/fake_lapic.c */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c tests/unit/fakes/fake_cpuid.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/walk.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/walk_lab.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define P  1ul
#define W  2ul
#define U  4ul
#define A  0x20ul
#define D  0x40ul
#define PS 0x80ul
#define NX BIT(63)

static struct vcpu *v;
static uint64_t *regs;
static gpa_t gpa;
static uint32_t error;

static int setup(void **state)
{
	int err = walk_lab_setup(0x55000, P | W | U);

	(void)state;
	v = walk_lab_vcpu;
	regs = walk_lab_regs;
	return err;
}

static int teardown(void **state)
{
	(void)state;
	vcpuid_destroy(v);
	return 0;
}

static void user(void)
{
	fake_states[0].segs[HVM_SS].attr |= 0x60;
}

static bool walk(unsigned int access)
{
	return walk_linear(v, LINEAR, access, &gpa, &error);
}

static void check(unsigned int access, uint64_t expected)
{
	assert_true(walk(access));
	assert_true(gpa.v == expected);
}

static void check_fault(unsigned int access, uint32_t expected)
{
	assert_false(walk(access));
	assert_int_equal(error, expected);
}

static void test_no_paging(void **state)
{
	(void)state;
	regs[HVM_CR0] = CR0_PE;
	regs[HVM_EFER] = 0;
	assert_true(walk_linear(v, 0x1ffff1234, WALK_WRITE, &gpa, &error));
	assert_true(gpa.v == 0xffff1234);
}

static void test_long_pages(void **state)
{
	(void)state;
	check(WALK_READ, 0x55123);
	fake_guest_mem_put64(PD + 24, 0x200000 | PS | P | W | U);
	check(WALK_READ, 0x204123);
	fake_guest_mem_put64(PD + 24, 0x1000 | 0x200000 | PS | P | W | U); /* PAT of a large page */
	check(WALK_READ, 0x204123);
	fake_guest_mem_put64(PD + 24, 0x202000 | PS | P | W | U);
	check_fault(WALK_READ, 9);
}

/* Haswell has 1 GiB pages, the fake of it too. */
static void test_1g_page(void **state)
{
	(void)state;
	fake_guest_mem_put64(PDPT + 16, GIB | PS | P | W | U);
	check(WALK_READ, GIB + (LINEAR & (GIB - 1)));
	fake_guest_mem_put64(PML4 + 8, GIB | PS | P | W | U);
	check_fault(WALK_READ, 9);
}

static void test_not_present(void **state)
{
	static const uint32_t tables[] = { PML4 + 8, PDPT + 16, PD + 24, PT + 32 };

	for (unsigned int i = 0; i < 4; i++) {
		teardown(state);
		setup(state);
		fake_guest_mem_put64(tables[i], fake_guest_mem_get64(tables[i]) & ~P);
		check_fault(WALK_READ, 0);
		check_fault(WALK_WRITE, 2);
		check_fault(WALK_FETCH, 0x10);
		user();
		check_fault(WALK_WRITE, 6);
	}
}

static void test_reserved(void **state)
{
	(void)state;
	fake_guest_mem_put64(PD + 24, PT | P | W | U | BIT(45)); /* the CPU has 39 address bits */
	check_fault(WALK_READ, 9);
	fake_guest_mem_put64(PD + 24, PT | P | W | U | NX);
	check(WALK_READ, 0x55123);
	regs[HVM_EFER] &= ~EFER_NXE;
	check_fault(WALK_FETCH, 9);
}

static void test_rights(void **state)
{
	(void)state;
	fake_guest_mem_put64(PDPT + 16, PD | P | U); /* read-only at a higher level */
	check_fault(WALK_WRITE, 3);
	regs[HVM_CR0] &= ~CR0_WP;
	check(WALK_WRITE, 0x55123); /* the supervisor may, without WP */
	user();
	check_fault(WALK_WRITE, 7);
	check(WALK_READ, 0x55123);
	fake_guest_mem_put64(PT + 32, 0x55000 | P | W); /* a supervisor page */
	check_fault(WALK_READ, 5);
	check(WALK_READ | WALK_SYSTEM, 0x55123);
}

static void test_nx(void **state)
{
	(void)state;
	fake_guest_mem_put64(PDPT + 16, PD | P | W | U | NX);
	check_fault(WALK_FETCH, 0x11);
	check(WALK_READ, 0x55123);
	check(WALK_WRITE, 0x55123);
}

static void test_smep_smap(void **state)
{
	(void)state;
	check(WALK_FETCH, 0x55123);
	regs[HVM_CR4] |= CR4_SMEP | CR4_SMAP;
	check_fault(WALK_FETCH, 0x11);
	check_fault(WALK_READ, 1);
	regs[HVM_RFLAGS] |= RFLAGS_AC;
	check(WALK_READ, 0x55123);
	check_fault(WALK_READ | WALK_SYSTEM, 1); /* AC does not help an implicit access */
	user();
	check(WALK_FETCH, 0x55123);
	regs[HVM_RFLAGS] &= ~RFLAGS_AC;
	check(WALK_READ, 0x55123);
}

static void test_touch(void **state)
{
	(void)state;
	check(WALK_WRITE, 0x55123);
	assert_true((fake_guest_mem_get64(PT + 32) & (A | D)) == 0);
	check(WALK_TOUCH, 0x55123);
	assert_true((fake_guest_mem_get64(PT + 32) & (A | D)) == A);
	check(WALK_TOUCH | WALK_WRITE, 0x55123);
	assert_true((fake_guest_mem_get64(PT + 32) & (A | D)) == (A | D));
	assert_true((fake_guest_mem_get64(PML4 + 8) & (A | D)) == A);
	assert_true((fake_guest_mem_get64(PD + 24) & (A | D)) == A);
	fake_guest_mem_put64(PT + 32, 0x55000 | P);
	assert_false(walk(WALK_TOUCH | WALK_WRITE));
	assert_true((fake_guest_mem_get64(PT + 32) & (A | D)) == 0); /* a fault changes nothing */
}

static void test_32bit(void **state)
{
	uint64_t linear = 5ul << 22 | 6ul << 12 | 0x44;

	(void)state;
	regs[HVM_EFER] = 0;
	regs[HVM_CR4] = 0;
	regs[HVM_CR3] = PML4 | 0x18; /* PWT, PCD do not matter */
	fake_guest_mem_put32(PML4 + 4 * 5, PT | P | W | U);
	fake_guest_mem_put32(PT + 4 * 6, 0x77000 | P | W | U);
	assert_true(walk_linear(v, linear, WALK_TOUCH | WALK_WRITE, &gpa, &error));
	assert_true(gpa.v == 0x77044);
	assert_true((fake_guest_mem_get64(PT + 4 * 6) & 0xffffffff) ==
		    (0x77000 | P | W | U | A | D));
	assert_true((uint32_t)fake_guest_mem_get64(PT + 4 * 7) == 0); /* 4-byte entries */
	fake_guest_mem_put32(PML4 + 4 * 5, 0x00c00000 | 0x2000 | PS | P | W);
	assert_false(
		walk_linear(v, linear, WALK_READ, &gpa, &error)); /* PS means nothing without PSE */
	regs[HVM_CR4] = CR4_PSE;
	assert_true(walk_linear(v, linear, WALK_READ, &gpa, &error));
	assert_true(gpa.v == (1ul << 32 | 0xc06044)); /* PSE-36: bit 13 is address bit 32 */
	assert_false(walk_linear(v, 0, WALK_FETCH, &gpa, &error));
	assert_int_equal(error, 0); /* no I/D bit without NX or SMEP */
}

static void test_pae(void **state)
{
	uint64_t linear = 3ul << 30 | 7ul << 21 | 8ul << 12 | 0x99;

	(void)state;
	regs[HVM_EFER] = EFER_NXE;
	regs[HVM_CR3] = PML4 | 0x20; /* 32-byte aligned */
	fake_guest_mem_put64(PML4 + 0x20 + 8 * 3, PD | P);
	fake_guest_mem_put64(PD + 8 * 7, PT | P | W | U);
	fake_guest_mem_put64(PT + 8 * 8, 0x66000 | P | W | U | NX);
	assert_true(walk_linear(v, linear, WALK_WRITE | WALK_TOUCH, &gpa, &error));
	assert_true(gpa.v == 0x66099);
	assert_true(fake_guest_mem_get64(PML4 + 0x20 + 8 * 3) == (PD | P)); /* no A bit there */
	assert_false(walk_linear(v, linear, WALK_FETCH, &gpa, &error));
	assert_int_equal(error, 0x11);
	fake_guest_mem_put64(PD + 8 * 7, 0x400000 | PS | P | W);
	assert_true(walk_linear(v, linear, WALK_READ, &gpa, &error));
	assert_true(gpa.v == 0x408099);
	fake_guest_mem_put64(PML4 + 0x20 + 8 * 3, PD | P | W); /* W is reserved in a PDPTE */
	assert_false(walk_linear(v, linear, WALK_READ, &gpa, &error));
	assert_int_equal(error, 9);
}

static void test_tables_outside_ram(void **state)
{
	(void)state;
	fake_guest_mem_put64(PD + 24, 0x7000000000 | P | W | U);
	check_fault(WALK_READ, 0);
	regs[HVM_CR3] = FAKE_RAM - 8; /* the table's end is outside */
	check_fault(WALK_READ, 0);
}

static void test_copies(void **state)
{
	uint64_t across = LINEAR - 0x123 + 0xffe;
	uint8_t buf[4] = { 1, 2, 3, 4 };

	(void)state;
	assert_int_equal(walk_write(v, across, buf, 4), -EACCES); /* the second page is missing */
	assert_true(regs[HVM_CR2] == across + 2);
	assert_int_equal(v->exception.vector, VEC_PF);
	assert_int_equal(v->exception.error, 2);
	assert_int_equal(fake_ram[0x55ffe], 0); /* nothing was written */
	v->pending = 0;
	fake_guest_mem_put64(PT + 40, 0x33000 | P | W);
	assert_int_equal(walk_write(v, across, buf, 4), 0);
	assert_int_equal(fake_ram[0x55fff], 2);
	assert_int_equal(fake_ram[0x33000], 3);
	memset(buf, 0, 4);
	assert_int_equal(walk_read(v, across, buf, 4, WALK_READ), 0);
	assert_int_equal(buf[3], 4);
	fake_guest_mem_put64(PT + 40, 0x900000000 | P | W);
	assert_int_equal(walk_write(v, across, buf, 4), -EFAULT);
	assert_int_equal(v->pending, 0);
}

static void test_not_canonical(void **state)
{
	uint8_t byte;

	(void)state;
	assert_int_equal(walk_read(v, 1ul << 47, &byte, 1, WALK_READ), -EACCES);
	assert_int_equal(v->exception.vector, VEC_GP);
	assert_true(walk_canonical(0xffff800000000000));
	assert_false(walk_canonical(0x0000800000000000));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_paging),	TEST(test_long_pages),	  TEST(test_1g_page),
		TEST(test_not_present), TEST(test_reserved),	  TEST(test_rights),
		TEST(test_nx),		TEST(test_smep_smap),	  TEST(test_touch),
		TEST(test_32bit),	TEST(test_pae),		  TEST(test_tables_outside_ram),
		TEST(test_copies),	TEST(test_not_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
