/* SPDX-License-Identifier: BSD-2-Clause */
/* The negotiation of VMX controls against made-up capability MSRs. */
/* TEST_SOURCES: arch/x86/vmx/vmx_caps.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/vmx/vmx_caps.h"

#define ROWS 64u

/* A CPU by its MSRs; the low half of a control's MSR must be 1, the high half may be. */
static struct {
	uint64_t feature_control, basic, pin, proc, proc2, exit, entry, ept_vpid;
	uint32_t cpuid1_ecx;
} cpu;
static bool proc2_read, ept_vpid_read;
static struct vmx_caps caps;
static struct hvm_feature rows[ROWS];
static unsigned int count;

static uint64_t fake_msr(uint32_t msr)
{
	switch (msr) {
	case 0x3a:
		return cpu.feature_control;
	case 0x480:
		return cpu.basic;
	case 0x485:
		return 5; /* timer shift */
	case 0x486:
		return 0x80000021;
	case 0x487:
	case 0x489:
		return 0xffffffff;
	case 0x488:
		return 0x2000;
	case 0x48b:
		proc2_read = true;
		return cpu.proc2;
	case 0x48c:
		ept_vpid_read = true;
		return cpu.ept_vpid;
	case 0x48d:
		return cpu.pin;
	case 0x48e:
		return cpu.proc;
	case 0x48f:
		return cpu.exit;
	case 0x490:
		return cpu.entry;
	default:
		fail_msg("MSR %x was read", msr);
		return 0;
	}
}

static uint32_t fake_ecx(void)
{
	return cpu.cpuid1_ecx;
}

static void probe(void)
{
	const struct vmx_caps_source src = { fake_msr, fake_ecx };

	count = vmx_caps_probe(&src, &caps, rows, ROWS);
}

static const struct hvm_feature *row(const char *name)
{
	for (unsigned int i = 0; i < count; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			return &rows[i];
		}
	}
	return NULL;
}

static unsigned int missing(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < count; i++) {
		n += rows[i].required && !rows[i].present;
	}
	return n;
}

/* Everything possible, the reserved bits of each word forced to 1 as on real CPUs. */
static int full_cpu(void **state)
{
	(void)state;
	proc2_read = ept_vpid_read = false;
	cpu.cpuid1_ecx = 1u << 5;
	cpu.feature_control = 5;
	cpu.basic = 1ul << 55 | 6ul << 50 | 0x12;
	cpu.pin = 0xffffffff00000016;
	cpu.proc = 0xffffffff04006172;
	cpu.proc2 = 0xffffffff00000000;
	cpu.exit = 0xffffffff00036dfb;
	cpu.entry = 0xffffffff000011fb;
	cpu.ept_vpid = UINT64_MAX;
	return 0;
}

static void test_full(void **state)
{
	(void)state;
	probe();
	assert_int_equal(missing(), 0);
	assert_int_equal(caps.revision, 0x12);
	assert_true(caps.vpid && caps.ept_1g && caps.timer);
	assert_int_equal(caps.timer_shift, 5);
	assert_int_equal(caps.words[VMX_PIN], 0x16 | PIN_EXTERNAL_INTERRUPT | PIN_NMI |
						      PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER);
	/* Windows and 64-bit guest mode are switched on when needed, CR3 exits never. */
	assert_int_equal(caps.words[VMX_PROC] & (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW), 0);
	assert_int_equal(caps.words[VMX_PROC] & (PROC_CR3_LOAD | PROC_CR3_STORE | PROC_RDTSC), 0);
	assert_int_equal(caps.words[VMX_ENTRY] & ENTRY_IA32E, 0);
	assert_int_equal(caps.words[VMX_EXIT] & EXIT_ACK_INTERRUPT, 0);
	assert_int_equal(caps.words[VMX_EXIT] & 0x36dfb, 0x36dfb);
}

static void test_no_vmx_reads_no_msr(void **state)
{
	(void)state;
	cpu.cpuid1_ecx = 0;
	cpu.basic = 0;
	probe();
	assert_int_equal(count, 1);
	assert_string_equal(rows[0].name, "VMX");
	assert_true(rows[0].required && !rows[0].present);
}

