/* SPDX-License-Identifier: BSD-2-Clause */
/* Second-level faults at device memory: the short way for MOV, the decoder for the rest. */
/* TEST_SOURCES: arch/x86/hvm/mmio.c arch/x86/hvm/mmio_mov.c arch/x86/hvm/guest_regs.c */
/* TEST_SOURCES: arch/x86/hvm/fetch.c arch/x86/hvm/code_page.c arch/x86/hvm/walk.c arch/x86/hvm/insn.c arch/x86/hvm/insn_map.c */
/* TEST_SOURCES: arch/x86/hvm/insn_exec.c hv/iobus.c hv/lib/fmt.c arch/x86/hvm/event.c */
/* TEST_SOURCES: arch/x86/hvm/kvm_leaf.c */
/* TEST_SOURCES: arch/x86/hvm/vcpuid.c arch/x86/hvm/vcpuid_policy.c tests/unit/fakes/fake_cpuid.c */
/* TEST_SOURCES: tests/unit/fakes/fake_hvm.c tests/unit/fakes/fake_arch.c tests/unit/fakes/fake_lapic.c */
/* TEST_SOURCES: tests/unit/fakes/fake_guest_mem.c tests/unit/fakes/fake_lock.c tests/unit/fakes/fake_heap.c */
#include "arch/x86/hvm/mmio_mov.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/insn.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/x86_bits.h"
#include "fakes/fake_guest_mem.h"
#include "fakes/fake_hvm.h"
#include "fakes/fake_lapic.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define CODE   0x8000u
#define DEVICE 0xf0000000u

static struct vcpu *v;
static struct vcpu_x86 x86;
static uint64_t *regs;
static struct io_access log[8];
static unsigned int accesses;

static enum io_result device(void *dev, struct io_access *a)
{
	(void)dev;
	assert_int_equal(fake_vm.dev_lock.taken, 1);
	if (!a->write) {
		a->val = 0x8877665544332211 & (UINT64_MAX >> (64 - 8 * a->size));
	}
	log[accesses++ % 8] = *a;
	return a->addr == DEVICE + 0xf00 ? IO_FAULT : IO_DONE;
}

/* 64-bit code at CODE; linear 0-1 MiB is RAM, the 2 MiB at 4 MiB are the device's, 6 MiB the APIC's. */
static int setup(void **state)
{
	(void)state;
	fake_guest_mem_reset();
	memset(&fake_lapic, 0, sizeof(fake_lapic));
	v = fake_hvm_reset();
	memset(&x86, 0, sizeof(x86));
	v->x86 = &x86;
	regs = fake_states[0].regs;
	fake_hvm_long_mode(v, 0x1000);
	fake_guest_mem_put64(0x1000, 0x2000 | 3);
	fake_guest_mem_put64(0x2000, 0x3000 | 3);
	fake_guest_mem_put64(0x3000, 0x83); /* 2 MiB pages from here on */
	fake_guest_mem_put64(0x3000 + 16, DEVICE | 0x83);
	fake_guest_mem_put64(0x3000 + 24, VLAPIC_BASE | 0x83);
	regs[HVM_RIP] = CODE;
	accesses = 0;
	iobus_init(&fake_vm.mmio);
	iobus_claim(&fake_vm.mmio, DEVICE, 0x1000, device, NULL);
	return vcpuid_create(v);
}

static int teardown(void **state)
{
	(void)state;
	vcpuid_destroy(v);
	return 0;
}

static void run(const char *bytes, size_t len, uint64_t gpa, bool write)
{
	regs[HVM_RIP] = CODE;
	memset(&fake_ram[CODE], 0x90, 16);
	memcpy(&fake_ram[CODE], bytes, len);
	assert_int_equal(exit_mmio(v, (gpa_t){ gpa }, write), EXIT_RESUME);
}

