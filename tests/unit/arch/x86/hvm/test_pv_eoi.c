/* SPDX-License-Identifier: BSD-2-Clause */
/* Paravirtual EOI: when the guest may end an interrupt without an exit, and what is made of it. */
/* TEST_SOURCES: tests/unit/arch/x86/hvm/vlapic_lab.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_timer.c arch/x86/hvm/vlapic_ipi.c arch/x86/hvm/event.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_timer.c */
/* TEST_SOURCES: tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_guest_mem.c */
#include "arch/x86/hvm/pv_eoi.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/vlapic_lab.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WORD 0x3008ul

static struct vcpu *v;
static struct vlapic *l;

static int setup(void **state)
{
	(void)state;
	fake_guest_mem_reset();
	v = vlapic_lab_begin();
	if (v == NULL) {
		return -1;
	}
	l = v->lapic;
	return pv_eoi_write(v, WORD | 1) ? 0 : -1;
}

static uint32_t word(void)
{
	return (uint32_t)fake_guest_mem_get64(WORD);
}

/* The guest's end of an interrupt: Linux tests and clears the bit. True: it has to write the register. */
static bool guest_ends(void)
{
	bool was = (word() & 1) != 0;

	fake_guest_mem_put32(WORD, word() & ~1u);
	if (!was) {
		vlapic_mmio_write(l, 0xb0, 0);
	}
	return !was;
}

static bool in_service(uint8_t vector)
{
	return (l->s.isr[vector / 64] & BIT(vector % 64)) != 0;
}

/* An entry with the guest's IF set; what it is given, or -1. */
static int enter(void)
{
	bool irq, nmi;
	struct event ev;

	if (v->pending == 0 || !event_pick(v, true, true, &ev, &irq, &nmi)) {
		return -1;
	}
	return ev.vector;
}

static void test_alone(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		vlapic_accept(l, 0x40, false);
		assert_int_equal(enter(), 0x40);
		assert_int_equal(word(), 1);
		assert_false(guest_ends());
	}
	assert_int_equal(enter(), -1);
	assert_true(pv_eoi_used(v));
}

/* The register shows the end only when somebody looks; then it does. */
static void test_registers(void **state)
{
	(void)state;
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_int_equal(vlapic_mmio_read(l, 0xa0), 0x40); /* PPR; takes the bit back */
	assert_int_equal(word(), 0);
	assert_true(guest_ends());
	assert_int_equal(vlapic_mmio_read(l, 0xa0), 0);
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_false(guest_ends());
	assert_int_equal(vlapic_mmio_read(l, 0x120), 0); /* ISR of 40h-5Fh */
	assert_false(in_service(0x40));
}

static void test_level_never(void **state)
{
	(void)state;
	vlapic_accept(l, 0x40, true);
	assert_int_equal(enter(), 0x40);
	assert_int_equal(word(), 0);
	assert_true(guest_ends());
	assert_int_equal(fake_eoi, 0x40);
}

/* A lower or equal one that waits needs the exit of the first one's end. */
static void test_one_waits(void **state)
{
	(void)state;
	vlapic_accept(l, 0x51, false);
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x51);
	assert_int_equal(word(), 0);
	assert_true(guest_ends());
	assert_int_equal(enter(), 0x40);
	assert_int_equal(word(), 1);
}

static void test_one_comes(void **state)
{
	(void)state;
	vlapic_accept(l, 0x51, false);
	assert_int_equal(enter(), 0x51);
	vlapic_accept(l, 0x51, false); /* the same again, while it is in service */
	assert_int_equal(enter(), -1);
	assert_int_equal(word(), 0); /* the right was taken back */
	assert_true(in_service(0x51));
	assert_true(guest_ends());
	assert_int_equal(enter(), 0x51);
	assert_false(guest_ends());
}

