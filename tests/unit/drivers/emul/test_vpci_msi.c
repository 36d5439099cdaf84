/* SPDX-License-Identifier: BSD-2-Clause */
/* Plain MSI through the test device's PCI function: capability, messages, masks, pending bits, pin. */
/* PCI Local Bus Specification 3.0, "MSI Capability Structure". */
/* TEST_SOURCES: drivers/emul/vpci.c drivers/emul/vpci_function.c drivers/emul/vpci_msi.c drivers/emul/vtest_pci.c */
/* TEST_SOURCES: drivers/emul/vioapic.c hv/lib/errno.c */
/* TEST_SOURCES: tests/unit/fakes/fake_pc.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: hv/virq.c hv/iobus.c hv/timer.c hv/guest_console.c hv/base/lock.c drivers/emul/isa.c */
/* TEST_LIBS: -Wl,-T,tests/unit/fakes/fake_pc.ld */
#include "drivers/emul/vpci_msi.h"
#include "hv/lib/errno.h"
#include "tests/unit/fakes/fake_pc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEVFN	VPCI_DEVFN(30u, 0u)
#define PORT	0xc000
#define CONTROL 2u
#define ADDRESS 4u
#define DATA	12u
#define MASK	16u
#define PENDING 20u
#define ON	0x1u
#define TWO	0x10u /* messages allocated */
#define FOUR	0x20u

static unsigned int cap;

static void address(unsigned int off)
{
	fake_out(0xcf8, 4, 0x80000000u | DEVFN << 8 | (off & ~3u));
}

static uint32_t get(unsigned int off, uint8_t size)
{
	address(off);
	return fake_in((uint16_t)(0xcfc + (off & 3)), size);
}

static void set(unsigned int off, uint8_t size, uint32_t val)
{
	address(off);
	fake_out((uint16_t)(0xcfc + (off & 3)), size, val);
}

static void raise(unsigned int vector)
{
	fake_out(PORT, 4, vector);
}

/* BAR and bus mastering on, vectors from 53h on; MSI off. */
static void set_up(void)
{
	cap = get(VPCI_CAPABILITIES, 1);
	set(VPCI_BAR0, 4, PORT);
	set(VPCI_COMMAND, 2, 5);
	set(cap + ADDRESS, 4, 0xfee00000);
	set(cap + DATA, 2, 0x53);
}

static int start(void **state)
{
	fake_pc_start(state);
	set_up();
	return 0;
}

static void on(unsigned int control)
{
	set(cap + CONTROL, 2, control | ON);
	fake_sent = 0;
}

static void assert_sent(unsigned int sent, unsigned int vector)
{
	assert_int_equal(fake_sent, sent);
	assert_int_equal(fake_msg.vector, vector);
}

static void test_capability(void **state)
{
	(void)state;
	assert_int_equal(get(cap, 2), 5); /* the last one */
	assert_int_equal(get(cap + CONTROL, 2), 0x184);
	set(cap + CONTROL, 2, 0xffff);
	assert_int_equal(get(cap + CONTROL, 2), 0x1f5); /* enable, and messages enabled */
	set(cap + ADDRESS, 4, 0xffffffff);
	set(cap + ADDRESS + 4, 4, 0xffffffff);
	set(cap + DATA, 4, 0xffffffff);
	set(cap + MASK, 4, 0xffffffff);
	set(cap + PENDING, 4, 0xffffffff);
	assert_int_equal(get(cap + ADDRESS, 4), 0xfffffffc);
	assert_int_equal(get(cap + ADDRESS + 4, 4), 0xffffffff);
	assert_int_equal(get(cap + DATA, 4), 0xffff);
	assert_int_equal(get(cap + MASK, 4), 0xf);
	assert_int_equal(get(cap + PENDING, 4), 0);
}

/* "Multiple Message Enable": the low bits of the data are the vector's, as many as were allocated. */
static void test_messages(void **state)
{
	static const struct {
		unsigned int control, vector, sent;
	} rows[] = {
		{ 0, 0, 0x53 },	   { 0, 3, 0x53 },    { TWO, 0, 0x52 },	 { TWO, 1, 0x53 },
		{ TWO, 2, 0x52 },  { FOUR, 0, 0x50 }, { FOUR, 3, 0x53 }, { 0x30, 1, 0x51 }, /* 8 */
		{ 0x70, 2, 0x52 }, /* reserved: no more than asked for */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		on(rows[i].control);
		raise(rows[i].vector);
		assert_sent(1, rows[i].sent);
	}
	raise(4); /* no such vector */
	raise(0xffffffff);
	assert_int_equal(fake_sent, 1);
	assert_false(get(VPCI_STATUS, 2) & VPCI_STATUS_INTX);
}

