/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk made of registers and a ring: found, read, written; one that does not answer or breaks the */
/* rules of the ring is reset and asked again; one that cannot be reset fails soon. */
/* TEST_SOURCES: drivers/host/host_virtio_blk.c drivers/host/host_virtio.c drivers/host/host_vring.c drivers/host/disk_slots.c drivers/host/disk_job.c */
/* TEST_SOURCES: drivers/host/disk_pieces.c drivers/block/block.c hv/lib/string.c hv/lib/errno.c */
/* TEST_SOURCES: tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_checkpoint.c tests/unit/fakes/fake_page.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_sleep.c */
/* TEST_SOURCES: tests/unit/drivers/host/virtio_model.c */
/* TEST_SOURCES: tests/unit/drivers/host/disk_lab.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pci.ld */
#include "disk_lab.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_page.h"
#include "tests/unit/fakes/fake_sleep.h"
#include "virtio_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DISK (1ul << 20)

extern const struct host_pci_driver *const host_pci_drivers_start[];

/* What it does with reads and writes. */
enum habit { ANSWERS, IS_SILENT, FAILS, BRINGS_TOO_LITTLE };

static struct {
	enum habit habit;
	bool once; /* then it answers, and tells the truth, after a reset */
	unsigned int requests;
	uint32_t type; /* of the last request, */
	uint64_t sector;
	uint32_t len;
	uint8_t data[64 * 1024]; /* and what it wrote */
} dev;

static void *kept[32]; /* drivers never let go of what they hold */
static unsigned int drivers;

/* ---- the device ---- */

static void on_reset(void)
{
	if (dev.once) {
		dev.habit = ANSWERS;
		virtio_model.lie = VIRTIO_MODEL_IS_RIGHT;
	}
}

/* The data descriptor's; what it wrote. */
static uint32_t move(const uint8_t *d)
{
	dev.len = virtio_model_len(d);
	if (virtio_model_flags(d) & VIRTQ_DESC_WRITE) {
		memset(virtio_model_memory(d), dev.type == VIRTIO_BLK_T_GET_ID ? 'x' : 0xda,
		       dev.len);
		return dev.len;
	}
	memcpy(dev.data, virtio_model_memory(d), dev.len);
	return 0;
}

static void one(struct virtio_model_queue *q, unsigned int head)
{
	const uint8_t *d = virtio_model_descriptor(q, head);
	uint32_t len = 0;

	dev.requests++;
	assert_int_equal(virtio_model_len(d), VIRTIO_BLK_HEADER);
	dev.type = bytes_get_le32(virtio_model_memory(d));
	dev.sector = bytes_get_le64(virtio_model_memory(d) + 8);
	d = virtio_model_next(q, d);
	if (dev.habit == IS_SILENT) {
		return;
	}
	if (virtio_model_flags(d) & VIRTQ_DESC_NEXT) {
		len = move(d);
		d = virtio_model_next(q, d);
	}
	assert_int_equal(virtio_model_len(d), 1);
	assert_int_equal(virtio_model_flags(d), VIRTQ_DESC_WRITE);
	*virtio_model_memory(d) = dev.habit == FAILS ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	virtio_model_complete(q, head, dev.habit == BRINGS_TOO_LITTLE ? len : len + 1);
}

/* What happens while the driver waits; true: it interrupts. */
static bool controller(void)
{
	unsigned int head;
	bool any = false;

	while (virtio_model_take(&virtio_model.q[0], &head)) {
		one(&virtio_model.q[0], head);
		any = dev.habit != IS_SILENT;
	}
	return any;
}

/* ---- the machine ---- */

static bool wake(void)
{
	bool interrupts = controller();

	if (interrupts) {
		virtio_model.irq(virtio_model.arg);
	}
	return interrupts;
}

