/* SPDX-License-Identifier: BSD-2-Clause */
/* One IDE channel with a drive made of registers: commands, drives that do not answer, give too little, */
/* or report errors; that nothing is under way any more when the buffer is the next one's. */
/* TEST_SOURCES: drivers/host/ide_channel.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_checkpoint.c */
/* TEST_SOURCES: tests/unit/fakes/fake_sleep.c tests/unit/drivers/host/ata_cases.c */
#include "arch/paging.h"
#include "arch/pio.h"
#include "ata_cases.h"
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

static struct ide_channel ch;
static uint8_t *low_memory;
static uint64_t hpa = 0x10000;
static unsigned int freed;

/* ---- the drive and its controller ---- */

static struct {
	uint8_t status, error, bm_command, bm_status;
	bool asked;	    /* a command is under way */
	unsigned int taken; /* commands */
} drive;

static void take_command(void)
{
	drive.taken++;
	drive.asked = true;
	drive.status = ATA_STATUS_BSY;
}

static void reset_drive(void)
{
	ata_fake_reset();
	drive.asked = false;
	drive.status = ata_fake.habit == ATA_STAYS_BUSY ? ATA_STATUS_BSY : 0x50;
}

/* The command under way ends; what it read is in memory. */
static void end_command(void)
{
	bool bad = ata_fake.habit == ATA_HAS_BAD_SECTOR;
	bool little = ata_fake_end(ch.buffer) < ATA_CASES_BYTES;

	drive.asked = false;
	drive.status = bad ? 0x51 : 0x50;
	drive.error = bad ? 0x40 : 0;
	drive.bm_status = (uint8_t)(0x04 | (little || bad ? 0x01 : 0));
	ide_channel_irq(&ch);
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
	bool ends = drive.asked && !ata_fake_is_silent();

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
	memset(&ata_fake, 0, sizeof(ata_fake));
	memset(&ch, 0, sizeof(ch));
	low_memory = pool;
	drive.status = 0x50;
	ch.command = COMMAND_PORT;
	ch.control = CONTROL_PORT;
	ch.bm = BM_PORT;
	fake_sleep_wakes = wake;
	return ide_channel_init(&ch);
}

int ata_cases_read(const char **why)
{
	const struct ata_command cmd = { .code = ATA_READ_DMA, .count = ATA_CASES_BYTES / 512 };

	return ide_channel_run(&ch, 0, &cmd, ATA_FROM_DISK, ATA_CASES_BYTES, why);
}

const uint8_t *ata_cases_buffer(void)
{
	return ch.buffer;
}

bool ata_cases_is_idle(void)
{
	return !drive.asked && (drive.bm_command & 1) == 0;
}

/* ---- the cases ---- */

/* It was asked twice. */
static void test_silent_is_asked_again(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT;
	assert_int_equal(ata_cases_read(&why), -EIO);
	assert_int_equal(drive.taken, 2);
}

static void test_error_needs_no_reset(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_HAS_BAD_SECTOR;
	assert_int_equal(ata_cases_read(&why), -EIO);
	assert_int_equal(drive.taken, 1);
	assert_int_equal(ata_fake.resets, 0);
}

/* What came late is nobody's. */
static void test_late_interrupt(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT;
	assert_int_equal(ata_cases_read(&why), -EIO);
	drive.bm_status = 0x04;
	ide_channel_irq(&ch);
	assert_false(ch.done);
	assert_int_equal(drive.bm_status, 0);
}

/* Seconds, not for ever. */
static void test_busy(void **state)
{
	uint64_t begun = fake_sleep_now;
	const char *why;

	(void)state;
	ata_fake.habit = ATA_STAYS_BUSY;
	drive.status = ATA_STATUS_BSY;
	assert_int_equal(ata_cases_read(&why), -EIO);
	assert_string_equal(why, "the disk is not ready");
	assert_int_equal(drive.taken, 0);
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

#define TEST(fn) cmocka_unit_test_setup(fn, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ATA_CASES(TEST),
		TEST(test_silent_is_asked_again),
		TEST(test_error_needs_no_reset),
		TEST(test_late_interrupt),
		TEST(test_busy),
		TEST(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
