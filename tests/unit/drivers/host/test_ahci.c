/* SPDX-License-Identifier: BSD-2-Clause */
/* One AHCI port with a disk made of registers: commands, queued ones, disks that do not answer, give too */
/* little, or cannot be reset; a controller that says it has more ports than registers. */
/* TEST_SOURCES: drivers/host/ahci.c drivers/host/ahci_port.c drivers/host/disk_slots.c drivers/host/disk_job.c */
/* TEST_SOURCES: drivers/block/block.c hv/lib/string.c hv/lib/errno.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c tests/unit/fakes/fake_page.c tests/unit/fakes/fake_heap.c */
/* TEST_SOURCES: tests/unit/fakes/fake_panic_abort.c tests/unit/fakes/fake_sleep.c */
/* TEST_SOURCES: tests/unit/drivers/host/ata_cases.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pci.ld */
#include "ata_cases.h"
#include "drivers/host/ahci.h"
#include "drivers/host/host_pci.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_page.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_sleep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "Port Registers", in words */
enum { IS = 4, CMD = 6, TFD = 8, SIG = 9, SSTS = 10, SCTL = 11, SACT = 13, CI = 14 };

extern const struct host_pci_driver *const host_pci_drivers_start[], *const host_pci_drivers_end[];

static uint32_t hba[4096 / 4];
static uint32_t *regs; /* the port's */
static struct ahci_port port;
static uint64_t bar_size;
static void *irq_arg;

static uint8_t moved[ATA_CASES_BYTES];
static bool stuck; /* the disk's engines never stop */

/* ---- the disk and its controller ---- */

static void follow(uint32_t asked, uint32_t runs)
{
	if ((regs[CMD] & asked) != 0) {
		regs[CMD] |= runs;
	} else if (!stuck) {
		regs[CMD] &= ~runs;
		if (asked == 1) {
			regs[CI] = regs[SACT] = 0;
		}
	}
}

/* What happens while the driver waits. */
static void controller(void)
{
	hba[1] &= ~1u; /* the whole controller's reset ends */
	follow(0x01, 0x8000);
	follow(0x10, 0x4000);
	if ((regs[SCTL] & 1) != 0) {
		ata_fake_reset();
	}
	regs[SSTS] = (regs[SCTL] & 1) != 0 ? 0 : 3;
}

static unsigned int slots_held(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		n += port.slots.slot[i].busy.owner != NULL;
	}
	return n;
}

static const uint8_t *fis_of(unsigned int slot)
{
	return port.lists + 0x800 + slot * 0x100;
}

static void interrupt(uint32_t cause, uint32_t status)
{
	regs[IS] = cause;
	regs[TFD] = status;
	ahci_port_irq(&port);
	regs[IS] = 0;
}

/* One that is not queued. */
static void end_command(void)
{
	bool bad = ata_fake.habit == ATA_HAS_BAD_SECTOR;

	assert_int_equal(regs[CI], 1);
	assert_int_equal(regs[SACT], 0);
	assert_int_equal(slots_held(), DISK_SLOTS);
	bytes_put_le32(port.lists + 4, ata_fake_end(port.slots.slot[0].buffer));
	regs[CI] = bad ? 1 : 0;
	interrupt(bad ? 0x40000000 : 1, bad ? 0x4051 : 0x50);
}

static void (*queue_has)(unsigned int commands); /* what happens then */

/* The disk has taken all that is queued. */
static void take_queue(void)
{
	assert_int_equal(regs[CI] & ~regs[SACT], 0);
	regs[CI] = 0;
	queue_has(slots_held());
}

/* ---- the machine ---- */

static bool wake(void)
{
	bool ends;

	controller();
	ends = (regs[CI] | regs[SACT]) != 0 && (regs[CMD] & 1) != 0 && !ata_fake_is_silent();
	if (ends && regs[SACT] != 0) {
		take_queue();
	} else if (ends) {
		end_command();
	}
	return ends;
}

volatile void *host_pci_bar_map(const struct host_pci_dev *d, unsigned int i, uint64_t size)
{
	(void)d;
	(void)i;
	return size <= bar_size ? hba : NULL;
}

void host_pci_enable(struct host_pci_dev *d)
{
	(void)d;
}

int host_pci_irq_request(struct host_pci_dev *d, void (*fn)(void *arg), void *arg)
{
	(void)d;
	(void)fn;
	irq_arg = arg;
	return 0;
}