/* As after power-on. */
static void plug(void)
{
	memset(&dev, 0, sizeof(dev));
	virtio_model_power_on(0x1042, VIRTIO_BLK_CONFIG);
	virtio_model.on_reset = on_reset;
	virtio_model.queues = 1;
	virtio_model.first_bell = 3;
	virtio_model.offered |= BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_DISCARD) |
				BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	bytes_put_le64(virtio_model.config + VIRTIO_BLK_CAPACITY, DISK / 512);
	bytes_put_le32(virtio_model.config + VIRTIO_BLK_MAX_DISCARD, 1024);
	bytes_put_le32(virtio_model.config + VIRTIO_BLK_DISCARD_ALIGN, 8);
	bytes_put_le32(virtio_model.config + VIRTIO_BLK_MAX_ZEROES, 0xffffffff);
}

static int probe(void)
{
	int err;

	assert_true(host_pci_drivers_start[0]->match(&virtio_model_pci));
	disk_lab = NULL;
	fake_sleep_wakes = wake;
	err = host_pci_drivers_start[0]->probe(&virtio_model_pci);
	assert_true(drivers < ARRAY_SIZE(kept));
	kept[drivers++] = virtio_model.arg;
	return err;
}

/* A device of its own for each case. */
static int setup(void **state)
{
	(void)state;
	disk_lab_failures = 0;
	plug();
	return probe() != 0 || disk_lab == NULL;
}

/* ---- the cases ---- */

static void test_found(void **state)
{
	(void)state;
	assert_string_equal(disk_lab_kind, "virtio");
	assert_int_equal(disk_lab->dev.size, DISK);
	assert_int_equal(disk_lab->dev.granularity, 4096);
	assert_false(disk_lab->dev.readonly);
	assert_true(disk_lab->trims);
	assert_string_equal(disk_lab->serial, "xxxxxxxxxxxxxxxxxxxx");
	assert_int_equal(virtio_model.accepted, virtio_model.offered & ~BIT(VIRTIO_F_EVENT_IDX));
	assert_int_equal(virtio_model.q[0].vector, 0);
	assert_int_equal(virtio_model.status, 15);
}

static void test_read_write(void **state)
{
	uint8_t buf[4096] = { 0 };

	(void)state;
	assert_int_equal(disk_lab_read(buf, sizeof(buf)), 0);
	assert_int_equal(buf[0] & buf[4095], 0xda);
	assert_int_equal(dev.sector, 16);
	memset(buf, 7, sizeof(buf));
	assert_int_equal(disk_lab_write(buf, sizeof(buf)), 0);
	assert_int_equal(dev.data[4095], 7);
	assert_int_equal(dev.len, 4096);
	assert_int_equal(block_flush(&disk_lab->dev), 0);
	assert_int_equal(dev.type, VIRTIO_BLK_T_FLUSH);
	assert_int_equal(dev.requests, virtio_model.q[0].kicks);
	assert_int_equal(disk_lab_failures, 0);
}

/* Longer than a buffer, and often: the ring goes round. */
static void test_pieces(void **state)
{
	uint8_t *buf = calloc(1, 200 * 1024);

	(void)state;
	dev.requests = 0;
	assert_int_equal(disk_lab_read(buf, 200 * 1024), 0);
	assert_int_equal(dev.requests, 4);
	assert_int_equal(dev.sector, 16 + 3 * 128);
	assert_int_equal(buf[200 * 1024 - 1], 0xda);
	for (unsigned int i = 0; i < 70000; i++) {
		assert_int_equal(disk_lab_read(buf, 512), 0);
	}
	free(buf);
}

static void test_ranges(void **state)
{
	(void)state;
	dev.requests = 0;
	assert_int_equal(block_discard(&disk_lab->dev, 4096, 1024 * 1024 - 4096), 0);
	assert_int_equal(dev.requests, 2); /* of half a MiB at most */
	assert_int_equal(bytes_get_le64(dev.data), 8 + 1024);
	assert_int_equal(bytes_get_le32(dev.data + 8), 1024 - 8);
	assert_int_equal(dev.type, VIRTIO_BLK_T_DISCARD);
	assert_int_equal(block_write_zeroes(&disk_lab->dev, 0, DISK, true), 0);
	assert_int_equal(dev.type, VIRTIO_BLK_T_WRITE_ZEROES);
	assert_int_equal(bytes_get_le32(dev.data + 8), DISK / 512);
	assert_int_equal(bytes_get_le32(dev.data + 12), 0);
}

