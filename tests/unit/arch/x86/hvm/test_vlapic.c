/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC: priorities, EOI order, registers, errors, x2APIC's #GPs, mode transitions, IPIs. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/arch/x86/hvm/vlapic_lab.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/vlapic_lab.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_hvm.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

static struct vcpu *v;
static struct vlapic *l;

static void write_reg(uint32_t offset, uint32_t val)
{
	vlapic_mmio_write(l, offset, val);
}

static uint32_t read_reg(uint32_t offset)
{
	return vlapic_mmio_read(l, offset);
}

static int setup(void **state)
{
	(void)state;
	v = vlapic_lab_begin();
	if (v == NULL) {
		return -1;
	}
	l = v->lapic;
	return 0;
}

static void take(uint8_t vector)
{
	assert_int_equal(vlapic_pending(l), vector);
	vlapic_take(l, vector);
}

/* SDM "Local APIC State After Power-Up or Reset". */
static void test_reset_state(void **state)
{
	(void)state;
	vlapic_reset(v);
	assert_true(l->s.base == 0xfee00900);
	assert_int_equal(read_reg(0x20), 0);
	assert_int_equal(read_reg(0x30), 0x50014);
	assert_int_equal(read_reg(0x80), 0);
	assert_int_equal(read_reg(0xd0), 0);
	assert_int_equal(read_reg(0xe0), UINT32_MAX);
	assert_int_equal(read_reg(0xf0), 0xff);
	for (uint32_t offset = 0x320; offset <= 0x370; offset += 0x10) {
		assert_int_equal(read_reg(offset), 0x10000);
	}
	assert_int_equal(read_reg(0x380), 0);
	assert_int_equal(read_reg(0x390), 0);
}

static unsigned int steps, disabled;

static void on_step(int signal)
{
	(void)signal;
	steps++;
	disabled += (l->s.base & VLAPIC_BASE_ENABLE) == 0;
}

/* One instruction at a time. RFLAGS.TF; the red zone is the compiler's. */
static void trace(bool on)
{
	if (on) {
		__asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); popfq; "
				 "lea 128(%%rsp), %%rsp" ::
					 : "memory", "cc");
	} else {
		__asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; "
				 "lea 128(%%rsp), %%rsp" ::
					 : "memory", "cc");
	}
}

/* Between any two of its instructions another CPU may send a SIPI: that must not be lost. */
static void test_enabled_all_through_init(void **state)
{
	struct sigaction step = { .sa_handler = on_step }, old;

	(void)state;
	steps = disabled = 0;
	assert_int_equal(sigaction(SIGTRAP, &step, &old), 0);
	trace(true);
	vlapic_init_signal(l);
	trace(false);
	assert_int_equal(sigaction(SIGTRAP, &old, NULL), 0);
	assert_in_range(steps, 20, 100000);
	assert_int_equal(disabled, 0);
}

static void test_priority_order(void **state)
{
	(void)state;
	vlapic_accept(l, 0x31, false);
	vlapic_accept(l, 0x52, false);
	vlapic_accept(l, 0x58, false);
	assert_true((v->pending & VCPU_PENDING_IRQ) != 0);
	take(0x58);
	assert_int_equal(vlapic_pending(l), -1); /* 52h is of the same class */
	vlapic_accept(l, 0xf0, false);
	take(0xf0);
	assert_int_equal(read_reg(0xa0), 0xf0);
	write_reg(0xb0, 0); /* ends F0h */
	assert_int_equal(vlapic_pending(l), -1);
	v->pending = 0;
	write_reg(0xb0, 0); /* ends 58h */
	assert_true((v->pending & VCPU_PENDING_IRQ) != 0);
	take(0x52);
	write_reg(0xb0, 0);
	take(0x31);
	write_reg(0xb0, 0);
	write_reg(0xb0, 0); /* one too many: nothing */
	assert_int_equal(vlapic_pending(l), -1);
}

