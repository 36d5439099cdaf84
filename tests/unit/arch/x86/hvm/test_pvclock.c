/* SPDX-License-Identifier: BSD-2-Clause */
/* kvmclock: the multiplier at many rates, what is written where, and where nothing is. */
/* TEST_SOURCES: arch/x86/hvm/pvclock.c arch/x86/hvm/kvm_leaf.c arch/x86/irq/clock_scale.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
#include "arch/x86/hvm/pvclock.h"

#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_arch.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include "hv/lib/errno.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef unsigned __int128 uint128_t;

/* The interface as the guest has it, by its own definition. */
struct time_info {
	uint32_t version, pad;
	uint64_t tsc, ns;
	uint32_t mult;
	int8_t shift;
	uint8_t flags, pad2[2];
};
struct wall_info {
	uint32_t version, seconds, ns;
};

#define TIME 0x5678 /* crosses no page; aligned to 8 */
#define WALL 0x2ffc /* crosses a page */

static struct vcpu *v;
static struct vcpu_x86 x86;
static struct vcpuid_view view;

/* Guest RAM that remembers each version it was shown. */
static uint8_t ram[FAKE_RAM];
static uint32_t versions[64];
static unsigned int writes;

void *guest_mem_slice(struct vm *vm, gpa_t gpa, size_t len)
{
	(void)vm;
	return range_within(gpa.v, len, sizeof(ram)) ? &ram[gpa.v] : NULL;
}

int guest_mem_write(struct vm *vm, gpa_t gpa, const void *buf, size_t len)
{
	uint8_t *p = guest_mem_slice(vm, gpa, len);

	if (p == NULL) {
		return -EFAULT;
	}
	memcpy(p, buf, len);
	memcpy(&versions[writes++ % ARRAY_SIZE(versions)], p, sizeof(versions[0]));
	return 0;
}

static struct time_info time_at(uint64_t gpa)
{
	struct time_info t;

	memcpy(&t, &ram[gpa], sizeof(t));
	return t;
}

static void make(bool stable)
{
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	memset(&view, 0, sizeof(view));
	memset(ram, 0xee, sizeof(ram));
	writes = 0;
	fake_tsc_agrees = stable;
	fake_now = 5000000000;
	fake_wall_ns = 1700000003000000007;
	v->x86 = &x86;
	x86.cpuid = &view;
	fake_vm.cfg.paravirt = true;
	fake_vm.tsc_offset = v->tsc_offset = 0 - 2000000000ul; /* it was started 3 s ago */
	kvm_leaf_make(&view, &fake_vm.cfg);
}

static int setup(void **state)
{
	(void)state;
	make(true);
	return 0;
}

/* What a guest makes of it: Linux' pvclock_scale_delta in 128 bits. */
static uint64_t ns_of(uint64_t ticks, struct pvclock_scale s)
{
	ticks = s.shift < 0 ? ticks >> -s.shift : ticks << s.shift;
	return (uint64_t)((uint128_t)ticks * s.mult >> 32);
}

static void check_rate(uint64_t hz)
{
	struct pvclock_scale s = pvclock_scale_make(hz);

	assert_true(s.mult >> 31 == 1);
	for (uint64_t seconds = 1; seconds <= 1000000; seconds *= 1000) {
		uint64_t exact = seconds * 1000000000;
		uint64_t ns = ns_of(hz * seconds, s);
		uint64_t slack = 1 + (1000000000ul >> (s.shift < 0 ? 0 : 63)) / hz * 4;

		assert_true(ns <= exact);
		assert_true(exact - ns <= (exact >> 31) + 2 + slack);
	}
}

static void test_scale(void **state)
{
	(void)state;
	for (uint64_t hz = 1000000; hz < 20000000000; hz += hz / 97 + 1) {
		check_rate(hz);
	}
	check_rate(1000000000);
	check_rate(1 << 20);
	check_rate(2596130000);
	assert_int_equal(pvclock_scale_make(1000000000).mult, 0x80000000);
	assert_int_equal(pvclock_scale_make(1000000000).shift, 1);
	assert_int_equal(pvclock_scale_make(2000000000).shift, 0);
	assert_int_equal(pvclock_scale_make(3000000000).shift, -1);
	assert_int_equal(pvclock_scale_make(3000000000).mult, 2863311530); /* 2/3 of 2^32 */
}

/* Rates that no machine has give some result, without a trap. */
static void test_scale_of_nonsense(void **state)
{
	(void)state;
	assert_true(pvclock_scale_make(1).mult != 0);
	assert_true(pvclock_scale_make(UINT64_MAX).shift == -31);
}