static void test_firmware_lock(void **state)
{
	(void)state;
	cpu.feature_control = FEATURE_CONTROL_LOCK;
	probe();
	assert_false(row("VMX enabled by firmware")->present);
	cpu.feature_control = 0; /* open: ours to set */
	probe();
	assert_true(row("VMX enabled by firmware")->present);
}

/* A Core 2: secondary controls, but neither EPT nor unrestricted guests nor their MSR. */
static void test_no_ept(void **state)
{
	(void)state;
	cpu.proc2 = (uint64_t)PROC2_WBINVD << 32;
	cpu.ept_vpid = 0;
	probe();
	assert_false(ept_vpid_read);
	assert_false(row("EPT")->present);
	assert_true(row("EPT")->required);
	assert_false(row("unrestricted guest")->present);
	assert_null(row("EPT with 4 levels")); /* follows from the first */
	assert_false(caps.vpid);
}

static void test_no_secondary(void **state)
{
	(void)state;
	cpu.proc &= ~((uint64_t)PROC_SECONDARY << 32);
	probe();
	assert_false(proc2_read);
	assert_false(row("secondary controls")->present);
	assert_int_equal(caps.words[VMX_PROC2], 0);
}

/* VPID without INVVPID of one context cannot be kept clean: not used. */
static void test_vpid_needs_invvpid(void **state)
{
	(void)state;
	cpu.ept_vpid &= ~(1ul << 41);
	probe();
	assert_int_equal(missing(), 0);
	assert_false(caps.vpid);
	assert_int_equal(caps.words[VMX_PROC2] & PROC2_VPID, 0);
}

static void test_timer_needs_both(void **state)
{
	(void)state;
	cpu.exit &= ~((uint64_t)EXIT_SAVE_TIMER << 32);
	probe();
	assert_int_equal(missing(), 0);
	assert_false(caps.timer);
	assert_int_equal(caps.words[VMX_PIN] & PIN_PREEMPTION_TIMER, 0);
}

/* All of it or nothing, and on only when a guest uses its local APIC. */
static void test_apicv(void **state)
{
	static const uint32_t parts[] = { PROC2_APIC_ACCESSES, PROC2_APIC_REGISTERS,
					  PROC2_VIRTUAL_INTERRUPTS, PROC2_X2APIC };
	uint64_t all = cpu.proc2;

	(void)state;
	probe();
	assert_true(caps.apicv && row("virtual-interrupt delivery")->present);
	assert_int_equal(caps.words[VMX_PROC] & PROC_TPR_SHADOW, 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++) {
		assert_int_equal(caps.words[VMX_PROC2] & parts[i], 0);
		cpu.proc2 = all & ~((uint64_t)parts[i] << 32);
		probe();
		assert_false(caps.apicv);
		assert_int_equal(missing(), 0);
	}
	cpu.proc2 = all;
	cpu.proc &= ~((uint64_t)PROC_TPR_SHADOW << 32);
	probe();
	assert_false(caps.apicv);
}

static void test_forced_exit_is_reported(void **state)
{
	(void)state;
	cpu.proc |= PROC_CR3_LOAD;
	probe();
	assert_false(row("CR3-load exiting")->present);
	assert_int_equal(missing(), 0);
	assert_true(caps.words[VMX_PROC] & PROC_CR3_LOAD);
}

static void test_rows_are_bounded(void **state)
{
	const struct vmx_caps_source src = { fake_msr, fake_ecx };
	struct hvm_feature few[3] = { { 0 } };

	(void)state;
	assert_int_equal(vmx_caps_probe(&src, &caps, few, 2), 2);
	assert_null(few[2].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_full, full_cpu),
		cmocka_unit_test_setup(test_no_vmx_reads_no_msr, full_cpu),
		cmocka_unit_test_setup(test_firmware_lock, full_cpu),
		cmocka_unit_test_setup(test_no_ept, full_cpu),
		cmocka_unit_test_setup(test_no_secondary, full_cpu),
		cmocka_unit_test_setup(test_vpid_needs_invvpid, full_cpu),
		cmocka_unit_test_setup(test_timer_needs_both, full_cpu),
		cmocka_unit_test_setup(test_apicv, full_cpu),
		cmocka_unit_test_setup(test_forced_exit_is_reported, full_cpu),
		cmocka_unit_test_setup(test_rows_are_bounded, full_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