static void test_store_load(void **state)
{
	(void)state;
	v->gprs[GPR_RBX] = 0x400010;
	v->gprs[GPR_RAX] = 0xaaaaaaaa12345678;
	run("\x89\x03", 2, DEVICE + 0x10, true); /* mov %eax, (%rbx) */
	assert_int_equal(accesses, 1);
	assert_true(log[0].write);
	assert_int_equal(log[0].val, 0x12345678);
	assert_int_equal(log[0].addr, DEVICE + 0x10);
	assert_true(regs[HVM_RIP] == CODE + 2);
	run("\x44\x8b\x43\x04", 4, DEVICE + 0x14, false); /* mov 4(%rbx), %r8d */
	assert_true(v->gprs[GPR_R8] == 0x44332211);
	assert_true(regs[HVM_RIP] == CODE + 4);
	run("\xc7\x43\x08\x78\x56\x34\x12", 7, DEVICE + 0x18, true);
	assert_int_equal(log[2].val, 0x12345678);
	assert_true(regs[HVM_RIP] == CODE + 7);
}

/* By the decoder: other sizes, read-modify-write, zero extension, strings. */
static void test_decoded(void **state)
{
	(void)state;
	v->gprs[GPR_RBX] = 0x400020;
	run("\x8a\x03", 2, DEVICE + 0x20, false); /* mov (%rbx), %al */
	assert_int_equal(v->gprs[GPR_RAX], 0x11);
	run("\x0f\xb7\x0b", 3, DEVICE + 0x20, false); /* movzwl (%rbx), %ecx */
	assert_int_equal(v->gprs[GPR_RCX], 0x2211);
	run("\x48\x8b\x13", 3, DEVICE + 0x20, false); /* mov (%rbx), %rdx */
	assert_true(v->gprs[GPR_RDX] == 0x8877665544332211);
	accesses = 0;
	run("\x83\x0b\x0f", 3, DEVICE + 0x20, false); /* orl $15, (%rbx) */
	assert_int_equal(accesses, 2);
	assert_int_equal(log[1].val, 0x4433221f);
	assert_true(regs[HVM_RIP] == CODE + 3);
	v->gprs[GPR_RSI] = 0x400000;
	v->gprs[GPR_RDI] = 0x9000;
	v->gprs[GPR_RCX] = 2;
	run("\xf3\xa5", 2, DEVICE, false); /* rep movsl */
	assert_int_equal(fake_guest_mem_get64(0x9000) >> 32, 0x44332211);
	assert_true(v->gprs[GPR_RCX] == 0);
	assert_true(v->gprs[GPR_RDI] == 0x9008);
}

static void test_lapic(void **state)
{
	(void)state;
	v->gprs[GPR_RBX] = 0x600000 + 0xb0;
	run("\xc7\x03\0\0\0\0", 6, VLAPIC_BASE + 0xb0, true);
	assert_int_equal(fake_lapic.writes, 1);
	assert_int_equal(fake_lapic.offset, 0xb0);
	fake_lapic.val = 0x50014;
	v->gprs[GPR_RBX] = 0x600000 + 0x31;
	run("\x8a\x03", 2, VLAPIC_BASE + 0x31, false); /* a byte of it */
	assert_int_equal(fake_lapic.offset, 0x30);
	assert_int_equal(v->gprs[GPR_RAX] & 0xff, 0);
	run("\x88\x03", 2, VLAPIC_BASE + 0x31, true); /* byte writes go nowhere */
	assert_int_equal(fake_lapic.writes, 1);
	assert_int_equal(accesses, 0);
}

static void test_unclaimed(void **state)
{
	(void)state;
	v->gprs[GPR_RBX] = 0x402000;
	run("\x8b\x03", 2, DEVICE + 0x2000, false);
	assert_true(v->gprs[GPR_RAX] == 0xffffffff);
	run("\x48\x8b\x03", 3, DEVICE + 0x2000, false);
	assert_true(v->gprs[GPR_RAX] == UINT64_MAX);
}

static void test_device_fault(void **state)
{
	(void)state;
	v->gprs[GPR_RBX] = 0x400f00;
	run("\x8b\x03", 2, DEVICE + 0xf00, false);
	assert_non_null(strstr(fake_crash, "f0000f00"));
}

