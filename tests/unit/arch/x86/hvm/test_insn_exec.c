/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the executor: random instructions against the CPU this test runs on, the rest by hand. */
/* Decoding is tested in test_insn.c. */
/* TEST_SOURCES: arch/x86/hvm/insn.c arch/x86/hvm/insn_map.c arch/x86/hvm/insn_exec.c */
/* TEST_CFLAGS: -O2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "arch/x86/hvm/insn_exec.h"

#define MEM_SIZE  512u
#define ARITH	  0x8d5u /* OF SF ZF AF PF CF */
#define FLAG_DF	  0x400u
#define FLAGS_SET 0x202u

/* ---- The CPU itself as the reference ---- */

struct native {
	uint64_t gpr[16]; /* all but RSP are loaded */
	uint64_t rflags;
	uint8_t *code; /* one instruction and RET */
};

void native_run(struct native *n);

__asm__(".lcomm native_code, 8\n"
	"native_run:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	push %rdi\n"
	"	mov 136(%rdi), %rax; mov %rax, native_code(%rip)\n"
	"	push 128(%rdi); popfq\n"
	"	mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
	"	mov 40(%rdi), %rbp; mov 48(%rdi), %rsi; mov 64(%rdi), %r8; mov 72(%rdi), %r9\n"
	"	mov 80(%rdi), %r10; mov 88(%rdi), %r11; mov 96(%rdi), %r12; mov 104(%rdi), %r13\n"
	"	mov 112(%rdi), %r14; mov 120(%rdi), %r15; mov 56(%rdi), %rdi\n"
	"	call *native_code(%rip)\n"
	"	xchg %rdi, (%rsp)\n"
	"	mov %rax, 0(%rdi); mov %rcx, 8(%rdi); mov %rdx, 16(%rdi); mov %rbx, 24(%rdi)\n"
	"	mov %rbp, 40(%rdi); mov %rsi, 48(%rdi); mov %r8, 64(%rdi); mov %r9, 72(%rdi)\n"
	"	mov %r10, 80(%rdi); mov %r11, 88(%rdi); mov %r12, 96(%rdi); mov %r13, 104(%rdi)\n"
	"	mov %r14, 112(%rdi); mov %r15, 120(%rdi)\n"
	"	pushfq; pop %rax; mov %rax, 128(%rdi)\n"
	"	pop %rax; mov %rax, 56(%rdi)\n"
	"	cld\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static uint8_t *native_mem;	    /* below 4 GiB, so that 32-bit addresses reach it */
static uint8_t model_mem[MEM_SIZE]; /* the model's copy, seen at native_mem's addresses */
static uint8_t *native_code_page;

static uint8_t *at(uint64_t linear, unsigned int size)
{
	uint64_t offset = linear - (uintptr_t)native_mem;

	if (offset > MEM_SIZE - size) {
		fail_msg("access to %lx of %u bytes", linear, size);
	}
	return model_mem + offset;
}

static int model_read(void *ctx, uint64_t linear, unsigned int size, uint64_t *val)
{
	(void)ctx;
	*val = 0;
	memcpy(val, at(linear, size), size);
	return 0;
}

static int model_write(void *ctx, uint64_t linear, unsigned int size, uint64_t val)
{
	(void)ctx;
	memcpy(at(linear, size), &val, size);
	return 0;
}

static const struct insn_exec_ops model_ops = { model_read, model_write };

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

static unsigned int random_below(unsigned int n)
{
	return (unsigned int)((random64() >> 33) % n);
}

/* Half of them at the edges of some operand size. */
static uint64_t random_value(void)
{
	static const uint64_t edges[] = { 0,	      1,	 0x7f,	    0x80,	0xff,
					  0x7fff,     0x8000,	 0xffff,    0x7fffffff, 0x80000000,
					  0xffffffff, INT64_MAX, 1ul << 63, UINT64_MAX };

	return random_below(2) ? random64() : edges[random_below(ARRAY_SIZE(edges))];
}

/* Opcodes with ModRM and, if digit is not 8, that ModRM.reg; two-byte ones have 0F00 added. */
static const struct {
	uint16_t opcode;
	uint8_t digit;
	uint8_t imm; /* bytes: 0, 1, or 4 for "operand size, at most 4" */
	bool lockable;
	bool no_register; /* no form with ModRM.mod 3 that we compare */
} templates[] = {
	{ 0x00, 8, 0, true, false },	{ 0x01, 8, 0, true, false },
	{ 0x02, 8, 0, false, false },	{ 0x03, 8, 0, false, false },
	{ 0x08, 8, 0, true, false },	{ 0x09, 8, 0, true, false },
	{ 0x0a, 8, 0, false, false },	{ 0x0b, 8, 0, false, false },
	{ 0x10, 8, 0, true, false },	{ 0x11, 8, 0, true, false },
	{ 0x12, 8, 0, false, false },	{ 0x13, 8, 0, false, false },
	{ 0x18, 8, 0, true, false },	{ 0x19, 8, 0, true, false },
	{ 0x1a, 8, 0, false, false },	{ 0x1b, 8, 0, false, false },
	{ 0x20, 8, 0, true, false },	{ 0x21, 8, 0, true, false },
	{ 0x22, 8, 0, false, false },	{ 0x23, 8, 0, false, false },
	{ 0x28, 8, 0, true, false },	{ 0x29, 8, 0, true, false },
	{ 0x2a, 8, 0, false, false },	{ 0x2b, 8, 0, false, false },
	{ 0x30, 8, 0, true, false },	{ 0x31, 8, 0, true, false },
	{ 0x32, 8, 0, false, false },	{ 0x33, 8, 0, false, false },
	{ 0x38, 8, 0, false, false },	{ 0x39, 8, 0, false, false },
	{ 0x3a, 8, 0, false, false },	{ 0x3b, 8, 0, false, false },
	{ 0x63, 8, 0, false, false },	{ 0x84, 8, 0, false, false },
	{ 0x85, 8, 0, false, false },	{ 0x86, 8, 0, true, false },
	{ 0x87, 8, 0, true, false },	{ 0x88, 8, 0, false, false },
	{ 0x89, 8, 0, false, false },	{ 0x8a, 8, 0, false, false },
	{ 0x8b, 8, 0, false, false },	{ 0xc6, 0, 1, false, false },
	{ 0xc7, 0, 4, false, false },	{ 0xf6, 0, 1, false, false },
	{ 0xf7, 0, 4, false, false },	{ 0xf6, 2, 0, true, false },
	{ 0xf7, 2, 0, true, false },	{ 0xf6, 3, 0, true, false },
	{ 0xf7, 3, 0, true, false },	{ 0xfe, 0, 0, true, false },
	{ 0xff, 0, 0, true, false },	{ 0xfe, 1, 0, true, false },
	{ 0xff, 1, 0, true, false },	{ 0x80, 0, 1, true, false },
	{ 0x81, 0, 4, true, false },	{ 0x83, 0, 1, true, false },
	{ 0x80, 1, 1, true, false },	{ 0x81, 1, 4, true, false },
	{ 0x83, 1, 1, true, false },	{ 0x80, 2, 1, true, false },
	{ 0x81, 2, 4, true, false },	{ 0x83, 2, 1, true, false },
	{ 0x80, 3, 1, true, false },	{ 0x81, 3, 4, true, false },
	{ 0x83, 3, 1, true, false },	{ 0x80, 4, 1, true, false },
	{ 0x81, 4, 4, true, false },	{ 0x83, 4, 1, true, false },
	{ 0x80, 5, 1, true, false },	{ 0x81, 5, 4, true, false },
	{ 0x83, 5, 1, true, false },	{ 0x80, 6, 1, true, false },
	{ 0x81, 6, 4, true, false },	{ 0x83, 6, 1, true, false },
	{ 0x80, 7, 1, false, false },	{ 0x81, 7, 4, false, false },
	{ 0x83, 7, 1, false, false },	{ 0x0fa3, 8, 0, false, false },
	{ 0x0fab, 8, 0, true, false },	{ 0x0fb3, 8, 0, true, false },
	{ 0x0fbb, 8, 0, true, false },	{ 0x0fba, 4, 1, false, false },
	{ 0x0fba, 5, 1, true, false },	{ 0x0fba, 6, 1, true, false },
	{ 0x0fba, 7, 1, true, false },	{ 0x0fb0, 8, 0, true, false },
	{ 0x0fb1, 8, 0, true, false },	{ 0x0fb6, 8, 0, false, false },
	{ 0x0fb7, 8, 0, false, false }, { 0x0fbe, 8, 0, false, false },
	{ 0x0fbf, 8, 0, false, false }, { 0x0fc0, 8, 0, true, false },
	{ 0x0fc1, 8, 0, true, false },	{ 0x0fc3, 8, 0, false, true },
};

struct generated {
	uint8_t bytes[16];
	unsigned int length;
	struct native regs;
};

static void emit(struct generated *g, uint64_t v, unsigned int size)
{
	memcpy(g->bytes + g->length, &v, size);
	g->length += size;
}

static void randomize(struct generated *g)
{
	memset(g, 0, sizeof(*g));
	for (unsigned int i = 0; i < 16; i++) {
		g->regs.gpr[i] = random_value();
	}
	g->regs.rflags = (random64() & ARITH) | FLAGS_SET;
	for (unsigned int i = 0; i < MEM_SIZE; i += 8) {
		uint64_t v = random_value();

		memcpy(native_mem + i, &v, sizeof(v));
	}
	memcpy(model_mem, native_mem, MEM_SIZE);
}

/* A register operand that is not RSP, which the reference does not load. */
static unsigned int random_reg(unsigned int rex_bit)
{
	unsigned int reg;

	do {
		reg = random_below(8);
	} while (reg == INSN_REG_RSP && rex_bit == 0);
	return reg;
}

/* Within 500 bits either way in its operand size, rubbish above that. */
static uint64_t random_bit_offset(unsigned int bits)
{
	uint64_t offset = (uint64_t)random_below(1000) - 500, mask = UINT64_MAX >> (64 - bits);

	return (offset & mask) | (random64() & ~mask);
}

/* Byte register 4 is AH without REX, but SPL with one. */
static void generate_modrm(struct generated *g, unsigned int row, bool bit_offset)
{
	bool prefix66 = random_below(4) == 0 && templates[row].opcode != 0x0fc3;
	bool memory = templates[row].no_register || random_below(4) != 0;
	bool lock = memory && templates[row].lockable && random_below(3) == 0;
	uint8_t rex = random_below(2) ? (uint8_t)(0x40 | random_below(16)) : 0;
	unsigned int reg = templates[row].digit < 8 ? templates[row].digit : random_reg(rex & 4u);
	unsigned int rm = memory ? INSN_REG_RBX : random_reg(rex & 1u);

	if (memory) {
		rex &= 0xfe; /* the base is RBX */
	}
	if (bit_offset && memory && reg == INSN_REG_RBX) {
		reg = INSN_REG_RDX; /* the base cannot be a small bit offset too */
	}
	emit(g, 0x66, prefix66 ? 1 : 0);
	emit(g, 0xf0, lock ? 1 : 0);
	emit(g, rex, rex != 0 ? 1 : 0);
	emit(g, 0x0f, templates[row].opcode > 0xff ? 1 : 0);
	emit(g, templates[row].opcode & 0xff, 1);
	emit(g, (memory ? 0x40u : 0xc0u) | reg << 3 | rm, 1);
	emit(g, random_below(100), memory ? 1 : 0);
	emit(g, random_value(),
	     templates[row].imm == 4 && prefix66 && (rex & 8) == 0 ? 2 : templates[row].imm);
	if (memory) {
		g->regs.gpr[INSN_REG_RBX] = (uintptr_t)native_mem + 128;
	}
	if (bit_offset && memory) {
		g->regs.gpr[reg | (rex & 4u) << 1] = random_bit_offset((rex & 8) != 0 ? 64
								       : prefix66     ? 16
										      : 32);
	}
}

static bool uses_bit_offset(unsigned int row)
{
	unsigned int opcode = templates[row].opcode;

	return opcode == 0x0fa3 || opcode == 0x0fab || opcode == 0x0fb3 || opcode == 0x0fbb;
}

static void generate_string(struct generated *g)
{
	static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa,
					   0xab, 0xac, 0xad, 0xae, 0xaf };
	static const uint8_t reps[] = { 0, 0xf2, 0xf3 };
	uint8_t rep = reps[random_below(3)];

	emit(g, 0x66, random_below(4) == 0);
	emit(g, 0x67, random_below(3) == 0);
	emit(g, rep, rep != 0 ? 1 : 0);
	emit(g, 0x48, random_below(3) == 0);
	emit(g, opcodes[random_below(ARRAY_SIZE(opcodes))], 1);
	g->regs.rflags |= random_below(2) ? FLAG_DF : 0;
	g->regs.gpr[INSN_REG_RCX] = random_below(25);
	g->regs.gpr[INSN_REG_RSI] = (uintptr_t)native_mem + 248 + random_below(8);
	g->regs.gpr[INSN_REG_RDI] = (uintptr_t)native_mem + 248 + random_below(8);
	if (random_below(2)) { /* long equal runs for CMPS and SCAS */
		memset(native_mem, 0x5a, MEM_SIZE / 2 + random_below(MEM_SIZE / 2));
		memcpy(model_mem, native_mem, MEM_SIZE);
		memset(&g->regs.gpr[INSN_REG_RAX], 0x5a, 8);
	}
}

