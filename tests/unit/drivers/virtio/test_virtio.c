/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio devices as a polite driver sees them: transport, interrupts and their suppression, console, */
/* entropy, reset, saved state. What rude drivers get is test_rules.c's. */
/* TEST_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* TEST_SOURCES: drivers/virtio/virtio_pci.c drivers/virtio/virtio_rng.c drivers/virtio/virtio_console.c */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* TEST_SOURCES: drivers/emul/vpic.c drivers/emul/vioapic.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c hv/base/random.c */
/* TEST_SOURCES: hv/lib/chacha20.c hv/lib/fmt.c hv/lib/errno.c tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/fakes/fake_driver.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_driver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RNG	VIRTIO_SLOT_RNG
#define CONSOLE VIRTIO_SLOT_CONSOLE
#define LIVE	(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK)
#define W	VIRTQ_DESC_WRITE
#define N	VIRTQ_DESC_NEXT
#define I	VIRTQ_DESC_INDIRECT
enum { RX, TX, CONTROL_RX, CONTROL_TX };

static void offer(unsigned int q, uint16_t head, uint32_t len, uint16_t flags)
{
	drv_desc(q, head, DRV_DATA(q) + 0x400ul * head, len, flags, 0);
	drv_offer(q, head);
}

/* ---- transport ---- */

/* 4.1.2, 4.1.4: identification, and every structure there is. */
static void test_capabilities(void **state)
{
	unsigned int seen = 0, cap;

	(void)state;
	drv_map(RNG);
	assert_int_equal(drv_config_get(0, 4), 0x10441af4);
	assert_int_equal(drv_config_get(0x08, 1), 1);
	assert_int_equal(drv_config_get(0x2c, 4), 0x00401af4);
	assert_true(drv_config_get(0x06, 2) & 0x10);
	for (cap = drv_config_get(0x34, 1); cap; cap = drv_config_get(cap + 1, 1)) {
		if (drv_config_get(cap, 1) == 9) {
			seen |= 1u << drv_config_get(cap + 3, 1);
		} else {
			assert_int_equal(drv_config_get(cap, 1), 0x11);
			assert_int_equal(drv_config_get(cap + 2, 2), 1); /* two vectors */
		}
	}
	assert_int_equal(seen, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 5); /* no device structure */
	assert_int_equal(drv_offered(), DRV_FEATURES);
	drv_set(VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 4, 2);
	assert_int_equal(drv_get(VIRTIO_COMMON_DEVICE_FEATURE, 4), 0);
	drv_set(VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 4, 2);
	drv_set(VIRTIO_COMMON_DRIVER_FEATURE, 4, 1);
	assert_int_equal(drv_get(VIRTIO_COMMON_DRIVER_FEATURE, 4), 0);
}

static void test_registers_read_back(void **state)
{
	(void)state;
	drv_map(CONSOLE);
	drv_negotiate(DRV_VERSION_1);
	assert_int_equal(drv_get(VIRTIO_COMMON_NUM_QUEUES, 2), 4);
	drv_set(VIRTIO_COMMON_QUEUE_SELECT, 2, 3);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_SIZE, 2), 64);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_NOTIFY_OFF, 2), 3);
	drv_set(VIRTIO_COMMON_QUEUE_DRIVER, 8, 0x123456789abcdef0);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_DRIVER, 8), 0x123456789abcdef0);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_DRIVER + 4, 4), 0x12345678);
	assert_int_equal(drv_get(VIRTIO_COMMON_DRIVER_FEATURE, 4), 1);
	drv_queue(3);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_ENABLE, 2), 1);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_VECTOR, 2), 4);
	drv_set_status(0);
	assert_int_equal(drv_status(), 0);
	drv_set(VIRTIO_COMMON_QUEUE_SELECT, 2, 3);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_ENABLE, 2), 0);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_SIZE, 2), 64);
}

