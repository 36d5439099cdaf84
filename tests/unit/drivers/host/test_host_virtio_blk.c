/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk made of registers and a ring: found, read, written; one that does not answer or breaks the */
/* rules of the ring is reset and asked again; one that cannot be reset fails soon. */
/* TEST_SOURCES: drivers/host/host_virtio_blk.c drivers/host/host_virtio.c drivers/host/host_vring.c drivers/host/disk_slots.c */
/* TEST_SOURCES: drivers/host/disk_pieces.c drivers/block/block.c hv/lib/string.c hv/lib/errno.c */
/* TEST_SOURCES: tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_checkpoint.c tests/unit/fakes/fake_page.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_sleep.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pci.ld */
#include "arch/mmio.h"
#include "drivers/host/host_disk.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/host_vring.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_page.h"
#include "tests/unit/fakes/fake_sleep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ISR    0x1000u
#define DEVICE 0x2000u
#define NOTIFY 0x3000u
#define BAR    0x4000u
#define STEP   4u
#define DISK   (1ul << 20)

extern const struct host_pci_driver *const host_pci_drivers_start[];

/* What it does with reads and writes. */
enum habit { ANSWERS, IS_SILENT, FAILS, BRINGS_TOO_LITTLE, NO_SUCH_ENTRY, NOT_A_HEAD, RUNS_AWAY };

static struct {
	uint8_t status;
	uint64_t offered, accepted;
	uint32_t select;
	uint16_t size, vector, enabled;
	uint64_t desc, avail, used;
	uint16_t seen;
	uint8_t config[VIRTIO_BLK_CONFIG];
	enum habit habit;
	bool once;	   /* then it answers, after a reset */
	bool stuck, sulks; /* does not come out of a reset; agrees to nothing */
	unsigned int resets, requests, kicks;
	uint32_t type; /* of the last request, */
	uint64_t sector;
	uint32_t len;
	uint8_t data[64 * 1024]; /* and what it wrote */
} dev;

static uint8_t bar[BAR];
static struct host_disk *disk;
static unsigned int failures;
static void (*irq)(void *arg);
static void *irq_arg, *kept[32]; /* drivers never let go of what they hold */
static unsigned int drivers;
static struct host_pci_dev pci;
static uint8_t space[256];

/* ---- the device ---- */

static void reset(void)
{
	dev.resets++;
	dev.habit = dev.once ? ANSWERS : dev.habit;
	dev.status = dev.stuck ? 1 : 0;
	dev.accepted = 0;
	dev.seen = dev.enabled = 0;
}

static void set_status(uint8_t val)
{
	if (val == 0) {
		reset();
	} else if (!(dev.sulks && (val & VIRTIO_FEATURES_OK))) {
		assert_int_equal(val & dev.status, dev.status); /* none is taken back */
		dev.status = val;
	}
}

uint8_t mmio_read8(const volatile void *reg)
{
	size_t at = (size_t)((const volatile uint8_t *)reg - bar);

	if (at == ISR) {
		return 1;
	}
	assert_int_equal(at, VIRTIO_COMMON_STATUS);
	return dev.status;
}

void mmio_write8(volatile void *reg, uint8_t val)
{
	assert_ptr_equal(reg, bar + VIRTIO_COMMON_STATUS);
	set_status(val);
}

uint16_t mmio_read16(const volatile void *reg)
{
	switch ((const volatile uint8_t *)reg - bar) {
	case VIRTIO_COMMON_NUM_QUEUES:
		return 1;
	case VIRTIO_COMMON_QUEUE_SIZE:
		return 256;
	case VIRTIO_COMMON_QUEUE_NOTIFY_OFF:
		return 3;
	case VIRTIO_COMMON_QUEUE_VECTOR:
		return dev.vector;
	default:
		fail_msg("read of another register");
		return 0;
	}
}

void mmio_write16(volatile void *reg, uint16_t val)
{
	switch ((volatile uint8_t *)reg - bar) {
	case VIRTIO_COMMON_CONFIG_VECTOR:
	case VIRTIO_COMMON_QUEUE_SELECT:
		break;
	case VIRTIO_COMMON_QUEUE_VECTOR:
		dev.vector = val;
		break;
	case VIRTIO_COMMON_QUEUE_SIZE:
		dev.size = val;
		break;
	case VIRTIO_COMMON_QUEUE_ENABLE:
		assert_int_equal(dev.status & VIRTIO_FEATURES_OK, VIRTIO_FEATURES_OK);
		dev.enabled = val;
		break;
	case NOTIFY + 3 * STEP:
		assert_int_equal(val, 0);
		dev.kicks++;
		break;
	default:
		fail_msg("write to another register");
	}
}

