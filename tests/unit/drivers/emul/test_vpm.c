/* SPDX-License-Identifier: BSD-2-Clause */
/* PIIX4 power management: PM timer and its overflow, SCI, power button, power-off, switching */
/* ACPI on, moving the block. */
/* TEST_SOURCES: drivers/emul/vpm.c drivers/emul/vpci.c drivers/emul/vpci_function.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "arch/clock.h"
#include "drivers/emul/vpm.h"
#include "hv/pc_map.h"
#include "hv/timer.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_pc.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PM     0xb000
#define SECOND 1000000000ul
#define WRAP   4686968874ul /* ns in 2^24 periods, rounded down */

static bool sci;

static void watch_line(void *chip UNUSED, unsigned int pin, bool level)
{
	if (pin == 9) {
		sci = level;
	}
}

static const struct virq_chip_ops watcher = { .set_line = watch_line };

static int start(void **state)
{
	fake_pc_start(state);
	fake_vm.virq.pic_ops = &watcher;
	sci = false;
	return 0;
}

static uint32_t config_get(unsigned int off)
{
	fake_out(0xcf8, 4, 0x80000b00u | off);
	return fake_in(0xcfc, 4);
}

static void config_set(unsigned int off, uint32_t val)
{
	fake_out(0xcf8, 4, 0x80000b00u | off);
	fake_out(0xcfc, 4, val);
}

static void acpi_on(void)
{
	outb(0xb2, PC_SMI_ACPI_ENABLE);
}

static void test_config(void **state)
{
	(void)state;
	assert_int_equal(config_get(0), 0x71138086);
	assert_int_equal(config_get(0x40), PM | 1);
	assert_int_equal(config_get(0x58), 1u << 25);
	assert_int_equal(config_get(0x3c), 0x109);
	assert_int_equal(config_get(0x80) & 1, 1);
}

static void test_timer(void **state)
{
	uint32_t then;

	(void)state;
	assert_int_equal(fake_in(PM + 8, 4), 0);
	fake_pass(SECOND);
	assert_int_equal(fake_in(PM + 8, 4), 3579545);
	then = fake_in(PM + 8, 4);
	fake_pass(WRAP + 1);
	assert_int_equal(fake_in(PM + 8, 4), then); /* 24 bits */
	fake_out(PM + 8, 4, 0);
	assert_int_equal(fake_in(PM + 8, 4), then);
	assert_int_equal(fake_in(PM + 9, 1), then >> 8 & 0xff);
}

static void test_timer_status(void **state)
{
	(void)state;
	assert_int_equal(fake_in(PM, 2), 0);
	fake_pass(WRAP / 2 + SECOND / 100);
	assert_int_equal(fake_in(PM, 2), 1);
	assert_int_equal(timer_next(), CLOCK_NEVER);
	fake_out(PM, 2, 1);
	assert_int_equal(fake_in(PM, 2), 0);
	acpi_on();
	fake_out(PM + 2, 2, 1);
	assert_true(timer_next() < fake_now + WRAP / 2);
	fake_pass(WRAP / 2);
	assert_true(sci);
	assert_int_equal(timer_next(), CLOCK_NEVER);
	fake_out(PM, 2, 1);
	assert_false(sci);
}

static void test_acpi_switch(void **state)
{
	(void)state;
	assert_int_equal(fake_in(PM + 4, 2), 0);
	acpi_on();
	assert_int_equal(fake_in(PM + 4, 2), 1);
	outb(0xb2, PC_SMI_ACPI_DISABLE);
	assert_int_equal(fake_in(PM + 4, 2), 0);
	outb(0xb2, 0x55);
	outb(0xb3, 0xaa);
	assert_int_equal(fake_in(0xb2, 2), 0xaa55);
}

static void test_power_button(void **state)
{
	(void)state;
	fake_out(PM + 2, 2, 0x100);
	vm_press_power_button(&fake_vm);
	assert_false(sci); /* ACPI is not on */
	acpi_on();
	assert_true(sci);
	assert_int_equal(fake_in(PM, 4), 0x01000100);
	fake_out(PM, 2, 0x100);
	assert_false(sci);
	outb(PM + 3, 0);
	vm_press_power_button(&fake_vm);
	assert_false(sci); /* not enabled */
	assert_int_equal(fake_in(PM, 2), 0x100);
}

static void test_power_off(void **state)
{
	(void)state;
	fake_out(PM + 4, 2, 0x2400); /* another sleep type */
	assert_int_equal(fake_poweroffs, 0);
	fake_out(PM + 4, 2, 0x2001);
	assert_int_equal(fake_poweroffs, 1);
	assert_int_equal(fake_in(PM + 4, 2), 1);
	outb(PM + 5, 0x20); /* as a byte */
	assert_int_equal(fake_poweroffs, 2);
}

static void test_reserved_bits(void **state)
{
	(void)state;
	fake_out(PM + 2, 2, 0xffff);
	assert_int_equal(fake_in(PM + 2, 2), 0x0521);
	fake_out(PM + 4, 2, 0xdffd);
	assert_int_equal(fake_in(PM + 4, 2), 0x1c01);
	fake_out(PM + 0x0c, 4, 0xffffffff);
	assert_int_equal(fake_in(PM + 0x0c, 4), 0xffff0000);
}

static void test_moving(void **state)
{
	(void)state;
	config_set(0x40, 0x0601);
	assert_int_equal(config_get(0x40), 0x0601);
	assert_int_equal(fake_in(PM + 8, 4), 0xffffffff);
	fake_pass(SECOND);
	assert_int_equal(fake_in(0x608, 4), 3579545);
	config_set(0x80, 0);
	assert_int_equal(fake_in(0x608, 4), 0xffffffff);
	config_set(0x40, 0xcc1); /* over the PCI ports: nothing happens to them */
	config_set(0x80, 1);
	assert_int_equal(config_get(0x40), 0xcc1);
	config_set(0x40, 0xffc1);
	assert_int_equal(fake_in(0xffc8, 4), 3579545);
	fake_pc_reset();
	assert_int_equal(fake_in(0xffc8, 4), 0xffffffff);
	assert_int_equal(fake_in(PM + 8, 4), 0);
}

static void test_save_and_load(void **state)
{
	(void)state;
	acpi_on();
	fake_out(PM + 2, 2, 0x101);
	vm_press_power_button(&fake_vm);
	config_set(0x40, 0x4001);
	fake_pass(SECOND);
	assert_int_equal(fake_pc_save_and_load("pm", SECOND), 0);
	assert_true(sci);
	assert_int_equal(fake_in(0x4008, 4), 3579545);
	assert_int_equal(fake_in(PM + 8, 4), 0xffffffff);
	for (size_t at = 0; at < fake_pc_state_size("pm"); at++) {
		if (fake_pc_load_corrupt("pm", at, 0xff) == 0) {
			fake_in(0x4000, 4);
			fake_pass(SECOND);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, start, fake_pc_stop)
		T(test_config),	       T(test_timer),	     T(test_timer_status),
		T(test_acpi_switch),   T(test_power_button), T(test_power_off),
		T(test_reserved_bits), T(test_moving),	     T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