/* Flags that the manual defines after the operation. */
static uint64_t defined_flags(const struct insn *i)
{
	switch (i->op) {
	case INSN_AND:
	case INSN_OR:
	case INSN_XOR:
	case INSN_TEST:
		return ARITH & ~0x10u;
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC:
		return 0x41;
	default:
		return ARITH;
	}
}

static NORETURN void differs(const struct generated *g, const char *what, uint64_t ours,
			     uint64_t theirs)
{
	char hex[64] = "";

	for (unsigned int i = 0; i < g->length; i++) {
		snprintf(hex + 3 * i, 4, "%02x ", g->bytes[i]);
	}
	fail_msg("%s%s: ours %lx, CPU %lx", hex, what, ours, theirs);
	__builtin_unreachable();
}

static void run_native(struct generated *g)
{
	g->regs.code = native_code_page;
	memcpy(native_code_page, g->bytes, g->length);
	native_code_page[g->length] = 0xc3;
	native_run(&g->regs);
}

static void compare_with_cpu(struct generated *g)
{
	struct native ours = g->regs;
	struct insn_cpu cpu = {
		.regs = { .gpr = ours.gpr, .rip = 0x1000, .rflags = ours.rflags },
		.ops = &model_ops,
		.stack_size = 8,
	};
	enum insn_result result;
	uint64_t defined;
	struct insn insn;

	if (insn_decode(g->bytes, g->length, INSN_MODE_64, &insn) != 0) {
		differs(g, "not decoded", 0, 0);
	}
	do {
		result = insn_exec(&insn, &cpu);
	} while (result == INSN_CONTINUE);
	assert_int_equal(result, INSN_DONE);
	run_native(g);
	for (unsigned int i = 0; i < 16; i++) {
		if (i != INSN_REG_RSP && ours.gpr[i] != g->regs.gpr[i]) {
			differs(g, "register", ours.gpr[i], g->regs.gpr[i]);
		}
	}
	defined = defined_flags(&insn) | FLAG_DF;
	if (((cpu.regs.rflags ^ g->regs.rflags) & defined) != 0) {
		differs(g, "flags", cpu.regs.rflags & defined, g->regs.rflags & defined);
	}
	if (memcmp(model_mem, native_mem, MEM_SIZE) != 0) {
		differs(g, "memory", 0, 0);
	}
	assert_int_equal(cpu.regs.rip, 0x1000 + g->length);
}

