/* SPDX-License-Identifier: BSD-2-Clause */
/* What every driver of a controller with ATA disks must stand: disks that answer, and that do not. */
/* The controller is played by the driver's test, which has more cases of its own. */
#ifndef TESTS_UNIT_DRIVERS_HOST_ATA_CASES_H
#define TESTS_UNIT_DRIVERS_HOST_ATA_CASES_H

#include "hv/lib/types.h"

#define ATA_CASES_BYTES 4096u /* that a case reads */

enum ata_habit {
	ATA_ANSWERS,
	ATA_IS_SILENT,
	ATA_IS_SILENT_ONCE, /* until it is reset */
	ATA_GIVES_TOO_LITTLE,
	ATA_HAS_BAD_SECTOR,
	ATA_STAYS_BUSY,
};

struct ata_fake {
	enum ata_habit habit;
	unsigned int ended, resets; /* commands that it ended */
};
extern struct ata_fake ata_fake;

bool ata_fake_is_silent(void);
void ata_fake_reset(void);
/* The command under way ends: what it read goes there. Returns how many bytes that was. */
uint32_t ata_fake_end(uint8_t *buffer);

/* By the test of a driver: reads ATA_CASES_BYTES through it; where they are then. */
int ata_cases_read(const char **why);
const uint8_t *ata_cases_buffer(void);
/* By the test of a driver: no command is under way. */
bool ata_cases_is_idle(void);

void ata_case_read(void **state);
void ata_case_silent_once(void **state);
void ata_case_silent(void **state);
void ata_case_too_little(void **state);
void ata_case_bad_sector(void **state);

#define ATA_CASES(test)                                                                            \
	test(ata_case_read), test(ata_case_silent_once), test(ata_case_silent),                    \
		test(ata_case_too_little), test(ata_case_bad_sector)

#endif
