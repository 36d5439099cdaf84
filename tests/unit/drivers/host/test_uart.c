/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks the serial driver against a 16550 made here: presence, both queues, interrupts, flushing. */
/* Does not check timing: the fake sends a byte whenever its line status is read. */
/* TEST_SOURCES: drivers/host/uart.c */
#include "arch/cpu.h"
#include "arch/irq.h"
#include "arch/pio.h"
#include "drivers/host/uart.h"
#include "hv/base/lock.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PORT 0x3f8u

/* The device: what was sent, what is yet to be received. */
static struct {
	bool absent;
	bool stuck; /* never sends */
	bool held;  /* sends only when told */
	uint8_t regs[8];
	uint8_t divisor[2];
	char sent[65536];
	size_t sent_len;
	unsigned int fifo; /* bytes not yet sent */
	unsigned int fifo_max;
	const char *input;
	size_t input_len;
	uint8_t line_error;
} dev;

static void (*irq_fn)(void *arg);
static int irq_result;
static unsigned int unparked;
static bool locked;
static bool lock_lost;
static struct thread reader;

static uint8_t dev_lsr(void)
{
	uint8_t lsr = dev.line_error;

	if (!dev.stuck && !dev.held) {
		dev.fifo = 0;
	}
	dev.line_error = 0;
	return (uint8_t)(lsr | (dev.input_len != 0 ? 1 : 0) | (dev.fifo == 0 ? 0x60 : 0));
}

static uint8_t dev_iir(void)
{
	bool rx = (dev.regs[1] & 1) != 0 && dev.input_len != 0;
	bool tx = (dev.regs[1] & 2) != 0 && dev.fifo == 0;

	return rx ? 4 : tx ? 2 : 1;
}

uint8_t pio_in8(uint16_t port)
{
	if (dev.absent) {
		return 0xff;
	}
	switch (port - PORT) {
	case 0:
		assert_true(dev.input_len > 0);
		dev.input_len--;
		return (uint8_t)*dev.input++;
	case 2:
		return dev_iir();
	case 5:
		return dev_lsr();
	case 6: /* loopback: OUT2, OUT1, DTR, RTS appear as DCD, RI, DSR, CTS */
		if ((dev.regs[4] & 0x10) == 0) {
			return 0;
		}
		return (uint8_t)((dev.regs[4] & 8) << 4 | (dev.regs[4] & 4) << 4 |
				 (dev.regs[4] & 1) << 5 | (dev.regs[4] & 2) << 3);
	default:
		return dev.regs[port - PORT];
	}
}

void pio_out8(uint16_t port, uint8_t val)
{
	unsigned int reg = port - PORT;

	if ((dev.regs[3] & 0x80) != 0 && reg < 2) {
		dev.divisor[reg] = val;
		return;
	}
	if (reg == 0) {
		assert_true(dev.sent_len < sizeof(dev.sent));
		dev.sent[dev.sent_len++] = (char)val;
		dev.fifo++;
		dev.fifo_max = dev.fifo > dev.fifo_max ? dev.fifo : dev.fifo_max;
		return;
	}
	dev.regs[reg] = val;
}

int irq_connect_isa(unsigned int irq, void (*fn)(void *arg), void *arg UNUSED)
{
	assert_int_equal(irq, 4);
	irq_fn = fn;
	return irq_result;
}

void cpu_relax(void)
{
}

void spin_lock(struct spinlock *l UNUSED)
{
	assert_false(locked);
	locked = true;
}

bool spin_trylock(struct spinlock *l UNUSED)
{
	if (lock_lost) {
		return false;
	}
	locked = true;
	return true;
}

void spin_unlock(struct spinlock *l UNUSED)
{
	assert_true(locked);
	locked = false;
}

void thread_unpark(struct thread *t)
{
	assert_false(locked);
	assert_ptr_equal(t, &reader);
	unparked++;
}