static void test_modrm_as_cpu(void **state)
{
	struct generated g;

	(void)state;
	for (unsigned int n = 0; n < 2000; n++) {
		for (unsigned int row = 0; row < ARRAY_SIZE(templates); row++) {
			randomize(&g);
			generate_modrm(&g, row, uses_bit_offset(row));
			compare_with_cpu(&g);
		}
	}
}

static void test_strings_as_cpu(void **state)
{
	struct generated g;

	(void)state;
	for (unsigned int n = 0; n < 50000; n++) {
		randomize(&g);
		generate_string(&g);
		compare_with_cpu(&g);
	}
}

/* AL, AX, EAX and RAX with an immediate or an absolute address, which have no ModRM. */
static void generate_accumulator(struct generated *g)
{
	static const uint8_t opcodes[] = { 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c,
					   0x34, 0x3c, 0xa8, 0xa0, 0xa2 };
	uint8_t opcode = opcodes[random_below(ARRAY_SIZE(opcodes))];
	bool wide = random_below(2) != 0, prefix66 = random_below(3) == 0;
	bool rex_w = random_below(3) == 0;

	emit(g, 0x66, prefix66);
	emit(g, 0x48, rex_w);
	emit(g, opcode | wide, 1);
	if (opcode == 0xa0 || opcode == 0xa2) {
		emit(g, (uintptr_t)native_mem + random_below(500), 8);
	} else {
		emit(g, random_value(), !wide ? 1 : prefix66 && !rex_w ? 2 : 4);
	}
}