/* 4.1.4.9: the BARs through configuration space, before they are mapped. */
static void test_window(void **state)
{
	unsigned int cap;

	(void)state;
	drv_slot = CONSOLE;
	for (cap = drv_config_get(0x34, 1); drv_config_get(cap + 3, 1) != 5;) {
		cap = drv_config_get(cap + 1, 1);
	}
	drv_config_set(cap + 4, 1, 0);
	drv_config_set(cap + 8, 4, VIRTIO_COMMON_STATUS);
	drv_config_set(cap + 12, 4, 1);
	drv_config_set(cap + 16, 4, VIRTIO_ACKNOWLEDGE);
	assert_int_equal(drv_config_get(cap + 16, 1), VIRTIO_ACKNOWLEDGE);
	drv_config_set(cap + 8, 4, DRV_DEVICE);
	drv_config_set(cap + 12, 4, 2);
	assert_int_equal(drv_config_get(cap + 16, 2), 80);
	drv_config_set(cap + 12, 4, 3); /* no such length: the data stays */
	assert_int_equal(drv_config_get(cap + 16, 2), 80);
	drv_config_set(cap + 12, 4, 0x104);
	assert_int_equal(drv_config_get(cap + 16, 2), 80);
	drv_config_set(cap + 12, 4, 4);
	drv_config_set(cap + 8, 4, 0xfffffffc); /* outside of the BAR */
	assert_int_equal(drv_config_get(cap + 16, 2), 80);
	drv_config_set(cap + 4, 1, 0xff); /* no such BAR */
	drv_config_set(cap + 16, 4, 1);
	drv_map(CONSOLE);
	assert_int_equal(drv_status(), VIRTIO_ACKNOWLEDGE);
}

/* The kernel moves BARs; the device answers at the new place only. */
static void test_bars_move(void **state)
{
	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	drv_config_set(0x10, 4, 0xe8000000);
	assert_int_equal(drv_get(VIRTIO_COMMON_STATUS, 1), 0xff);
	assert_int_equal(fake_read(0xe8000000 + VIRTIO_COMMON_STATUS, 1), LIVE);
	drv_config_set(0x18, 4, 0xd000);
	offer(0, 0, 16, W);
	drv_kick(0);
	assert_int_equal(drv_used(0), 0);
	fake_out(0xd000, 2, 0);
	assert_int_equal(drv_used(0), 1);
}

/* ---- interrupts ---- */

static void test_pin(void **state)
{
	(void)state;
	fake_write(0xfec00000, 4, 0x10 + 2 * 19); /* GSI of slot 4: level, vector 50h */
	fake_write(0xfec00010, 4, 0x8050);
	drv_start(RNG, DRV_VERSION_1, 1);
	offer(0, 0, 16, W);
	drv_kick(0);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x50);
	assert_int_equal(drv_get(DRV_ISR, 1), VIRTIO_ISR_QUEUE);
	assert_int_equal(drv_get(DRV_ISR, 1), 0); /* reading takes it back */
	assert_int_equal(drv_get(DRV_ISR + 1, 1), 0xff);
	virq_eoi(&fake_vm, 0x50);
	assert_int_equal(fake_sent, 1);
	offer(0, 1, 16, W);
	drv_kick(0);
	assert_int_equal(fake_sent, 2);
	drv_set_status(0); /* so does a reset */
	virq_eoi(&fake_vm, 0x50);
	assert_int_equal(fake_sent, 2);
}

