/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyboard controller: what firmware and operating systems ask while probing, A20, reset. */
/* Nobody types on this keyboard. */
/* TEST_SOURCES: drivers/emul/vi8042.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "tests/unit/fakes/fake_pc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool irq1;
static unsigned int edges;

static void watch_line(void *chip UNUSED, unsigned int pin, bool level)
{
	if (pin == 1) {
		edges += level && !irq1;
		irq1 = level;
	}
}

static const struct virq_chip_ops watcher = { .set_line = watch_line };

static int start(void **state)
{
	fake_pc_start(state);
	fake_vm.virq.pic_ops = &watcher;
	irq1 = false;
	edges = 0;
	return 0;
}

static void command(uint8_t val)
{
	outb(0x64, val);
}

static int answer(void)
{
	return inb(0x64) & 1 ? inb(0x60) : -1;
}

static void test_self_tests(void **state)
{
	(void)state;
	assert_int_equal(inb(0x64), 0x14);
	assert_int_equal(answer(), -1);
	command(0xaa);
	assert_int_equal(inb(0x64), 0x1d);
	assert_int_equal(answer(), 0x55);
	command(0xab);
	assert_int_equal(answer(), 0);
	command(0xa9); /* no auxiliary port */
	assert_int_equal(answer(), 2);
	command(0xa4);
	assert_int_equal(answer(), 0xf1);
}

static void test_command_byte(void **state)
{
	(void)state;
	command(0x20);
	assert_int_equal(answer(), 0x64);
	command(0x60);
	outb(0x60, 0x43);
	command(0x20);
	assert_int_equal(answer(), 0x43);
	assert_int_equal(inb(0x64) & 4, 0); /* the system flag follows */
	command(0xad);
	command(0x20);
	assert_int_equal(answer(), 0x53);
	command(0xae);
	command(0xa7);
	command(0x20);
	assert_int_equal(answer(), 0x63);
	command(0x65);
	outb(0x60, 0x99);
	command(0x25);
	assert_int_equal(answer(), 0x99);
}

static void test_identify(void **state)
{
	(void)state;
	outb(0x60, 0xf2);
	assert_int_equal(answer(), 0xfa);
	assert_int_equal(answer(), 0xab);
	assert_int_equal(answer(), 0x41); /* 83h, translated */
	assert_int_equal(answer(), -1);
	command(0x60);
	outb(0x60, 0x00); /* no translation */
	outb(0x60, 0xf2);
	assert_int_equal(answer(), 0xfa);
	assert_int_equal(answer(), 0xab);
	assert_int_equal(answer(), 0x83);
}

static void test_keyboard_commands(void **state)
{
	static const uint8_t taken[] = { 0xed, 0x07, 0xf3, 0x20, 0xf4, 0xf5, 0xf6, 0xf0, 0x01 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(taken); i++) {
		outb(0x60, taken[i]);
		assert_int_equal(answer(), 0xfa);
		assert_int_equal(answer(), -1);
	}
	outb(0x60, 0xf0);
	outb(0x60, 0x00); /* which scan code set? */
	assert_int_equal(answer(), 0xfa);
	assert_int_equal(answer(), 0xfa);
	assert_int_equal(answer(), 0x43); /* 1, translated */
	outb(0x60, 0xff);
	assert_int_equal(answer(), 0xfa);
	assert_int_equal(answer(), 0xaa);
	outb(0x60, 0xee);
	assert_int_equal(answer(), 0xee);
	outb(0x60, 0xfe);
	assert_int_equal(answer(), 0xee);
	outb(0x60, 0x12); /* no command */
	assert_int_equal(answer(), 0xfe);
	outb(0x60, 0xed);
	assert_int_equal(answer(), 0xfa);
	outb(0x60, 0xf4); /* a command instead of the operand */
	assert_int_equal(answer(), 0xfa);
}

static void test_interrupts(void **state)
{
	(void)state;
	command(0x60);
	outb(0x60, 0x45);
	outb(0x60, 0xf2);
	assert_true(irq1);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(edges, i + 1);
		inb(0x60);
	}
	assert_false(irq1);
	assert_int_equal(edges, 3);
}

static void test_disabled_interface_holds_the_keyboard(void **state)
{
	(void)state;
	outb(0x60, 0xff);
	assert_int_equal(answer(), 0xfa);
	command(0xad);
	inb(0x60);
	outb(0x60, 0xf4); /* sending enables it */
	assert_int_equal(answer(), 0xfa);
	command(0xd2);
	outb(0x60, 0x1c);
	assert_int_equal(answer(), 0x1c);
}

/* What Linux does to find out about a mouse. */
static void test_no_auxiliary_port(void **state)
{
	(void)state;
	command(0xd3);
	outb(0x60, 0x5a);
	assert_int_equal(inb(0x64) & 0x21, 0x01); /* not from the auxiliary device */
	assert_int_equal(inb(0x60), 0x5a);
	command(0xd4);
	outb(0x60, 0xf2);
	assert_int_equal(inb(0x64) & 0x61, 0x41); /* timeout */
	assert_int_equal(inb(0x60), 0xfe);
	assert_int_equal(inb(0x64) & 0x41, 0);
}

static void test_output_port(void **state)
{
	(void)state;
	command(0xd0);
	assert_int_equal(answer() & 3, 3);
	command(0xdd);
	command(0xd0);
	assert_int_equal(answer() & 3, 1);
	command(0xdf);
	command(0xd1);
	outb(0x60, 0xdf);
	command(0xd0);
	assert_int_equal(answer(), 0xdf);
	assert_int_equal(fake_resets, 0);
}

static void test_reset_ways(void **state)
{
	(void)state;
	command(0xff); /* pulses nothing: as a no-op */
	assert_int_equal(fake_resets, 0);
	command(0xfe);
	assert_int_equal(fake_resets, 1);
	command(0xd1);
	outb(0x60, 0xfe);
	assert_int_equal(fake_resets, 2);
}

static void test_save_and_load(void **state)
{
	(void)state;
	command(0x60);
	outb(0x60, 0x45);
	outb(0x60, 0xf2);
	assert_int_equal(fake_pc_save_and_load("i8042", 0), 0);
	assert_true(irq1);
	assert_int_equal(answer(), 0xfa);
	assert_int_equal(answer(), 0xab);
	for (size_t at = 0; at < fake_pc_state_size("i8042"); at++) {
		if (fake_pc_load_corrupt("i8042", at, 0xff) == 0) {
			outb(0x60, 0xf2);
			inb(0x60);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, start, fake_pc_stop)
		T(test_self_tests),	   T(test_command_byte),
		T(test_identify),	   T(test_keyboard_commands),
		T(test_interrupts),	   T(test_disabled_interface_holds_the_keyboard),
		T(test_no_auxiliary_port), T(test_output_port),
		T(test_reset_ways),	   T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
