/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8259A pair: initialisation, priorities, rotation, special modes, polling, spurious */
/* interrupts, level inputs. Does not check where INTR leads. */
/* TEST_SOURCES: drivers/emul/vpic.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "tests/unit/fakes/fake_pc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MASTER 0x20
#define SLAVE  0xa0
#define EOI    0x20

/* As every PC does it: vectors 20h and 28h; icw4 for both. */
static void init_with(uint8_t icw4)
{
	outb(MASTER, 0x11);
	outb(MASTER + 1, 0x20);
	outb(MASTER + 1, 0x04);
	outb(MASTER + 1, icw4);
	outb(SLAVE, 0x11);
	outb(SLAVE + 1, 0x28);
	outb(SLAVE + 1, 0x02);
	outb(SLAVE + 1, icw4);
}

static void init(void)
{
	init_with(0x01);
}

static void edge(unsigned int irq)
{
	fake_line(irq, true);
	fake_line(irq, false);
}

static uint8_t isr(uint16_t port)
{
	outb(port, 0x0b);
	return inb(port);
}

static void test_init_clears_mask_and_sets_vectors(void **state)
{
	(void)state;
	outb(MASTER + 1, 0xff);
	init();
	assert_int_equal(inb(MASTER + 1), 0);
	edge(3);
	assert_true(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x23);
	assert_false(fake_intr);
	assert_int_equal(isr(MASTER), 0x08);
}

static void test_init_without_icw4_and_single(void **state)
{
	(void)state;
	outb(MASTER, 0x12); /* single, no ICW4 */
	outb(MASTER + 1, 0x47);
	outb(MASTER + 1, 0xfe); /* initialisation is over: this is the mask */
	assert_int_equal(inb(MASTER + 1), 0xfe);
	edge(0);
	assert_int_equal(fake_acknowledge(), 0x40);
}

static void test_priority(void **state)
{
	(void)state;
	init();
	edge(5);
	edge(1);
	assert_int_equal(fake_acknowledge(), 0x21);
	assert_false(fake_intr); /* 5 waits for the end of 1 */
	edge(0);
	assert_true(fake_intr); /* 0 does not */
	assert_int_equal(fake_acknowledge(), 0x20);
	outb(MASTER, EOI); /* ends 0 */
	assert_int_equal(isr(MASTER), 0x02);
	assert_false(fake_intr);
	outb(MASTER, EOI);
	assert_true(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x25);
}

static void test_slave(void **state)
{
	(void)state;
	init();
	edge(8 + 4);
	edge(3);
	assert_int_equal(fake_acknowledge(), 0x2c); /* the cascade is before 3 */
	assert_int_equal(isr(MASTER), 0x04);
	assert_int_equal(isr(SLAVE), 0x10);
	assert_false(fake_intr);
	outb(SLAVE, EOI);
	outb(MASTER, EOI);
	assert_true(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x23);
}

static void test_spurious_on_master(void **state)
{
	(void)state;
	init();
	edge(4);
	assert_true(fake_intr);
	outb(MASTER + 1, 0x10); /* masked between INTR and INTA */
	assert_false(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x27);
	assert_int_equal(isr(MASTER), 0);
	outb(MASTER + 1, 0);
	assert_int_equal(fake_acknowledge(), 0x24); /* the edge was not lost */
}

/* The cascade is in service then, though the slave has nothing. */
static void test_spurious_on_slave(void **state)
{
	(void)state;
	init();
	outb(0x4d1, 0x02); /* irq 9 is a level */
	fake_line(9, true);
	assert_true(fake_intr);
	fake_line(9, false);
	assert_false(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x27);
	assert_int_equal(isr(SLAVE), 0);
}

static void test_mask_keeps_the_edge(void **state)
{
	(void)state;
	init();
	outb(MASTER + 1, 0x02);
	edge(1);
	assert_false(fake_intr);
	assert_true(fake_pic_requests(1));
	outb(MASTER + 1, 0);
	assert_true(fake_intr);
}

static void test_edge_needs_to_fall(void **state)
{
	(void)state;
	init();
	fake_line(1, true);
	assert_int_equal(fake_acknowledge(), 0x21);
	outb(MASTER, EOI);
	fake_line(1, true); /* still high: no edge */
	assert_false(fake_intr);
	fake_line(1, false);
	fake_line(1, true);
	assert_true(fake_intr);
}

