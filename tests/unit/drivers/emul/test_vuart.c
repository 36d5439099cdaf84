/* SPDX-License-Identifier: BSD-2-Clause */
/* The 16550A: interrupt sources and their order, FIFO levels, loopback, divisor, and a console */
/* that is read and written on demand. Knows nothing of baud rates. */
/* TEST_SOURCES: drivers/emul/vuart.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "tests/unit/fakes/fake_pc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COM 0x3f8
enum { DATA = COM, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

static bool irq4; /* as it was driven last */

static void watch_line(void *chip UNUSED, unsigned int pin, bool level)
{
	if (pin == 4) {
		irq4 = level;
	}
}

static const struct virq_chip_ops watcher = { .set_line = watch_line };

static int start(void **state)
{
	fake_pc_start(state);
	fake_vm.virq.pic_ops = &watcher;
	irq4 = false;
	outb(MCR, 0x08);
	return 0;
}

static void type(const char *text)
{
	guest_console_type(&fake_vm.console, text, strlen(text));
}

static void test_output(void **state)
{
	uint64_t cursor = 0;
	char buf[8] = "";

	(void)state;
	assert_int_equal(inb(LSR), 0x60);
	outb(DATA, 'o');
	outb(DATA, 'k');
	assert_int_equal(inb(LSR), 0x60);
	assert_int_equal(guest_console_read(&fake_vm.console, &cursor, buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "ok", 2);
}

static void test_input_polled(void **state)
{
	(void)state;
	type("ab");
	assert_int_equal(inb(LSR), 0x61);
	assert_int_equal(inb(DATA), 'a');
	assert_int_equal(inb(LSR), 0x61);
	assert_int_equal(inb(DATA), 'b');
	assert_int_equal(inb(LSR), 0x60);
}

static void test_input_interrupt(void **state)
{
	(void)state;
	outb(IER, 0x01);
	assert_false(irq4);
	type("a");
	assert_true(irq4);
	assert_int_equal(inb(IIR), 0x04);
	assert_int_equal(inb(DATA), 'a');
	assert_false(irq4);
	assert_int_equal(inb(IIR), 0x01);
}

static void test_fifo_levels_and_timeout(void **state)
{
	char out[41] = "";

	(void)state;
	outb(FCR, 0x81); /* 8 characters */
	outb(IER, 0x01);
	type("0123456");
	assert_int_equal(inb(IIR), 0xcc); /* timeout: below the level */
	type("789abcdefghijklmnopqrstuvwxyzABCD");
	assert_int_equal(inb(IIR), 0xc4);
	for (unsigned int i = 0; i < 40; i++) {
		assert_true(irq4);
		assert_int_equal(inb(LSR), 0x61);
		out[i] = (char)inb(DATA);
	}
	assert_false(irq4);
	assert_string_equal(out, "0123456789abcdefghijklmnopqrstuvwxyzABCD");
}

static void test_thre(void **state)
{
	(void)state;
	outb(IER, 0x02); /* enabling asks at once: the transmitter is empty */
	assert_true(irq4);
	assert_int_equal(inb(IIR), 0x02);
	assert_false(irq4); /* reading IIR was the acknowledge */
	assert_int_equal(inb(IIR), 0x01);
	outb(DATA, 'x');
	assert_true(irq4);
	outb(IER, 0x00);
	assert_false(irq4);
	outb(IER, 0x02);
	assert_true(irq4);
	outb(IER, 0x02); /* no change: but it is still pending */
	assert_int_equal(inb(IIR), 0x02);
	outb(IER, 0x02);
	assert_int_equal(inb(IIR), 0x01);
}

static void test_priority(void **state)
{
	(void)state;
	outb(MCR, 0x10); /* loopback: the modem's inputs fall */
	assert_int_equal(inb(MSR), 0x0b);
	outb(FCR, 0x01);
	outb(IER, 0x0f);
	for (unsigned int i = 0; i < 17; i++) {
		outb(DATA, (uint8_t)i); /* the last one overruns */
	}
	outb(MCR, 0x12);		  /* RTS raises CTS */
	assert_int_equal(inb(IIR), 0xc6); /* line status */
	assert_int_equal(inb(LSR), 0x63);
	assert_int_equal(inb(IIR), 0xc4); /* data */
	for (unsigned int i = 0; i < 16; i++) {
		assert_int_equal(inb(DATA), i);
	}
	assert_int_equal(inb(IIR), 0xc2); /* transmitter */
	assert_int_equal(inb(IIR), 0xc0); /* modem status */
	assert_int_equal(inb(MSR) & 0x1f, 0x11);
	assert_int_equal(inb(IIR), 0xc1);
}

static void test_loopback_modem(void **state)
{
	(void)state;
	assert_int_equal(inb(MSR), 0xb0);
	outb(MCR, 0x1f);
	assert_int_equal(inb(MSR) & 0xf0, 0xf0);
	outb(MCR, 0x1a);
	assert_int_equal(inb(MSR), 0x90 | 0x06); /* DSR fell, RI's trailing edge */
	outb(MCR, 0x15);
	assert_int_equal(inb(MSR) & 0xf4, 0x60); /* RI rose: no trailing edge */
	type("z");				 /* the line is cut off */
	assert_int_equal(inb(LSR), 0x60);
	outb(MCR, 0x08);
	assert_int_equal(inb(DATA), 'z');
}

static void test_overrun_without_fifo(void **state)
{
	(void)state;
	outb(MCR, 0x10);
	outb(DATA, 1);
	outb(DATA, 2);
	assert_int_equal(inb(LSR), 0x63);
	assert_int_equal(inb(LSR), 0x61); /* errors are cleared by the read */
	assert_int_equal(inb(DATA), 2);
}

static void test_out2_gates_the_line(void **state)
{
	(void)state;
	outb(MCR, 0x00);
	outb(IER, 0x01);
	type("a");
	assert_false(irq4);
	assert_int_equal(inb(IIR), 0x04);
	outb(MCR, 0x08);
	assert_true(irq4);
}

static void test_registers(void **state)
{
	(void)state;
	outb(SCR, 0x5a);
	assert_int_equal(inb(SCR), 0x5a);
	outb(LCR, 0x83);
	outb(DATA, 0x01);
	outb(IER, 0x02);
	assert_int_equal(fake_in(DATA, 2), 0x0201);
	outb(LCR, 0x03);
	assert_int_equal(inb(IER), 0);
	outb(IER, 0xff);
	assert_int_equal(inb(IER), 0x0f);
	outb(MCR, 0xff);
	assert_int_equal(inb(MCR), 0x1f);
	outb(MCR, 0x08);
	outb(FCR, 0x01);
	assert_int_equal(inb(IIR) & 0xc0, 0xc0);
	outb(FCR, 0x00);
	assert_int_equal(inb(IIR) & 0xc0, 0);
}

static void test_fifo_switch_empties_it(void **state)
{
	(void)state;
	outb(MCR, 0x10);
	outb(FCR, 0x01);
	outb(DATA, 1);
	outb(DATA, 2);
	outb(FCR, 0x03);
	assert_int_equal(inb(LSR), 0x60);
	outb(DATA, 1);
	outb(FCR, 0x00);
	assert_int_equal(inb(LSR), 0x60);
}

static void test_save_and_load(void **state)
{
	(void)state;
	outb(FCR, 0x01);
	outb(IER, 0x01);
	type("ab");
	assert_int_equal(fake_pc_save_and_load("uart", 0), 0);
	assert_true(irq4);
	assert_int_equal(inb(DATA), 'a');
	assert_int_equal(inb(DATA), 'b');
	for (size_t at = 0; at + 1 < fake_pc_state_size("uart"); at++) {
		if (fake_pc_load_corrupt("uart", at, 0xff) == 0) {
			fake_in(DATA, 4);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, start, fake_pc_stop)
		T(test_output),
		T(test_input_polled),
		T(test_input_interrupt),
		T(test_fifo_levels_and_timeout),
		T(test_thre),
		T(test_priority),
		T(test_loopback_modem),
		T(test_overrun_without_fifo),
		T(test_out2_gates_the_line),
		T(test_registers),
		T(test_fifo_switch_empties_it),
		T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
