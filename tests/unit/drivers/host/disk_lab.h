/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk that a driver under test finds: what it told of it, and a way to read and write. */
/* Keeps no log. */
#ifndef TESTS_UNIT_DRIVERS_HOST_DISK_LAB_H
#define TESTS_UNIT_DRIVERS_HOST_DISK_LAB_H

#include "drivers/host/host_disk.h"

#define DISK_LAB_OFFSET 8192u /* where transfers begin */

extern struct host_disk *disk_lab; /* NULL: none was found */
extern const char *disk_lab_kind;
extern unsigned int disk_lab_failures; /* that were reported */

int disk_lab_read(uint8_t *buf, size_t len);
int disk_lab_write(uint8_t *buf, size_t len);

#endif
