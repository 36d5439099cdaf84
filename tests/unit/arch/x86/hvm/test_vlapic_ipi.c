/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets a message: every destination form, in xAPIC and x2APIC mode, among 16 vCPUs. */
/* TEST_SOURCES: arch/x86/hvm/vlapic_page.c */
/* TEST_SOURCES: arch/x86/hvm/pv_eoi.c tests/unit/fakes/fake_guest_mem.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic.c arch/x86/hvm/vlapic_reg.c arch/x86/hvm/vlapic_timer.c */
/* TEST_SOURCES: arch/x86/hvm/vlapic_ipi.c tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c */
/* TEST_SOURCES: tests/unit/fakes/fake_timer.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/vlapic.h"
#include "fakes/fake_heap.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_timer.h"

#include <cmocka.h>

#define CPUS	 16u
#define ALL	 0xffffu
#define SVR	 0xf0u
#define LDR	 0xd0u
#define DFR	 0xe0u
#define TPR	 0x80u
#define ICR	 0x300u
#define ICR_HIGH 0x310u
#define ICR_MSR	 0x830u

/* How the guest has set its local APICs up. */
enum model { FLAT, CLUSTER, X2APIC };

static struct vlapic *lapic(unsigned int i)
{
	return fake_vcpus[i].lapic;
}

/* The first eight have a bit each in the flat model; clusters of four: 0:1 0:2 0:4 0:8 1:1 … */
static void set_model(enum model model)
{
	for (unsigned int i = 0; i < CPUS; i++) {
		uint32_t flat = i < 8 ? 1u << i : 0;
		uint32_t cluster = (i / 4) << 4 | 1u << (i % 4);

		vlapic_mmio_write(lapic(i), DFR, model == CLUSTER ? 0 : UINT32_MAX);
		vlapic_mmio_write(lapic(i), LDR, (model == CLUSTER ? cluster : flat) << 24);
		if (model == X2APIC) {
			assert_true(
				vlapic_set_base(lapic(i), lapic(i)->s.base | VLAPIC_BASE_X2APIC));
		}
	}
}

static int setup(void **state)
{
	(void)state;
	fake_timer_reset();
	fake_hvm_reset();
	fake_vm.vcpu_count = CPUS;
	for (unsigned int i = 0; i < CPUS; i++) {
		if (vlapic_create(&fake_vcpus[i]) != 0) {
			return -1;
		}
		vlapic_mmio_write(lapic(i), SVR, 0x1ff);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CPUS; i++) {
		vlapic_destroy(&fake_vcpus[i]);
	}
	return fake_heap_live == 0 ? 0 : -1;
}

/* The vCPUs that have the vector requested, as a mask; forgets it. */
static unsigned int got(uint8_t vector)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < CPUS; i++) {
		uint64_t *word = &lapic(i)->s.irr[vector / 64];

		mask |= (unsigned int)(*word >> vector % 64 & 1) << i;
		*word = 0;
	}
	return mask;
}

static unsigned int got_nmi(void)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < CPUS; i++) {
		mask |= (unsigned int)((fake_vcpus[i].pending & VCPU_PENDING_NMI) != 0) << i;
		fake_vcpus[i].pending = 0;
	}
	return mask;
}

/* ---- IPIs: what vCPU 5 writes to its ICR ---- */

#define SENDER 5u

static void write_icr(uint64_t icr)
{
	if ((lapic(SENDER)->s.base & VLAPIC_BASE_X2APIC) != 0) {
		assert_true(vlapic_msr_write(lapic(SENDER), ICR_MSR, icr));
		return;
	}
	vlapic_mmio_write(lapic(SENDER), ICR_HIGH, (uint32_t)(icr >> 32) << 24);
	vlapic_mmio_write(lapic(SENDER), ICR, (uint32_t)icr);
}

struct ipi {
	enum model model;
	uint32_t low; /* without a vector */
	uint32_t dest;
	unsigned int mask; /* who gets it */
};