static void test_msix(void **state)
{
	(void)state;
	drv_start(RNG, DRV_VERSION_1, 1);
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 12, 4), 1); /* masked at power-on */
	drv_msix_on(2);
	offer(0, 0, 16, W);
	drv_kick(0);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x41);
	assert_int_equal(drv_get(DRV_ISR, 1), 0);
	fake_write(DRV_MSIX(RNG) + 16 + 12, 4, 1); /* masked by vector: pending, sent once */
	offer(0, 1, 16, W);
	drv_kick(0);
	offer(0, 2, 16, W);
	drv_kick(0);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 0x800, 4), 2);
	fake_write(DRV_MSIX(RNG) + 16 + 12, 4, 0);
	assert_int_equal(fake_sent, 2);
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 0x800, 8), 0);
	drv_config_set(0x42, 2, 0xc000); /* masked by function */
	offer(0, 3, 16, W);
	drv_kick(0);
	assert_int_equal(fake_sent, 2);
	drv_config_set(0x42, 2, 0x8000);
	assert_int_equal(fake_sent, 3);
	drv_config_set(0x42, 2, 0xc000); /* what is pending when it is switched off is gone */
	offer(0, 4, 16, W);
	drv_kick(0);
	drv_config_set(0x42, 2, 0);
	drv_config_set(0x42, 2, 0x8000);
	assert_int_equal(fake_sent, 3);
}

static void test_msix_table(void **state)
{
	(void)state;
	drv_map(RNG);
	fake_write(DRV_MSIX(RNG), 8, 0x1234fee01003);
	assert_int_equal(fake_read(DRV_MSIX(RNG), 8), 0x1234fee01000);
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 4, 4), 0x1234);
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 2, 2), 0xffff); /* dwords and qwords only */
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 2, 4), 0xffffffff);
	fake_write(DRV_MSIX(RNG) + 32, 4, 5); /* behind the table */
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 32, 4), 0);
	fake_write(DRV_MSIX(RNG) + 0x800, 4, 3); /* pending bits are read-only */
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 0x800, 4), 0);
	assert_int_equal(fake_read(DRV_MSIX(RNG) + 0xff8, 8), 0);
	drv_start(RNG, DRV_VERSION_1, 1);
	drv_set(VIRTIO_COMMON_QUEUE_VECTOR, 2, VIRTIO_NO_VECTOR);
	drv_msix_on(2);
	offer(0, 0, 16, W);
	drv_kick(0);
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(fake_sent, 0);
}

/* Without bus mastering it neither reads memory nor sends messages; afterwards it catches up. */
static void test_bus_master(void **state)
{
	(void)state;
	drv_start(RNG, DRV_VERSION_1, 1);
	drv_msix_on(2);
	drv_config_set(4, 2, 3);
	offer(0, 0, 16, W);
	drv_kick(0);
	assert_int_equal(drv_used(0), 0);
	drv_config_set(4, 2, 7);
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(fake_sent, 1);
}

/* ---- rings ---- */

/* 2.7.7: flags without the feature, used_event with it. */
static void test_interrupt_suppression(void **state)
{
	(void)state;
	drv_start(RNG, DRV_VERSION_1, 1);
	drv_msix_on(2);
	drv_put16(DRV_AVAIL(0), VIRTQ_NO_INTERRUPT);
	offer(0, 0, 16, W);
	drv_kick(0);
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(fake_sent, 0);
	drv_start(RNG, DRV_FEATURES, 1);
	drv_put16(DRV_AVAIL(0) + VIRTQ_USED_EVENT(DRV_SIZE), 2);
	for (uint16_t i = 0; i < 5; i++) {
		offer(0, i, 16, W);
		drv_kick(0);
		assert_int_equal(fake_sent, i >= 2 ? 1 : 0); /* with the third only */
	}
}

/* One interrupt for many; and the driver is asked to notify only when all were taken (2.7.10). */
static void test_batch(void **state)
{
	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	drv_msix_on(2);
	for (uint16_t i = 0; i < DRV_SIZE; i++) {
		offer(0, i, 64, W);
	}
	drv_kick(0);
	assert_int_equal(drv_used(0), DRV_SIZE);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(drv_get16(DRV_USED(0) + VIRTQ_AVAIL_EVENT(DRV_SIZE)), DRV_SIZE);
}

