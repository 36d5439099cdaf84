/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O exits: register merging, string forms, REP in batches, faults in the middle. */
/* TEST_SOURCES: arch/x86/hvm/io.c arch/x86/hvm/guest_regs.c arch/x86/hvm/fetch.c arch/x86/hvm/code_page.c arch/x86/hvm/walk.c */
/* TEST_SOURCES: arch/x86/hvm/insn.c arch/x86/hvm/insn_map.c hv/iobus.c arch/x86/hvm/event.c */
/* TEST_SOURCES: arch/x86/hvm/kvm_leaf.c */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c tests/unit/fakes/fake_cpuid.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_lapic.c */
/* TEST_SOURCES: tests/unit/fakes/fake_guest_mem.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CODE 0x8000u

static struct vcpu *v;
static struct vcpu_x86 x86;
static uint64_t *regs;

/* The device: counts up when read, remembers what is written. */
static uint32_t reads, writes;
static struct io_access last;

static enum io_result device(void *dev, struct io_access *a)
{
	(void)dev;
	assert_int_equal(fake_vm.dev_lock.taken, 1);
	if (a->write) {
		writes++;
	} else {
		a->val = 0x80 + reads++;
	}
	last = *a;
	return a->addr == 0x108 ? IO_FAULT : IO_DONE;
}

/* Real mode, flat: linear = physical. */
static int setup(void **state)
{
	(void)state;
	fake_guest_mem_reset();
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	v->x86 = &x86;
	regs = fake_states[0].regs;
	regs[HVM_RIP] = CODE;
	reads = writes = 0;
	iobus_init(&fake_vm.pio);
	iobus_claim(&fake_vm.pio, 0x100, 16, device, NULL);
	return vcpuid_create(v);
}

static int teardown(void **state)
{
	(void)state;
	vcpuid_destroy(v);
	return 0;
}

static void code(const char *bytes, size_t len)
{
	memcpy(&fake_ram[CODE], bytes, len);
}

static void test_in_sizes(void **state)
{
	struct exit_io io = { .port = 0x100, .size = 1, .in = true };

	(void)state;
	v->gprs[GPR_RAX] = 0x1111111122222222;
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == 0x1111111122222280);
	io.size = 2;
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == 0x1111111122220081);
	io.size = 4;
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == 0x82);
	io.port = 0x200; /* nobody */
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN);
	assert_true(v->gprs[GPR_RAX] == 0xffffffff);
	assert_int_equal(fake_vm.dev_lock.taken, 0);
}

static void test_out(void **state)
{
	struct exit_io io = { .port = 0x101, .size = 2 };

	(void)state;
	v->gprs[GPR_RAX] = 0x11112222333344ff;
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN);
	assert_int_equal(last.val, 0x44ff);
	assert_int_equal(last.addr, 0x101);
	assert_int_equal(last.size, 2);
}

static void test_device_faults(void **state)
{
	struct exit_io io = { .port = 0x108, .size = 1 };

	(void)state;
	assert_int_equal(exit_io(v, &io), EXIT_RESUME);
	assert_non_null(strstr(fake_crash, "108"));
}

static void test_rep_insb(void **state)
{
	struct exit_io io = { .port = 0x100, .size = 1, .in = true, .string = true };

	(void)state;
	code("\xf3\x6c", 2);
	fake_states[0].segs[HVM_ES].base = 0x20000;
	v->gprs[GPR_RDI] = 0xfffe; /* wraps in 16-bit code */
	v->gprs[GPR_RCX] = 0xabcd0003;
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN);
	assert_int_equal(fake_ram[0x2fffe], 0x80);
	assert_int_equal(fake_ram[0x2ffff], 0x81);
	assert_int_equal(fake_ram[0x20000], 0x82);
	assert_true(v->gprs[GPR_RDI] == 1);
	assert_true(v->gprs[GPR_RCX] == 0xabcd0000);
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN); /* CX is 0: nothing */
	assert_int_equal(reads, 3);
}

static void test_rep_in_batches(void **state)
{
	struct exit_io io = { .port = 0x100, .size = 1, .in = true, .string = true };
	unsigned int exits = 1;

	(void)state;
	code("\xf3\x6c", 2);
	v->gprs[GPR_RCX] = 200;
	while (exit_io(v, &io) == EXIT_YIELD) {
		assert_true(regs[HVM_RIP] == CODE);
		exits++;
	}
	assert_int_equal(reads, 200);
	assert_int_equal(exits, 40);
	assert_true(v->gprs[GPR_RDI] == 200);
}

