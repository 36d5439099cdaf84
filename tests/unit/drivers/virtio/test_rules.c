/* SPDX-License-Identifier: BSD-2-Clause */
/* Every "driver MUST" of Virtio 1.2 that a device can see, broken in turn: the device needs a reset, */
/* or the register refuses; the log says why once; and after a reset the device works again. */
/* TEST_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* TEST_SOURCES: drivers/virtio/virtio_pci.c drivers/virtio/virtio_rng.c drivers/virtio/virtio_console.c */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c hv/base/random.c */
/* TEST_SOURCES: hv/lib/chacha20.c hv/lib/fmt.c hv/lib/errno.c tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/fakes/fake_driver.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/virtio/virtio_pci.h"
#include "tests/unit/fakes/fake_driver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RNG   VIRTIO_SLOT_RNG
#define READY (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK)
#define LIVE  (READY | VIRTIO_DRIVER_OK)
#define W     VIRTQ_DESC_WRITE
#define N     VIRTQ_DESC_NEXT
#define I     VIRTQ_DESC_INDIRECT

enum outcome {
	BROKEN,	   /* DEVICE_NEEDS_RESET and one log line */
	UNTOUCHED, /* status as before, no log line: refused or ignored */
};

struct rule {
	const char *name; /* section, rule */
	enum { AT_NEGOTIATION, AT_SETUP, RUNNING, NO_INDIRECT } when;
	void (*violate)(void);
	enum outcome outcome;
	const char *log; /* part of the line */
};

/* ---- negotiation and status ---- */

static void clear_status_bit(void)
{
	drv_set_status(VIRTIO_ACKNOWLEDGE);
}

static void accept_too_much(void)
{
	drv_set_features(DRV_VERSION_1 | BIT(40));
	drv_set_status(READY);
	assert_int_equal(drv_status(), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
}

static void be_legacy(void)
{
	drv_set_features(BIT(VIRTIO_F_INDIRECT_DESC));
	drv_set_status(READY);
	assert_int_equal(drv_status(), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
}

static void change_features(void)
{
	drv_set(VIRTIO_COMMON_DRIVER_FEATURE, 4, 0);
}

static void skip_features_ok(void)
{
	drv_set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK);
}

static void write_read_only(void)
{
	drv_set(VIRTIO_COMMON_DEVICE_FEATURE, 4, 0);
	drv_set(VIRTIO_COMMON_NUM_QUEUES, 2, 9);
	drv_set(VIRTIO_COMMON_GENERATION, 1, 9);
	drv_set(VIRTIO_COMMON_QUEUE_NOTIFY_OFF, 2, 9);
	assert_int_equal(drv_get(VIRTIO_COMMON_NUM_QUEUES, 2), 1);
	assert_int_equal(drv_get(VIRTIO_COMMON_GENERATION, 1), 0);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_NOTIFY_OFF, 2), 0);
}

static void wrong_width(void)
{
	assert_int_equal(drv_get(VIRTIO_COMMON_DEVICE_FEATURE, 2), 0xffff);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_SIZE, 1), 0xff);
	drv_set(VIRTIO_COMMON_QUEUE_SIZE, 4, 0xffffffff);
	drv_set(VIRTIO_COMMON_STATUS, 4, 0);
	drv_set(VIRTIO_COMMON_SIZE, 4, 0xffffffff);
	assert_int_equal(drv_get(0xffc, 8), 0xffffffffffffffff);
}

/* ---- queue set-up ---- */