static void test_indices_wrap(void **state)
{
	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	drv_msix_on(2);
	for (unsigned int i = 0; i < 70000; i++) {
		fake_pass(2000);
		offer(0, (uint16_t)(i % DRV_SIZE), 1, W);
		drv_put16(DRV_AVAIL(0) + VIRTQ_USED_EVENT(DRV_SIZE), (uint16_t)i);
		drv_kick(0);
		assert_int_equal(drv_used(0), (uint16_t)(i + 1));
		assert_int_equal(fake_sent, i + 1);
	}
}

static void test_indirect(void **state)
{
	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	drv_desc(0, 0, DRV_DATA(0), 8, W | N, 1);
	drv_desc(0, 1, DRV_INDIRECT(0), 48, I | W, 7); /* the write flag means nothing here */
	drv_indirect(0, 0, DRV_DATA(0) + 0x100, 8, W | N, 2);
	drv_indirect(0, 2, 0xffffffff0000, 0, W | N, 1); /* nothing to write: no matter where */
	drv_indirect(0, 1, DRV_DATA(0) + 0x200, 8, W, 0);
	drv_offer(0, 0);
	drv_kick(0);
	assert_int_equal(drv_status(), LIVE);
	assert_int_equal(drv_used_len(0, 0), 24);
	assert_int_not_equal(fake_guest_mem_get64(DRV_DATA(0)), 0);
	assert_int_not_equal(fake_guest_mem_get64(DRV_DATA(0) + 0x100), 0);
	assert_int_not_equal(fake_guest_mem_get64(DRV_DATA(0) + 0x200), 0);
	assert_int_equal(fake_guest_mem_get64(DRV_DATA(0) + 0x208), 0);
}

/* ---- entropy ---- */

static void test_rng(void **state)
{
	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	offer(0, 0, 13, W);
	offer(0, 1, 16, 0); /* nothing to fill */
	drv_kick(0);
	assert_int_equal(drv_used(0), 2);
	assert_int_equal(drv_used_len(0, 0), 13);
	assert_int_equal(drv_used_len(0, 1), 0);
	assert_int_equal(fake_ram[DRV_DATA(0) + 13], 0);
	fake_has_random = false; /* from the stream cipher then */
	offer(0, 2, 200, W);
	offer(0, 3, 200, W);
	drv_kick(0);
	fake_has_random = true;
	assert_int_equal(drv_used(0), 4);
	assert_memory_not_equal(fake_ram + DRV_DATA(0) + 0x800, fake_ram + DRV_DATA(0) + 0xc00,
				200);
}

/* 64 KiB at once, 1 MiB a second; long work is done in parts; an answer is never cut for want of tokens. */
static void test_rng_rate(void **state)
{
	uint64_t got = 0;
	uint16_t seen = 0, offered = 0;

	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	for (unsigned int round = 0; round < 1000; round++) {
		drv_desc(0, 0, DRV_DATA(0), 0xfff, W, 0);
		if ((unsigned int)offered - seen < DRV_SIZE) {
			drv_offer(0, 0);
			offered++;
		}
		drv_kick(0);
		for (; fake_works > 0; fake_works--) {
			fake_pc_work();
		}
		while (seen != drv_used(0)) {
			assert_int_equal(drv_used_len(0, seen), 0xfff);
			got += drv_used_len(0, seen++);
		}
		fake_pass(1000000);
	}
	assert_in_range(got, 1 * MIB, 1 * MIB + 128 * KIB);
}

/* A buffer that takes all of a go, or the last token: the driver is asked to notify of the next. */
static void test_rng_asks_for_more(void **state)
{
	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	for (uint16_t i = 1; i <= DRV_SIZE; i++) {
		drv_desc(0, 0, DRV_DATA(0), 0x1000, W, 0);
		drv_offer(0, 0);
		drv_kick(0);
		fake_pass(i == DRV_SIZE ? 2000000 : 0);
		fake_pc_work();
		assert_int_equal(drv_used(0), i);
		assert_int_equal(drv_get16(DRV_USED(0) + VIRTQ_AVAIL_EVENT(DRV_SIZE)), i);
	}
}