static void test_outs(void **state)
{
	struct exit_io io = { .port = 0x100, .size = 2, .string = true };

	(void)state;
	code("\x26\x6f", 2); /* ES: OUTSW */
	fake_states[0].segs[HVM_ES].base = 0x30000;
	regs[HVM_RFLAGS] = RFLAGS_DF;
	v->gprs[GPR_RSI] = 0x10;
	fake_ram[0x30010] = 0xcd;
	fake_ram[0x30011] = 0xab;
	assert_int_equal(exit_io(v, &io), EXIT_SKIP_INSN);
	assert_int_equal(last.val, 0xabcd);
	assert_true(v->gprs[GPR_RSI] == 0xe);
}

/* INS to a page that is missing: #PF, and the device was not read. */
static void test_fault_in_memory(void **state)
{
	struct exit_io io = { .port = 0x100, .size = 4, .in = true, .string = true };

	(void)state;
	code("\xf3\x6d", 2);
	fake_hvm_long_mode(v, 0x1000);
	fake_guest_mem_put64(0x1000, 0x2000 | 3);
	fake_guest_mem_put64(0x2000, 0x3000 | 3);
	fake_guest_mem_put64(0x3000, 0x4000 | 3);
	fake_guest_mem_put64(0x4000 + 8 * 8, CODE | 3);
	fake_guest_mem_put64(0x4000 + 8 * 9, 0x9000 | 3);
	v->gprs[GPR_RDI] = 0x9ffc;
	v->gprs[GPR_RCX] = 3;
	assert_int_equal(exit_io(v, &io), EXIT_RESUME);
	assert_int_equal(reads, 1);
	assert_true(v->gprs[GPR_RCX] == 2); /* the first one counts */
	assert_true(v->gprs[GPR_RDI] == 0xa000);
	assert_int_equal(v->exception.vector, VEC_PF);
	assert_int_equal(v->exception.error, 2);
	assert_true(regs[HVM_CR2] == 0xa000);
}

static void test_memory_is_no_ram(void **state)
{
	struct exit_io io = { .port = 0x100, .size = 1, .string = true };

	(void)state;
	code("\x6e", 1);
	fake_states[0].segs[HVM_DS].base = 0xf0000000;
	assert_int_equal(exit_io(v, &io), EXIT_RESUME);
	assert_int_not_equal(fake_crash[0], 0);
}

static void test_code_changed(void **state)
{
	struct exit_io io = { .port = 0x100, .size = 1, .in = true, .string = true };

	(void)state;
	code("\x90", 1);
	assert_int_equal(exit_io(v, &io), EXIT_RESUME);
	assert_int_equal(reads, 0);
	assert_int_equal(v->pending, 0);
}

/* fetch.c: lengths of common and of prefixed instructions. */
static void test_lengths(void **state)
{
	static const struct {
		const char *bytes;
		unsigned int len;
	} rows[] = {
		{ "\x0f\xa2", 2 },     { "\x0f\x32", 2 }, { "\xf4", 1 },
		{ "\xec", 1 },	       { "\xe6\x70", 2 }, { "\xf3\x6c", 2 },
		{ "\x0f\x22\xd8", 3 }, { "\x66\xed", 2 }, { "\x2e\x0f\xa2", 3 },
		{ "\x0f\x01\xd1", 3 },
	};

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(&fake_ram[CODE], 0, 16);
		code(rows[i].bytes, rows[i].len);
		assert_int_equal(exit_insn_length(v), rows[i].len);
	}
	regs[HVM_RIP] = 0xfffffff0;
	assert_int_equal(exit_insn_length(v), 0);
}

static void test_fetch_at_the_end(void **state)
{
	uint8_t bytes[15];

	(void)state;
	regs[HVM_RIP] = FAKE_RAM - 3;
	fake_ram[FAKE_RAM - 3] = 0x0f;
	fake_ram[FAKE_RAM - 2] = 0xa2;
	assert_int_equal(exit_fetch(v, bytes), 3);
	assert_int_equal(bytes[1], 0xa2);
	regs[HVM_RIP] = 0x8ffe; /* two pages, both there */
	assert_int_equal(exit_fetch(v, bytes), 15);
	fake_ram[FAKE_RAM - 3] = 0;
	fake_ram[FAKE_RAM - 2] = 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_sizes),	     TEST(test_out),
		TEST(test_device_faults),    TEST(test_rep_insb),
		TEST(test_rep_in_batches),   TEST(test_outs),
		TEST(test_fault_in_memory),  TEST(test_memory_is_no_ram),
		TEST(test_code_changed),     TEST(test_lengths),
		TEST(test_fetch_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