#define PHYSICAL 0x4000u
#define LOGICAL	 0x4800u
#define SELF	 0x44000u
#define EVERYONE 0x84000u
#define OTHERS	 0xc4000u

static const struct ipi ipis[] = {
	{ FLAT, PHYSICAL, 0, BIT(0) },
	{ FLAT, PHYSICAL, 5, BIT(5) },
	{ FLAT, PHYSICAL, 15, BIT(15) },
	{ FLAT, PHYSICAL, 16, 0 }, /* nobody has that ID */
	{ FLAT, PHYSICAL, 0xfe, 0 },
	{ FLAT, PHYSICAL, 0xff, ALL },
	{ FLAT, SELF, 9, BIT(5) }, /* shorthands leave the destination out */
	{ FLAT, EVERYONE, 9, ALL },
	{ FLAT, OTHERS, 9, ALL & ~BIT(5) },
	{ FLAT, LOGICAL, 0x81, BIT(0) | BIT(7) },
	{ FLAT, LOGICAL, 0, 0 },
	{ FLAT, LOGICAL, 0xff, ALL },
	{ CLUSTER, LOGICAL, 0x05, BIT(0) | BIT(2) },
	{ CLUSTER, LOGICAL, 0x3f, 0xf000 },
	{ CLUSTER, LOGICAL, 0x4f, 0 },
	{ CLUSTER, LOGICAL, 0xff, ALL },
	{ CLUSTER, PHYSICAL, 6, BIT(6) },
	{ X2APIC, PHYSICAL, 11, BIT(11) },
	{ X2APIC, PHYSICAL, 0xff, 0 }, /* an ID of 32 bits like any other */
	{ X2APIC, PHYSICAL, UINT32_MAX, ALL },
	{ X2APIC, LOGICAL, 0x8001, BIT(0) | BIT(15) },
	{ X2APIC, LOGICAL, 0xff, 0xff },
	{ X2APIC, LOGICAL, 0x10001, 0 }, /* cluster 1: APIC IDs from 16 on */
	{ X2APIC, LOGICAL, UINT32_MAX, ALL },
	{ X2APIC, SELF, 9, BIT(5) },
	{ X2APIC, OTHERS, 9, ALL & ~BIT(5) },
	{ X2APIC, EVERYONE, 0, ALL },
};

static void test_ipis(void **state)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ipis); i++) {
		const struct ipi *p = &ipis[i];
		uint64_t icr = p->low | (uint64_t)p->dest << 32;

		(void)setup(state);
		set_model(p->model);
		write_icr(icr | 0x41);
		assert_int_equal(got(0x41), p->mask);
		write_icr(icr | VIRQ_NMI << 8);
		assert_int_equal(got_nmi(), p->mask);
		(void)teardown(state);
	}
	(void)setup(state);
}

/* INIT and SIPI take the same ways; the de-assert of an INIT is nothing. */
static void test_init_and_startup(void **state)
{
	(void)state;
	write_icr((uint64_t)3 << 32 | 0x4500);
	write_icr((uint64_t)3 << 32 | 0x469a);
	assert_string_equal(fake_starts, "i3 s3:9a ");
	fake_starts[0] = '\0';
	write_icr((uint64_t)3 << 32 | 0x8500);
	assert_string_equal(fake_starts, "");
	write_icr((uint64_t)3 << 32 | 0xc500); /* level-triggered, but asserted */
	assert_string_equal(fake_starts, "i3 ");
	fake_starts[0] = '\0';
	fake_vm.vcpu_count = 3;
	write_icr(0xc4500);
	assert_string_equal(fake_starts, "i0 i1 i2 ");
	fake_vm.vcpu_count = CPUS;
}

/* ---- messages from the IO-APIC and MSIs: 8 bits of destination ---- */

static void send(uint8_t mode, uint32_t dest, bool logical, uint8_t vector)
{
	const struct virq_msg msg = {
		.dest = dest, .vector = vector, .mode = mode, .logical = logical
	};

	vlapic_send(&fake_vm, &msg);
}

