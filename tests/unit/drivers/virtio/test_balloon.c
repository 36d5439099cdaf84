/* SPDX-License-Identifier: BSD-2-Clause */
/* The balloon device as a driver and as the administration see it: page numbers, a few in one go, the */
/* target, statistics, reset, saved state. What a page given away means is test_gpa_balloon.c's. */
/* TEST_SOURCES: drivers/virtio/virtq.c drivers/virtio/virtio_dev.c drivers/virtio/virtio_common.c */
/* TEST_SOURCES: drivers/virtio/virtio_pci.c drivers/virtio/virtio_balloon.c */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msix.c drivers/emul/isa.c */
/* TEST_SOURCES: drivers/emul/vpic.c drivers/emul/vioapic.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c */
/* TEST_SOURCES: hv/lib/fmt.c hv/lib/errno.c tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/fakes/fake_driver.c tests/unit/fakes/fake_vm_memory.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/virtio/virtio_balloon.h"

#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_arch.h"
#include "tests/unit/fakes/fake_driver.h"
#include "tests/unit/fakes/fake_vm_memory.h"
#include <string.h>

#include <cmocka.h>

#define BALLOON VIRTIO_SLOT_BALLOON
#define N	VIRTQ_DESC_NEXT
#define MOST	12u /* pages in one go */
enum { INFLATE, DEFLATE, STATS };

static int setup(void **state)
{
	fake_vm_memory_reset();
	fake_pc_start(state);
	drv_start(BALLOON, DRV_FEATURES | BIT(VIRTIO_BALLOON_F_STATS_VQ), 3);
	drv_msix_on(4);
	return 0;
}

/* `count` page numbers from first on, in one buffer at `at`. */
static void put_numbers(uint64_t at, uint32_t first, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		fake_guest_mem_put32(at + 4ul * i, first + i);
	}
}

static void send(unsigned int q, uint32_t first, unsigned int count)
{
	put_numbers(DRV_DATA(q), first, count);
	drv_desc(q, 0, DRV_DATA(q), 4 * count, 0, 0);
	drv_offer(q, 0);
	drv_kick(q);
}

static void test_offers(void **state)
{
	(void)state;
	drv_map(BALLOON);
	assert_int_equal(drv_config_get(0, 4), 0x10451af4);
	assert_int_equal(drv_offered() & 0xff, 7);
	assert_int_equal(drv_get(DRV_DEVICE, 4), 0);
	assert_int_equal(drv_get(VIRTIO_COMMON_NUM_QUEUES, 2), 3);
}

/* 256 pages, as Linux sends them: a few in one go, the rest before the next entries; then completed. */
static void test_inflates_in_parts(void **state)
{
	unsigned int goes = 1;

	(void)state;
	send(INFLATE, 0x400, 256);
	assert_true(fake_moves <= MOST);
	for (; drv_used(INFLATE) == 0; goes++) {
		fake_moves = 0;
		fake_pc_work();
		assert_true(fake_moves > 0 && fake_moves <= MOST);
	}
	assert_true(goes >= 256 / MOST);
	assert_int_equal(drv_used(INFLATE), 1);
	assert_int_equal(drv_used_len(INFLATE, 0), 0);
	for (unsigned int i = 0; i < FAKE_PAGES; i++) {
		assert_int_equal(fake_taken[i], i >= 0x400 && i < 0x500);
		assert_int_equal(fake_given[i], 0);
	}
	assert_int_equal(fake_sent, 1);
}

/* Each first page of 2 MiB splits a table: fewer of them at once. */
static void test_first_pages_cost_more(void **state)
{
	(void)state;
	send(INFLATE, 16, 8);
	assert_true(fake_moves > 0 && fake_moves <= 2);
}

/* A chain that ends just where its go does: the driver is asked to notify of the next all the same. */
static void test_asks_for_more_after_a_full_go(void **state)
{
	(void)state;
	send(INFLATE, 0x400, MOST);
	assert_int_equal(drv_used(INFLATE), 1);
	fake_pc_work();
	assert_int_equal(drv_get16(DRV_USED(INFLATE) + VIRTQ_AVAIL_EVENT(DRV_SIZE)), 1);
}

static void test_deflates_and_both_at_once(void **state)
{
	(void)state;
	send(INFLATE, 0x400, 100);
	send(DEFLATE, 0x800, 30);
	for (unsigned int i = 0; i < 20; i++) {
		fake_pc_work();
	}
	assert_int_equal(drv_used(INFLATE), 1);
	assert_int_equal(drv_used(DEFLATE), 1);
	for (unsigned int i = 0; i < FAKE_PAGES; i++) {
		assert_int_equal(fake_taken[i], i >= 0x400 && i < 0x464);
		assert_int_equal(fake_given[i], i >= 0x800 && i < 0x81e);
	}
}

/* Numbers over several descriptors, an odd end, an empty buffer, numbers beyond all memory. */
static void test_odd_buffers(void **state)
{
	(void)state;
	put_numbers(DRV_DATA(0), 0x400, 4);
	drv_desc(INFLATE, 0, DRV_DATA(0), 6, N, 1);
	drv_desc(INFLATE, 1, DRV_DATA(0) + 6, 9, 0, 0); /* 15 bytes: three numbers */
	drv_desc(INFLATE, 2, DRV_DATA(0), 0, 0, 0);
	fake_guest_mem_put32(DRV_DATA(0) + 64, 0xffffffff);
	drv_desc(INFLATE, 3, DRV_DATA(0) + 64, 4, 0, 0);
	drv_offer(INFLATE, 0);
	drv_offer(INFLATE, 2);
	drv_offer(INFLATE, 3);
	drv_kick(INFLATE);
	for (unsigned int i = 0; i < 5; i++) {
		fake_pc_work();
	}
	assert_int_equal(drv_used(INFLATE), 3);
	assert_int_equal(fake_taken[0x402], 1);
	assert_int_equal(fake_taken[0x403], 0);
	assert_int_equal(fake_moves, 4);
}