static void enable_with(unsigned int off, uint8_t size, uint64_t val)
{
	drv_set(VIRTIO_COMMON_QUEUE_SELECT, 2, 0);
	drv_set(VIRTIO_COMMON_QUEUE_SIZE, 2, DRV_SIZE);
	drv_set(VIRTIO_COMMON_QUEUE_DESC, 8, DRV_DESC(0));
	drv_set(VIRTIO_COMMON_QUEUE_DRIVER, 8, DRV_AVAIL(0));
	drv_set(VIRTIO_COMMON_QUEUE_DEVICE, 8, DRV_USED(0));
	drv_set(off, size, val);
	drv_set(VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

#define ENABLE_WITH(name, off, size, val)                                                          \
	static void name(void)                                                                     \
	{                                                                                          \
		enable_with(off, size, val);                                                       \
	}
ENABLE_WITH(size_0, VIRTIO_COMMON_QUEUE_SIZE, 2, 0)
ENABLE_WITH(size_3, VIRTIO_COMMON_QUEUE_SIZE, 2, 3)
ENABLE_WITH(size_over, VIRTIO_COMMON_QUEUE_SIZE, 2, 512)
ENABLE_WITH(size_32768, VIRTIO_COMMON_QUEUE_SIZE, 2, 0x8000)
ENABLE_WITH(desc_unaligned, VIRTIO_COMMON_QUEUE_DESC, 8, DRV_DESC(0) + 8)
ENABLE_WITH(avail_unaligned, VIRTIO_COMMON_QUEUE_DRIVER, 8, DRV_AVAIL(0) + 1)
ENABLE_WITH(used_unaligned, VIRTIO_COMMON_QUEUE_DEVICE, 8, DRV_USED(0) + 2)
ENABLE_WITH(desc_at_end, VIRTIO_COMMON_QUEUE_DESC, 8, FAKE_RAM - 0xf0)
ENABLE_WITH(avail_in_hole, VIRTIO_COMMON_QUEUE_DRIVER, 8, 0x80000000)
ENABLE_WITH(used_in_bar, VIRTIO_COMMON_QUEUE_DEVICE, 8, DRV_BAR(RNG))
ENABLE_WITH(desc_wraps, VIRTIO_COMMON_QUEUE_DESC, 8, 0xfffffffffffffff0)

static void enable_0(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_ENABLE, 2, 0);
}

static void enable_early(void)
{
	drv_set_status(0);
	drv_set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	drv_set(VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

static void enable_missing(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_SELECT, 2, 1);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_SIZE, 2), 0);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_DESC, 4), 0);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_NOTIFY_OFF, 2), 0);
	drv_set(VIRTIO_COMMON_QUEUE_SIZE, 2, 4);
	drv_set(VIRTIO_COMMON_QUEUE_DESC, 4, 4);
	drv_set(VIRTIO_COMMON_QUEUE_VECTOR, 2, 0);
	drv_set(VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
	drv_set(VIRTIO_COMMON_QUEUE_SELECT, 2, 0xffff);
	drv_set(VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

static void no_such_vector(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_VECTOR, 2, 2);
	assert_int_equal(drv_get(VIRTIO_COMMON_QUEUE_VECTOR, 2), VIRTIO_NO_VECTOR);
	drv_set(VIRTIO_COMMON_CONFIG_VECTOR, 2, 0xfffe);
	assert_int_equal(drv_get(VIRTIO_COMMON_CONFIG_VECTOR, 2), VIRTIO_NO_VECTOR);
}

static void notify_early(void)
{
	drv_queue(0);
	drv_desc(0, 0, DRV_DATA(0), 64, W, 0);
	drv_offer(0, 0);
	drv_kick(0);
	assert_int_equal(drv_used(0), 0);
}

/* ---- a running queue ---- */

static void change_size(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_SIZE, 2, 8);
}

static void change_desc(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_DESC, 4, 0);
}

static void change_driver(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_DRIVER, 8, 0);
}

static void change_device(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_DEVICE + 4, 4, 1);
}