/* It comes between the guest's end and the next exit: deliverable at once. */
static void test_one_comes_after_the_end(void **state)
{
	(void)state;
	vlapic_accept(l, 0x51, false);
	assert_int_equal(enter(), 0x51);
	assert_false(guest_ends());
	assert_true(in_service(0x51)); /* nobody has looked */
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_false(in_service(0x51));
}

static void test_nested(void **state)
{
	(void)state;
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_int_equal(word(), 1);
	vlapic_accept(l, 0x80, false);
	assert_int_equal(enter(), 0x80);
	assert_int_equal(word(),
			 0); /* two are in service: which one the bit ends would be unclear */
	assert_true(guest_ends());
	assert_false(in_service(0x80));
	assert_true(in_service(0x40));
	assert_true(guest_ends());
	assert_false(in_service(0x40));
}

/* A guest that writes the register though the bit is set ends its interrupt once. */
static void test_both_ways(void **state)
{
	(void)state;
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	vlapic_mmio_write(l, 0xb0, 0);
	assert_int_equal(word(), 0);
	assert_false(in_service(0x40));
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_false(guest_ends());
	vlapic_mmio_write(l, 0xb0, 0); /* once more: nothing is in service */
	assert_false(in_service(0x40));
}

static void test_switched_off(void **state)
{
	uint64_t val;

	(void)state;
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_true(pv_eoi_write(v, 0));
	assert_int_equal(word(), 0);
	assert_true(in_service(0x40));
	assert_true(guest_ends());
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_int_equal(word(), 0);
	assert_false(pv_eoi_used(v));
	assert_true(pv_eoi_read(v, &val));
	assert_true(val == 0);
}

/* INIT, or an APIC that is disabled: the bit does not stay behind. */
static void test_reset(void **state)
{
	(void)state;
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	vlapic_init_signal(l);
	assert_int_equal(word(), 0);
	assert_false(in_service(0x40));
	assert_false(l->eoi.armed);
}

static void test_hostile(void **state)
{
	static const uint64_t bad[] = { FAKE_RAM, FAKE_RAM + 4, 0xfee00000, 1ul << 52, ~0ul - 3 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(pv_eoi_write(v, bad[i] | 1));
	}
	assert_false(pv_eoi_write(v, WORD | 3));
	assert_false(pv_eoi_write(v, WORD | 2));
	assert_true(pv_eoi_write(v, (FAKE_RAM - 4) | 1));
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	assert_int_equal(fake_ram[FAKE_RAM - 4], 1);
	l->eoi.msr = FAKE_RAM | 1; /* the RAM went away: as if the guest had not ended it */
	vlapic_accept(l, 0x41, false);
	assert_int_equal(enter(), -1);
	assert_true(in_service(0x40));
	vlapic_mmio_write(l, 0xb0, 0);
	assert_int_equal(enter(), 0x41);
	assert_false(l->eoi.armed);
}

/* Whatever the guest writes there, at any time: interrupts end at most once each, none is lost. */
static void test_nonsense_in_the_word(void **state)
{
	(void)state;
	vlapic_accept(l, 0x40, false);
	assert_int_equal(enter(), 0x40);
	fake_guest_mem_put32(WORD, 0xfffffffe); /* bit 0 counts */
	vlapic_accept(l, 0x30, false);
	assert_int_equal(enter(), 0x30);
	assert_false(in_service(0x40));
	vlapic_mmio_write(l, 0xb0, 0);
	fake_guest_mem_put32(WORD, 1); /* set by the guest itself, nothing in service */
	vlapic_accept(l, 0x30, false);
	assert_int_equal(enter(), 0x30);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vlapic_lab_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_alone),     TEST(test_registers), TEST(test_level_never),
		TEST(test_one_waits), TEST(test_one_comes), TEST(test_one_comes_after_the_end),
		TEST(test_nested),    TEST(test_both_ways), TEST(test_switched_off),
		TEST(test_reset),     TEST(test_hostile),   TEST(test_nonsense_in_the_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
