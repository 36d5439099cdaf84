/* SPDX-License-Identifier: BSD-2-Clause */
/* The disks of fake_disk.h, and the heap and log that their device needs. */
/* Checks what block.h demands of its callers. */
#include "tests/unit/fakes/fake_disk.h"

#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_pc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t fake_disk[FAKE_DISK];
int fake_disk_fails;
unsigned int fake_disk_calls, fake_disk_flushes, fake_disk_logs;
uint64_t fake_disk_discarded, fake_disk_longest;
void (*fake_disk_meanwhile)(void);
char fake_disk_log[160];

static int move(uint64_t off, const struct block_vec *v, unsigned int n, bool write)
{
	uint64_t sum = block_vec_bytes(v, n);

	fake_disk_calls++;
	fake_disk_longest = u64_max(fake_disk_longest, sum);
	for (unsigned int i = 0; i < n && fake_disk_fails == 0; i++) {
		memcpy(write ? fake_disk + off : v[i].base, write ? v[i].base : fake_disk + off,
		       v[i].len);
		off += v[i].len;
	}
	if (fake_disk_meanwhile != NULL) {
		fake_disk_meanwhile();
	}
	return fake_disk_fails;
}

static int fake_disk_read(struct block_dev *d UNUSED, uint64_t off, const struct block_vec *v,
			  unsigned int n)
{
	return move(off, v, n, false);
}

static int fake_disk_write(struct block_dev *d UNUSED, uint64_t off, const struct block_vec *v,
			   unsigned int n)
{
	return move(off, v, n, true);
}

static int fake_disk_flush(struct block_dev *d UNUSED)
{
	fake_disk_flushes++;
	return fake_disk_fails;
}

static int fake_disk_discard(struct block_dev *d UNUSED, uint64_t off UNUSED, uint64_t len)
{
	fake_disk_discarded += len;
	return fake_disk_fails;
}

static int fake_disk_write_zeroes(struct block_dev *d UNUSED, uint64_t off, uint64_t len,
				  bool unmap UNUSED)
{
	memset(fake_disk + off, 0, len);
	return fake_disk_fails;
}

static const struct block_dev_ops ops = {
	.read = fake_disk_read,
	.write = fake_disk_write,
	.flush = fake_disk_flush,
	.discard = fake_disk_discard,
	.write_zeroes = fake_disk_write_zeroes,
};

bool fake_disk_sleeps;
unsigned int fake_disk_cpus = 1;

static struct block_dev disks[] = {
	{ .ops = &ops, .size = FAKE_DISK, .granularity = 4096, .immediate = true },
	{ .ops = &ops,
	  .size = FAKE_DISK,
	  .granularity = 4096,
	  .immediate = true,
	  .readonly = true },
};

void fake_pc_configure(struct vm *vm)
{
	snprintf(vm->cfg.name, sizeof(vm->cfg.name), "web1");
	vm->cfg.cpus = fake_disk_cpus;
	vm->cfg.disk_count = ARRAY_SIZE(disks);
	for (unsigned int i = 0; i < ARRAY_SIZE(disks); i++) {
		snprintf(vm->cfg.disks[i].file, sizeof(vm->cfg.disks[i].file), "boot:%c.raw",
			 'a' + i);
		disks[i].immediate = !fake_disk_sleeps;
		vm->disk[i].dev = &disks[i];
	}
}

int fake_disk_start(void **state)
{
	for (uint64_t i = 0; i < FAKE_DISK; i++) {
		fake_disk[i] = fake_disk_byte(i);
	}
	fake_disk_fails = 0;
	fake_disk_calls = fake_disk_flushes = fake_disk_logs = 0;
	fake_disk_discarded = fake_disk_longest = 0;
	fake_disk_meanwhile = NULL;
	return fake_pc_start(state);
}

void *heap_alloc(size_t size)
{
	return calloc(1, size);
}

void heap_free(void *p)
{
	free(p);
}

void log_printf(enum log_level level UNUSED, const char *fmt, ...)
{
	va_list ap;

	fake_disk_logs++;
	va_start(ap, fmt);
	vsnprintf(fake_disk_log, sizeof(fake_disk_log), fmt, ap);
	va_end(ap);
}