static void enable_twice(void)
{
	drv_set(VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

static void notify_as_another(void)
{
	fake_out(DRV_PORTS(RNG), 2, 1);
}

static void notify_nobody(void)
{
	fake_out((uint16_t)(DRV_PORTS(RNG) + 4), 2, 1); /* there is one queue */
	fake_out((uint16_t)(DRV_PORTS(RNG) + 1), 2, 0);
	drv_set(DRV_NOTIFY + 0xff0, 4, 0);
	assert_int_equal(fake_in(DRV_PORTS(RNG), 2), 0xffff);
}

/* Offers descriptor 0, which the test has made, and notifies. */
static void go(void)
{
	drv_offer(0, 0);
	drv_kick(0);
}

static void avail_jump(void)
{
	drv_desc(0, 0, DRV_DATA(0), 64, W, 0);
	drv_put16(DRV_AVAIL(0) + 2, DRV_SIZE + 1);
	drv_kick(0);
}

static void avail_back(void)
{
	drv_desc(0, 0, DRV_DATA(0), 64, W, 0);
	go();
	assert_int_equal(drv_used(0), 1);
	drv_put16(DRV_AVAIL(0) + 2, 0);
	drv_kick(0);
}

static void head_out_of_range(void)
{
	drv_offer(0, DRV_SIZE);
	drv_kick(0);
}

static void next_out_of_range(void)
{
	drv_desc(0, 0, DRV_DATA(0), 64, W | N, DRV_SIZE);
	go();
}

static void loop(void)
{
	drv_desc(0, 0, DRV_DATA(0), 64, W | N, 1);
	drv_desc(0, 1, DRV_DATA(0), 64, W | N, 0);
	go();
}

static void loop_of_nothing(void)
{
	drv_desc(0, 0, 0, 0, N, 0);
	go();
}

static void read_behind_write(void)
{
	drv_desc(0, 0, DRV_DATA(0), 64, W | N, 1);
	drv_desc(0, 1, DRV_DATA(0), 64, 0, 0);
	go();
}

static void buffer(uint64_t addr, uint32_t len)
{
	drv_desc(0, 0, addr, len, W, 0);
	go();
}

static void buffer_over_end(void)
{
	buffer(FAKE_RAM - 8, 9);
}

static void buffer_in_hole(void)
{
	buffer(0x80000000, 1);
}

static void buffer_in_bar(void)
{
	buffer(DRV_BAR(RNG), 4);
}

static void buffer_wraps(void)
{
	buffer(0xffffffffffffff00, 0xffffffff);
}

static void buffer_of_4g(void)
{
	buffer(0, 0xffffffff);
}

static void indirect(uint64_t at, uint32_t len, uint16_t flags)
{
	drv_desc(0, 0, at, len, (uint16_t)(flags | I), 1);
	go();
}

static void indirect_unnegotiated(void)
{
	drv_indirect(0, 0, DRV_DATA(0), 64, W, 0);
	indirect(DRV_INDIRECT(0), 16, 0);
}

static void indirect_in_indirect(void)
{
	drv_indirect(0, 0, DRV_INDIRECT(0), 16, I, 0);
	indirect(DRV_INDIRECT(0), 16, 0);
}

static void indirect_with_next(void)
{
	indirect(DRV_INDIRECT(0), 16, N);
}

static void indirect_of_0(void)
{
	indirect(DRV_INDIRECT(0), 0, 0);
}

static void indirect_of_17(void)
{
	indirect(DRV_INDIRECT(0), 17, 0);
}

static void indirect_in_hole(void)
{
	indirect(0x80000000, 16, 0);
}

static void indirect_over_end(void)
{
	indirect(FAKE_RAM - 16, 32, 0);
}

static void indirect_next_over(void)
{
	drv_indirect(0, 0, DRV_DATA(0), 64, W | N, 1);
	indirect(DRV_INDIRECT(0), 16, 0);
}

static void indirect_too_long(void)
{
	for (uint16_t i = 0; i < DRV_SIZE + 1; i++) {
		drv_indirect(0, i, DRV_DATA(0), 4, (uint16_t)(W | (i < DRV_SIZE ? N : 0)),
			     (uint16_t)(i + 1));
	}
	indirect(DRV_INDIRECT(0), 16 * (DRV_SIZE + 1), 0);
}

static const struct rule rules[] = {
	{ "2.1.1 clears a status bit", AT_NEGOTIATION, clear_status_bit, BROKEN, "status bits" },
	{ "2.2.1 accepts what was not offered", AT_NEGOTIATION, accept_too_much, UNTOUCHED, "" },
	{ "6.1 does not accept version 1", AT_NEGOTIATION, be_legacy, UNTOUCHED, "" },
	{ "3.1.1 DRIVER_OK without FEATURES_OK", AT_NEGOTIATION, skip_features_ok, BROKEN,
	  "without FEATURES_OK" },
	{ "4.1.4.3.2 writes read-only fields", AT_NEGOTIATION, write_read_only, UNTOUCHED, "" },
	{ "4.1.3.1 other widths", AT_NEGOTIATION, wrong_width, UNTOUCHED, "" },
	{ "2.2.1 features after FEATURES_OK", AT_SETUP, change_features, BROKEN, "after FEATURES" },
	{ "2.7 queue size 0", AT_SETUP, size_0, BROKEN, "queue 0: queue size" },
	{ "2.7 queue size not a power of 2", AT_SETUP, size_3, BROKEN, "queue 0: queue size" },
	{ "4.1.5.1.3 queue size over the maximum", AT_SETUP, size_over, BROKEN, "queue size" },
	{ "2.7 queue size 32768", AT_SETUP, size_32768, BROKEN, "queue size" },
	{ "2.7 descriptor table unaligned", AT_SETUP, desc_unaligned, BROKEN, "queue address" },
	{ "2.7 available ring unaligned", AT_SETUP, avail_unaligned, BROKEN, "queue address" },
	{ "2.7 used ring unaligned", AT_SETUP, used_unaligned, BROKEN, "queue address" },
	{ "2.7 descriptor table over the end", AT_SETUP, desc_at_end, BROKEN, "queue address" },
	{ "2.7 available ring in a hole", AT_SETUP, avail_in_hole, BROKEN, "queue address" },
	{ "2.7 used ring in the device's BAR", AT_SETUP, used_in_bar, BROKEN, "queue address" },
	{ "2.7 descriptor table wraps", AT_SETUP, desc_wraps, BROKEN, "queue address" },
	{ "4.1.4.3.2 queue_enable 0", AT_SETUP, enable_0, BROKEN, "queue_enable" },
	{ "3.1.1 queue before FEATURES_OK", AT_SETUP, enable_early, BROKEN, "before FEATURES" },
	{ "4.1.5.1.3 a queue that there is not", AT_SETUP, enable_missing, UNTOUCHED, "" },
	{ "4.1.5.1.2 a vector that there is not", AT_SETUP, no_such_vector, UNTOUCHED, "" },
	{ "3.1.1 notifies before DRIVER_OK", AT_SETUP, notify_early, UNTOUCHED, "" },
	{ "4.1.4.3.2 changes the size", RUNNING, change_size, BROKEN, "changed while enabled" },
	{ "4.1.4.3.2 changes the table", RUNNING, change_desc, BROKEN, "changed while enabled" },
	{ "4.1.4.3.2 changes driver area", RUNNING, change_driver, BROKEN, "changed while" },
	{ "4.1.4.3.2 changes device area", RUNNING, change_device, BROKEN, "changed while" },
	{ "4.1.4.3.2 enables twice", RUNNING, enable_twice, UNTOUCHED, "" },
	{ "4.1.5.2 notifies as another queue", RUNNING, notify_as_another, BROKEN,
	  "notified as 1" },
	{ "4.1.5.2 notifies no queue", RUNNING, notify_nobody, UNTOUCHED, "" },
	{ "2.7.6 index jumps over the ring", RUNNING, avail_jump, BROKEN, "available index" },
	{ "2.7.6.1 index goes back", RUNNING, avail_back, BROKEN, "available index" },
	{ "2.7.6 head out of range", RUNNING, head_out_of_range, BROKEN, "descriptor index" },
	{ "2.7.5 next out of range", RUNNING, next_out_of_range, BROKEN, "descriptor index" },
	{ "2.7.5 loop", RUNNING, loop, BROKEN, "loop" },
	{ "2.7.5 loop of empty descriptors", RUNNING, loop_of_nothing, BROKEN, "loop" },
	{ "2.7.4.2 readable behind writable", RUNNING, read_behind_write, BROKEN, "readable" },
	{ "2.7.5 buffer over the end of RAM", RUNNING, buffer_over_end, BROKEN, "outside of RAM" },
	{ "2.7.5 buffer in a hole", RUNNING, buffer_in_hole, BROKEN, "outside of RAM" },
	{ "2.7.5 buffer in the device's BAR", RUNNING, buffer_in_bar, BROKEN, "outside of RAM" },
	{ "2.7.5 buffer wraps", RUNNING, buffer_wraps, BROKEN, "outside of RAM" },
	{ "2.7.5 buffer of 2^32-1 bytes", RUNNING, buffer_of_4g, BROKEN, "outside of RAM" },
	{ "2.7.5.3.1 indirect, not negotiated", NO_INDIRECT, indirect_unnegotiated, BROKEN,
	  "without the feature" },
	{ "2.7.5.3.1 indirect in indirect", RUNNING, indirect_in_indirect, BROKEN,
	  "in an indirect" },
	{ "2.7.5.3.1 indirect with next", RUNNING, indirect_with_next, BROKEN, "with a next" },
	{ "2.7.5.3 indirect of no bytes", RUNNING, indirect_of_0, BROKEN, "length of an indirect" },
	{ "2.7.5.3 indirect of 17 bytes", RUNNING, indirect_of_17, BROKEN,
	  "length of an indirect" },
	{ "2.7.5.3 indirect in a hole", RUNNING, indirect_in_hole, BROKEN, "table outside" },
	{ "2.7.5.3 indirect over the end", RUNNING, indirect_over_end, BROKEN, "table outside" },
	{ "2.7.5.3 next behind the table", RUNNING, indirect_next_over, BROKEN,
	  "descriptor index" },
	{ "2.7.5.3.1 longer than the queue", RUNNING, indirect_too_long, BROKEN, "longer than" },
};

static void prepare(const struct rule *r)
{
	if (r->when >= RUNNING) {
		drv_start(RNG, r->when == NO_INDIRECT ? DRV_VERSION_1 : DRV_FEATURES, 1);
		drv_msix_on(2);
		drv_set(VIRTIO_COMMON_CONFIG_VECTOR, 2, 0);
		return;
	}
	fake_guest_mem_reset();
	drv_map(RNG);
	if (r->when == AT_SETUP) {
		drv_negotiate(DRV_FEATURES);
	} else {
		drv_set_status(VIRTIO_ACKNOWLEDGE);
		drv_set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	}
}

/* The device is not the worse for it. */
static void works_after_reset(void)
{
	drv_start(RNG, DRV_FEATURES, 1);
	drv_desc(0, 0, DRV_DATA(0), 32, W, 0);
	go();
	assert_int_equal(drv_status(), LIVE);
	assert_int_equal(drv_used(0), 1);
	assert_int_equal(drv_used_len(0, 0), 32);
}

static void test_rule(void **state)
{
	const struct rule *r = *state;
	uint8_t before;

	fake_pc_start(NULL);
	prepare(r);
	before = drv_status();
	fake_sent = 0;
	r->violate();
	if (r->outcome == UNTOUCHED) {
		assert_int_equal(drv_status(), before);
		assert_int_equal(fake_logs, 0);
	} else {
		assert_true(drv_status() & VIRTIO_NEEDS_RESET);
		assert_int_equal(fake_logs, 1);
		assert_non_null(strstr(fake_log, r->log));
		r->violate(); /* said once */
		assert_int_equal(fake_logs, r->violate == enable_early ? 2 : 1);
	}
	if (r->outcome == BROKEN && r->when >= RUNNING) { /* 2.1.2: it tells the driver */
		assert_true(fake_sent >= 1);
		assert_int_equal(fake_msg.vector, 0x40);
	}
	works_after_reset();
	fake_pc_stop(NULL);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(rules)];

	for (unsigned int i = 0; i < ARRAY_SIZE(rules); i++) {
		tests[i] = (struct CMUnitTest){ .name = rules[i].name,
						.test_func = test_rule,
						.initial_state = (void *)(uintptr_t)&rules[i] };
	}
	return cmocka_run_group_tests_name("virtio rules", tests, NULL, NULL);
}
