/* SPDX-License-Identifier: BSD-2-Clause */
/* Two disks of a fake_pc's VM, the second read-only, over the same bytes; they fail when told to. */
/* Knows no image. */
#ifndef TESTS_UNIT_FAKES_FAKE_DISK_H
#define TESTS_UNIT_FAKES_FAKE_DISK_H

#include "drivers/block/block.h"

#define FAKE_DISK (300u * 1024u) /* bytes */

extern uint8_t fake_disk[FAKE_DISK];
extern int fake_disk_fails;   /* what every call returns, 0: it works */
extern bool fake_disk_sleeps; /* before fake_disk_start: its calls may wait, so workers make them */
extern unsigned int fake_disk_cpus; /* before fake_disk_start: of the VM */
extern unsigned int fake_disk_calls, fake_disk_flushes;
extern uint64_t fake_disk_discarded;	  /* bytes */
extern uint64_t fake_disk_longest;	  /* bytes of one call */
extern void (*fake_disk_meanwhile)(void); /* NULL or: what others do while the disk reads */
extern unsigned int fake_disk_logs;	  /* lines of the host's log, and the last */
extern char fake_disk_log[160];

/* What fake_disk[off] is at first. */
static inline uint8_t fake_disk_byte(uint64_t off)
{
	return (uint8_t)(1 + off / 512 * 7 + off % 512);
}

/* fake_pc_start with both disks, VM "web1"; for cmocka, fake_pc_stop takes all apart. */
int fake_disk_start(void **state);

#endif