int ata_disk_add(struct ata_disk *d, const uint8_t *raw, const char *kind)
{
	(void)d;
	(void)raw;
	(void)kind;
	return -ENOTSUP;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

static int setup(void **state)
{
	(void)state;
	memset(hba, 0, sizeof(hba));
	memset(&ata_fake, 0, sizeof(ata_fake));
	memset(&port, 0, sizeof(port));
	regs = hba + 0x100 / 4;
	regs[SIG] = 0x101;
	regs[SSTS] = 3;
	regs[TFD] = 0x50;
	port.regs = regs;
	port.wide = true;
	fake_sleep_meanwhile = controller;
	fake_sleep_wakes = wake;
	return ahci_port_start(&port);
}

static int teardown(void **state)
{
	(void)state;
	stuck = false;
	ahci_port_free(&port);
	return fake_page_live != 0;
}

static int move(bool write, uint64_t lba, bool queued, const char **why)
{
	const struct ata_command cmd = { .code = write ? ATA_WRITE_DMA_EXT : ATA_READ_DMA_EXT,
					 .lba = lba,
					 .count = ATA_CASES_BYTES / 512,
					 .wide = true };
	const struct block_vec v = { moved, sizeof(moved) };
	const struct disk_job j = {
		.command = &cmd, .v = &v, .n = 1, .bytes = sizeof(moved), .reads = !write
	};

	return ahci_port_run(&port, &j, queued, why);
}

int ata_cases_read(const char **why)
{
	memset(moved, 0, sizeof(moved));
	return move(false, 0, false, why);
}

const uint8_t *ata_cases_buffer(void)
{
	return moved;
}

bool ata_cases_is_idle(void)
{
	return regs[CI] == 0 && regs[SACT] == 0;
}

/* ---- the cases ---- */

/* Nothing is asked of a port that does not stop: each request fails in seconds, until it does. */
static void test_stuck(void **state)
{
	const char *why;
	uint64_t begun;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT;
	stuck = true;
	assert_int_equal(ata_cases_read(&why), -EIO);
	begun = fake_sleep_now;
	assert_int_equal(ata_cases_read(&why), -EIO);
	assert_string_equal(why, "the disk does not answer");
	assert_true(fake_sleep_now - begun < 10000000000ul);
	stuck = false;
	ata_fake.habit = ATA_ANSWERS;
	assert_int_equal(ata_cases_read(&why), 0);
}

/* ---- queued commands ---- */

static unsigned int inner; /* results, less a success each */

/* The first one is answered when there is another, and after it. */
static void answer_two(unsigned int commands)
{
	const char *why;

	if (commands == 1) {
		inner += move(true, 0x123456789a, true, &why) != 0;
		return;
	}
	assert_int_equal(commands, 2);
	assert_int_equal(regs[SACT], 2); /* what was written: it adds to what is there */
	assert_int_equal(fis_of(0)[2], ATA_READ_FPDMA_QUEUED);
	assert_int_equal(fis_of(1)[2], ATA_WRITE_FPDMA_QUEUED);
	assert_int_equal(fis_of(1)[3], ATA_CASES_BYTES / 512); /* the count, */
	assert_int_equal(fis_of(1)[4], 0x9a);		       /* the address, */
	assert_int_equal(fis_of(1)[9], 0x12);
	assert_int_equal(fis_of(1)[12], 1 << 3); /* the tag */
	assert_int_equal(bytes_get_le32(port.lists + 0), 0x10005);
	assert_int_equal(bytes_get_le32(port.lists + 32), 0x10045);
	memset(port.slots.slot[0].buffer, 0xda, ATA_CASES_BYTES);
	regs[SACT] = 1;
	interrupt(8, 0x50);
	regs[SACT] = 0;
	interrupt(8, 0x50);
}

static void test_queue(void **state)
{
	const char *why;

	(void)state;
	inner = 0;
	queue_has = answer_two;
	memset(moved, 0, sizeof(moved));
	ata_fake.resets = 0;
	assert_int_equal(move(false, 0, true, &why), 0);
	assert_int_equal(inner, 0);
	assert_int_equal(moved[ATA_CASES_BYTES - 1], 0xda);
	assert_int_equal(ata_fake.resets, 0);
	assert_true(ata_cases_is_idle());
}

static void fail_queue(unsigned int commands)
{
	(void)commands;
	ata_fake.habit = ATA_ANSWERS; /* the other command's sector was the bad one */
	interrupt(0x40000000, 0x4041);
}

/* An error of another one ends the queue: asked once more, not queued, it is answered. */
static void test_queue_error(void **state)
{
	const char *why;

	(void)state;
	queue_has = fail_queue;
	memset(moved, 0, sizeof(moved));
	ata_fake.ended = ata_fake.resets = 0;
	assert_int_equal(move(false, 0, true, &why), 0);
	assert_int_equal(moved[0], 0xda);
	assert_int_equal(fis_of(0)[2], ATA_READ_DMA_EXT);
	assert_int_equal(ata_fake.ended, 1);
	assert_int_equal(ata_fake.resets, 1);
}

static void fail_both(unsigned int commands)
{
	(void)commands;
	ata_fake.habit = ATA_HAS_BAD_SECTOR;
	interrupt(0x40000000, 0x4041);
}

static void test_queue_bad_sector(void **state)
{
	const char *why;

	(void)state;
	queue_has = fail_both;
	ata_fake.resets = 0;
	assert_int_equal(move(false, 0, true, &why), -EIO);
	assert_string_equal(why, "the disk reports an error");
	ata_fake.habit = ATA_ANSWERS;
	assert_int_equal(ata_cases_read(&why), 0);
	assert_int_equal(ata_fake.resets, 2);
}

/* Nobody has its buffer before the port was reset. */
static void test_queue_silent(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT_ONCE;
	ata_fake.ended = ata_fake.resets = 0;
	assert_int_equal(move(false, 0, true, &why), 0);
	assert_int_equal(ata_fake.ended, 1);
	assert_int_equal(ata_fake.resets, 1);
	assert_int_equal(port.unqueued, 1);
}

/* It is asked twice, as others are; of a port that cannot be reset nothing more is asked. */
static void test_queue_dead(void **state)
{
	const char *why;
	uint64_t begun = fake_sleep_now;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT;
	ata_fake.resets = 0;
	assert_int_equal(move(false, 0, true, &why), -EIO);
	assert_string_equal(why, "the disk does not answer");
	assert_int_equal(ata_fake.resets, 2);
	assert_true(fake_sleep_now - begun < 61000000000ul);
	assert_int_equal(port.unqueued, 0);
	stuck = true;
	assert_int_equal(move(false, 0, true, &why), -EIO);
	begun = fake_sleep_now;
	assert_int_equal(move(false, 0, true, &why), -EIO);
	assert_true(fake_sleep_now - begun < 3000000000ul);
}

/* The next one finds a port that was stopped: that is none of its two tries. */
static void test_after_an_error(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_HAS_BAD_SECTOR;
	assert_int_equal(ata_cases_read(&why), -EIO);
	ata_fake.habit = ATA_IS_SILENT;
	ata_fake.resets = 0;
	assert_int_equal(ata_cases_read(&why), -EIO);
	assert_int_equal(ata_fake.resets, 3);
}

/* Pages that it may write yet are nobody else's. */
static void test_stuck_is_not_freed(void **state)
{
	unsigned long live = fake_page_live;

	(void)state;
	controller(); /* the engines run */
	stuck = true;
	ahci_port_free(&port);
	assert_int_equal(fake_page_live, live);
}

/* Whatever PI says: behind what is mapped there is nothing, or something else. */
static void test_ports(void **state)
{
	struct host_pci_dev pci = { .class = 0x010601 };

	(void)state;
	bar_size = 0x400;
	regs[SIG] = 0xeb140101; /* a CD drive: no disk is looked for */
	hba[3] = ~0u;
	memset(hba + 0x400 / 4, 0x03, 0xc00);
	assert_int_equal(host_pci_drivers_end - host_pci_drivers_start, 1);
	assert_true(host_pci_drivers_start[0]->match(&pci));
	assert_int_equal(host_pci_drivers_start[0]->probe(&pci), 0);
	for (unsigned int i = 0x400 / 4; i < ARRAY_SIZE(hba); i++) {
		assert_int_equal(hba[i], 0x03030303);
	}
	heap_free(irq_arg);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATA_CASES(TEST),
		TEST(test_stuck),
		TEST(test_queue),
		TEST(test_queue_error),
		TEST(test_queue_bad_sector),
		TEST(test_queue_silent),
		TEST(test_queue_dead),
		TEST(test_after_an_error),
		TEST(test_stuck_is_not_freed),
		TEST(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
