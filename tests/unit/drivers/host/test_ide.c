/* SPDX-License-Identifier: BSD-2-Clause */
/* One IDE channel with a drive made of registers: commands, drives that do not answer, give too little, */
/* or report errors; that nothing is under way any more when the buffer is the next one's. */
/* TEST_SOURCES: drivers/host/ide_channel.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_checkpoint.c */
/* TEST_SOURCES: tests/unit/fakes/fake_sleep.c */
#include "arch/paging.h"
#include "arch/pio.h"
#include "drivers/host/ide.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_sleep.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COMMAND_PORT 0x1f0u
#define CONTROL_PORT 0x3f6u
#define BM_PORT	     0xc000u
#define BYTES	     4096u

enum habit { ANSWERS, IS_SILENT, IS_SILENT_ONCE, GIVES_TOO_LITTLE, HAS_BAD_SECTOR, STAYS_BUSY };

static struct ide_channel ch;
static uint8_t *low_memory;
static uint64_t hpa = 0x10000;
static unsigned int freed;

/* ---- the drive and its controller ---- */

static struct {
	enum habit habit;
	uint8_t status, error, bm_command, bm_status;
	bool asked; /* a command is under way */
	unsigned int commands, resets;
} drive;

static void take_command(void)
{
	drive.commands++;
	drive.asked = true;
	drive.status = ATA_STATUS_BSY;
}

static void reset_drive(void)
{
	drive.resets++;
	drive.asked = false;
	drive.status = drive.habit == STAYS_BUSY ? ATA_STATUS_BSY : 0x50;
	drive.habit = drive.habit == IS_SILENT_ONCE ? ANSWERS : drive.habit;
}

/* The command under way ends; what it read is in memory. */
static void end_command(void)
{
	bool bad = drive.habit == HAS_BAD_SECTOR, little = drive.habit == GIVES_TOO_LITTLE;

	drive.asked = false;
	drive.status = bad ? 0x51 : 0x50;
	drive.error = bad ? 0x40 : 0;
	memset(ch.buffer, 0xda, little ? BYTES / 2 : BYTES);
	drive.bm_status = (uint8_t)(0x04 | (little || bad ? 0x01 : 0));
	ide_channel_irq(&ch);
}

static bool is_silent(void)
{
	return drive.habit == IS_SILENT || drive.habit == IS_SILENT_ONCE;
}

uint8_t pio_in8(uint16_t port)
{
	return port == BM_PORT		  ? drive.bm_command
	       : port == BM_PORT + 2	  ? drive.bm_status
	       : port == COMMAND_PORT + 1 ? drive.error
	       : port == COMMAND_PORT + 7 ? drive.status
	       : port == CONTROL_PORT	  ? drive.status
					  : 0;
}

void pio_out8(uint16_t port, uint8_t val)
{
	if (port == BM_PORT) {
		drive.bm_command = val;
	} else if (port == BM_PORT + 2) {
		drive.bm_status &= (uint8_t) ~(val & 0x06);
	} else if (port == COMMAND_PORT + 7) {
		take_command();
	} else if (port == CONTROL_PORT && (val & 0x04) != 0) {
		reset_drive();
	}
}

uint16_t pio_in16(uint16_t port)
{
	(void)port;
	return 0;
}

void pio_out32(uint16_t port, uint32_t val)
{
	(void)port;
	(void)val;
}

/* ---- the machine ---- */

void *page_alloc(unsigned int order)
{
	uint8_t *p = low_memory;

	low_memory += PAGE_SIZE << order;
	return p;
}

void page_free(void *p, unsigned int order)
{
	(void)p;
	(void)order;
	freed++;
}

hpa_t paging_hpa(const void *va)
{
	(void)va;
	return (hpa_t){ hpa };
}

static bool wake(void)
{
	bool ends = drive.asked && !is_silent();

	if (ends) {
		end_command();
	}
	return ends;
}

