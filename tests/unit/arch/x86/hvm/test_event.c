/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of events: combinations of exceptions, NMI before interrupts, windows. */
/* TEST_SOURCES: arch/x86/hvm/event.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_hvm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct vcpu *v;
static int lapic_vector;
static bool lapic_takes_pic;
static struct vlapic lapic;

int vlapic_pending(const struct vlapic *l)
{
	(void)l;
	return lapic_vector;
}

bool vlapic_takes_pic(const struct vlapic *l)
{
	(void)l;
	return lapic_takes_pic;
}

void vlapic_sync(struct vlapic *l)
{
	(void)l;
}

void vlapic_take(struct vlapic *l, uint8_t vector)
{
	(void)l;
	assert_int_equal(vector, lapic_vector);
	lapic_vector = -1;
}

static int setup(void **state)
{
	(void)state;
	v = fake_hvm_reset();
	v->lapic = &lapic;
	fake_states[0].regs[HVM_CR0] = CR0_PE;
	lapic_vector = -1;
	lapic_takes_pic = false;
	return 0;
}

static struct event ev;
static bool irq_window, nmi_window;

static bool pick(bool can_irq, bool can_nmi)
{
	memset(&ev, 0xff, sizeof(ev));
	return event_pick(v, can_irq, can_nmi, &ev, &irq_window, &nmi_window);
}

/* SDM Vol. 3A, "Conditions for Generating a Double Fault". */
static void test_combinations(void **state)
{
	static const struct {
		uint8_t first, second, result;
	} rows[] = {
		{ VEC_DB, VEC_PF, VEC_PF }, { VEC_UD, VEC_GP, VEC_GP }, { VEC_GP, VEC_UD, VEC_UD },
		{ VEC_GP, VEC_PF, VEC_PF }, { VEC_GP, VEC_GP, VEC_DF }, { VEC_DE, VEC_NP, VEC_DF },
		{ VEC_TS, VEC_SS, VEC_DF }, { VEC_PF, VEC_PF, VEC_DF }, { VEC_PF, VEC_GP, VEC_DF },
		{ VEC_PF, VEC_UD, VEC_UD }, { VEC_DF, VEC_BP, VEC_BP },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		setup(state);
		event_exception(v, rows[i].first, 0x11);
		event_exception(v, rows[i].second, 0x22);
		assert_true(pick(true, true));
		assert_int_equal(ev.type, EVENT_EXCEPTION);
		assert_int_equal(ev.vector, rows[i].result);
		assert_string_equal(fake_crash, "");
		if (rows[i].result == VEC_DF) {
			assert_true(ev.has_error);
			assert_int_equal(ev.error, 0);
		}
	}
}

static void test_triple_fault(void **state)
{
	(void)state;
	event_exception(v, VEC_PF, 0);
	event_exception(v, VEC_PF, 0);
	assert_string_equal(fake_crash, "");
	event_exception(v, VEC_NP, 0);
	assert_non_null(strstr(fake_crash, "triple fault"));
}

static void test_error_codes(void **state)
{
	(void)state;
	event_exception(v, VEC_GP, 0x18);
	assert_true(pick(false, false));
	assert_true(ev.has_error);
	assert_int_equal(ev.error, 0x18);
	event_exception(v, VEC_UD, 0);
	assert_true(pick(false, false));
	assert_false(ev.has_error);
	fake_states[0].regs[HVM_CR0] = 0; /* real mode pushes none */
	event_exception(v, VEC_GP, 0);
	assert_true(pick(false, false));
	assert_false(ev.has_error);
	assert_false(pick(true, true));
}

static void test_page_fault_sets_cr2(void **state)
{
	(void)state;
	event_page_fault(v, 0x1234567890, 6);
	assert_true(fake_states[0].regs[HVM_CR2] == 0x1234567890);
	assert_true(pick(false, false));
	assert_int_equal(ev.vector, VEC_PF);
	assert_int_equal(ev.error, 6);
}

static void test_priority(void **state)
{
	(void)state;
	lapic_vector = 0x50;
	v->pending |= VCPU_PENDING_NMI | VCPU_PENDING_IRQ;
	event_exception(v, VEC_UD, 0);
	assert_true(pick(true, true));
	assert_int_equal(ev.vector, VEC_UD);
	assert_true(nmi_window);
	assert_true(irq_window);
	assert_true(pick(true, true));
	assert_int_equal(ev.type, EVENT_NMI);
	assert_int_equal(ev.vector, VEC_NMI);
	assert_false(nmi_window);
	assert_true(irq_window);
	assert_true(pick(true, true));
	assert_int_equal(ev.type, EVENT_INTERRUPT);
	assert_int_equal(ev.vector, 0x50);
	assert_false(irq_window);
	assert_int_equal(v->pending, 0);
}

static void test_blocked(void **state)
{
	(void)state;
	lapic_vector = 0x50;
	v->pending = VCPU_PENDING_NMI | VCPU_PENDING_IRQ;
	assert_false(pick(false, false));
	assert_true(irq_window);
	assert_true(nmi_window);
	assert_int_equal(v->pending, VCPU_PENDING_NMI | VCPU_PENDING_IRQ);
	assert_true(pick(true, false)); /* NMI blocked: the interrupt goes first */
	assert_int_equal(ev.vector, 0x50);
	assert_true(nmi_window);
}

static void test_nothing_deliverable(void **state)
{
	(void)state;
	v->pending = VCPU_PENDING_IRQ; /* but the priorities hold it back */
	assert_false(pick(true, true));
	assert_false(irq_window);
	assert_int_equal(v->pending, 0);
}

static void test_pic(void **state)
{
	(void)state;
	v->pending = VCPU_PENDING_IRQ;
	fake_vm.virq.pic_output = true;
	fake_pic_vector = 0x21;
	lapic_takes_pic = false;
	assert_false(pick(true, true));
	lapic_takes_pic = true;
	v->pending = VCPU_PENDING_IRQ;
	assert_false(pick(false, true));
	assert_true(irq_window);
	assert_true(pick(true, true));
	assert_int_equal(ev.vector, 0x21);
	assert_int_equal(ev.type, EVENT_INTERRUPT);
	assert_false(fake_vm.virq.pic_output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_combinations, setup),
		cmocka_unit_test_setup(test_triple_fault, setup),
		cmocka_unit_test_setup(test_error_codes, setup),
		cmocka_unit_test_setup(test_page_fault_sets_cr2, setup),
		cmocka_unit_test_setup(test_priority, setup),
		cmocka_unit_test_setup(test_blocked, setup),
		cmocka_unit_test_setup(test_nothing_deliverable, setup),
		cmocka_unit_test_setup(test_pic, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