/* The driver's state is static: draining it is part of each test's set-up. */
static int setup(void **state UNUSED)
{
	char sink[256];

	memset(&dev, 0, sizeof(dev));
	irq_result = 0;
	lock_lost = false;
	uart_flush_polled();
	while (uart_read(sink, sizeof(sink)) != 0) {
	}
	memset(&dev, 0, sizeof(dev));
	uart_set_reader(NULL);
	unparked = 0;
	return uart_early_init(PORT, 115200) ? 0 : -1;
}

static void start(void)
{
	assert_int_equal(uart_start(4), 0);
}

static void absent_port_is_silent(void **state UNUSED)
{
	char c;

	dev.absent = true;
	assert_false(uart_early_init(PORT, 115200));
	uart_early_write("x", 1);
	uart_write("x", 1);
	uart_poll();
	uart_flush_polled();
	assert_int_equal(uart_start(4), 0);
	assert_int_equal(uart_read(&c, 1), 0);
	assert_int_equal(dev.sent_len, 0);
}

static void odd_speeds_are_refused(void **state UNUSED)
{
	static const uint32_t bad[] = { 0, 7, 115201, 230400, UINT32_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(uart_early_init(PORT, bad[i]));
	}
	assert_true(uart_early_init(PORT, 300));
	assert_int_equal(dev.divisor[0] | dev.divisor[1] << 8, 384);
	assert_int_equal(dev.regs[3], 3); /* 8N1, divisor latch closed */
	assert_int_equal(dev.regs[4], 0xb);
}

static void early_write_polls(void **state UNUSED)
{
	uart_early_write("hello", 5);
	assert_memory_equal(dev.sent, "hello", 5);
	assert_int_equal(dev.fifo_max, 1);
}

static void output_before_the_start_waits_for_nothing(void **state UNUSED)
{
	dev.held = true;
	uart_write("0123456789", 10);
	uart_write("0123456789", 10);
	assert_int_equal(dev.sent_len, 10); /* the FIFO is not empty */
	assert_int_equal(dev.regs[1], 0);
	dev.held = false;
	start();
	assert_int_equal(dev.sent_len, 20);
	assert_memory_equal(dev.sent, "01234567890123456789", 20);
}

static void interrupt_drains_the_queue(void **state UNUSED)
{
	char text[100];

	memset(text, 'a', sizeof(text));
	start();
	dev.held = true;
	uart_write(text, sizeof(text));
	assert_int_equal(dev.sent_len, 16);
	assert_int_equal(dev.regs[1] & 2, 2);
	for (unsigned int i = 0; i < 10; i++) {
		dev.fifo = 0;
		irq_fn(NULL);
	}
	assert_int_equal(dev.sent_len, sizeof(text));
	assert_int_equal(dev.regs[1] & 2, 0); /* nothing left: the interrupt is off */
	assert_true(dev.fifo_max <= 16);
}

/* A slow line is nobody's masked spin: the queue takes what it has room for and says so. */
static void full_queue_takes_no_more_and_says_when_it_does(void **state UNUSED)
{
	static char text[40000];
	size_t done;

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (char)('a' + i % 23);
	}
	start();
	uart_set_reader(&reader);
	dev.held = true;
	done = uart_write(text, sizeof(text));
	assert_int_equal(done, 16384);
	assert_int_equal(dev.sent_len, 16);
	assert_true(uart_has_room(1)); /* the FIFO took those */
	done += uart_write(text + done, sizeof(text) - done);
	assert_int_equal(done, 16384 + 16);
	assert_int_equal(uart_write(text + done, 1), 0);
	assert_false(uart_has_room(1));
	for (unsigned int i = 0; i < 8192 / 16 - 1; i++) {
		dev.fifo = 0;
		irq_fn(NULL);
	}
	assert_int_equal(unparked, 0);
	dev.fifo = 0;
	irq_fn(NULL);
	assert_int_equal(unparked, 1);
	assert_true(uart_has_room(UART_ROOM_MAX));
	dev.fifo = 0;
	irq_fn(NULL);
	assert_int_equal(unparked, 1); /* once */
	while (done < sizeof(text)) {
		done += uart_write(text + done, sizeof(text) - done);
		dev.fifo = 0;
		irq_fn(NULL);
	}
	dev.held = false;
	uart_flush_polled();
	assert_int_equal(dev.sent_len, sizeof(text));
	assert_memory_equal(dev.sent, text, sizeof(text));
	assert_true(dev.fifo_max <= 16);
}