static void test_tpr(void **state)
{
	(void)state;
	write_reg(0x80, 0x5f);
	assert_int_equal(read_reg(0xa0), 0x5f);
	vlapic_accept(l, 0x5f, false);
	assert_int_equal(vlapic_pending(l), -1);
	vlapic_accept(l, 0x60, false);
	assert_int_equal(vlapic_pending(l), 0x60);
	v->pending = 0;
	vlapic_set_cr8(l, 6);
	assert_int_equal(vlapic_pending(l), -1);
	assert_int_equal(v->pending, 0);
	assert_int_equal(read_reg(0x80), 0x60);
	vlapic_set_cr8(l, 5);
	assert_int_equal(vlapic_get_cr8(l), 5);
	assert_true((v->pending & VCPU_PENDING_IRQ) != 0);
	take(0x60);
	assert_int_equal(read_reg(0xa0), 0x60); /* in service beats TPR 50h */
}

static void test_bank_registers(void **state)
{
	(void)state;
	vlapic_accept(l, 0x3f, true);
	vlapic_accept(l, 0xe1, false);
	assert_int_equal(read_reg(0x210), 0x80000000);
	assert_int_equal(read_reg(0x270), 2);
	assert_int_equal(read_reg(0x190), 0x80000000); /* TMR: level */
	assert_int_equal(read_reg(0x1f0), 0);
	take(0xe1);
	assert_int_equal(read_reg(0x170), 2);
	assert_int_equal(read_reg(0x270), 0);
}

static void test_level_eoi(void **state)
{
	(void)state;
	vlapic_accept(l, 0x40, true);
	take(0x40);
	write_reg(0xb0, 0);
	assert_int_equal(fake_eoi, 0x40);
	fake_eoi = -1;
	vlapic_accept(l, 0x40, false); /* the same vector, now an edge */
	take(0x40);
	write_reg(0xb0, 0);
	assert_int_equal(fake_eoi, -1);
}

static void test_software_disable(void **state)
{
	(void)state;
	write_reg(0x350, 0x700);
	write_reg(0xf0, 0xff);
	assert_int_equal(read_reg(0x350), 0x10700);
	write_reg(0x350, 0x700); /* the mask cannot be cleared now */
	assert_int_equal(read_reg(0x350), 0x10700);
	vlapic_accept(l, 0x40, false);
	assert_int_equal(vlapic_pending(l), -1);
	assert_false(vlapic_takes_pic(l));
}

static void test_pic(void **state)
{
	(void)state;
	assert_false(vlapic_takes_pic(l));
	vlapic_pic_output(&fake_vm, true);
	assert_int_equal(v->pending, 0);
	write_reg(0x350, 0x700);
	assert_true((v->pending & VCPU_PENDING_IRQ) != 0); /* it may have waited */
	assert_true(vlapic_takes_pic(l));
	v->pending = 0;
	vlapic_pic_output(&fake_vm, true);
	assert_true((v->pending & VCPU_PENDING_IRQ) != 0);
	v->pending = 0;
	vlapic_pic_output(&fake_vm, false);
	assert_int_equal(v->pending, 0);
	write_reg(0x350, 0x45); /* fixed: LINT0 as an interrupt of the APIC's own */
	vlapic_pic_output(&fake_vm, true);
	assert_int_equal(vlapic_pending(l), 0x45);
	write_reg(0x350, 0x400);
	vlapic_pic_output(&fake_vm, true);
	assert_true((v->pending & VCPU_PENDING_NMI) != 0);
}

static void test_virtual_wire(void **state)
{
	(void)state;
	vlapic_reset(v);
	vlapic_virtual_wire(v);
	assert_true(vlapic_takes_pic(l));
	assert_int_equal(read_reg(0x350), 0x700);
	assert_int_equal(read_reg(0x360), 0x400);
	assert_int_equal(read_reg(0xf0), 0x1ff);
}

static void test_errors(void **state)
{
	(void)state;
	write_reg(0x370, 0xfe);
	assert_int_equal(read_reg(0x400), 0); /* no such register */
	assert_int_equal(read_reg(0x280), 0); /* not latched yet */
	take(0xfe);
	write_reg(0x280, 0);
	assert_int_equal(read_reg(0x280), 0x80);
	write_reg(0x280, 0);
	assert_int_equal(read_reg(0x280), 0);
	write_reg(0x300, 0x4005); /* fixed, vector 5, to APIC 0 */
	write_reg(0x280, 0);
	assert_int_equal(read_reg(0x280), 0x20);
	vlapic_accept(l, 15, false);
	write_reg(0x280, 0);
	assert_int_equal(read_reg(0x280), 0x40);
	(void)read_reg(0x84); /* not on a 16-byte border */
	write_reg(0x280, 0);
	assert_int_equal(read_reg(0x280), 0x80);
}