static void test_rng_waits(void **state)
{
	unsigned int before;

	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	for (uint16_t i = 0; i < DRV_SIZE; i++) {
		drv_desc(0, i, DRV_DATA(0), 0x1000, W, 0);
		drv_offer(0, i);
	}
	drv_kick(0);
	assert_int_equal(drv_used(0), 1); /* 4 KiB, then others get their turn */
	while (fake_works > 0) {
		fake_works--;
		fake_pc_work();
	}
	assert_int_equal(drv_used(0), DRV_SIZE);
	drv_offer(0, 0);
	drv_kick(0);
	assert_int_equal(drv_used(0), DRV_SIZE); /* no tokens: a timer */
	before = fake_works;
	fake_pass(2000000);
	assert_int_equal(fake_works, before + 1);
	fake_pc_work();
	assert_int_equal(drv_used(0), DRV_SIZE + 1);
	assert_in_range(drv_used_len(0, DRV_SIZE), 1024, 4096);
}

/* ---- console ---- */

static const char *output(void)
{
	static char text[256];
	uint64_t cursor = 0;

	text[guest_console_read(&fake_vm.hvc, &cursor, text, sizeof(text) - 1)] = '\0';
	return text;
}

static void test_console_output(void **state)
{
	(void)state;
	drv_start(CONSOLE, DRV_FEATURES, 2);
	memcpy(fake_ram + DRV_DATA(TX), "hello, ", 7);
	memcpy(fake_ram + DRV_DATA(TX) + 0x400, "world", 5);
	drv_desc(TX, 0, DRV_DATA(TX), 7, N, 1);
	drv_desc(TX, 1, DRV_DATA(TX) + 0x400, 5, 0, 0);
	drv_offer(TX, 0);
	drv_kick(TX);
	assert_string_equal(output(), "hello, world");
	drv_set(DRV_DEVICE + VIRTIO_CONSOLE_EMERG, 4, '!');
	drv_set(DRV_DEVICE + VIRTIO_CONSOLE_COLS, 2, 9); /* read-only */
	assert_string_equal(output(), "hello, world!");
	assert_int_equal(drv_get(DRV_DEVICE, 4), 80 | 24 << 16);
	assert_int_equal(drv_get(DRV_DEVICE + 4, 4), 1);
	assert_int_equal(drv_get(DRV_DEVICE + 12, 4), 0xffffffff);
}

/* More than the ring holds in one buffer: its end remains, at the cost of the ring. */
static void test_console_flood(void **state)
{
	char last[8];
	uint64_t cursor;

	(void)state;
	drv_start(CONSOLE, DRV_FEATURES, 2);
	memset(fake_ram + DRV_DATA(TX), 'x', 0x4000);
	memcpy(fake_ram + DRV_DATA(TX) + 0x3ff8, "the end.", 8);
	drv_indirect(TX, 0, DRV_DATA(TX), 0x4000, N, 1);
	drv_indirect(TX, 1, DRV_DATA(TX), 0x4000, N, 2);
	drv_indirect(TX, 2, DRV_DATA(TX), 0x4000, 0, 0);
	for (uint16_t i = 0; i < 4; i++) {
		drv_desc(TX, i, DRV_INDIRECT(TX), 48, I, 0);
		drv_offer(TX, i);
	}
	drv_kick(TX);
	assert_int_equal(drv_used(TX), 1);
	assert_int_equal(fake_vm.hvc.out_head, GUEST_CONSOLE_OUT);
	cursor = fake_vm.hvc.out_head - 8;
	assert_int_equal(guest_console_read(&fake_vm.hvc, &cursor, last, 8), 8);
	assert_memory_equal(last, "the end.", 8);
	while (fake_works > 0) {
		fake_works--;
		fake_pc_work();
	}
	assert_int_equal(drv_used(TX), 4);
}

