/* SPDX-License-Identifier: BSD-2-Clause */
/* Steal time: what the guest's structure says of the waiting and of the CPU, and the flush by it. */
/* TEST_SOURCES: arch/x86/hvm/pv_steal.c arch/x86/hvm/kvm_leaf.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_guest_mem.c */
#include "arch/x86/hvm/pv_steal.h"

#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include "hv/thread.h"
#include <string.h>

#include <cmocka.h>

#define AREA	  0x3040ul
#define NO_CPU	  1u
#define FLUSH	  2u
#define VERSION	  (AREA + 8)
#define PREEMPTED (AREA + 16)

static struct vcpu *v;
static struct vcpu_x86 x86;
static struct thread thread;

static int setup(void **state)
{
	(void)state;
	fake_guest_mem_reset();
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	memset(&thread, 0, sizeof(thread));
	v->x86 = &x86;
	v->thread = &thread;
	thread.waited = 700; /* before the guest asked for it */
	return pv_steal_write(v, AREA | 1) ? 0 : -1;
}

static uint64_t steal(void)
{
	return fake_guest_mem_get64(AREA);
}

static uint32_t version(void)
{
	return (uint32_t)fake_guest_mem_get64(VERSION);
}

/* It loses its CPU, waits for so many ticks of 1 ns, and has one again. */
static void wait_for_cpu(uint64_t ticks)
{
	pv_steal_switched_out(v);
	thread.waited += ticks;
	pv_steal_switched_in(v);
}

static void test_waiting(void **state)
{
	uint32_t first = version();

	(void)state;
	assert_true(steal() == 0); /* what went before was not stolen from it */
	wait_for_cpu(1000);
	assert_true(steal() == 1000);
	wait_for_cpu(0); /* in HLT */
	wait_for_cpu(234);
	assert_true(steal() == 1234);
	assert_true((version() & 1) == 0 && version() > first);
	assert_true(pv_steal_used(v));
}

static void test_has_a_cpu(void **state)
{
	(void)state;
	assert_int_equal(fake_ram[PREEMPTED], 0);
	pv_steal_switched_out(v);
	assert_int_equal(fake_ram[PREEMPTED], NO_CPU);
	pv_steal_switched_in(v);
	assert_int_equal(fake_ram[PREEMPTED], 0);
	assert_int_equal(fake_flushes[0], 0);
	assert_false(kvm_leaf_is_used(v, KVM_PV_TLB_FLUSH));
}

/* Once for each time that it was left to it, before it is entered. */
static void test_flush(void **state)
{
	(void)state;
	for (unsigned int i = 1; i <= 3; i++) {
		pv_steal_switched_out(v);
		fake_ram[PREEMPTED] |= FLUSH;
		pv_steal_switched_in(v);
		assert_int_equal(fake_flushes[0], i);
		assert_int_equal(fake_ram[PREEMPTED], 0);
		wait_for_cpu(1);
		assert_int_equal(fake_flushes[0], i);
	}
	assert_true(kvm_leaf_is_used(v, KVM_PV_TLB_FLUSH));
}

/* Left to it just before the guest moves or takes away the structure of a vCPU that has a CPU. */
static void test_moved(void **state)
{
	(void)state;
	fake_ram[AREA + 64 + 16] = NO_CPU | FLUSH;
	assert_true(pv_steal_write(v, (AREA + 64) | 1));
	assert_int_equal(fake_flushes[0], 1);
	assert_int_equal(fake_ram[AREA + 64 + 16], 0);
	assert_true(pv_steal_write(v, 0));
	assert_false(pv_steal_used(v));
	memset(fake_ram, 0, sizeof(fake_ram));
	wait_for_cpu(10);
	for (unsigned int i = 0; i < FAKE_RAM; i++) {
		assert_int_equal(fake_ram[i], 0);
	}
}

/* Saved and restored: memory and MSR as they were, a new thread, perhaps a copy made in between. */
static void test_restored(void **state)
{
	(void)state;
	wait_for_cpu(1000);
	pv_steal_switched_out(v);
	fake_guest_mem_put32(VERSION, version() | 1);
	x86.steal.seen = 0;
	thread.waited = 55;
	pv_steal_switched_in(v);
	assert_true(steal() == 1055);
	assert_int_equal(version() & 1, 0);
	assert_int_equal(fake_ram[PREEMPTED], 0);
}

static void test_hostile(void **state)
{
	static const uint64_t bad[] = { FAKE_RAM, 0xfee00000, 1ul << 52, ~0x3ful };
	uint64_t val;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(pv_steal_write(v, bad[i] | 1));
	}
	for (uint64_t bit = 2; bit <= 0x20; bit <<= 1) {
		assert_false(pv_steal_write(v, AREA | bit | 1));
		assert_false(pv_steal_write(v, AREA | bit));
	}
	assert_true(pv_steal_read(v, &val));
	assert_true(val == (AREA | 1));
	assert_true(pv_steal_write(v, FAKE_RAM)); /* not switched on: any address */
	assert_true(pv_steal_write(v, (FAKE_RAM - 64) | 1));
	wait_for_cpu(5);
	assert_true(fake_guest_mem_get64(FAKE_RAM - 64) == 5);
	memset(&fake_ram[FAKE_RAM - 64], 0xff, 64); /* all of it is the guest's to spoil */
	wait_for_cpu(2);
	assert_true(fake_guest_mem_get64(FAKE_RAM - 64) == 1);
	assert_true((uint32_t)fake_guest_mem_get64(FAKE_RAM - 56) == 0);
	x86.steal.msr = FAKE_RAM | 1; /* the RAM went away */
	wait_for_cpu(5);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_waiting), TEST(test_has_a_cpu), TEST(test_flush),
		TEST(test_moved),   TEST(test_restored),  TEST(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