/* An error entry with an illegal vector must not chase its own tail. */
static void test_error_of_error(void **state)
{
	(void)state;
	write_reg(0x370, 0x05);
	vlapic_accept(l, 3, false);
	write_reg(0x280, 0);
	assert_int_equal(read_reg(0x280), 0x40);
	assert_int_equal(vlapic_pending(l), -1);
}

static void test_reserved_bits_xapic(void **state)
{
	(void)state;
	write_reg(0x320, UINT32_MAX);
	assert_int_equal(read_reg(0x320), 0x700ff);
	write_reg(0x360, UINT32_MAX);
	assert_int_equal(read_reg(0x360), 0x1a7ff);
	write_reg(0xd0, UINT32_MAX);
	assert_int_equal(read_reg(0xd0), 0xff000000);
	write_reg(0xe0, 0);
	assert_int_equal(read_reg(0xe0), 0x0fffffff);
	write_reg(0x20, 0x7000000);
	assert_int_equal(read_reg(0x20), 0);
}

static bool wrmsr(uint32_t msr, uint64_t val)
{
	return vlapic_msr_write(l, msr, val);
}

static bool rdmsr(uint32_t msr)
{
	uint64_t val;

	return vlapic_msr_read(l, msr, &val);
}

static void enter_x2apic(void)
{
	assert_true(vlapic_set_base(l, 0xfee00d00));
}

/* SDM "x2APIC State Transitions". */
static void test_transitions(void **state)
{
	(void)state;
	assert_false(vlapic_set_base(l, 0xfee00500)); /* x2APIC without enable */
	assert_false(vlapic_set_base(l, 0xfed00900)); /* another page */
	assert_false(vlapic_set_base(l, 0xfee00900 | BIT(40)));
	assert_false(vlapic_set_base(l, 0xfee00901));
	assert_false(rdmsr(0x802));
	assert_true(vlapic_has_mmio(l));
	enter_x2apic();
	assert_false(vlapic_has_mmio(l));
	assert_false(vlapic_set_base(l, 0xfee00900)); /* back to xAPIC at once */
	assert_int_equal(l->s.svr, 0x1ff);	      /* kept across the transition */
	assert_true(vlapic_set_base(l, 0xfee00100));
	assert_int_equal(l->s.svr, 0xff);
	assert_false(vlapic_set_base(l, 0xfee00d00)); /* disabled to x2APIC */
	assert_true(vlapic_takes_pic(l));
	assert_true(vlapic_set_base(l, 0xfee00800)); /* BSP is not the guest's to write */
	assert_true(l->s.base == 0xfee00900);
}

static void test_x2apic_faults(void **state)
{
	static const uint32_t absent[] = { 0x800, 0x801, 0x804, 0x809, 0x80c, 0x80e, 0x829,
					   0x82f, 0x831, 0x83a, 0x83d, 0x840, 0x8ff };
	static const uint32_t read_only[] = {
		0x802, 0x803, 0x80a, 0x80d, 0x810, 0x818, 0x827, 0x839
	};
	static const struct {
		uint32_t msr;
		uint64_t bad, good;
	} rows[] = {
		{ 0x808, 0x100, 0xff },	     { 0x80b, 1, 0 },
		{ 0x80f, 0x1000, 0x1ff },    { 0x828, 1, 0 },
		{ 0x830, BIT(13), 0x4040 },  { 0x830, BIT(16), 0x4040 },
		{ 0x832, 0x80000, 0x400ff }, { 0x835, 0x20000, 0x10700 },
		{ 0x837, 0x200, 0x10020 },   { 0x838, BIT(32), 5 },
		{ 0x83e, 4, 0xb },	     { 0x83f, 0x100, 0x40 },
	};

	(void)state;
	enter_x2apic();
	for (unsigned int i = 0; i < ARRAY_SIZE(absent); i++) {
		assert_false(rdmsr(absent[i]));
		assert_false(wrmsr(absent[i], 0));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(read_only); i++) {
		assert_true(rdmsr(read_only[i]));
		assert_false(wrmsr(read_only[i], 0));
	}
	assert_false(rdmsr(0x80b));
	assert_false(rdmsr(0x83f));
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_false(wrmsr(rows[i].msr, rows[i].bad));
		assert_true(wrmsr(rows[i].msr, rows[i].good));
	}
}