uint32_t mmio_read32(const volatile void *reg)
{
	size_t at = (size_t)((const volatile uint8_t *)reg - bar);

	if (at >= DEVICE && at < DEVICE + sizeof(dev.config)) {
		return bytes_get_le32(dev.config + at - DEVICE);
	}
	assert_int_equal(at, VIRTIO_COMMON_DEVICE_FEATURE);
	return (uint32_t)(dev.offered >> 32 * dev.select);
}

static void set_half(uint64_t *p, unsigned int half, uint32_t val)
{
	*p = (*p & ~(0xffffffffull << 32 * half)) | (uint64_t)val << 32 * half;
}

void mmio_write32(volatile void *reg, uint32_t val)
{
	unsigned int at = (unsigned int)((volatile uint8_t *)reg - bar);

	switch (at) {
	case VIRTIO_COMMON_DEVICE_FEATURE_SELECT:
	case VIRTIO_COMMON_DRIVER_FEATURE_SELECT:
		dev.select = val;
		break;
	case VIRTIO_COMMON_DRIVER_FEATURE:
		set_half(&dev.accepted, dev.select, val);
		break;
	default:
		assert_in_range(at, VIRTIO_COMMON_QUEUE_DESC, VIRTIO_COMMON_QUEUE_DEVICE + 4);
		set_half(at < VIRTIO_COMMON_QUEUE_DRIVER   ? &dev.desc
			 : at < VIRTIO_COMMON_QUEUE_DEVICE ? &dev.avail
							   : &dev.used,
			 at / 4 & 1, val);
	}
}

static const uint8_t *descriptor(unsigned int i)
{
	assert_true(i < dev.size);
	return (const uint8_t *)dev.desc + (size_t)16 * i;
}

static uint8_t *memory(const uint8_t *d)
{
	return (uint8_t *)bytes_get_le64(d);
}

/* The data descriptor's; what it wrote. */
static uint32_t move(const uint8_t *d)
{
	dev.len = bytes_get_le32(d + 8);
	if (bytes_get_le16(d + 12) & VIRTQ_DESC_WRITE) {
		memset(memory(d), dev.type == VIRTIO_BLK_T_GET_ID ? 'x' : 0xda, dev.len);
		return dev.len;
	}
	memcpy(dev.data, memory(d), dev.len);
	return 0;
}

static void complete(unsigned int head, uint32_t len)
{
	uint8_t *used = (uint8_t *)dev.used;
	uint16_t idx = bytes_get_le16(used + 2);
	uint8_t *entry = used + 4 + (size_t)8 * (idx % dev.size);

	bytes_put_le32(entry, dev.habit == NO_SUCH_ENTRY ? dev.size
			      : dev.habit == NOT_A_HEAD	 ? head + 1
							 : head);
	bytes_put_le32(entry + 4, dev.habit == BRINGS_TOO_LITTLE ? len - 1 : len);
	bytes_put_le16(used + 2, (uint16_t)(idx + (dev.habit == RUNS_AWAY ? 2 : 1)));
}

static void one(unsigned int head)
{
	const uint8_t *d = descriptor(head);
	uint32_t len = 0;

	dev.requests++;
	assert_int_equal(bytes_get_le32(d + 8), VIRTIO_BLK_HEADER);
	dev.type = bytes_get_le32(memory(d));
	dev.sector = bytes_get_le64(memory(d) + 8);
	d = descriptor(bytes_get_le16(d + 14));
	if (dev.habit == IS_SILENT) {
		return;
	}
	if (bytes_get_le16(d + 12) & VIRTQ_DESC_NEXT) {
		len = move(d);
		d = descriptor(bytes_get_le16(d + 14));
	}
	assert_int_equal(bytes_get_le32(d + 8), 1);
	assert_int_equal(bytes_get_le16(d + 12), VIRTQ_DESC_WRITE);
	*memory(d) = dev.habit == FAILS ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	complete(head, len + 1);
}

