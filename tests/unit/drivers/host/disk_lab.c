/* SPDX-License-Identifier: BSD-2-Clause */
/* drivers/host/host_disk.h and hv/base/log.h for a driver's test. */
/* One disk at a time. */
#include "disk_lab.h"

#include "hv/base/log.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct host_disk *disk_lab;
const char *disk_lab_kind;
unsigned int disk_lab_failures;

void host_disk_add(struct host_disk *d, const char *kind)
{
	disk_lab = d;
	disk_lab_kind = kind;
}

void host_disk_failed(struct host_disk *d, const char *what, uint64_t off, const char *why)
{
	(void)what;
	(void)off;
	(void)why;
	assert_ptr_equal(d, disk_lab);
	disk_lab_failures++;
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

int disk_lab_read(uint8_t *buf, size_t len)
{
	struct block_vec v = { buf, len };

	return block_read(&disk_lab->dev, DISK_LAB_OFFSET, &v, 1);
}

int disk_lab_write(uint8_t *buf, size_t len)
{
	struct block_vec v = { buf, len };

	return block_write(&disk_lab->dev, DISK_LAB_OFFSET, &v, 1);
}