static void test_x2apic_ids(void **state)
{
	uint64_t val;

	(void)state;
	enter_x2apic();
	l->v = &fake_vcpus[3];
	assert_true(vlapic_msr_read(l, 0x80d, &val));
	assert_int_equal(val, 8);
	l->v = v;
	assert_true(wrmsr(0x83f, 0x77)); /* self IPI */
	assert_int_equal(vlapic_pending(l), 0x77);
}

static void send(uint8_t mode, uint32_t dest, bool logical, uint8_t vector)
{
	const struct virq_msg msg = {
		.dest = dest, .vector = vector, .mode = mode, .logical = logical
	};

	vlapic_send(&fake_vm, &msg);
}

static void test_messages(void **state)
{
	(void)state;
	send(VIRQ_FIXED, 1, false, 0x41);
	assert_int_equal(vlapic_pending(l), -1);
	send(VIRQ_FIXED, 0, false, 0x41);
	take(0x41);
	send(VIRQ_LOWEST, 0xff, false, 0x51);
	take(0x51);
	write_reg(0xd0, 0x04000000);
	send(VIRQ_FIXED, 0x03, true, 0x61);
	assert_int_equal(vlapic_pending(l), -1);
	send(VIRQ_FIXED, 0x0c, true, 0x61);
	take(0x61);
	write_reg(0xe0, 0); /* cluster model: cluster 0, member 4 */
	send(VIRQ_LOWEST, 0x14, true, 0x71);
	assert_int_equal(vlapic_pending(l), -1);
	send(VIRQ_LOWEST, 0x04, true, 0x71);
	take(0x71);
	send(VIRQ_NMI, 0, false, 0);
	assert_true((v->pending & VCPU_PENDING_NMI) != 0);
	enter_x2apic();
	send(VIRQ_FIXED, 1, true, 0x81); /* logical x2APIC: cluster 0, bit 0 */
	take(0x81);
	send(VIRQ_FIXED, 0x10001, true, 0x91);
	assert_int_equal(vlapic_pending(l), -1);
}

static void test_icr(void **state)
{
	(void)state;
	write_reg(0x310, 0);
	write_reg(0x300, 0x4041);
	assert_int_equal(read_reg(0x300), 0x4041);
	take(0x41);
	write_reg(0x300, 0x40051); /* self */
	take(0x51);
	write_reg(0x300, 0xc0061); /* all but self */
	assert_int_equal(vlapic_pending(l), -1);
	write_reg(0x300, 0x80061); /* all */
	take(0x61);
	write_reg(0x310, 0x05000000);
	write_reg(0x300, 0x71);
	assert_int_equal(vlapic_pending(l), -1);
	assert_int_equal(read_reg(0x310), 0x05000000);
	write_reg(0x300, 0xc4500); /* INIT to all but self: nobody there */
	write_reg(0x300, 0x1041);  /* delivery status is not the guest's to set */
	assert_int_equal(read_reg(0x300) & 0x1000, 0);
	enter_x2apic();
	assert_true(wrmsr(0x830, 0x81));
	take(0x81);
	assert_true(wrmsr(0x830, 0x91 | 7ul << 32));
	assert_int_equal(vlapic_pending(l), -1);
	assert_true(wrmsr(0x830, 0x91 | (uint64_t)UINT32_MAX << 32)); /* broadcast */
	take(0x91);
}

static void test_no_memory(void **state)
{
	struct vcpu *other = &fake_vcpus[1];

	(void)state;
	fake_heap_limit = 0;
	assert_int_not_equal(vlapic_create(other), 0);
	assert_null(other->lapic);
	fake_heap_limit = ~0ul;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, vlapic_lab_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reset_state),
		TEST(test_enabled_all_through_init),
		TEST(test_priority_order),
		TEST(test_tpr),
		TEST(test_bank_registers),
		TEST(test_level_eoi),
		TEST(test_software_disable),
		TEST(test_pic),
		TEST(test_virtual_wire),
		TEST(test_errors),
		TEST(test_error_of_error),
		TEST(test_reserved_bits_xapic),
		TEST(test_transitions),
		TEST(test_x2apic_faults),
		TEST(test_x2apic_ids),
		TEST(test_messages),
		TEST(test_icr),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