static void test_accumulator_as_cpu(void **state)
{
	struct generated g;

	(void)state;
	for (unsigned int n = 0; n < 50000; n++) {
		randomize(&g);
		generate_accumulator(&g);
		compare_with_cpu(&g);
	}
}

/* ---- By hand: what the reference cannot show ---- */

static unsigned int calls_left; /* callbacks that succeed before one fails */

static int failing_read(void *ctx, uint64_t linear, unsigned int size, uint64_t *val)
{
	return calls_left-- == 0 ? -1 : model_read(ctx, linear, size, val);
}

static int failing_write(void *ctx, uint64_t linear, unsigned int size, uint64_t val)
{
	return calls_left-- == 0 ? -1 : model_write(ctx, linear, size, val);
}

static const struct insn_exec_ops failing_ops = { failing_read, failing_write };

struct machine {
	uint64_t gpr[16];
	struct insn_cpu cpu;
};

static void machine_init(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	m->cpu.regs.gpr = m->gpr;
	m->cpu.ops = &model_ops;
	m->cpu.stack_size = 8;
	memset(model_mem, 0, MEM_SIZE);
	for (unsigned int i = 0; i < 16; i++) {
		m->gpr[i] = (uintptr_t)native_mem + 16 * i;
	}
}

static enum insn_result run(struct machine *m, enum insn_mode mode, const char *bytes, size_t len)
{
	struct insn insn;