/* The least that a device may be: no cache, no ranges; zeros go there as data. */
static void test_plain(void **state)
{
	(void)state;
	plug();
	virtio_model.offered = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_BLK_F_SIZE_MAX);
	bytes_put_le32(virtio_model.config + VIRTIO_BLK_SIZE_MAX, 1100);
	assert_int_equal(probe(), 0);
	dev.requests = 0;
	assert_int_equal(block_flush(&disk_lab->dev), 0);
	assert_int_equal(block_discard(&disk_lab->dev, 0, 4096), 0);
	assert_int_equal(dev.requests, 0);
	memset(dev.data, 1, sizeof(dev.data));
	assert_int_equal(block_write_zeroes(&disk_lab->dev, 0, 4096, true), 0);
	assert_int_equal(dev.requests, 4);
	assert_int_equal(dev.type, VIRTIO_BLK_T_OUT);
	assert_int_equal(dev.len, 1024);
	assert_int_equal(dev.data[0] | dev.data[1023], 0);
}

/* A page of bells for each of a thousand queues: no more is mapped than will be rung. */
static void test_many_bells(void **state)
{
	uint8_t buf[512];

	(void)state;
	plug();
	virtio_model_capability(VIRTIO_MODEL_BELLS, 5, 0, 4 * MIB);
	assert_int_equal(probe(), 0);
	assert_int_equal(disk_lab_write(buf, sizeof(buf)), 0);
	assert_int_equal(dev.requests, virtio_model.q[0].kicks);
}

static void test_error(void **state)
{
	uint8_t buf[512];

	(void)state;
	virtio_model.resets = dev.requests = 0;
	dev.habit = FAILS;
	assert_int_equal(disk_lab_read(buf, sizeof(buf)), -EIO);
	assert_int_equal(block_flush(&disk_lab->dev), -EIO);
	assert_int_equal(dev.requests, 2);
	assert_int_equal(virtio_model.resets, 0);
	assert_int_equal(disk_lab_failures, 2);
}

/* What was not brought is what somebody else had in that buffer: nobody sees it. */
static void test_too_little(void **state)
{
	uint8_t buf[512] = { 0 };

	(void)state;
	dev.habit = BRINGS_TOO_LITTLE;
	assert_int_equal(disk_lab_read(buf, sizeof(buf)), -EIO);
	assert_int_equal(buf[0], 0);
}

static void test_silent(void **state)
{
	uint8_t buf[512];
	uint64_t begun = fake_sleep_now;

	(void)state;
	virtio_model.resets = dev.requests = 0;
	dev.habit = IS_SILENT;
	dev.once = true;
	memset(buf, 9, sizeof(buf));
	assert_int_equal(disk_lab_write(buf, sizeof(buf)), 0);
	assert_int_equal(dev.data[0], 9);
	assert_int_equal(dev.requests, 2);
	assert_int_equal(virtio_model.resets, 2); /* off at once, and again before it is set up */
	assert_in_range(fake_sleep_now - begun, 30000000000ul, 31000000000ul);
	dev.habit = IS_SILENT;
	dev.once = false;
	assert_int_equal(disk_lab_write(buf, sizeof(buf)), -EIO);
	assert_int_equal(disk_lab_failures, 1);
	dev.habit = ANSWERS;
	assert_int_equal(disk_lab_write(buf, sizeof(buf)), 0);
}

