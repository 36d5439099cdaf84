/* SPDX-License-Identifier: BSD-2-Clause */
/* Claims, overlaps, unclaimed accesses and accesses that straddle ranges. */
/* Also a random comparison with a plain array of owners. */
/* TEST_SOURCES: hv/iobus.c */
#include "hv/iobus.h"

#include "hv/lib/errno.h"

#include <cmocka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static struct iobus bus;

/* A device whose byte at address a reads as a & 0xff, plus its own number above. */
static enum io_result echo(void *dev, struct io_access *a)
{
	unsigned int *hits = dev;

	(*hits)++;
	if (!a->write) {
		a->val = 0xffffffffffffff00ul | (a->addr & 0xff);
	}
	return IO_DONE;
}

static enum io_result refuse(void *dev, struct io_access *a)
{
	(void)dev;
	(void)a;
	return IO_FAULT;
}

static uint64_t read_at(uint64_t addr, uint8_t size, enum io_result want)
{
	struct io_access a = { .addr = addr, .size = size };

	assert_int_equal(iobus_access(&bus, &a), want);
	return a.val;
}

static void overlaps_are_refused(void **state)
{
	unsigned int hits = 0;

	(void)state;
	iobus_init(&bus);
	assert_int_equal(iobus_claim(&bus, 0x60, 8, echo, &hits), 0);
	assert_int_equal(iobus_claim(&bus, 0x60, 1, echo, &hits), -EBUSY);
	assert_int_equal(iobus_claim(&bus, 0x5f, 2, echo, &hits), -EBUSY);
	assert_int_equal(iobus_claim(&bus, 0x67, 4, echo, &hits), -EBUSY);
	assert_int_equal(iobus_claim(&bus, 0x50, 0x40, echo, &hits), -EBUSY);
	assert_int_equal(iobus_claim(&bus, 0x68, 1, echo, &hits), 0);
	assert_int_equal(iobus_claim(&bus, 0x5f, 1, echo, &hits), 0);
	assert_int_equal(iobus_claim(&bus, 0x70, 0, echo, &hits), -EINVAL);
	assert_int_equal(iobus_claim(&bus, UINT64_MAX, 2, echo, &hits), -EINVAL);
	iobus_release(&bus, 0x60, &hits);
	assert_int_equal(iobus_claim(&bus, 0x61, 2, echo, &hits), 0);
}

static void the_table_is_bounded(void **state)
{
	unsigned int hits = 0;

	(void)state;
	iobus_init(&bus);
	for (uint64_t i = 0; i < IOBUS_RANGES; i++) {
		assert_int_equal(iobus_claim(&bus, i * 2, 1, echo, &hits), 0);
	}
	assert_int_equal(iobus_claim(&bus, 0x1000, 1, echo, &hits), -ENOSPC);
}

static void nobody_reads_as_ones(void **state)
{
	(void)state;
	iobus_init(&bus);
	assert_int_equal(read_at(0x10, 1, IO_UNCLAIMED), 0xff);
	assert_int_equal(read_at(0x10, 4, IO_UNCLAIMED), 0xffffffff);
	assert_int_equal(read_at(UINT64_MAX - 3, 8, IO_UNCLAIMED), UINT64_MAX);
	assert_int_equal(bus.unclaimed, 3);
}

static void straddling_accesses_are_split(void **state)
{
	unsigned int hits = 0;

	(void)state;
	iobus_init(&bus);
	assert_int_equal(iobus_claim(&bus, 0x10, 2, echo, &hits), 0);
	assert_int_equal(iobus_claim(&bus, 0x13, 1, refuse, NULL), 0);
	assert_int_equal(read_at(0x11, 2, IO_DONE), 0xff11);
	assert_int_equal(read_at(0x0e, 4, IO_DONE), 0x1110ffff);
	assert_int_equal(read_at(0x10, 4, IO_FAULT), 0x00ff1110);
	assert_int_equal(read_at(0x10, 2, IO_DONE), 0xff10);
}

static void random_claims_match_an_array(void **state)
{
	static unsigned int devs[64], owner[512];
	unsigned int claimed = 0;

	(void)state;
	srandom(3);
	iobus_init(&bus);
	for (unsigned int i = 0; i < 500 && claimed < 64; i++) {
		uint64_t first = (uint64_t)random() % 500, size = 1 + (uint64_t)random() % 8;
		bool free = true;

		for (uint64_t p = first; p < first + size; p++) {
			free = free && owner[p] == 0;
		}
		assert_int_equal(iobus_claim(&bus, first, size, echo, &devs[claimed]),
				 free ? 0 : -EBUSY);
		for (uint64_t p = first; free && p < first + size; p++) {
			owner[p] = claimed + 1;
		}
		claimed += free;
	}
	for (uint64_t p = 0; p < 512; p++) {
		unsigned int before = owner[p] != 0 ? devs[owner[p] - 1] : 0;

		read_at(p, 1, owner[p] != 0 ? IO_DONE : IO_UNCLAIMED);
		assert_int_equal(owner[p] != 0 ? devs[owner[p] - 1] : 1, before + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlaps_are_refused),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(nobody_reads_as_ones),
		cmocka_unit_test(straddling_accesses_are_split),
		cmocka_unit_test(random_claims_match_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
