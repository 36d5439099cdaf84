/* SPDX-License-Identifier: BSD-2-Clause */
/* The remembered code page: used while the guest's tables say the same, and never a moment longer. */
/* The walk itself is test_walk.c's. */
/* TEST_SOURCES: arch/x86/hvm/code_page.c arch/x86/hvm/walk.c arch/x86/hvm/event.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_guest_mem.c tests/unit/fakes/fake_cpuid.c */
/* TEST_SOURCES: tests/unit/arch/x86/hvm/walk_lab.c arch/x86/hvm/kvm_leaf.c tests/unit/fakes/fake_lapic.c */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/code_page.h"

#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/walk_lab.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define FRAME  0x5000u
#define FRAME2 0x6000u
#define PML4_2 0x7000u
#define PW     3ul
#define PS     0x80ul

static struct vcpu *v;
static uint64_t *regs;

static int setup(void **state)
{
	int err = walk_lab_setup(FRAME, PW);

	(void)state;
	v = walk_lab_vcpu;
	regs = walk_lab_regs;
	fake_guest_mem_put64(PML4_2 + 8, PDPT | PW);
	return err;
}

static int teardown(void **state)
{
	(void)state;
	vcpuid_destroy(v);
	return 0;
}

static const uint8_t *find(uint64_t linear)
{
	return code_page_find(v, linear, regs[HVM_CR3], regs[HVM_EFER]);
}

static void test_found_and_found_again(void **state)
{
	(void)state;
	assert_ptr_equal(find(LINEAR), fake_ram + FRAME);
	assert_int_equal(v->x86->code.tag, ALIGN_DOWN(LINEAR, PAGE_SIZE) + 1);
	assert_ptr_equal(find(LINEAR + 5), fake_ram + FRAME);
}

/* The hit does not walk: a level that a walk would refuse, made and remembered, would be seen. */
static void test_each_level_is_compared(void **state)
{
	static const uint64_t entries[] = { PML4 + 8, PDPT + 16, PD + 24, PT + 32 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++) {
		uint64_t was;

		memcpy(&was, fake_ram + entries[i], sizeof(was));
		assert_non_null(find(LINEAR));
		fake_guest_mem_put64(entries[i], 0);
		assert_null(find(LINEAR));
		fake_guest_mem_put64(entries[i], was);
		assert_ptr_equal(find(LINEAR), fake_ram + FRAME);
	}
}

static void test_remap_is_seen(void **state)
{
	(void)state;
	assert_ptr_equal(find(LINEAR), fake_ram + FRAME);
	fake_guest_mem_put64(PT + 32, FRAME2 | PW);
	assert_ptr_equal(find(LINEAR), fake_ram + FRAME2);
	fake_guest_mem_put64(PD + 24, 0x200000 | PW | PS);
	assert_null(find(LINEAR)); /* there is no RAM */
	fake_guest_mem_put64(PD + 24, 0 | PW | PS);
	assert_ptr_equal(find(LINEAR), fake_ram + 0x4000);
	assert_ptr_equal(find(LINEAR), fake_ram + 0x4000);
}

static void test_other_roots_and_pages_are_other_keys(void **state)
{
	(void)state;
	assert_ptr_equal(find(LINEAR), fake_ram + FRAME);
	assert_null(find(LINEAR + PAGE_SIZE));
	regs[HVM_CR3] = PML4_2;
	assert_ptr_equal(find(LINEAR), fake_ram + FRAME);
	assert_int_equal(v->x86->code.cr3, PML4_2);
	fake_guest_mem_put64(PML4_2 + 8, 0);
	assert_null(find(LINEAR));
}

/* Outside long mode CR3 and entries do not say everything: nothing is remembered, nothing used. */
static void test_long_mode_only(void **state)
{
	(void)state;
	assert_non_null(find(LINEAR));
	regs[HVM_EFER] = 0;
	regs[HVM_CR4] = 0;
	regs[HVM_CR0] = CR0_PE;
	assert_ptr_equal(find(0x5010), fake_ram + 0x5000);
	assert_int_equal(v->x86->code.tag, 0);
	regs[HVM_CR0] = CR0_PE | CR0_PG;
	assert_null(find(LINEAR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found_and_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_level_is_compared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remap_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_roots_and_pages_are_other_keys, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_long_mode_only, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
