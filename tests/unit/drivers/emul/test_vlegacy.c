/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports that only have to be there: DMA registers and pages, POST code, port 92h, holes. */
/* And the test device beside them. */
/* TEST_SOURCES: drivers/emul/vlegacy.c drivers/emul/vtest.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "tests/unit/fakes/fake_pc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_dma_registers(void **state)
{
	(void)state;
	outb(0x0c, 0); /* flip-flop */
	outb(0x02, 0x34);
	outb(0x02, 0x12);
	assert_int_equal(inb(0x02), 0x34);
	assert_int_equal(inb(0x02), 0x12);
	outb(0xd8, 0);
	outb(0xc4, 0x78);
	outb(0xc4, 0x56);
	assert_int_equal(inb(0xc4), 0x78);
	assert_int_equal(inb(0xc4), 0x56);
	assert_int_equal(inb(0x08), 0);
}

static void test_dma_masks(void **state)
{
	(void)state;
	assert_int_equal(inb(0x0f), 0xff);
	outb(0x0e, 0);
	assert_int_equal(inb(0x0f), 0xf0);
	outb(0x0a, 0x06);
	assert_int_equal(inb(0x0f), 0xf4);
	outb(0x0a, 0x02);
	outb(0x0f, 0x09);
	assert_int_equal(inb(0x0f), 0xf9);
	outb(0x0d, 0);
	assert_int_equal(inb(0x0f), 0xff);
	assert_int_equal(inb(0xde), 0xff);
}

static void test_pages_and_post_code(void **state)
{
	(void)state;
	for (uint16_t port = 0x80; port < 0x90; port++) {
		outb(port, (uint8_t)(port ^ 0x5a));
	}
	for (uint16_t port = 0x80; port < 0x90; port++) {
		assert_int_equal(inb(port), port ^ 0x5a);
	}
}

static void test_port_92(void **state)
{
	(void)state;
	assert_int_equal(inb(0x92), 2);
	outb(0x92, 0x00);
	assert_int_equal(inb(0x92), 0);
	outb(0x92, 0xfe);
	assert_int_equal(inb(0x92), 2);
	assert_int_equal(fake_resets, 0);
	outb(0x92, 0x03);
	outb(0x92, 0x03);
	assert_int_equal(fake_resets, 1);
}

static void test_holes(void **state)
{
	(void)state;
	outb(0xed, 1);
	outb(0xf0, 1);
	fake_out(0xf4, 4, 0x31);
	outb(0x8900, 'S');
	assert_int_equal(fake_vm.pio.unclaimed, 0);
	assert_int_equal(fake_in(0xf4, 4), 0xffffffff);
	assert_int_equal(inb(0x8900), 0xff);
	assert_int_equal(inb(0x2f8), 0xff);
}

static void test_latch(void **state)
{
	(void)state;
	fake_out(0xe0, 4, 0x12345678);
	outb(0xe2, 0xaa);
	assert_int_equal(fake_in(0xe0, 4), 0x12aa5678);
	assert_int_equal(fake_in(0xe1, 2), 0xaa56);
	fake_pc_reset();
	assert_int_equal(fake_in(0xe0, 4), 0);
}

static void test_buffer(void **state)
{
	(void)state;
	fake_write(0xff000000, 8, 0x1122334455667788);
	fake_write(0xff00fffc, 4, 0xcafebabe);
	assert_true(fake_read(0xff000000, 8) == 0x1122334455667788);
	assert_int_equal(fake_read(0xff000003, 2), 0x4455);
	assert_int_equal(fake_read(0xff00ffff, 1), 0xca);
	assert_int_equal(fake_read(0xff00fffe, 4), 0xffffcafe); /* reaches past the end */
	assert_int_equal(fake_read(0xff010000, 4), 0xffffffff);
	assert_int_equal(fake_pc_save_and_load("test", 0), 0);
	assert_int_equal(fake_read(0xff00fffc, 4), 0xcafebabe);
}

static void test_save_and_load(void **state)
{
	(void)state;
	outb(0x81, 0x42);
	outb(0x92, 0);
	assert_int_equal(fake_pc_save_and_load("legacy", 0), 0);
	assert_int_equal(inb(0x81), 0x42);
	assert_int_equal(inb(0x92), 0);
	for (size_t at = 0; at < fake_pc_state_size("legacy"); at++) {
		fake_pc_load_corrupt("legacy", at, 0xff);
		fake_in(0x00, 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, fake_pc_start, fake_pc_stop)
		T(test_dma_registers), T(test_dma_masks),     T(test_pages_and_post_code),
		T(test_port_92),       T(test_holes),	      T(test_latch),
		T(test_buffer),	       T(test_save_and_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