static void test_console_input(void **state)
{
	(void)state;
	drv_start(CONSOLE, DRV_FEATURES, 2);
	drv_msix_on(5);
	guest_console_type(&fake_vm.hvc, "early", 5); /* waits for a buffer */
	fake_pc_work();
	assert_int_equal(drv_used(RX), 0);
	offer(RX, 0, 4, W);
	offer(RX, 1, 64, W);
	drv_kick(RX);
	assert_int_equal(drv_used(RX), 2);
	assert_int_equal(drv_used_len(RX, 0), 4);
	assert_int_equal(drv_used_len(RX, 1), 1);
	assert_memory_equal(fake_ram + DRV_DATA(RX), "earl", 4);
	offer(RX, 2, 64, W);
	drv_kick(RX);
	drv_put16(DRV_AVAIL(RX) + VIRTQ_USED_EVENT(DRV_SIZE), 2);
	fake_works = fake_sent = 0;
	guest_console_type(&fake_vm.hvc, "late", 4); /* from the shell: for the vCPU */
	assert_int_equal(drv_used(RX), 2);
	assert_int_equal(fake_works, 1);
	fake_pc_work();
	assert_int_equal(drv_used_len(RX, 2), 4);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x41);
}

static void say(uint32_t port, uint16_t event, uint16_t value)
{
	fake_guest_mem_put32(DRV_DATA(CONTROL_TX), port);
	drv_put16(DRV_DATA(CONTROL_TX) + 4, event);
	drv_put16(DRV_DATA(CONTROL_TX) + 6, value);
	drv_desc(CONTROL_TX, 0, DRV_DATA(CONTROL_TX), 8, 0, 0);
	drv_offer(CONTROL_TX, 0);
	drv_kick(CONTROL_TX);
}

static uint64_t heard(unsigned int i)
{
	return fake_guest_mem_get64(DRV_DATA(CONTROL_RX) + 0x400ul * i);
}

/* 5.3.6.2 */
static void test_console_ports(void **state)
{
	(void)state;
	drv_start(CONSOLE, DRV_FEATURES | BIT(VIRTIO_CONSOLE_F_MULTIPORT), 4);
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	assert_int_equal(drv_used(CONTROL_RX), 0); /* waits for a buffer */
	for (uint16_t i = 0; i < 4; i++) {
		offer(CONTROL_RX, i, 64, W);
	}
	drv_kick(CONTROL_RX);
	assert_int_equal(drv_used(CONTROL_RX), 1);
	assert_int_equal(heard(0), (uint64_t)VIRTIO_CONSOLE_DEVICE_ADD << 32);
	say(7, VIRTIO_CONSOLE_PORT_READY, 1);			/* no such port */
	say(0, VIRTIO_CONSOLE_PORT_READY, 0);			/* the driver failed */
	say(0, 0xffff, 1);					/* no such event */
	drv_desc(CONTROL_TX, 0, DRV_DATA(CONTROL_TX), 7, 0, 0); /* too short */
	drv_offer(CONTROL_TX, 0);
	drv_kick(CONTROL_TX);
	assert_int_equal(drv_used(CONTROL_RX), 1);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_int_equal(drv_used(CONTROL_RX), 3);
	assert_int_equal(heard(1), (uint64_t)VIRTIO_CONSOLE_CONSOLE_PORT << 32 | 1ul << 48);
	assert_int_equal(heard(2), (uint64_t)VIRTIO_CONSOLE_PORT_OPEN << 32 | 1ul << 48);
	assert_int_equal(drv_status(), LIVE);
}