static void test_unsupported(void **state)
{
	(void)state;
	v->gprs[GPR_RBX] = 0x400000;
	run("\x0f\x6f\x03", 3, DEVICE, false); /* movq (%rbx), %mm0 */
	assert_non_null(strstr(fake_crash, "0f 6f 03"));
	assert_int_equal(accesses, 0);
}

/* The instruction's other operand may fault: PUSHed from the device to a missing stack. */
static void test_fault_on_the_way(void **state)
{
	(void)state;
	v->gprs[GPR_RSI] = 0x400000;
	v->gprs[GPR_RDI] = 0x40000000;
	run("\xa5", 1, DEVICE, false); /* movsl to a page that is not there */
	assert_int_equal(v->exception.vector, VEC_PF);
	assert_true(regs[HVM_CR2] == 0x40000000);
	assert_true(regs[HVM_RIP] == CODE);
}

static void test_across_pages(void **state)
{
	(void)state;
	v->gprs[GPR_RBX] = 0x401000 - 2; /* the device ends in the middle */
	run("\x8b\x03", 2, DEVICE + 0xffe, false);
	assert_true(v->gprs[GPR_RAX] == 0xffff1111);
}

static void test_16bit_code(void **state)
{
	(void)state;
	regs[HVM_EFER] = 0;
	regs[HVM_CR0] = CR0_PE;
	fake_states[0].segs[HVM_CS].attr = 0x9b;
	fake_states[0].segs[HVM_DS].base = DEVICE;
	v->gprs[GPR_RBX] = 0x10;
	v->gprs[GPR_RAX] = 0xaabb;
	run("\x89\x07", 2, DEVICE + 0x10, true); /* mov %ax, (%bx) */
	assert_int_equal(log[0].size, 2);
	assert_int_equal(log[0].val, 0xaabb);
	assert_true(regs[HVM_RIP] == CODE + 2);
}

static void test_code_gone(void **state)
{
	(void)state;
	regs[HVM_RIP] = 0x50000000;
	assert_int_equal(exit_mmio(v, (gpa_t){ DEVICE }, false), EXIT_RESUME);
	assert_int_equal(accesses, 0);
	assert_int_equal(v->pending, 0);
}

/* The short way agrees with the decoder on every opcode, REX prefix, ModRM and SIB. */
static void test_mov_agrees_with_decoder(void **state)
{
	static const uint8_t opcodes[] = { 0x89, 0x8b, 0xc7, 0x8a, 0x01, 0x66, 0xf0 };
	unsigned int both = 0;

	(void)state;
	for (unsigned int n = 0; n < 17 * ARRAY_SIZE(opcodes) * 65536; n++) {
		uint8_t bytes[15] = { 0 };
		unsigned int rex = n / 65536 % 17, at = 0;
		struct mmio_mov mov;
		struct insn insn;

		if (rex < 16) {
			bytes[at++] = (uint8_t)(0x40 + rex);
		}
		bytes[at++] = opcodes[n / 65536 / 17];
		bytes[at++] = (uint8_t)n;
		bytes[at++] = (uint8_t)(n >> 8);
		bytes[at + 3] = 0x5a;
		if (!mmio_mov_decode(bytes, sizeof(bytes), &mov)) {
			continue;
		}
		assert_int_equal(insn_decode(bytes, sizeof(bytes), INSN_MODE_64, &insn), 0);
		assert_int_equal(insn.op, INSN_MOV);
		assert_int_equal(insn.length, mov.length);
		assert_int_equal(insn.mem_size, 4);
		assert_int_equal(mov.write ? insn.dst : insn.src, INSN_MEM);
		if (mov.reg == 16) {
			assert_int_equal((uint32_t)insn.imm, mov.imm);
		} else {
			assert_int_equal(insn.reg, mov.reg);
		}
		both++;
	}
	assert_in_range(both, 500000, 2000000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_store_load),
		TEST(test_decoded),
		TEST(test_lapic),
		TEST(test_unclaimed),
		TEST(test_device_fault),
		TEST(test_unsupported),
		TEST(test_fault_on_the_way),
		TEST(test_across_pages),
		TEST(test_16bit_code),
		TEST(test_code_gone),
		TEST(test_mov_agrees_with_decoder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