static void test_target_and_actual(void **state)
{
	struct virtio_balloon_info info;
	uint8_t generation = (uint8_t)drv_get(VIRTIO_COMMON_GENERATION, 1);

	(void)state;
	drv_set(VIRTIO_COMMON_CONFIG_VECTOR, 2, 0);
	assert_int_equal(virtio_balloon_set_target(&fake_vm, 5 * GIB + 1), -EINVAL);
	assert_int_equal(virtio_balloon_set_target(&fake_vm, 5 * GIB - 40 * MIB), 0);
	assert_int_equal(fake_sent, 1); /* the configuration has changed */
	assert_int_not_equal(drv_get(VIRTIO_COMMON_GENERATION, 1), generation);
	assert_int_equal(drv_get(DRV_DEVICE, 4), 40 * MIB / PAGE_SIZE);
	drv_set(DRV_DEVICE, 4, 77); /* not the driver's */
	drv_set(DRV_DEVICE + 6, 2, 77);
	drv_set(DRV_DEVICE + 4, 4, 2560);
	assert_int_equal(virtio_balloon_look(&fake_vm, &info), 0);
	assert_true(info.driver);
	assert_int_equal(info.target, 5 * GIB - 40 * MIB);
	assert_int_equal(info.actual, 5 * GIB - 10 * MIB);
	drv_set(DRV_DEVICE + 4, 4, 0xffffffff); /* a lie */
	assert_int_equal(virtio_balloon_look(&fake_vm, &info), 0);
	assert_int_equal(info.actual, 0);
}

/* The target outlives the driver, what it gave does not, and without a driver nobody is asked. */
static void test_reset(void **state)
{
	struct virtio_balloon_info info;

	(void)state;
	assert_int_equal(virtio_balloon_set_target(&fake_vm, GIB), 0);
	drv_set(DRV_DEVICE + 4, 4, 5);
	drv_set_status(0);
	assert_int_equal(virtio_balloon_look(&fake_vm, &info), 0);
	assert_false(info.driver);
	assert_int_equal(info.target, GIB);
	assert_int_equal(info.actual, 5 * GIB);
	assert_int_equal(virtio_balloon_set_target(&fake_vm, GIB), -ENODEV);
	fake_pc_reset();
	assert_int_equal(virtio_balloon_look(&fake_vm, &info), 0);
	assert_int_equal(info.target, 5 * GIB);
}

static void put_stat(unsigned int i, uint16_t tag, uint64_t val)
{
	uint8_t *at = &fake_ram[DRV_DATA(STATS) + 10ul * i];

	memcpy(at, &tag, 2);
	memcpy(at + 2, &val, 8);
}

/* 5.5.6.3: the buffer comes back when the figures are asked for, and is there again afterwards. */
static void test_statistics(void **state)
{
	struct virtio_balloon_info info;

	(void)state;
	put_stat(0, 4, 111);
	put_stat(1, 99, 5);
	put_stat(2, 6, 222);
	drv_desc(STATS, 0, DRV_DATA(STATS), 35, 0, 0); /* half an entry at the end */
	drv_offer(STATS, 0);
	drv_kick(STATS);
	assert_int_equal(drv_used(STATS), 0);
	assert_int_equal(virtio_balloon_look(&fake_vm, &info), 0);
	assert_int_equal(info.free, 111);
	assert_int_equal(info.available, 222);
	fake_pc_work();
	assert_int_equal(drv_used(STATS), 1);
	put_stat(0, 4, 333);
	drv_offer(STATS, 0);
	drv_kick(STATS);
	assert_int_equal(drv_used(STATS), 1);
	assert_int_equal(virtio_balloon_look(&fake_vm, &info), 0);
	assert_int_equal(info.free, 333);
}

/* Half-way through a buffer: it is taken from its start again, and completed once. */
static void test_saved_half_way(void **state)
{
	(void)state;
	send(INFLATE, 0x400, 100);
	assert_int_equal(virtio_balloon_set_target(&fake_vm, GIB), 0);
	assert_int_equal(fake_pc_save_and_load("virtio-balloon", 1000), 0);
	for (unsigned int i = 0; i < 20; i++) {
		fake_pc_work();
	}
	assert_int_equal(drv_used(INFLATE), 1);
	assert_true(fake_taken[0x400] >= 1 && fake_taken[0x463] == 1);
	assert_int_equal(drv_get(DRV_DEVICE, 4), (5 * GIB - GIB) / PAGE_SIZE);
}

/* Whatever byte of the state is another: refused or taken, and the device can be worked with. */
static void test_saved_state_is_checked(void **state)
{
	size_t size = fake_pc_state_size("virtio-balloon");
	bool refused = false;

	(void)state;
	for (size_t at = 0; at < size; at++) {
		refused |= fake_pc_load_corrupt("virtio-balloon", at, 0xff) != 0;
		fake_pc_work();
		fake_pc_reset();
		drv_start(BALLOON, DRV_FEATURES, 3);
	}
	assert_true(refused);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_pc_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_offers),
		TEST(test_inflates_in_parts),
		TEST(test_first_pages_cost_more),
		TEST(test_asks_for_more_after_a_full_go),
		TEST(test_deflates_and_both_at_once),
		TEST(test_odd_buffers),
		TEST(test_target_and_actual),
		TEST(test_reset),
		TEST(test_statistics),
		TEST(test_saved_half_way),
		TEST(test_saved_state_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
