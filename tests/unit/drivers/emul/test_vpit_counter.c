/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8254 counter as a function of time, against a model that makes one step for every clock. */
/* All modes, random counts, reloads and gates; then the byte order of reads and latches. */
/* TEST_SOURCES: drivers/emul/vpit_counter.c */
#include "drivers/emul/vpit_counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* What the data sheet's drawings show, clock by clock. */
struct model {
	unsigned int mode;
	uint32_t cr, ce; /* count register, counting element */
	bool gate, out, load, loaded, trigger, expired, running, odd;
};

static void model_write(struct model *m, uint32_t count)
{
	bool first = !m->loaded;

	m->cr = count;
	m->loaded = true;
	if (m->mode == 0 || m->mode == 4) {
		m->load = true;
		m->expired = false;
		m->out = m->mode == 4;
	} else if (first && (m->mode == 2 || m->mode == 3)) {
		m->load = true;
	}
}

static void model_gate(struct model *m, bool gate)
{
	if (gate && !m->gate && m->loaded && m->mode != 0 && m->mode != 4) {
		m->trigger = true;
	}
	m->gate = gate;
	if (!gate && (m->mode == 2 || m->mode == 3)) {
		m->out = true;
	}
}

static void model_reload(struct model *m)
{
	m->ce = m->mode == 3 ? m->cr & ~1u : m->cr;
	m->odd = m->cr & 1;
	m->load = false;
	m->trigger = false;
	m->expired = false;
	m->running = true;
}

static void model_square(struct model *m)
{
	/* An odd count stays at zero for a clock before OUT falls. */
	if (m->ce == 0 || (m->ce == 2 && !(m->odd && m->out))) {
		m->out = !m->out;
		m->odd = m->cr & 1;
		m->ce = m->cr & ~1u;
	} else {
		m->ce -= 2;
	}
}

static void model_count(struct model *m)
{
	if (m->mode == 3) {
		model_square(m);
		return;
	}
	m->ce = (m->ce - 1) & 0xffff;
	if (m->mode == 2) {
		m->out = m->ce != 1;
		m->ce = m->ce == 0 ? m->cr : m->ce;
	} else if (m->mode == 0 || m->mode == 1) {
		m->out = m->out || m->ce == 0;
	} else {
		m->out = m->expired || m->ce != 0;
		m->expired = m->expired || m->ce == 0;
	}
}

static void model_clock(struct model *m)
{
	if (m->load || m->trigger) {
		bool low = m->mode == 0 || m->mode == 1;

		model_reload(m);
		m->out = !low;
	} else if (m->running && (m->gate || m->mode == 1 || m->mode == 5)) {
		model_count(m);
	}
}

static uint16_t shown(struct vpit_counter *c, int64_t now)
{
	uint8_t low = vpit_counter_read(c, now);

	return (uint16_t)(low | vpit_counter_read(c, now) << 8);
}

static void write_count(struct vpit_counter *c, int64_t now, uint16_t count)
{
	vpit_counter_write(c, now, (uint8_t)count);
	vpit_counter_write(c, now, (uint8_t)(count >> 8));
}

/* One random life of a counter; low counts, so that much happens. */
static void run(unsigned int mode, unsigned int seed)
{
	struct vpit_counter c = { .gate = true };
	struct model m = { .mode = mode, .gate = true, .out = mode != 0 };
	int64_t now = 1000 + seed;

	srand(seed);
	vpit_counter_control(&c, 3, (uint8_t)mode, false);
	for (unsigned int i = 0; i < 400; i++) {
		int64_t rise;
		bool before;

		if (i == 2 || rand() % 40 == 0) {
			uint16_t count = (uint16_t)(3 + rand() % 20);

			write_count(&c, now, count);
			model_write(&m, count);
		} else if (rand() % 15 == 0) {
			model_gate(&m, !m.gate);
			vpit_counter_set_gate(&c, now, m.gate);
		}
		rise = vpit_counter_next_rise(&c, now);
		before = vpit_counter_output(&c, now);
		now++;
		model_clock(&m);
		if (vpit_counter_output(&c, now) != m.out ||
		    (m.running && shown(&c, now) != m.ce)) {
			print_message("mode %u seed %u step %u: out %d/%d value %u/%u\n", mode,
				      seed, i, vpit_counter_output(&c, now), m.out, shown(&c, now),
				      m.ce);
			fail();
		}
		if (!before && m.out && m.loaded) {
			assert_int_equal(rise, now);
		} else {
			assert_true(rise != now || before);
		}
	}
}