	assert_int_equal(insn_decode((const uint8_t *)bytes, len, mode, &insn), 0);
	return insn_exec(&insn, &m->cpu);
}

#define RUN(m, mode, bytes) run(m, mode, bytes, sizeof(bytes) - 1)

static void test_push_pop(void **state)
{
	uint64_t base = (uintptr_t)native_mem, v = 0x1122334455667788;
	struct machine m;

	(void)state;
	machine_init(&m);
	memcpy(model_mem + 48, &v, 8);
	assert_int_equal(RUN(&m, INSN_MODE_64, "\xff\x33"), INSN_DONE); /* push qword [rbx] */
	assert_true(m.gpr[INSN_REG_RSP] == base + 56);
	assert_memory_equal(model_mem + 56, &v, 8);
	/* pop qword [rsp+8]: the address uses RSP after the pop */
	assert_int_equal(RUN(&m, INSN_MODE_64, "\x8f\x44\x24\x08"), INSN_DONE);
	assert_true(m.gpr[INSN_REG_RSP] == base + 64);
	assert_memory_equal(model_mem + 72, &v, 8);
	m.gpr[INSN_REG_RSP] = base + 48;
	assert_int_equal(RUN(&m, INSN_MODE_64, "\x8f\xc4"), INSN_DONE); /* pop rsp */
	assert_true(m.gpr[INSN_REG_RSP] == v);
}

static void test_push_16_bit_stack(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	m.cpu.stack_size = 2;
	m.cpu.regs.segment_base[INSN_SS] = (uint32_t)(uintptr_t)native_mem - 0xfffe + 100;
	m.cpu.regs.segment_base[INSN_DS] = (uint32_t)(uintptr_t)native_mem;
	m.gpr[INSN_REG_RSP] = 0xabcd0000;
	model_mem[0x10] = 0x42;
	/* push word [0x10]: SP wraps below 0, the rest of RSP stays */
	assert_int_equal(RUN(&m, INSN_MODE_16, "\xff\x36\x10\x00"), INSN_DONE);
	assert_int_equal(m.gpr[INSN_REG_RSP], 0xabcdfffe);
	assert_int_equal(model_mem[100], 0x42);
}

