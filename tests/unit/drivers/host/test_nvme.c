/* SPDX-License-Identifier: BSD-2-Clause */
/* An NVMe controller made of registers, with one disk: found, read, written; one that does not answer is */
/* reset and asked again; one that is gone fails soon. */
/* TEST_SOURCES: drivers/host/nvme.c drivers/host/nvme_disk.c drivers/host/nvme_queue.c drivers/host/disk_slots.c drivers/host/disk_job.c drivers/host/disk_pieces.c drivers/block/block.c hv/lib/string.c hv/lib/errno.c */
/* TEST_SOURCES: tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_checkpoint.c tests/unit/fakes/fake_page.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_sleep.c */
/* TEST_SOURCES: tests/unit/drivers/host/disk_lab.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pci.ld */
#include "disk_lab.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/nvme.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_sleep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DEPTH 16u

extern const struct host_pci_driver *const host_pci_drivers_start[];

enum habit { ANSWERS, IS_SILENT, IS_SILENT_ONCE, FAILS };

struct queue {
	uint8_t *sq, *cq;
	unsigned int head, tail, phase;
};

static struct {
	uint32_t regs[0x2000 / 4];
	struct queue q[2];
	enum habit habit; /* of reads and writes */
	bool babbles;	  /* completes what it was not told */
	unsigned int commands, resets;
	uint8_t last[64];	 /* of them: as it was submitted, */
	uint8_t data[PAGE_SIZE]; /* and what it wrote */
} nvme;

static void (*irq)(void *arg);
static void *irq_arg;
static bool to_stop;

/* ---- the controller ---- */

static void identify(const uint8_t *e)
{
	uint8_t *page = (uint8_t *)bytes_get_le64(e + 24);

	memset(page, 0, PAGE_SIZE);
	switch (bytes_get_le32(e + 40)) {
	case 0:
		bytes_put_le64(page, 2048);	      /* sectors, */
		bytes_put_le32(page + 128, 9u << 16); /* of 512 bytes */
		break;
	case 1:
		page[525] = 1;		       /* a cache */
		bytes_put_le16(page + 520, 4); /* dataset management */
		break;
	default:
		bytes_put_le32(page, 1);
	}
}

static void admin(const uint8_t *e)
{
	if (e[0] == 6) {
		identify(e);
	} else if (e[0] == 5) {
		nvme.q[1] = (struct queue){ .cq = (uint8_t *)bytes_get_le64(e + 24), .phase = 1 };
	} else {
		nvme.q[1].sq = (uint8_t *)bytes_get_le64(e + 24);
	}
}

static void end(struct queue *q, uint16_t id, uint16_t status)
{
	uint8_t *c = q->cq + q->tail * 16;

	bytes_put_le32(c + 12,
		       (nvme.babbles ? 0xffffu : id) | q->phase << 16 | (uint32_t)status << 17);
	q->tail = (q->tail + 1) % DEPTH;
	q->phase ^= q->tail == 0;
}

/* False: nothing comes of it. */
static bool io(const uint8_t *e)
{
	uint8_t *data = (uint8_t *)bytes_get_le64(e + 24);

	nvme.commands++;
	memcpy(nvme.last, e, sizeof(nvme.last));
	if (nvme.habit == IS_SILENT || nvme.habit == IS_SILENT_ONCE) {
		return false;
	}
	if (e[0] == 2) {
		memset(data, 0xda, PAGE_SIZE);
	} else if (data != NULL) {
		memcpy(nvme.data, data, PAGE_SIZE);
	}
	return true;
}

static bool serve(unsigned int i)
{
	struct queue *q = &nvme.q[i];
	bool any = false;

	while (q->sq != NULL && q->head != nvme.regs[0x1000 / 4 + 2 * i]) {
		const uint8_t *e = q->sq + q->head * 64;

		q->head = (q->head + 1) % DEPTH;
		if (i == 0) {
			admin(e);
		}
		if (i == 0 || io(e)) {
			end(q, bytes_get_le16(e + 2), i == 1 && nvme.habit == FAILS ? 0x281 : 0);
			any = true;
		}
	}
	return any;
}

static void turned_off(void)
{
	if (nvme.regs[7] == 1) {
		nvme.resets++;
		nvme.habit = nvme.habit == IS_SILENT_ONCE ? ANSWERS : nvme.habit;
	}
	memset(nvme.q, 0, sizeof(nvme.q));
	memset(nvme.regs + 0x1000 / 4, 0, 16);
	nvme.regs[7] = 0;
}

/* What happens while the driver waits; true: it interrupts. */
static bool controller(void)
{
	if (nvme.regs[7] == ~0u) {
		return false;
	}
	if ((nvme.regs[5] & 1) == 0) {
		turned_off();
	} else if (nvme.regs[7] == 0) {
		nvme.regs[7] = 1;
		nvme.q[0] = (struct queue){
			.sq = (uint8_t *)(nvme.regs[10] | (uint64_t)nvme.regs[11] << 32),
			.cq = (uint8_t *)(nvme.regs[12] | (uint64_t)nvme.regs[13] << 32),
			.phase = 1
		};
	}
	return (int)serve(0) | (int)serve(1);
}

/* ---- the machine ---- */

static void go_on(void)
{
	(void)controller();
}

/* The interrupt comes, or another request's time is over. */
static bool wake(void)
{
	struct disk_slots *s = &((struct nvme *)irq_arg)->io.slots;

	if (to_stop) {
		to_stop = false;
		spin_lock(&s->lock);
		disk_slots_stop(s);
		spin_unlock(&s->lock);
	} else if (controller()) {
		irq(irq_arg);
	} else {
		return false;
	}
	return true;
}

volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size)
{
	(void)d;
	(void)i;
	return size <= sizeof(nvme.regs) ? nvme.regs : NULL;
}

void host_pci_enable(struct host_pci_dev *d)
{
	(void)d;
}

int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	(void)d;
	irq = fn;
	irq_arg = arg;
	return 0;
}

/* Found once, as at boot; never taken apart. */
static int find(void **state)
{
	static struct host_pci_dev pci = { .class = 0x010802 };

	(void)state;
	fake_sleep_meanwhile = go_on;
	fake_sleep_wakes = wake;
	return host_pci_drivers_start[0]->probe(&pci) != 0 || disk_lab == NULL;
}

static int setup(void **state)
{
	(void)state;
	nvme.commands = nvme.resets = disk_lab_failures = 0;
	nvme.habit = ANSWERS;
	return 0;
}

/* ---- the cases ---- */

static void test_read_write(void **state)
{
	uint8_t buf[PAGE_SIZE] = { 0 };

	(void)state;
	assert_string_equal(disk_lab_kind, "nvme");
	assert_int_equal(disk_lab->dev.size, 1 << 20);
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), 0);
	assert_int_equal(buf[PAGE_SIZE - 1], 0xda);
	memset(buf, 7, sizeof(buf));
	assert_int_equal(disk_lab_write(buf, PAGE_SIZE), 0);
	assert_int_equal(nvme.data[PAGE_SIZE - 1], 7);
	assert_int_equal(bytes_get_le32(nvme.last + 40), 16);
	assert_int_equal(bytes_get_le32(nvme.last + 48), 7);
	assert_int_equal(block_flush(&disk_lab->dev), 0);
	assert_int_equal(nvme.last[0], 0);
	assert_int_equal(nvme.resets, 0);
}

static void test_discard(void **state)
{
	(void)state;
	assert_int_equal(block_discard(&disk_lab->dev, 4096, 8192), 0);
	assert_int_equal(nvme.last[0], 9);
	assert_int_equal(bytes_get_le32(nvme.data + 4), 16);
	assert_int_equal(bytes_get_le64(nvme.data + 8), 8);
}

static void test_zeroes(void **state)
{
	(void)state;
	memset(nvme.data, 7, sizeof(nvme.data));
	assert_int_equal(block_write_zeroes(&disk_lab->dev, 0, PAGE_SIZE, false), 0);
	assert_int_equal(nvme.last[0], 1);
	assert_int_equal(nvme.data[0] | nvme.data[PAGE_SIZE - 1], 0);
}

static void test_error(void **state)
{
	uint8_t buf[PAGE_SIZE];

	(void)state;
	nvme.habit = FAILS;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), -EIO);
	assert_int_equal(nvme.commands, 1);
	assert_int_equal(nvme.resets, 0);
	assert_int_equal(disk_lab_failures, 1);
}

/* The data of a write is there again, and nobody hears of it. */
static void test_silent_once(void **state)
{
	uint8_t buf[PAGE_SIZE];

	(void)state;
	memset(buf, 9, sizeof(buf));
	memset(nvme.data, 0, sizeof(nvme.data));
	nvme.habit = IS_SILENT_ONCE;
	assert_int_equal(disk_lab_write(buf, PAGE_SIZE), 0);
	assert_int_equal(nvme.commands, 2);
	assert_int_equal(nvme.resets, 1);
	assert_int_equal(nvme.data[0], 9);
	assert_int_equal(disk_lab_failures, 0);
}

static void test_silent(void **state)
{
	uint8_t buf[PAGE_SIZE];

	(void)state;
	nvme.habit = IS_SILENT;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), -EIO);
	assert_int_equal(nvme.commands, 2);
	assert_int_equal(nvme.resets, 2);
	assert_int_equal(disk_lab_failures, 1);
	nvme.habit = ANSWERS;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), 0);
}

/* All ones: no seconds of waiting for it, request after request; it may come back. */
static void test_gone(void **state)
{
	uint8_t buf[PAGE_SIZE];
	uint64_t begun;

	(void)state;
	nvme.habit = IS_SILENT;
	nvme.regs[0] = nvme.regs[7] = ~0u;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), -EIO);
	begun = fake_sleep_now;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), -EIO);
	assert_true(fake_sleep_now - begun < 1000000000ul);
	nvme.regs[0] = 0;
	turned_off();
	nvme.habit = ANSWERS;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), 0);
}

/* Whom another one's time-out stops has its command tried again. */
static void test_stopped(void **state)
{
	uint8_t buf[PAGE_SIZE];

	(void)state;
	nvme.habit = IS_SILENT_ONCE;
	to_stop = true;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), 0);
	assert_int_equal(buf[0], 0xda);
	assert_int_equal(nvme.resets, 1);
	assert_int_equal(disk_lab_failures, 0);
}

/* A completion of no command is nobody's: as if there were no answer. */
static void test_no_such_command(void **state)
{
	uint8_t buf[PAGE_SIZE];

	(void)state;
	nvme.babbles = true;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), -EIO);
	nvme.babbles = false;
	assert_int_equal(disk_lab_read(buf, PAGE_SIZE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read_write, setup),
		cmocka_unit_test_setup(test_discard, setup),
		cmocka_unit_test_setup(test_zeroes, setup),
		cmocka_unit_test_setup(test_error, setup),
		cmocka_unit_test_setup(test_silent_once, setup),
		cmocka_unit_test_setup(test_silent, setup),
		cmocka_unit_test_setup(test_gone, setup),
		cmocka_unit_test_setup(test_stopped, setup),
		cmocka_unit_test_setup(test_no_such_command, setup),
	};

	return cmocka_run_group_tests(tests, find, NULL);
}