/* What happens while the driver waits; true: it interrupts. */
static bool controller(void)
{
	const uint8_t *avail = (const uint8_t *)dev.avail;
	bool any = false;

	while (dev.enabled && (dev.status & VIRTIO_DRIVER_OK) &&
	       dev.seen != bytes_get_le16(avail + 2)) {
		one(bytes_get_le16(avail + 4 + (size_t)2 * (dev.seen++ % dev.size)));
		any = dev.habit != IS_SILENT;
	}
	return any;
}

/* ---- the machine ---- */

static bool wake(void)
{
	bool interrupts = controller();

	if (interrupts) {
		irq(irq_arg);
	}
	return interrupts;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

uint32_t host_pci_read(const struct host_pci_dev *d, unsigned int off, unsigned int size)
{
	(void)d;
	return (uint32_t)bytes_get_le(space + off, size);
}

unsigned int host_pci_capability_after(const struct host_pci_dev *d, uint8_t id, unsigned int at)
{
	unsigned int next = at == 0 ? 0x40 : space[at + 1];

	(void)d;
	assert_int_equal(id, 9);
	return next;
}

volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size)
{
	(void)d;
	if (i == 5) { /* nothing but bells */
		return size <= MIB ? bar + NOTIFY : NULL;
	}
	return i == 4 && size <= BAR ? bar : NULL;
}

void host_pci_enable(struct host_pci_dev *d)
{
	(void)d;
}

int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	d->irq = HOST_PCI_MSIX;
	assert_true(drivers < ARRAY_SIZE(kept));
	kept[drivers++] = arg;
	irq = fn;
	irq_arg = arg;
	return 0;
}

void host_disk_add(struct host_disk *d, const char *kind)
{
	assert_string_equal(kind, "virtio");
	disk = d;
}

void host_disk_failed(struct host_disk *d, const char *what, uint64_t off, const char *why)
{
	(void)what;
	(void)off;
	(void)why;
	assert_ptr_equal(d, disk);
	failures++;
}

static void capability(unsigned int at, uint8_t next, uint8_t type, uint8_t in, uint32_t off,
		       uint32_t len)
{
	space[at + 1] = next;
	space[at + 3] = type;
	space[at + 4] = in;
	bytes_put_le32(space + at + 8, off);
	bytes_put_le32(space + at + 12, len);
}

/* As after power-on; a first capability in a BAR that there is not, and one beyond its BAR. */
static void plug(void)
{
	memset(&dev, 0, sizeof(dev));
	memset(space, 0, sizeof(space));
	pci = (struct host_pci_dev){ .vendor = 0x1af4, .device = 0x1042 };
	capability(0x40, 0x50, VIRTIO_PCI_CAP_COMMON, 7, 0, 56);
	capability(0x50, 0x60, VIRTIO_PCI_CAP_COMMON, 4, BAR - 8, 56);
	capability(0x60, 0x70, VIRTIO_PCI_CAP_COMMON, 4, 0, 56);
	capability(0x70, 0x80, VIRTIO_PCI_CAP_ISR, 4, ISR, 1);
	capability(0x80, 0x90, VIRTIO_PCI_CAP_DEVICE, 4, DEVICE, VIRTIO_BLK_CONFIG);
	capability(0x90, 0, VIRTIO_PCI_CAP_NOTIFY, 4, NOTIFY, 16);
	bytes_put_le32(space + 0x90 + 16, STEP);
	dev.offered = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_BLK_F_FLUSH) |
		      BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
	bytes_put_le64(dev.config + VIRTIO_BLK_CAPACITY, DISK / 512);
	bytes_put_le32(dev.config + VIRTIO_BLK_MAX_DISCARD, 1024);
	bytes_put_le32(dev.config + VIRTIO_BLK_DISCARD_ALIGN, 8);
	bytes_put_le32(dev.config + VIRTIO_BLK_MAX_ZEROES, 0xffffffff);
}

static int probe(void)
{
	assert_true(host_pci_drivers_start[0]->match(&pci));
	disk = NULL;
	fake_sleep_wakes = wake;
	return host_pci_drivers_start[0]->probe(&pci);
}

/* A device of its own for each case. */
static int setup(void **state)
{
	(void)state;
	failures = 0;
	plug();
	return probe() != 0 || disk == NULL;
}

static int transfer(bool write, uint8_t *buf, size_t len)
{
	struct block_vec v = { buf, len };

	return write ? block_write(&disk->dev, 8192, &v, 1) : block_read(&disk->dev, 8192, &v, 1);
}