/* Used entries that there are not: a reset at once, and the request again. */
static void test_broken_ring(void **state)
{
	static const enum virtio_model_lie lies[] = { VIRTIO_MODEL_NO_SUCH_ENTRY,
						      VIRTIO_MODEL_NOT_A_HEAD, VIRTIO_MODEL_TWICE,
						      VIRTIO_MODEL_RUNS_AWAY };
	uint8_t buf[512];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(lies); i++) {
		uint64_t begun = fake_sleep_now;

		virtio_model.resets = 0;
		virtio_model.lie = lies[i];
		dev.once = true;
		assert_int_equal(disk_lab_read(buf, sizeof(buf)), 0);
		assert_int_equal(buf[511], 0xda);
		assert_true(virtio_model.resets > 0 && fake_sleep_now - begun < 1000000000ul);
	}
	assert_int_equal(disk_lab_failures, 0);
}

/* Does not come out of its reset: no half minutes of waiting, request after request; it may come back. */
static void test_gone(void **state)
{
	uint8_t buf[512];
	uint64_t begun;

	(void)state;
	dev.habit = IS_SILENT;
	virtio_model.stuck = true;
	assert_int_equal(disk_lab_read(buf, sizeof(buf)), -EIO);
	begun = fake_sleep_now;
	assert_int_equal(disk_lab_read(buf, sizeof(buf)), -EIO);
	assert_true(fake_sleep_now - begun < 5000000000ul);
	virtio_model.stuck = false;
	dev.habit = ANSWERS;
	assert_int_equal(disk_lab_read(buf, sizeof(buf)), 0);
}

/* After its reset it is another one: nothing more is asked of it. */
static void test_exchanged(void **state)
{
	uint8_t buf[512];

	(void)state;
	dev.habit = IS_SILENT;
	dev.once = true;
	virtio_model.offered &= ~BIT(VIRTIO_BLK_F_FLUSH);
	assert_int_equal(disk_lab_read(buf, sizeof(buf)), -EIO);
	assert_int_equal(disk_lab_failures, 1);
}

static void test_refused(void **state)
{
	static const uint64_t sizes[] = { 0, BIT(57) / 512 + 1, ~0ul };

	(void)state;
	plug();
	virtio_model.sulks = true;
	assert_int_equal(probe(), -ENOTSUP);
	plug();
	virtio_model.offered &= ~BIT(VIRTIO_F_VERSION_1);
	assert_int_equal(probe(), -ENOTSUP);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		plug();
		bytes_put_le64(virtio_model.config + VIRTIO_BLK_CAPACITY, sizes[i]);
		assert_int_equal(probe(), -ENOTSUP);
		assert_int_equal(virtio_model.status, 0);
	}
	plug();
	virtio_model.offered |= BIT(VIRTIO_BLK_F_BLK_SIZE);
	bytes_put_le32(virtio_model.config + VIRTIO_BLK_BLK_SIZE, 4096);
	assert_int_equal(probe(), -ENOTSUP);
	plug();
	virtio_model_capability(VIRTIO_MODEL_BELLS, 4, VIRTIO_MODEL_NOTIFY,
				12); /* no room for its bell */
	assert_int_equal(probe(), -ENODEV);
	plug();
	virtio_model_capability(VIRTIO_MODEL_COMMON, 4, 0, VIRTIO_COMMON_SIZE - 1);
	assert_int_equal(probe(), -ENODEV);
	assert_null(disk_lab);
}

static void test_memory(void **state)
{
	unsigned long live = fake_page_live;

	(void)state;
	for (unsigned long n = 0; n < 6; n++) {
		plug();
		fake_page_limit = n;
		assert_int_equal(probe(), -ENOMEM);
		fake_page_limit = ~0ul;
		assert_int_equal(fake_page_live, live);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_found, setup),
		cmocka_unit_test_setup(test_read_write, setup),
		cmocka_unit_test_setup(test_pieces, setup),
		cmocka_unit_test_setup(test_ranges, setup),
		cmocka_unit_test_setup(test_plain, setup),
		cmocka_unit_test(test_many_bells),
		cmocka_unit_test_setup(test_error, setup),
		cmocka_unit_test_setup(test_too_little, setup),
		cmocka_unit_test_setup(test_silent, setup),
		cmocka_unit_test_setup(test_broken_ring, setup),
		cmocka_unit_test_setup(test_gone, setup),
		cmocka_unit_test_setup(test_exchanged, setup),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
