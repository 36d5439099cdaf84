/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the disk, as far as it is the same behind any controller, and the cases. */
/* Knows no register. */
#include "ata_cases.h"

#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct ata_fake ata_fake;

/* ---- the disk ---- */

bool ata_fake_is_silent(void)
{
	return ata_fake.habit == ATA_IS_SILENT || ata_fake.habit == ATA_IS_SILENT_ONCE;
}

void ata_fake_reset(void)
{
	ata_fake.resets++;
	ata_fake.habit = ata_fake.habit == ATA_IS_SILENT_ONCE ? ATA_ANSWERS : ata_fake.habit;
}

uint32_t ata_fake_end(uint8_t *buffer)
{
	uint32_t bytes =
		ata_fake.habit == ATA_GIVES_TOO_LITTLE ? ATA_CASES_BYTES / 2 : ATA_CASES_BYTES;

	ata_fake.ended++;
	memset(buffer, 0xda, bytes);
	return bytes;
}

/* ---- the cases ---- */

/* What was before, as at a controller's beginning, does not count. */
static int read_sectors(const char **why)
{
	ata_fake.ended = ata_fake.resets = 0;
	return ata_cases_read(why);
}

static void answers_again(void)
{
	const char *why;

	ata_fake.habit = ATA_ANSWERS;
	assert_int_equal(read_sectors(&why), 0);
}

void ata_case_read(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(read_sectors(&why), 0);
	assert_int_equal(ata_cases_buffer()[ATA_CASES_BYTES - 1], 0xda);
	assert_int_equal(ata_fake.ended, 1);
	assert_int_equal(ata_fake.resets, 0);
}

void ata_case_silent_once(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT_ONCE;
	assert_int_equal(read_sectors(&why), 0);
	assert_int_equal(ata_fake.ended, 1);
	assert_int_equal(ata_fake.resets, 1);
}

/* The disk could otherwise go on with it, in a buffer that has another VM's data by then. */
void ata_case_silent(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_IS_SILENT;
	assert_int_equal(read_sectors(&why), -EIO);
	assert_string_equal(why, "the disk does not answer");
	assert_true(ata_cases_is_idle());
	assert_int_equal(ata_fake.resets, 2);
	answers_again();
}

void ata_case_too_little(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_GIVES_TOO_LITTLE;
	assert_int_equal(read_sectors(&why), -EIO);
	assert_string_equal(why, "the disk gave too little");
}

void ata_case_bad_sector(void **state)
{
	const char *why;

	(void)state;
	ata_fake.habit = ATA_HAS_BAD_SECTOR;
	assert_int_equal(read_sectors(&why), -EIO);
	assert_string_equal(why, "the disk reports an error");
	assert_int_equal(ata_fake.ended, 1);
	answers_again();
}