static void test_rep_is_bounded(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	m.gpr[INSN_REG_RAX] = 0x33;
	m.gpr[INSN_REG_RCX] = 100;
	m.gpr[INSN_REG_RDI] = (uintptr_t)native_mem;
	assert_int_equal(RUN(&m, INSN_MODE_64, "\xf3\xaa"), INSN_CONTINUE);
	assert_int_equal(m.gpr[INSN_REG_RCX], 100 - INSN_EXEC_MAX_REP);
	assert_int_equal(m.cpu.regs.rip, 0);
	assert_int_equal(model_mem[INSN_EXEC_MAX_REP - 1], 0x33);
	assert_int_equal(model_mem[INSN_EXEC_MAX_REP], 0);
	while (m.gpr[INSN_REG_RCX] > INSN_EXEC_MAX_REP) {
		assert_int_equal(RUN(&m, INSN_MODE_64, "\xf3\xaa"), INSN_CONTINUE);
	}
	assert_int_equal(RUN(&m, INSN_MODE_64, "\xf3\xaa"), INSN_DONE);
	assert_int_equal(m.gpr[INSN_REG_RCX], 0);
	assert_int_equal(m.cpu.regs.rip, 2);
	assert_int_equal(model_mem[99], 0x33);
	assert_int_equal(model_mem[100], 0);
}

/* Each of these makes two accesses (POP and MOVS: a read and a write), of which either fails. */
static void test_fault_changes_nothing(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} insns[] = {
		{ "\x01\x0b", 2 },
		{ "\x87\x0b", 2 },
		{ "\x0f\xc1\x0b", 3 },
		{ "\x0f\xb1\x0b", 3 },
		{ "\x0f\xba\x3b\x01", 4 },
		{ "\xff\x33", 2 },
		{ "\x8f\x03", 2 },
		{ "\xa4", 1 },
		{ "\xa6", 1 },
		{ "\xf7\x1b", 2 },
	};

	(void)state;
	for (unsigned int n = 0; n < 2 * ARRAY_SIZE(insns); n++) {
		struct machine m, before;

		machine_init(&m);
		m.cpu.ops = &failing_ops;
		m.cpu.regs.rflags = 0x10202;
		before = m;
		calls_left = n % 2;
		assert_int_equal(run(&m, INSN_MODE_64, insns[n / 2].bytes, insns[n / 2].len),
				 INSN_FAULT);
		assert_memory_equal(m.gpr, before.gpr, sizeof(m.gpr));
		assert_int_equal(m.cpu.regs.rip, 0);
		assert_int_equal(m.cpu.regs.rflags, 0x10202);
	}
}

static void test_fault_within_rep(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	m.cpu.ops = &failing_ops;
	m.gpr[INSN_REG_RCX] = 10;
	calls_left = 7; /* three whole iterations and a read */
	assert_int_equal(RUN(&m, INSN_MODE_64, "\xf3\xa5"), INSN_FAULT);
	assert_int_equal(m.gpr[INSN_REG_RCX], 7);
	assert_true(m.gpr[INSN_REG_RSI] == (uintptr_t)native_mem + 16 * INSN_REG_RSI + 12);
	assert_true(m.gpr[INSN_REG_RDI] == (uintptr_t)native_mem + 16 * INSN_REG_RDI + 12);
	assert_int_equal(m.cpu.regs.rip, 0);
}

static void test_completion(void **state)
{
	struct machine m;

	(void)state;
	machine_init(&m);
	m.cpu.regs.rflags = 0x10202; /* RF ends with the instruction */
	m.cpu.regs.rip = 0xfffffffe;
	assert_int_equal(RUN(&m, INSN_MODE_64, "\x89\x0b"), INSN_DONE);
	assert_true(m.cpu.regs.rip == 0x100000000);
	assert_int_equal(m.cpu.regs.rflags, 0x202);
	m.cpu.regs.rip = 0xfffffffe;
	assert_int_equal(RUN(&m, INSN_MODE_32, "\x89\x0b"), INSN_DONE);
	assert_int_equal(m.cpu.regs.rip, 0);
	assert_int_equal(RUN(&m, INSN_MODE_64, "\x0f\xa2"), INSN_UNHANDLED); /* CPUID */
	assert_int_equal(m.cpu.regs.rip, 0);
}

static int setup(void **state)
{
	const int rwx = PROT_READ | PROT_WRITE | PROT_EXEC;

	(void)state;
	native_mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	native_code_page = mmap(NULL, 4096, rwx, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return native_mem == MAP_FAILED || native_code_page == MAP_FAILED ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modrm_as_cpu),
		cmocka_unit_test(test_strings_as_cpu),
		cmocka_unit_test(test_accumulator_as_cpu),
		cmocka_unit_test(test_push_pop),
		cmocka_unit_test(test_push_16_bit_stack),
		cmocka_unit_test(test_rep_is_bounded),
		cmocka_unit_test(test_fault_changes_nothing),
		cmocka_unit_test(test_fault_within_rep),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