/* ---- the cases ---- */

static void test_found(void **state)
{
	(void)state;
	assert_int_equal(disk->dev.size, DISK);
	assert_int_equal(disk->dev.granularity, 4096);
	assert_false(disk->dev.readonly);
	assert_true(disk->trims);
	assert_string_equal(disk->serial, "xxxxxxxxxxxxxxxxxxxx");
	assert_int_equal(dev.accepted, dev.offered & ~BIT(VIRTIO_F_EVENT_IDX));
	assert_int_equal(dev.vector, 0);
	assert_int_equal(dev.status, 15);
}

static void test_read_write(void **state)
{
	uint8_t buf[4096] = { 0 };

	(void)state;
	assert_int_equal(transfer(false, buf, sizeof(buf)), 0);
	assert_int_equal(buf[0] & buf[4095], 0xda);
	assert_int_equal(dev.sector, 16);
	memset(buf, 7, sizeof(buf));
	assert_int_equal(transfer(true, buf, sizeof(buf)), 0);
	assert_int_equal(dev.data[4095], 7);
	assert_int_equal(dev.len, 4096);
	assert_int_equal(block_flush(&disk->dev), 0);
	assert_int_equal(dev.type, VIRTIO_BLK_T_FLUSH);
	assert_int_equal(dev.requests, dev.kicks);
	assert_int_equal(failures, 0);
}

/* Longer than a buffer, and often: the ring goes round. */
static void test_pieces(void **state)
{
	uint8_t *buf = calloc(1, 200 * 1024);

	(void)state;
	dev.requests = 0;
	assert_int_equal(transfer(false, buf, 200 * 1024), 0);
	assert_int_equal(dev.requests, 4);
	assert_int_equal(dev.sector, 16 + 3 * 128);
	assert_int_equal(buf[200 * 1024 - 1], 0xda);
	for (unsigned int i = 0; i < 70000; i++) {
		assert_int_equal(transfer(false, buf, 512), 0);
	}
	free(buf);
}

static void test_ranges(void **state)
{
	(void)state;
	dev.requests = 0;
	assert_int_equal(block_discard(&disk->dev, 4096, 1024 * 1024 - 4096), 0);
	assert_int_equal(dev.requests, 2); /* of half a MiB at most */
	assert_int_equal(bytes_get_le64(dev.data), 8 + 1024);
	assert_int_equal(bytes_get_le32(dev.data + 8), 1024 - 8);
	assert_int_equal(dev.type, VIRTIO_BLK_T_DISCARD);
	assert_int_equal(block_write_zeroes(&disk->dev, 0, DISK, true), 0);
	assert_int_equal(dev.type, VIRTIO_BLK_T_WRITE_ZEROES);
	assert_int_equal(bytes_get_le32(dev.data + 8), DISK / 512);
	assert_int_equal(bytes_get_le32(dev.data + 12), 0);
}

/* The least that a device may be: no cache, no ranges; zeros go there as data. */
static void test_plain(void **state)
{
	(void)state;
	plug();
	dev.offered = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_BLK_F_SIZE_MAX);
	bytes_put_le32(dev.config + VIRTIO_BLK_SIZE_MAX, 1100);
	assert_int_equal(probe(), 0);
	dev.requests = 0;
	assert_int_equal(block_flush(&disk->dev), 0);
	assert_int_equal(block_discard(&disk->dev, 0, 4096), 0);
	assert_int_equal(dev.requests, 0);
	memset(dev.data, 1, sizeof(dev.data));
	assert_int_equal(block_write_zeroes(&disk->dev, 0, 4096, true), 0);
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
	capability(0x90, 0, VIRTIO_PCI_CAP_NOTIFY, 5, 0, 4 * MIB);
	assert_int_equal(probe(), 0);
	assert_int_equal(transfer(true, buf, sizeof(buf)), 0);
	assert_int_equal(dev.requests, dev.kicks);
}

static void test_error(void **state)
{
	uint8_t buf[512];

	(void)state;
	dev.resets = dev.requests = 0;
	dev.habit = FAILS;
	assert_int_equal(transfer(false, buf, sizeof(buf)), -EIO);
	assert_int_equal(block_flush(&disk->dev), -EIO);
	assert_int_equal(dev.requests, 2);
	assert_int_equal(dev.resets, 0);
	assert_int_equal(failures, 2);
}

