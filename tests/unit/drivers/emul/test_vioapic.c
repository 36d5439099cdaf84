/* SPDX-License-Identifier: BSD-2-Clause */
/* The IO-APIC: registers, edges and levels, remote IRR, masks, EOI by broadcast and register. */
/* Does not check how local APICs take messages. */
/* TEST_SOURCES: drivers/emul/vioapic.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "tests/unit/fakes/fake_pc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BASE 0xfec00000ul

static uint32_t get(uint8_t reg)
{
	fake_write(BASE, 4, reg);
	return (uint32_t)fake_read(BASE + 0x10, 4);
}

static void set(uint8_t reg, uint32_t val)
{
	fake_write(BASE, 4, reg);
	fake_write(BASE + 0x10, 4, val);
}

static void set_rte(unsigned int pin, uint32_t high, uint32_t low)
{
	set((uint8_t)(0x11 + 2 * pin), high);
	set((uint8_t)(0x10 + 2 * pin), low);
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(get(1), 0x00170020);
	set(0, 0xffffffff);
	assert_int_equal(get(0), 0x0f000000);
	assert_int_equal(get(2), 0x0f000000);
	assert_int_equal(get(0x10), 0x10000); /* masked */
	assert_int_equal(get(0x3f), 0);
	assert_int_equal(get(0x40), 0); /* there is no pin 24 */
	assert_int_equal(get(0xff), 0);
}

static void test_read_only_bits(void **state)
{
	(void)state;
	set_rte(5, 0xffffffff, 0xffffffff);
	assert_int_equal(get(0x1a), 0x0001afff);
	assert_int_equal(get(0x1b), 0xff000000);
}

static void test_edge(void **state)
{
	(void)state;
	set_rte(4, 0x03000000, 0x00000934); /* logical, lowest priority */
	fake_line(4, true);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x34);
	assert_int_equal(fake_msg.mode, VIRQ_LOWEST);
	assert_int_equal(fake_msg.dest, 3);
	assert_true(fake_msg.logical);
	assert_false(fake_msg.level);
	fake_line(4, true);
	assert_int_equal(fake_sent, 1);
	fake_line(4, false);
	fake_line(4, true);
	assert_int_equal(fake_sent, 2);
}

static void test_irq0_is_pin_2(void **state)
{
	(void)state;
	set_rte(2, 0, 0x30);
	fake_line(0, true);
	assert_int_equal(fake_msg.vector, 0x30);
}

static void test_masked_edge_is_lost(void **state)
{
	(void)state;
	set_rte(4, 0, 0x10034);
	fake_line(4, true);
	fake_line(4, false);
	set_rte(4, 0, 0x34);
	assert_int_equal(fake_sent, 0);
}

static void test_level(void **state)
{
	(void)state;
	set_rte(16, 0, 0x8041);
	fake_line(16, true);
	assert_int_equal(fake_sent, 1);
	assert_true(fake_msg.level);
	assert_int_equal(get(0x30), 0xc041); /* remote IRR */
	virq_eoi(&fake_vm, 0x42);	     /* not ours */
	assert_int_equal(fake_sent, 1);
	virq_eoi(&fake_vm, 0x41); /* still active: sent again */
	assert_int_equal(fake_sent, 2);
	fake_line(16, false);
	virq_eoi(&fake_vm, 0x41);
	assert_int_equal(fake_sent, 2);
	assert_int_equal(get(0x30), 0x8041);
}

static void test_eoi_register(void **state)
{
	(void)state;
	set_rte(17, 0, 0x8051);
	fake_line(17, true);
	fake_line(17, false);
	fake_write(BASE + 0x40, 4, 0x51);
	assert_int_equal(get(0x32), 0x8051);
}

static void test_masked_level_comes_with_the_unmask(void **state)
{
	(void)state;
	set_rte(18, 0, 0x18061);
	fake_line(18, true);
	assert_int_equal(fake_sent, 0);
	set_rte(18, 0, 0x8061);
	assert_int_equal(fake_sent, 1);
	set_rte(18, 0, 0x18061); /* masking keeps remote IRR */
	assert_int_equal(get(0x34), 0x1c061);
	set_rte(18, 0, 0x8061);
	assert_int_equal(fake_sent, 1);
}

static void test_edge_mode_clears_remote_irr(void **state)
{
	(void)state;
	set_rte(19, 0, 0x8071);
	fake_line(19, true);
	set_rte(19, 0, 0x10071);
	assert_int_equal(get(0x36), 0x10071);
	set_rte(19, 0, 0x8071);
	assert_int_equal(fake_sent, 2);
}

static void test_illegal_vector_goes_nowhere(void **state)
{
	(void)state;
	set_rte(4, 0, 0x0f);
	fake_line(4, true);
	assert_int_equal(fake_sent, 0);
	set_rte(5, 0, 0x400); /* an NMI needs no vector */
	fake_line(5, true);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.mode, VIRQ_NMI);
}

static void test_sizes(void **state)
{
	(void)state;
	fake_write(BASE, 1, 1);
	assert_int_equal(fake_read(BASE + 0x10, 1), 0x20);
	assert_int_equal(fake_read(BASE + 0x12, 2), 0x17);
	assert_int_equal(fake_read(BASE + 0x10, 8), 0x170020);
	assert_int_equal(fake_read(BASE + 0x80, 4), 0);
}

static void test_save_and_load(void **state)
{
	(void)state;
	set_rte(16, 0x01000000, 0x8041);
	fake_line(16, true);
	assert_int_equal(fake_pc_save_and_load("ioapic", 0), 0);
	assert_int_equal(get(0x30), 0xc041);
	assert_int_equal(get(0x31), 0x01000000);
	assert_int_equal(fake_pc_load_corrupt("ioapic", 3, 0x55), -22); /* a reserved bit */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, fake_pc_start, fake_pc_stop)
		T(test_identity),
		T(test_read_only_bits),
		T(test_edge),
		T(test_irq0_is_pin_2),
		T(test_masked_edge_is_lost),
		T(test_level),
		T(test_eoi_register),
		T(test_masked_level_comes_with_the_unmask),
		T(test_edge_mode_clears_remote_irr),
		T(test_illegal_vector_goes_nowhere),
		T(test_sizes),
		T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