/* 5.3.5, 5.3.6.2: by configuration, with a new generation and interrupt, and by message once ready. */
static void test_console_resize(void **state)
{
	uint64_t features = DRV_FEATURES | BIT(VIRTIO_CONSOLE_F_MULTIPORT);

	(void)state;
	guest_console_resize(&fake_vm.hvc, 100, 50); /* no driver yet */
	drv_start(CONSOLE, features | BIT(VIRTIO_CONSOLE_F_SIZE), 4);
	assert_int_equal(drv_get(DRV_DEVICE, 4), 100 | 50 << 16);
	drv_msix_on(5);
	drv_set(VIRTIO_COMMON_CONFIG_VECTOR, 2, 0);
	for (uint16_t i = 0; i < 8; i++) {
		offer(CONTROL_RX, i, 64, W);
	}
	guest_console_resize(&fake_vm.hvc, 132, 43);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x40);
	assert_int_equal(drv_get(DRV_DEVICE, 4), 132 | 43 << 16);
	assert_int_equal(drv_get(VIRTIO_COMMON_GENERATION, 1), 1);
	guest_console_resize(&fake_vm.hvc, 132, 43); /* the same: nothing to tell */
	assert_int_equal(drv_get(VIRTIO_COMMON_GENERATION, 1), 1);
	fake_pc_work();
	assert_int_equal(drv_used(CONTROL_RX), 0); /* the driver does not have the port yet */
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_int_equal(drv_used(CONTROL_RX), 3);
	assert_int_equal(heard(2), (uint64_t)VIRTIO_CONSOLE_RESIZE << 32);
	assert_int_equal(drv_used_len(CONTROL_RX, 2), 12);
	assert_int_equal((uint32_t)fake_guest_mem_get64(DRV_DATA(CONTROL_RX) + 0x808),
			 132 | 43 << 16);
	guest_console_resize(&fake_vm.hvc, 80, 25);
	assert_int_equal(drv_used(CONTROL_RX), 3); /* from the shell: for the vCPU */
	fake_pc_work();
	assert_int_equal(drv_used(CONTROL_RX), 4);
	assert_int_equal((uint32_t)fake_guest_mem_get64(DRV_DATA(CONTROL_RX) + 0xc08),
			 80 | 25 << 16);
	assert_int_equal(fake_pc_save_and_load("virtio-console", 1000), 0);
	fake_pc_work();
	assert_int_equal(drv_used(CONTROL_RX), 5); /* another terminal, maybe */
	/* Nobody tells a VM that is not up: a new driver sees it, and a restored one. */
	guest_console_set_size(&fake_vm.hvc, 90, 30);
	assert_int_equal(fake_pc_save_and_load("virtio-console", 1000), 0);
	assert_int_equal(drv_get(DRV_DEVICE, 4), 90 | 30 << 16);
	guest_console_set_size(&fake_vm.hvc, 91, 31);
	drv_start(CONSOLE, features | BIT(VIRTIO_CONSOLE_F_SIZE), 4);
	assert_int_equal(drv_get(DRV_DEVICE, 4), 91 | 31 << 16);
}

/* Without the feature no message; without ports none either. */
static void test_console_resize_unwanted(void **state)
{
	(void)state;
	drv_start(CONSOLE, DRV_FEATURES | BIT(VIRTIO_CONSOLE_F_MULTIPORT), 4);
	offer(CONTROL_RX, 0, 64, W);
	offer(CONTROL_RX, 1, 64, W);
	offer(CONTROL_RX, 2, 64, W);
	say(0, VIRTIO_CONSOLE_PORT_READY, 1);
	guest_console_resize(&fake_vm.hvc, 132, 43);
	fake_pc_work();
	assert_int_equal(drv_used(CONTROL_RX), 2);
	drv_start(CONSOLE, DRV_FEATURES | BIT(VIRTIO_CONSOLE_F_SIZE), 2);
	guest_console_resize(&fake_vm.hvc, 133, 43);
	fake_pc_work();
	assert_int_equal(drv_get(DRV_DEVICE, 4), 133 | 43 << 16);
	assert_int_equal(drv_status(), LIVE);
}

/* ---- life ---- */