static void received_bytes_wake_the_reader(void **state UNUSED)
{
	char got[8];

	start();
	uart_set_reader(&reader);
	dev.input = "hey";
	dev.input_len = 3;
	irq_fn(NULL);
	assert_int_equal(unparked, 1);
	assert_int_equal(uart_read(got, 2), 2);
	assert_memory_equal(got, "he", 2);
	assert_int_equal(uart_read(got, sizeof(got)), 1);
	irq_fn(NULL);
	assert_int_equal(unparked, 1);
}

static void full_input_waits_in_the_device(void **state UNUSED)
{
	static char text[5000];
	static char got[5000];
	size_t n;

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (char)('a' + i % 19);
	}
	start();
	dev.input = text;
	dev.input_len = sizeof(text);
	irq_fn(NULL);
	assert_int_equal(dev.input_len, 5000 - 4096);
	assert_int_equal(dev.regs[1] & 1, 0);
	assert_int_equal(dev.regs[4] & 2, 0); /* RTS down */
	n = uart_read(got, sizeof(got));
	assert_int_equal(n, 4096);
	assert_int_equal(dev.regs[1] & 1, 1);
	assert_int_equal(dev.regs[4] & 2, 2);
	irq_fn(NULL);
	n += uart_read(got + n, sizeof(got) - n);
	assert_int_equal(n, sizeof(text));
	assert_memory_equal(got, text, sizeof(text));
}

static void polled_input_works_without_interrupt(void **state UNUSED)
{
	char c;
	uint64_t errors = uart_errors();

	irq_result = -ENODEV;
	assert_int_equal(uart_start(4), -ENODEV);
	dev.input = "q";
	dev.input_len = 1;
	dev.line_error = 8;
	uart_poll();
	assert_int_equal(uart_read(&c, 1), 1);
	assert_int_equal(c, 'q');
	assert_int_equal(uart_errors(), errors + 1);
	dev.held = true;
	uart_write("0123456789abcdefg", 17);
	uart_write("h", 1);
	assert_int_equal(dev.sent_len, 16);
	dev.held = false;
	uart_poll();
	assert_int_equal(dev.sent_len, 18);
}

static void flush_goes_on_without_the_lock(void **state UNUSED)
{
	start();
	dev.held = true;
	uart_write("0123456789abcdefXYZ", 19);
	dev.held = false;
	lock_lost = true;
	uart_flush_polled();
	assert_memory_equal(dev.sent, "0123456789abcdefXYZ", 19);
	assert_int_equal(dev.regs[1], 0);
	uart_write("!", 1); /* polled from here on */
	assert_int_equal(dev.sent[19], '!');
}

static void stuck_transmitter_does_not_hang(void **state UNUSED)
{
	static char text[20000];

	start();
	dev.stuck = true;
	assert_int_equal(uart_write(text, sizeof(text)), 16384);
	uart_flush_polled();
	uart_early_write("x", 1);
	assert_true(dev.sent_len <= 16);
	dev.stuck = false;
	dev.sent_len = 0;
	uart_early_write("back", 4);
	assert_int_equal(dev.sent_len, 4);
	assert_memory_equal(dev.sent, "back", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(absent_port_is_silent, setup),
		cmocka_unit_test_setup(odd_speeds_are_refused, setup),
		cmocka_unit_test_setup(early_write_polls, setup),
		cmocka_unit_test_setup(output_before_the_start_waits_for_nothing, setup),
		cmocka_unit_test_setup(interrupt_drains_the_queue, setup),
		cmocka_unit_test_setup(full_queue_takes_no_more_and_says_when_it_does, setup),
		cmocka_unit_test_setup(received_bytes_wake_the_reader, setup),
		cmocka_unit_test_setup(full_input_waits_in_the_device, setup),
		cmocka_unit_test_setup(polled_input_works_without_interrupt, setup),
		cmocka_unit_test_setup(flush_goes_on_without_the_lock, setup),
		cmocka_unit_test_setup(stuck_transmitter_does_not_hang, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