static void test_device_messages(void **state)
{
	(void)state;
	set_model(FLAT);
	send(VIRQ_FIXED, 0xff, false, 0x41);
	assert_int_equal(got(0x41), ALL);
	send(VIRQ_FIXED, 0x30, true, 0x41);
	assert_int_equal(got(0x41), BIT(4) | BIT(5));
	set_model(X2APIC);
	send(VIRQ_FIXED, 0xff, false, 0x41);
	assert_int_equal(got(0x41), ALL);
	send(VIRQ_FIXED, 0xff, true, 0x41); /* members of cluster 0, as far as 8 bits reach */
	assert_int_equal(got(0x41), 0xff);
	send(VIRQ_FIXED, 12, false, 0x41);
	assert_int_equal(got(0x41), BIT(12));
}

/* Exactly one gets it: the one with the lowest priority; among equals, not always the same. */
static void test_lowest_priority(void **state)
{
	unsigned int seen = 0;

	(void)state;
	set_model(FLAT);
	for (uint8_t vector = 0x40; vector < 0x60; vector++) {
		unsigned int mask;

		send(VIRQ_LOWEST, 0xff, true, vector);
		mask = got(vector);
		assert_int_equal(__builtin_popcount(mask), 1);
		seen |= mask;
	}
	assert_int_equal(seen, ALL);
	for (unsigned int i = 0; i < CPUS; i++) {
		vlapic_mmio_write(lapic(i), TPR, i == 6 ? 0x20 : 0x30);
	}
	send(VIRQ_LOWEST, 0xf0, true, 0x41);
	assert_int_equal(got(0x41), BIT(6));
	vlapic_mmio_write(lapic(6), SVR, 0xff); /* off: it does not take part */
	send(VIRQ_LOWEST, 0x40, true, 0x41);
	assert_int_equal(got(0x41), 0);
	send(VIRQ_LOWEST, 9, false, 0x41);
	assert_int_equal(got(0x41), BIT(9));
}

static void test_waits(void **state)
{
	struct virq_msg msg = { .dest = 0x06, .vector = 0x41, .logical = true };

	(void)state;
	set_model(FLAT);
	assert_false(vlapic_waits(&fake_vm, &msg));
	vlapic_accept(lapic(3), 0x41, false);
	assert_false(vlapic_waits(&fake_vm, &msg));
	vlapic_accept(lapic(2), 0x41, false);
	assert_true(vlapic_waits(&fake_vm, &msg));
}

/* Only vCPU 0's LINT0 is wired to the PIC, whatever the others' say. */
static void test_pic_is_vcpu0s(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CPUS; i++) {
		vlapic_mmio_write(lapic(i), 0x350, VIRQ_EXTINT << 8);
		assert_int_equal(vlapic_takes_pic(lapic(i)), i == 0);
		fake_vcpus[i].pending = 0;
	}
	vlapic_pic_output(&fake_vm, true);
	assert_true((fake_vcpus[0].pending & VCPU_PENDING_IRQ) != 0);
	assert_int_equal(fake_vcpus[1].pending, 0);
}

/* A vCPU that is being made or taken apart is not there. */
static void test_gap(void **state)
{
	(void)state;
	set_model(FLAT);
	fake_vm.vcpus[2] = NULL;
	send(VIRQ_FIXED, 0xff, false, 0x41);
	send(VIRQ_FIXED, 2, false, 0x81);
	send(VIRQ_LOWEST, 0x04, true, 0x81);
	write_icr(EVERYONE | 0xc1);
	fake_vm.vcpus[2] = &fake_vcpus[2];
	assert_int_equal(got(0x41), ALL & ~BIT(2));
	assert_int_equal(got(0x81), 0);
	assert_int_equal(got(0xc1), ALL & ~BIT(2));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_ipis, teardown),
		TEST(test_init_and_startup),
		TEST(test_device_messages),
		TEST(test_lowest_priority),
		TEST(test_waits),
		TEST(test_pic_is_vcpu0s),
		TEST(test_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