/* "Per-vector Masking": pending while masked, sent once when unmasked. */
static void test_masks(void **state)
{
	(void)state;
	on(FOUR);
	set(cap + MASK, 4, 0x6);
	raise(1);
	raise(1);
	raise(2);
	assert_int_equal(fake_sent, 0);
	assert_int_equal(get(cap + PENDING, 4), 0x6);
	raise(3);
	assert_sent(1, 0x53);
	set(cap + MASK, 4, 0x4);
	assert_sent(2, 0x51);
	assert_int_equal(get(cap + PENDING, 4), 0x4);
	on(0); /* fewer: what waited for one of the others comes with the first */
	assert_int_equal(get(cap + PENDING, 4), 0);
	on(FOUR);
	set(cap + MASK, 4, 0xf);
	raise(0);
	set(cap + CONTROL, 2, FOUR); /* what is pending when it is switched off is gone */
	set(cap + MASK, 4, 0);
	on(FOUR);
	assert_int_equal(get(cap + PENDING, 4), 0);
	assert_int_equal(fake_sent, 0);
}

static void test_bus_master(void **state)
{
	(void)state;
	on(FOUR);
	set(VPCI_COMMAND, 2, 1);
	raise(2);
	assert_int_equal(fake_sent, 0);
	assert_int_equal(get(cap + PENDING, 4), 4);
	set(VPCI_COMMAND, 2, 5);
	assert_sent(1, 0x52);
	assert_int_equal(get(cap + PENDING, 4), 0);
}

/* Without MSI the pin: GSI 17, until its causes were read; with MSI on it is released. */
static void test_pin(void **state)
{
	(void)state;
	fake_write(0xfec00000, 4, 0x10 + 2 * 17);
	fake_write(0xfec00010, 4, 0x8061); /* level */
	raise(1);
	raise(3);
	raise(4);
	assert_sent(1, 0x61);
	assert_true(get(VPCI_STATUS, 2) & VPCI_STATUS_INTX);
	on(FOUR);
	assert_false(get(VPCI_STATUS, 2) & VPCI_STATUS_INTX);
	set(cap + CONTROL, 2, 0);
	assert_true(get(VPCI_STATUS, 2) & VPCI_STATUS_INTX);
	assert_int_equal(fake_in(PORT, 4), 0xa);
	assert_false(get(VPCI_STATUS, 2) & VPCI_STATUS_INTX);
	assert_int_equal(fake_in(PORT, 4), 0);
	assert_int_equal(fake_in(PORT, 2), 0xffff); /* dwords only */
}

static void test_saved_state(void **state)
{
	unsigned int refused = 0;

	(void)state;
	on(FOUR);
	set(cap + MASK, 4, 1);
	raise(0);
	assert_int_equal(fake_pc_save_and_load("test-pci", 1000), 0);
	assert_int_equal(get(cap + PENDING, 4), 1);
	set(cap + MASK, 4, 0);
	assert_sent(1, 0x50);
	for (size_t at = 0; at < fake_pc_state_size("test-pci"); at++) {
		refused += fake_pc_load_corrupt("test-pci", at, 0xff) == -EINVAL;
	}
	assert_true(refused > 20);
	fake_pc_reset();
	assert_int_equal(get(cap + CONTROL, 2), 0x184);
	assert_int_equal(get(cap + PENDING, 4), 0);
	set_up();
	on(0);
	raise(0);
	assert_sent(1, 0x53);
}

/* What no function can have. */
static void test_refused(void **state)
{
	static uint8_t config[VPCI_CONFIG];
	struct vpci_function f = { .config = config };
	uint64_t other; /* stands for MSI-X */
	struct vpci_msi m;

	(void)state;
	assert_int_equal(vpci_msi_init(&m, &f, 0), -EINVAL);
	assert_int_equal(vpci_msi_init(&m, &f, 3), -EINVAL);
	assert_int_equal(vpci_msi_init(&m, &f, 64), -EINVAL);
	f.msix = (struct vpci_msix *)&other;
	assert_int_equal(vpci_msi_init(&m, &f, 1), -EINVAL);
	f.msix = NULL;
	f.caps_end = 0xf0;
	assert_int_equal(vpci_msi_init(&m, &f, 1), -ENOSPC);
	f.caps_end = 0;
	assert_int_equal(vpci_msi_init(&m, &f, 32), 0);
	assert_int_equal(config[VPCI_CAPABILITIES], 0x40);
	assert_int_equal(config[0x42], 0x8a); /* 32 messages */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, fake_pc_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_capability), TEST(test_messages), TEST(test_masks),
		TEST(test_bus_master), TEST(test_pin),	    TEST(test_saved_state),
		TEST(test_refused),
	};

	return cmocka_run_group_tests_name("vpci_msi", tests, NULL, NULL);
}