static int setup(void **state)
{
	static uint8_t pool[(1u << 17) + PAGE_SIZE] __attribute__((aligned(4096)));

	(void)state;
	memset(&drive, 0, sizeof(drive));
	memset(&ch, 0, sizeof(ch));
	low_memory = pool;
	drive.status = 0x50;
	ch.command = COMMAND_PORT;
	ch.control = CONTROL_PORT;
	ch.bm = BM_PORT;
	fake_sleep_wakes = wake;
	return ide_channel_init(&ch);
}

static int read_sectors(const char **why)
{
	const struct ata_command cmd = { .code = ATA_READ_DMA, .count = BYTES / 512 };

	return ide_channel_run(&ch, 0, &cmd, ATA_FROM_DISK, BYTES, why);
}

/* ---- the cases ---- */

static void test_read(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(read_sectors(&why), 0);
	assert_int_equal(ch.buffer[BYTES - 1], 0xda);
	assert_int_equal(drive.commands, 1);
	assert_int_equal(drive.resets, 0);
}

static void test_silent_once(void **state)
{
	const char *why;

	(void)state;
	drive.habit = IS_SILENT_ONCE;
	assert_int_equal(read_sectors(&why), 0);
	assert_int_equal(drive.commands, 2);
	assert_int_equal(drive.resets, 1);
}

/* The drive could otherwise go on with it, in a buffer that has another VM's data by then. */
static void test_silent_is_stopped(void **state)
{
	const char *why;

	(void)state;
	drive.habit = IS_SILENT;
	assert_int_equal(read_sectors(&why), -EIO);
	assert_string_equal(why, "the disk does not answer");
	assert_int_equal(drive.commands, 2);
	assert_false(drive.asked);
	assert_int_equal(drive.bm_command & 1, 0);
	assert_int_equal(drive.resets, 2);
	drive.habit = ANSWERS;
	assert_int_equal(read_sectors(&why), 0);
}

/* What came late is nobody's. */
static void test_late_interrupt(void **state)
{
	const char *why;

	(void)state;
	drive.habit = IS_SILENT;
	assert_int_equal(read_sectors(&why), -EIO);
	drive.bm_status = 0x04;
	ide_channel_irq(&ch);
	assert_false(ch.done);
	assert_int_equal(drive.bm_status, 0);
}

static void test_too_little(void **state)
{
	const char *why;

	(void)state;
	drive.habit = GIVES_TOO_LITTLE;
	assert_int_equal(read_sectors(&why), -EIO);
	assert_string_equal(why, "the disk gave too little");
}

static void test_bad_sector(void **state)
{
	const char *why;

	(void)state;
	drive.habit = HAS_BAD_SECTOR;
	assert_int_equal(read_sectors(&why), -EIO);
	assert_string_equal(why, "the disk reports an error");
	assert_int_equal(drive.commands, 1);
	assert_int_equal(drive.resets, 0);
}

/* Seconds, not for ever. */
static void test_busy(void **state)
{
	uint64_t begun = fake_sleep_now;
	const char *why;

	(void)state;
	drive.habit = STAYS_BUSY;
	drive.status = ATA_STATUS_BSY;
	assert_int_equal(read_sectors(&why), -EIO);
	assert_string_equal(why, "the disk is not ready");
	assert_int_equal(drive.commands, 0);
	assert_true(fake_sleep_now - begun < 20000000000ul);
}

/* What is not used is given back, and what DMA does not reach. */
static void test_memory(void **state)
{
	(void)state;
	freed = 0;
	ide_channel_free(&ch);
	assert_int_equal(freed, 2);
	memset(&ch, 0, sizeof(ch));
	hpa = 4 * GIB;
	assert_int_equal(ide_channel_init(&ch), -ENOMEM);
	hpa = 0x10000;
	ide_channel_free(&ch);
	assert_int_equal(freed, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, setup),
		cmocka_unit_test_setup(test_silent_once, setup),
		cmocka_unit_test_setup(test_silent_is_stopped, setup),
		cmocka_unit_test_setup(test_late_interrupt, setup),
		cmocka_unit_test_setup(test_too_little, setup),
		cmocka_unit_test_setup(test_bad_sector, setup),
		cmocka_unit_test_setup(test_busy, setup),
		cmocka_unit_test_setup(test_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
