/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC between software and a processor that virtualizes it, which the test plays on the page: */
/* requests handed over, state taken back whole, writes that the processor only notes. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: tests/unit/arch/x86/hvm/vlapic_lab.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/vlapic_lab.h"
#include "arch/x86/hvm/vlapic_page.h"
#include "fakes/fake_hvm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct vcpu *v;
static struct vlapic *l;
static uint32_t page[1024];

static int setup(void **state)
{
	(void)state;
	v = vlapic_lab_begin();
	if (v == NULL) {
		return -1;
	}
	l = v->lapic;
	memset(page, 0, sizeof(page));
	l->page = page;
	return 0;
}

/* ---- the processor ---- */

static uint32_t *bank(uint32_t offset, uint8_t vector)
{
	return &page[(offset + vector / 32u * 16) / 4];
}

static bool in(uint32_t offset, uint8_t vector)
{
	return (*bank(offset, vector) >> vector % 32 & 1) != 0;
}

/* SDM Vol. 3C, "Virtual-Interrupt Delivery", then "EOI Virtualization". */
static void deliver(uint8_t vector)
{
	assert_true(in(0x200, vector));
	*bank(0x200, vector) &= ~(1u << vector % 32);
	*bank(0x100, vector) |= 1u << vector % 32;
	page[0xa0 / 4] = vector & 0xf0;
}

static void end(uint8_t vector)
{
	*bank(0x100, vector) &= ~(1u << vector % 32);
	page[0xa0 / 4] = page[0x80 / 4];
}

static void guest_writes(uint32_t offset, uint32_t val)
{
	page[offset / 4] = val;
	vlapic_page_written(l, offset);
}

/* ---- tests ---- */

static void test_mode(void **state)
{
	(void)state;
	assert_int_equal(vlapic_page_mode(l), VLAPIC_XAPIC);
	v->pending = 0;
	vlapic_mmio_write(l, 0xf0, 0xff);
	assert_int_equal(vlapic_page_mode(l), VLAPIC_SOFTWARE); /* it drops what comes */
	assert_true((v->pending & VCPU_PENDING_IRQ) != 0);	/* the next entry sees that */
	vlapic_mmio_write(l, 0xf0, 0x1ff);
	assert_true(vlapic_set_base(l, 0xfee00d00));
	assert_int_equal(vlapic_page_mode(l), VLAPIC_X2APIC);
	assert_true(vlapic_set_base(l, 0xfee00100));
	assert_int_equal(vlapic_page_mode(l), VLAPIC_SOFTWARE);
	l->page = NULL;
	vlapic_reset(v);
	vlapic_mmio_write(l, 0xf0, 0x1ff);
	assert_int_equal(vlapic_page_mode(l), VLAPIC_SOFTWARE);
}

static void test_requests(void **state)
{
	(void)state;
	assert_int_equal(vlapic_page_fill(l), 0);
	vlapic_accept(l, 0x51, false);
	vlapic_accept(l, 0x31, false);
	assert_int_equal(vlapic_page_request(l), 0x51);
	assert_int_equal(vlapic_page_request(l), 0);
	assert_true(vlapic_requests(l, 0x31) && vlapic_requests(l, 0x51));
	assert_int_equal(vlapic_pending(l), 0x51);
	deliver(0x51);
	assert_false(vlapic_requests(l, 0x51));
	assert_int_equal(vlapic_pending(l), -1); /* 31h waits for the end of 51h */
	vlapic_accept(l, 0xef, false);
	assert_int_equal(vlapic_pending(l), 0xef); /* the processor has not been told yet */
	assert_int_equal(vlapic_page_request(l), 0xef);
	end(0x51);
	assert_int_equal(vlapic_pending(l), 0xef);
}

static void test_taken_back(void **state)
{
	(void)state;
	vlapic_page_fill(l);
	vlapic_accept(l, 0x51, true);
	vlapic_accept(l, 0xf1, false);
	vlapic_page_request(l);
	deliver(0xf1);
	vlapic_accept(l, 0x62, false); /* not handed over */
	page[0x80 / 4] = 0x20;
	v->pending = 0;
	vlapic_sync(l);
	assert_false(l->live);
	assert_true((v->pending & VCPU_PENDING_IRQ) !=
		    0); /* so that it is filled before the next entry */
	assert_int_equal(l->s.tpr, 0x20);
	assert_true(l->s.isr[3] == 1ul << 0x31);
	assert_true(l->s.isr[0] == 0 && l->s.isr[1] == 0 && l->s.isr[2] == 0);
	assert_true(l->s.irr[1] == (1ul << 0x11 | 1ul << 0x22));
	assert_false(in(0x200, 0x51));
	assert_int_equal(vlapic_page_fill(l), 0xf1);
	assert_int_equal(page[0xa0 / 4], 0xf0);
	assert_true(in(0x180, 0x51));
	assert_int_equal(vlapic_page_request(l), 0x62);
	assert_true(in(0x200, 0x51) && in(0x100, 0xf1));
}