static void test_level_asks_again(void **state)
{
	(void)state;
	init();
	outb(0x4d0, 0xff);
	assert_int_equal(inb(0x4d0), 0xf8); /* timer, keyboard and cascade stay edges */
	outb(0x4d1, 0xff);
	assert_int_equal(inb(0x4d1), 0xde);
	fake_line(5, true);
	assert_int_equal(fake_acknowledge(), 0x25);
	assert_false(fake_intr);
	outb(MASTER, EOI);
	assert_true(fake_intr); /* the line is up: again */
	fake_line(5, false);
	assert_false(fake_intr);
}

static void test_specific_eoi_and_rotation(void **state)
{
	(void)state;
	init();
	edge(4);
	fake_acknowledge();
	outb(MASTER, 0xe0 | 4); /* rotate on specific EOI: 4 is last now, 5 first */
	assert_int_equal(isr(MASTER), 0);
	edge(4);
	edge(6);
	assert_int_equal(fake_acknowledge(), 0x26);
	outb(MASTER, 0x60 | 6); /* specific EOI */
	assert_int_equal(fake_acknowledge(), 0x24);
	outb(MASTER, 0xa0); /* rotate on non-specific EOI */
	assert_int_equal(isr(MASTER), 0);
	outb(MASTER, 0xc0 | 0); /* set priority: 0 is last */
	edge(0);
	edge(7);
	assert_int_equal(fake_acknowledge(), 0x27);
}

static void test_automatic_eoi(void **state)
{
	(void)state;
	init_with(0x03);
	edge(3);
	assert_int_equal(fake_acknowledge(), 0x23);
	assert_int_equal(isr(MASTER), 0);
	outb(MASTER, 0x80); /* rotate in automatic EOI mode */
	edge(3);
	fake_acknowledge();
	edge(3);
	edge(4);
	assert_int_equal(fake_acknowledge(), 0x24);
	outb(MASTER, 0x00);
}

static void test_special_mask_mode(void **state)
{
	(void)state;
	init();
	edge(2 + 1);
	fake_acknowledge(); /* 3 in service */
	edge(6);
	assert_false(fake_intr);
	outb(MASTER + 1, 0x08); /* mask 3 … */
	assert_false(fake_intr);
	outb(MASTER, 0x68); /* … and set special mask mode */
	assert_true(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x26);
	outb(MASTER, EOI); /* not 3: it is masked */
	assert_int_equal(isr(MASTER), 0x08);
	outb(MASTER, 0x48);
	outb(MASTER, EOI);
	assert_int_equal(isr(MASTER), 0);
}

static void test_special_fully_nested_mode(void **state)
{
	(void)state;
	init();
	edge(12);
	fake_acknowledge();
	edge(9); /* higher in the slave, but the master holds the cascade back */
	assert_false(fake_intr);
	init_with(0x11);
	edge(12);
	fake_acknowledge();
	edge(9);
	assert_true(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x29);
}

static void test_poll(void **state)
{
	(void)state;
	init();
	outb(MASTER, 0x0c);
	assert_int_equal(inb(MASTER), 0);
	edge(6);
	outb(MASTER, 0x0c);
	assert_int_equal(inb(MASTER), 0x86);
	assert_int_equal(isr(MASTER), 0x40);
	assert_false(fake_intr);
}

static void test_initialisation_forgets_edges(void **state)
{
	(void)state;
	init();
	edge(3);
	init();
	assert_false(fake_intr);
	assert_int_equal(fake_acknowledge(), 0x27);
}

static void test_save_and_load(void **state)
{
	(void)state;
	init();
	outb(MASTER + 1, 0xf0);
	edge(2 + 1);
	assert_int_equal(fake_pc_save_and_load("pic", 1000), 0);
	assert_true(fake_intr);
	assert_int_equal(inb(MASTER + 1), 0xf0);
	assert_int_equal(fake_acknowledge(), 0x23);
	for (size_t at = 0; at < fake_pc_state_size("pic") - 4; at++) {
		fake_pc_load_corrupt("pic", at, 0x01); /* any answer, but no harm */
		fake_acknowledge();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, fake_pc_start, fake_pc_stop)
		T(test_init_clears_mask_and_sets_vectors),
		T(test_init_without_icw4_and_single),
		T(test_priority),
		T(test_slave),
		T(test_spurious_on_master),
		T(test_spurious_on_slave),
		T(test_mask_keeps_the_edge),
		T(test_edge_needs_to_fall),
		T(test_level_asks_again),
		T(test_specific_eoi_and_rotation),
		T(test_automatic_eoi),
		T(test_special_mask_mode),
		T(test_special_fully_nested_mode),
		T(test_poll),
		T(test_initialisation_forgets_edges),
		T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
