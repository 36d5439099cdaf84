/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer against a clock that the test moves: modes, divider, changes under way. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/arch/x86/hvm/vlapic_lab.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/vlapic_lab.h"
#include "fakes/fake_arch.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_timer.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ONE_SHOT 0xe0u
#define PERIODIC 0x200e0u
#define DEADLINE 0x400e0u
#define MASKED	 0x10000u

static struct vcpu *v;
static struct vlapic *l;

static int setup(void **state)
{
	(void)state;
	v = vlapic_lab_begin();
	if (v == NULL) {
		return -1;
	}
	l = v->lapic;
	vlapic_mmio_write(l, 0x3e0, 0xb); /* divide by 1 */
	return 0;
}

static void start(uint32_t lvt, uint32_t count)
{
	vlapic_mmio_write(l, 0x320, lvt);
	vlapic_mmio_write(l, 0x380, count);
}

/* Has it fired since the last call? */
static bool fired(void)
{
	bool yes = vlapic_pending(l) == 0xe0;

	if (yes) {
		vlapic_take(l, 0xe0);
		vlapic_mmio_write(l, 0xb0, 0);
	}
	return yes;
}

static uint32_t count(void)
{
	return vlapic_mmio_read(l, 0x390);
}

static void test_one_shot(void **state)
{
	(void)state;
	start(ONE_SHOT, 100000);
	assert_int_equal(count(), 100000);
	fake_timer_run(1000 + 40000);
	assert_int_equal(count(), 60000);
	assert_false(fired());
	fake_timer_run(1000 + 100000);
	assert_true(fired());
	assert_int_equal(count(), 0);
	fake_timer_run(10000000);
	assert_false(fired());
}

static void test_periodic(void **state)
{
	(void)state;
	start(PERIODIC, 100000);
	for (unsigned int i = 1; i <= 3; i++) {
		fake_timer_run(1000 + i * 100000 - 1);
		assert_false(fired());
		fake_timer_run(1000 + i * 100000);
		assert_true(fired());
	}
	assert_int_equal(count(), 100000);
	fake_now = 1000 + 1050000; /* seven went by unseen: one interrupt, and no drift after */
	fake_timer_run(fake_now);
	assert_true(fired());
	fake_timer_run(1000 + 1099999);
	assert_false(fired());
	fake_timer_run(1000 + 1100000);
	assert_true(fired());
	vlapic_mmio_write(l, 0x380, 0);
	fake_timer_run(9000000);
	assert_false(fired());
}

/* A period of one tick must not keep the host busy. */
static void test_shortest_period(void **state)
{
	unsigned int fires = 0;

	(void)state;
	start(PERIODIC, 1);
	for (uint64_t t = 1000; t < 1001000; t += 1000) {
		fake_timer_run(t);
		fires += fired();
	}
	assert_in_range(fires, 40, 51);
}

static void test_divider(void **state)
{
	static const struct {
		uint32_t code, by;
	} rows[] = { { 0, 2 },	{ 1, 4 },  { 2, 8 },	{ 3, 16 },
		     { 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 } };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t from = fake_now;

		vlapic_mmio_write(l, 0x3e0, rows[i].code);
		start(ONE_SHOT, 1000);
		fake_timer_run(from + 500 * rows[i].by);
		assert_int_equal(count(), 500);
		fake_timer_run(from + 1000 * rows[i].by - 1);
		assert_false(fired());
		fake_timer_run(from + 1000 * rows[i].by);
		assert_true(fired());
	}
}

static void test_divider_changes_under_way(void **state)
{
	(void)state;
	start(ONE_SHOT, 1000);
	fake_timer_run(1000 + 400);
	vlapic_mmio_write(l, 0x3e0, 0); /* by 2 */
	assert_int_equal(count(), 600);
	fake_timer_run(1000 + 400 + 1199);
	assert_false(fired());
	fake_timer_run(1000 + 400 + 1200);
	assert_true(fired());
}

static void test_masked(void **state)
{
	(void)state;
	start(ONE_SHOT | MASKED, 100);
	fake_timer_run(2000);
	assert_false(fired());
	assert_int_equal(count(), 0);
}

static void test_deadline(void **state)
{
	(void)state;
	v->tsc_offset = -500ul; /* the guest's TSC is 500 behind */
	start(DEADLINE, 0);
	vlapic_set_tsc_deadline(l, 5000);
	assert_true(vlapic_get_tsc_deadline(l) == 5000);
	fake_timer_run(5499);
	assert_false(fired());
	fake_timer_run(5500);
	assert_true(fired());
	assert_true(vlapic_get_tsc_deadline(l) == 0);
}

static void test_deadline_past(void **state)
{
	(void)state;
	start(DEADLINE, 0);
	vlapic_set_tsc_deadline(l, 1);
	assert_true(fired()); /* at once, without the clock */
	assert_true(vlapic_get_tsc_deadline(l) == 0);
	vlapic_set_tsc_deadline(l, 9000);
	vlapic_set_tsc_deadline(l, 0); /* disarms */
	fake_timer_run(20000);
	assert_false(fired());
	vlapic_set_tsc_deadline(l, UINT64_MAX);
	fake_timer_run(1ul << 50);
	assert_false(fired());
}

static void test_deadline_only_in_its_mode(void **state)
{
	(void)state;
	start(ONE_SHOT, 0);
	vlapic_set_tsc_deadline(l, 5000);
	assert_true(vlapic_get_tsc_deadline(l) == 0);
	start(DEADLINE, 0);
	vlapic_mmio_write(l, 0x380, 100); /* ignored in deadline mode */
	assert_int_equal(count(), 0);
	fake_timer_run(4000);
	assert_false(fired());
	vlapic_set_tsc_deadline(l, 5000);
	vlapic_mmio_write(l, 0x320, ONE_SHOT); /* leaving the mode disarms */
	fake_timer_run(6000);
	assert_false(fired());
}

static void test_tsc_moves(void **state)
{
	(void)state;
	start(DEADLINE, 0);
	vlapic_set_tsc_deadline(l, 5000);
	v->tsc_offset = 1000; /* the guest's clock jumped ahead */
	vlapic_tsc_changed(l);
	fake_timer_run(3999);
	assert_false(fired());
	fake_timer_run(4000);
	assert_true(fired());
}

/* The callback of a timer that was moved while it was on its way does nothing. */
static void test_stale_callback(void **state)
{
	(void)state;
	start(DEADLINE, 0);
	vlapic_set_tsc_deadline(l, 9000);
	l->timer.fn(&l->timer);
	assert_false(fired());
	assert_true(vlapic_get_tsc_deadline(l) == 9000);
}

static void test_reset_stops(void **state)
{
	(void)state;
	start(PERIODIC, 1000);
	vlapic_reset(v);
	vlapic_mmio_write(l, 0xf0, 0x1ff);
	fake_timer_run(100000);
	assert_int_equal(vlapic_pending(l), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vlapic_lab_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_shot),
		TEST(test_periodic),
		TEST(test_shortest_period),
		TEST(test_divider),
		TEST(test_divider_changes_under_way),
		TEST(test_masked),
		TEST(test_deadline),
		TEST(test_deadline_past),
		TEST(test_deadline_only_in_its_mode),
		TEST(test_tsc_moves),
		TEST(test_stale_callback),
		TEST(test_reset_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