static void test_time(void **state)
{
	struct time_info t;

	(void)state;
	assert_true(pvclock_write_system(v, TIME | 1));
	t = time_at(TIME);
	assert_int_equal(t.version, 2);
	assert_true(t.tsc == 0); /* of the guest, when its VM was started */
	assert_true(t.ns == 0);
	assert_int_equal(t.flags, 1);
	assert_true(ns_of(fake_now + v->tsc_offset - t.tsc,
			  (struct pvclock_scale){ t.mult, t.shift }) == 3000000000);
	assert_true(pvclock_used(v));
}

/* Odd before the rest changes, even behind it, another one each time. */
static void test_versions(void **state)
{
	(void)state;
	assert_true(pvclock_write_system(v, TIME | 1));
	pvclock_refresh(v);
	assert_int_equal(writes, 6);
	for (unsigned int i = 0; i < 6; i++) {
		static const uint32_t want[] = { 1, 1, 2, 3, 3, 4 };

		assert_int_equal(versions[i], want[i]);
	}
}

/* A guest that moves its TSC keeps its time, and is not told that all TSCs are one. */
static void test_moved_tsc(void **state)
{
	struct time_info t;
	uint64_t guest_tsc = 77;

	(void)state;
	assert_true(pvclock_write_system(v, TIME | 1));
	v->tsc_offset = guest_tsc - fake_now;
	pvclock_tsc_moved(v);
	t = time_at(TIME);
	assert_true(ns_of(guest_tsc - t.tsc, (struct pvclock_scale){ t.mult, t.shift }) ==
		    3000000000);
	assert_int_equal(t.flags, 0);
	v->tsc_offset = fake_vm.tsc_offset; /* and back: once is enough */
	pvclock_tsc_moved(v);
	assert_int_equal(time_at(TIME).flags, 0);
	assert_true(time_at(TIME).tsc == 0);
}

/* The others are asked to write theirs anew, once. */
static void test_others(void **state)
{
	(void)state;
	pvclock_tsc_moved(v); /* by nothing */
	assert_int_equal(fake_vcpus[1].requests, 0);
	v->tsc_offset += 1;
	pvclock_tsc_moved(v);
	assert_int_equal(fake_vcpus[1].requests, VCPU_REQ_CLOCK);
	assert_int_equal(v->requests, 0);
	fake_vcpus[1].requests = 0;
	v->tsc_offset += 1;
	pvclock_tsc_moved(v);
	assert_int_equal(fake_vcpus[1].requests, 0);
}

static void test_not_stable(void **state)
{
	(void)state;
	make(false);
	assert_true(pvclock_write_system(v, TIME | 1));
	assert_int_equal(time_at(TIME).flags, 0);
}

static void test_switched_off(void **state)
{
	uint64_t val;

	(void)state;
	assert_true(pvclock_write_system(v, TIME | 1));
	assert_true(pvclock_write_system(v, TIME)); /* enable bit clear */
	writes = 0;
	pvclock_refresh(v);
	assert_int_equal(writes, 0);
	assert_false(pvclock_used(v));
	assert_true(pvclock_read_system(v, &val));
	assert_true(val == TIME);
	assert_true(pvclock_write_system(v, ~1ul)); /* any address: it is not used */
}

static void test_wall(void **state)
{
	struct wall_info w;
	uint64_t val;

	(void)state;
	assert_true(pvclock_write_wall(v, WALL));
	memcpy(&w, &ram[WALL], sizeof(w));
	assert_int_equal(w.version & 1, 0);
	assert_int_equal(w.seconds, 1700000000); /* 3 s ago */
	assert_int_equal(w.ns, 7);
	assert_true(pvclock_read_wall(v, &val));
	assert_true(val == WALL);
	assert_int_equal(ram[WALL + 12], 0xee);
	assert_int_equal(ram[WALL - 1], 0xee);
}

static void test_hostile_addresses(void **state)
{
	static const uint64_t bad[] = { FAKE_RAM - 28, FAKE_RAM,  0xfee00000,
					0xa0000000,    1ul << 52, ~0ul & ~31ul,
					~0ul & ~3ul,   TIME + 2,  1ul << 63 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(pvclock_write_system(v, bad[i] | 1));
		assert_int_equal(writes, 0);
		assert_false(pvclock_used(v));
	}
	assert_true(pvclock_write_system(v, (FAKE_RAM - 32) | 1));
	assert_false(pvclock_write_wall(v, FAKE_RAM - 8));
	assert_false(pvclock_write_wall(v, WALL + 1));
	assert_true(pvclock_write_wall(v, FAKE_RAM - 12));
	/* What was RAM and is none any more is left alone. */
	x86.clock.system_time = FAKE_RAM | 1;
	pvclock_refresh(v);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scale),     TEST(test_scale_of_nonsense),
		TEST(test_time),      TEST(test_versions),
		TEST(test_moved_tsc), TEST(test_not_stable),
		TEST(test_others),    TEST(test_switched_off),
		TEST(test_wall),      TEST(test_hostile_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