static void test_reset_forgets(void **state)
{
	(void)state;
	drv_start(CONSOLE, DRV_FEATURES | BIT(VIRTIO_CONSOLE_F_MULTIPORT), 4);
	say(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	drv_start(CONSOLE, DRV_FEATURES | BIT(VIRTIO_CONSOLE_F_MULTIPORT), 4);
	offer(CONTROL_RX, 0, 64, W);
	drv_kick(CONTROL_RX);
	assert_int_equal(drv_used(CONTROL_RX), 0);
	for (unsigned int i = 0; i < 100; i++) { /* a driver bound and unbound */
		drv_start(RNG, DRV_FEATURES, 1);
		offer(0, 0, 16, W);
		drv_kick(0);
		assert_int_equal(drv_used(0), 1);
		drv_set_status(0);
		offer(0, 1, 16, W);
		drv_kick(0);
		assert_int_equal(drv_used(0), 1);
	}
	fake_pc_reset();
	drv_slot = RNG;
	assert_int_equal(drv_config_get(4, 2), 0);
}

static void test_saved_state(void **state)
{
	(void)state;
	drv_start(RNG, DRV_FEATURES, 1);
	drv_msix_on(2);
	offer(0, 0, 16, W);
	drv_kick(0);
	offer(0, 1, 16, W); /* not notified: found after the load */
	assert_int_equal(fake_pc_save_and_load("virtio-rng", 1000), 0);
	fake_pc_work();
	assert_int_equal(drv_status(), LIVE);
	assert_int_equal(drv_used(0), 2);
	drv_put16(DRV_AVAIL(0) + VIRTQ_USED_EVENT(DRV_SIZE), 2);
	offer(0, 2, 16, W);
	fake_sent = 0;
	drv_kick(0);
	assert_int_equal(drv_used(0), 3);
	assert_int_equal(fake_sent, 1);
	assert_int_equal(fake_msg.vector, 0x41);
}

/* Features that are final are some of those offered. */
static void assert_features(void)
{
	uint64_t chosen = 0;

	if (drv_status() == 0xff || !(drv_status() & VIRTIO_FEATURES_OK)) {
		return; /* gone from its place; or nothing is final */
	}
	for (unsigned int i = 0; i < 2; i++) {
		drv_set(VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 4, i);
		chosen |= (uint64_t)drv_get(VIRTIO_COMMON_DRIVER_FEATURE, 4) << 32 * i;
	}
	assert_int_equal(chosen & ~drv_offered(), 0);
	assert_true(chosen & DRV_VERSION_1);
}

/* Any byte of the state spoilt: refused, or a device that a reset puts right. */
static void test_spoilt_state(void **state)
{
	static const char *const names[] = { "virtio-rng", "virtio-console" };
	unsigned int refused = 0;

	(void)state;
	for (unsigned int n = 0; n < 2; n++) {
		for (size_t at = 0; at < fake_pc_state_size(names[n]); at++) {
			drv_start(n ? CONSOLE : RNG, DRV_FEATURES, 1);
			if (fake_pc_load_corrupt(names[n], at, 0xff) == -EINVAL) {
				refused++;
			} else {
				assert_features();
			}
			fake_pc_work();
			drv_kick(0);
		}
	}
	assert_true(refused > 20);
	drv_start(RNG, DRV_FEATURES, 1);
	offer(0, 0, 16, W);
	drv_kick(0);
	assert_int_equal(drv_used(0), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fake_pc_start, fake_pc_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_capabilities),
		TEST(test_registers_read_back),
		TEST(test_window),
		TEST(test_bars_move),
		TEST(test_pin),
		TEST(test_msix),
		TEST(test_msix_table),
		TEST(test_bus_master),
		TEST(test_interrupt_suppression),
		TEST(test_batch),
		TEST(test_indices_wrap),
		TEST(test_indirect),
		TEST(test_rng),
		TEST(test_rng_rate),
		TEST(test_rng_asks_for_more),
		TEST(test_rng_waits),
		TEST(test_console_output),
		TEST(test_console_flood),
		TEST(test_console_input),
		TEST(test_console_ports),
		TEST(test_console_resize),
		TEST(test_console_resize_unwanted),
		TEST(test_reset_forgets),
		TEST(test_saved_state),
		TEST(test_spoilt_state),
	};

	return cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
}