/* What was not brought is what somebody else had in that buffer: nobody sees it. */
static void test_too_little(void **state)
{
	uint8_t buf[512] = { 0 };

	(void)state;
	dev.habit = BRINGS_TOO_LITTLE;
	assert_int_equal(transfer(false, buf, sizeof(buf)), -EIO);
	assert_int_equal(buf[0], 0);
}

static void test_silent(void **state)
{
	uint8_t buf[512];
	uint64_t begun = fake_sleep_now;

	(void)state;
	dev.resets = dev.requests = 0;
	dev.habit = IS_SILENT;
	dev.once = true;
	memset(buf, 9, sizeof(buf));
	assert_int_equal(transfer(true, buf, sizeof(buf)), 0);
	assert_int_equal(dev.data[0], 9);
	assert_int_equal(dev.requests, 2);
	assert_int_equal(dev.resets, 2); /* off at once, and again before it is set up */
	assert_in_range(fake_sleep_now - begun, 30000000000ul, 31000000000ul);
	dev.habit = IS_SILENT;
	dev.once = false;
	assert_int_equal(transfer(true, buf, sizeof(buf)), -EIO);
	assert_int_equal(failures, 1);
	dev.habit = ANSWERS;
	assert_int_equal(transfer(true, buf, sizeof(buf)), 0);
}

/* Used entries that there are not: a reset at once, and the request again. */
static void test_broken_ring(void **state)
{
	static const enum habit habits[] = { NO_SUCH_ENTRY, NOT_A_HEAD, RUNS_AWAY };
	uint8_t buf[512];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(habits); i++) {
		uint64_t begun = fake_sleep_now;

		dev.resets = 0;
		dev.habit = habits[i];
		dev.once = true;
		assert_int_equal(transfer(false, buf, sizeof(buf)), 0);
		assert_int_equal(buf[511], 0xda);
		assert_true(dev.resets > 0 && fake_sleep_now - begun < 1000000000ul);
	}
	assert_int_equal(failures, 0);
}

/* Does not come out of its reset: no half minutes of waiting, request after request; it may come back. */
static void test_gone(void **state)
{
	uint8_t buf[512];
	uint64_t begun;

	(void)state;
	dev.habit = IS_SILENT;
	dev.stuck = true;
	assert_int_equal(transfer(false, buf, sizeof(buf)), -EIO);
	begun = fake_sleep_now;
	assert_int_equal(transfer(false, buf, sizeof(buf)), -EIO);
	assert_true(fake_sleep_now - begun < 5000000000ul);
	dev.stuck = false;
	dev.habit = ANSWERS;
	assert_int_equal(transfer(false, buf, sizeof(buf)), 0);
}

/* After its reset it is another one: nothing more is asked of it. */
static void test_exchanged(void **state)
{
	uint8_t buf[512];

	(void)state;
	dev.habit = IS_SILENT;
	dev.once = true;
	dev.offered &= ~BIT(VIRTIO_BLK_F_FLUSH);
	assert_int_equal(transfer(false, buf, sizeof(buf)), -EIO);
	assert_int_equal(failures, 1);
}

static void test_refused(void **state)
{
	static const uint64_t sizes[] = { 0, BIT(57) / 512 + 1, ~0ul };

	(void)state;
	plug();
	dev.sulks = true;
	assert_int_equal(probe(), -ENOTSUP);
	plug();
	dev.offered &= ~BIT(VIRTIO_F_VERSION_1);
	assert_int_equal(probe(), -ENOTSUP);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		plug();
		bytes_put_le64(dev.config + VIRTIO_BLK_CAPACITY, sizes[i]);
		assert_int_equal(probe(), -ENOTSUP);
		assert_int_equal(dev.status, 0);
	}
	plug();
	dev.offered |= BIT(VIRTIO_BLK_F_BLK_SIZE);
	bytes_put_le32(dev.config + VIRTIO_BLK_BLK_SIZE, 4096);
	assert_int_equal(probe(), -ENOTSUP);
	plug();
	capability(0x90, 0, VIRTIO_PCI_CAP_NOTIFY, 4, NOTIFY, 12); /* no room for its bell */
	assert_int_equal(probe(), -ENODEV);
	plug();
	capability(0x60, 0x70, VIRTIO_PCI_CAP_COMMON, 4, 0, 55);
	assert_int_equal(probe(), -ENODEV);
	assert_null(disk);
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