/* Who looks at a register by an exit finds what the processor has. */
static void test_reads_by_exit(void **state)
{
	(void)state;
	vlapic_page_fill(l);
	vlapic_accept(l, 0x51, false);
	vlapic_page_request(l);
	deliver(0x51);
	assert_int_equal(vlapic_mmio_read(l, 0xa0), 0x50);
	assert_int_equal(vlapic_mmio_read(l, 0x120), 1u << 0x11);
	vlapic_page_fill(l);
	page[0x80 / 4] = 0x70;
	assert_int_equal(vlapic_mmio_read(l, 0x80), 0x70);
	vlapic_mmio_write(l, 0xb0, 0); /* the end of 51h, by an instruction that we carry out */
	assert_int_equal(vlapic_page_fill(l), 0);
}

static void test_registers_to_read(void **state)
{
	(void)state;
	vlapic_mmio_write(l, 0xd0, 0xab000000);
	vlapic_mmio_write(l, 0x380, 1000);
	vlapic_page_fill(l);
	assert_int_equal(page[0x30 / 4], 0x50014);
	assert_int_equal(page[0xd0 / 4], 0xab000000);
	assert_int_equal(page[0xf0 / 4], 0x1ff);
	assert_int_equal(page[0x370 / 4], 0x10000);
	assert_int_equal(page[0x380 / 4], 1000);
}

/* Reserved bits do not stay; what a register makes of it is there to read. */
static void test_writes(void **state)
{
	(void)state;
	vlapic_page_fill(l);
	guest_writes(0xd0, 0x12345678);
	assert_int_equal(page[0xd0 / 4], 0x12000000);
	guest_writes(0x380, 500);
	guest_writes(0x320, 0x40080); /* TSC-deadline mode stops the timer */
	assert_int_equal(page[0x320 / 4], 0x40080);
	assert_int_equal(page[0x380 / 4], 0);
	vlapic_mmio_write(l, 0x30, 1); /* an error: read-only */
	guest_writes(0x280, 0);
	assert_int_equal(page[0x280 / 4], 0x80);
	assert_true(l->live);
	guest_writes(0xf0, 0xff);
	assert_false(l->live); /* another mode */
	assert_int_equal(page[0xf0 / 4], 0xff);
}

/* The high half is written without an exit. */
static void test_ipi(void **state)
{
	struct vcpu *other = &fake_vcpus[1];

	(void)state;
	fake_vm.vcpus[1] = other;
	fake_vm.vcpu_count = 2;
	other->vm = &fake_vm;
	other->id = 1;
	assert_int_equal(vlapic_create(other), 0);
	vlapic_mmio_write(other->lapic, 0xf0, 0x1ff);
	vlapic_page_fill(l);
	page[0x310 / 4] = other->id << 24;
	guest_writes(0x300, 0x4042);
	assert_true(vlapic_requests(other->lapic, 0x42));
	assert_int_equal(vlapic_mmio_read(l, 0x310), other->id << 24);
	vlapic_destroy(other);
}

/* A pause, a save: between the halves of the ICR, of which the first is written without an exit. */
static void test_ipi_begun(void **state)
{
	(void)state;
	vlapic_page_fill(l);
	page[0x310 / 4] = 5u << 24;
	vlapic_sync(l);
	assert_int_equal(l->s.icr >> 32, 5u << 24);
	vlapic_page_fill(l);
	assert_int_equal(page[0x310 / 4], 5u << 24);
	assert_true(vlapic_set_base(l, 0xfee00d00));
	vlapic_page_fill(l);
	assert_true(vlapic_msr_write(l, 0x830, 3ul << 32 | 0x4042));
	vlapic_sync(l); /* what an earlier mode left in the page is nothing now */
	assert_int_equal(l->s.icr >> 32, 3);
}

static void test_init(void **state)
{
	(void)state;
	vlapic_page_fill(l);
	vlapic_accept(l, 0x51, false);
	vlapic_page_request(l);
	deliver(0x51);
	vlapic_init_signal(l);
	assert_false(l->live);
	assert_true((l->s.isr[1] | l->s.irr[1]) == 0);
	assert_int_equal(vlapic_page_mode(l), VLAPIC_SOFTWARE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mode, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_requests, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_taken_back, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_reads_by_exit, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_registers_to_read, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_writes, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_ipi, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_ipi_begun, setup, vlapic_lab_end),
		cmocka_unit_test_setup_teardown(test_init, setup, vlapic_lab_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