static void test_against_model(void **state)
{
	(void)state;
	for (unsigned int mode = 0; mode < 6; mode++) {
		for (unsigned int seed = 1; seed < 200; seed++) {
			run(mode, seed);
		}
	}
}

static void test_full_counts(void **state)
{
	struct vpit_counter c = { .gate = true };

	(void)state;
	vpit_counter_control(&c, 3, 2, false);
	write_count(&c, 0, 0);
	assert_int_equal(vpit_counter_next_rise(&c, 0), 65537);
	assert_int_equal(shown(&c, 1), 0);
	assert_int_equal(shown(&c, 2), 0xffff);
	assert_int_equal(shown(&c, 65536), 1);
	assert_int_equal(shown(&c, 65537), 0);
}

static void test_bcd(void **state)
{
	struct vpit_counter c = { .gate = true };

	(void)state;
	vpit_counter_control(&c, 3, 0, true);
	write_count(&c, 0, 0x1234);
	assert_int_equal(shown(&c, 1), 0x1234);
	assert_int_equal(shown(&c, 1 + 35), 0x1199);
	assert_int_equal(shown(&c, 1 + 1235), 0x9999);
	write_count(&c, 0, 0);
	assert_int_equal(vpit_counter_next_rise(&c, 0), 10001);
	write_count(&c, 0, 0xffff); /* no digits, but no harm */
	assert_true(vpit_counter_is_valid(&c));
}

static void test_one_byte_access(void **state)
{
	struct vpit_counter c = { .gate = true };

	(void)state;
	vpit_counter_control(&c, 1, 0, false);
	vpit_counter_write(&c, 0, 0x40);
	assert_int_equal(vpit_counter_read(&c, 1), 0x40);
	assert_int_equal(vpit_counter_read(&c, 2), 0x3f);
	vpit_counter_control(&c, 2, 0, false);
	vpit_counter_write(&c, 0, 0x40);
	assert_int_equal(vpit_counter_read(&c, 1), 0x40);
	assert_int_equal(vpit_counter_read(&c, 2), 0x3f); /* 3FFFh */
}

static void test_latch_holds(void **state)
{
	struct vpit_counter c = { .gate = true };

	(void)state;
	vpit_counter_control(&c, 3, 0, false);
	write_count(&c, 0, 0x1234);
	vpit_counter_latch(&c, 1);
	vpit_counter_latch(&c, 50); /* ignored: the first was not read */
	assert_int_equal(shown(&c, 100), 0x1234);
	assert_int_equal(shown(&c, 101), 0x1234 - 100);
}

static void test_status(void **state)
{
	struct vpit_counter c = { .gate = true };

	(void)state;
	vpit_counter_control(&c, 3, 7, false); /* 7 is 3 */
	vpit_counter_latch_status(&c, 0);
	assert_int_equal(vpit_counter_read(&c, 0), 0xf6); /* OUT high, no count yet */
	write_count(&c, 0, 10);
	vpit_counter_latch_status(&c, 1);
	vpit_counter_latch(&c, 1);
	assert_int_equal(vpit_counter_read(&c, 7), 0xb6); /* status first */
	assert_int_equal(shown(&c, 7), 10);
	vpit_counter_latch_status(&c, 7);
	assert_int_equal(vpit_counter_read(&c, 7), 0x36); /* in the low half */
}

/* "Mode 0": the first byte of two stops counting. */
static void test_first_byte_stops_mode_0(void **state)
{
	struct vpit_counter c = { .gate = true };

	(void)state;
	vpit_counter_control(&c, 3, 0, false);
	write_count(&c, 0, 5);
	assert_true(vpit_counter_output(&c, 6));
	vpit_counter_write(&c, 6, 5);
	assert_false(vpit_counter_output(&c, 100));
	assert_int_equal(vpit_counter_next_rise(&c, 100), VPIT_NEVER);
	vpit_counter_write(&c, 100, 0);
	assert_int_equal(vpit_counter_next_rise(&c, 100), 106);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_full_counts),
		cmocka_unit_test(test_bcd),
		cmocka_unit_test(test_one_byte_access),
		cmocka_unit_test(test_latch_holds),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_first_byte_stops_mode_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
