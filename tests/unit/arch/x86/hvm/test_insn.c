/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests the instruction decoder: odd encodings by hand, then whole opcode maps against Zydis. */
/* The executor has its own test. */
/* TEST_SOURCES: arch/x86/hvm/insn.c arch/x86/hvm/insn_map.c */
/* TEST_LIBS: -lZydis */
/* TEST_CFLAGS: -O2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <Zydis/Zydis.h>

#include "arch/x86/hvm/insn.h"
#include "hv/lib/errno.h"

/* ---- Encodings by hand ---- */

#define NO	   INSN_REG_NONE
#define M16	   INSN_MODE_16
#define M32	   INSN_MODE_32
#define M64	   INSN_MODE_64
#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

static const struct {
	enum insn_mode mode;
	uint8_t bytes[16];
	size_t len;
	int result;
	struct insn want;
} rows[] = {
	/* mov [rip+0x10], eax */
	{ M64,
	  BYTES(0x89, 0x05, 0x10, 0, 0, 0),
	  0,
	  { .op = INSN_MOV,
	    .dst = INSN_MEM,
	    .src = INSN_REG,
	    .opnd_size = 4,
	    .mem_size = 4,
	    .addr_size = 8,
	    .segment = INSN_DS,
	    .base = INSN_REG_RIP,
	    .index = NO,
	    .scale = 1,
	    .disp = 0x10 } },
	/* the same bytes in 32-bit mode: mov [0x10], eax */
	{ M32,
	  BYTES(0x89, 0x05, 0x10, 0, 0, 0),
	  0,
	  { .op = INSN_MOV,
	    .dst = INSN_MEM,
	    .src = INSN_REG,
	    .opnd_size = 4,
	    .mem_size = 4,
	    .addr_size = 4,
	    .segment = INSN_DS,
	    .base = NO,
	    .index = NO,
	    .scale = 1,
	    .disp = 0x10 } },
	/* the REX before the segment prefix is lost; GS stays in spite of the later DS override */
	{ M64,
	  BYTES(0x48, 0x65, 0x3e, 0x8b, 0x0c, 0x25, 0xff, 0xff, 0xff, 0xff),
	  0,
	  { .op = INSN_MOV,
	    .dst = INSN_REG,
	    .src = INSN_MEM,
	    .opnd_size = 4,
	    .mem_size = 4,
	    .addr_size = 8,
	    .reg = 1,
	    .segment = INSN_GS,
	    .base = NO,
	    .index = NO,
	    .scale = 1,
	    .disp = -1 } },
	/* mov al, [moffs64] */
	{ M64,
	  BYTES(0xa0, 1, 2, 3, 4, 5, 6, 7, 0xf8),
	  0,
	  { .op = INSN_MOV,
	    .dst = INSN_REG,
	    .src = INSN_MEM,
	    .opnd_size = 1,
	    .mem_size = 1,
	    .addr_size = 8,
	    .segment = INSN_DS,
	    .base = NO,
	    .index = NO,
	    .scale = 1,
	    .disp = (int64_t)0xf807060504030201 } },
	/* mov [bp+si-1], ch in 16-bit mode: SS, high byte register */
	{ M16,
	  BYTES(0x88, 0x6a, 0xff),
	  0,
	  { .op = INSN_MOV,
	    .dst = INSN_MEM,
	    .src = INSN_REG,
	    .opnd_size = 1,
	    .mem_size = 1,
	    .addr_size = 2,
	    .reg = INSN_REG_CH,
	    .segment = INSN_SS,
	    .base = INSN_REG_RBP,
	    .index = INSN_REG_RSI,
	    .scale = 1,
	    .disp = -1 } },
	/* movzx eax, bh, and with REX, bpl no longer bh */
	{ M64,
	  BYTES(0x0f, 0xb6, 0xc7),
	  0,
	  { .op = INSN_MOVZX,
	    .dst = INSN_REG,
	    .src = INSN_RM_REG,
	    .opnd_size = 4,
	    .mem_size = 1,
	    .addr_size = 8,
	    .rm_reg = INSN_REG_BH,
	    .segment = INSN_DS,
	    .base = NO,
	    .index = NO,
	    .scale = 1 } },
	{ M64,
	  BYTES(0x40, 0x0f, 0xb6, 0xc5),
	  0,
	  { .op = INSN_MOVZX,
	    .dst = INSN_REG,
	    .src = INSN_RM_REG,
	    .opnd_size = 4,
	    .mem_size = 1,
	    .addr_size = 8,
	    .rm_reg = INSN_REG_RBP,
	    .segment = INSN_DS,
	    .base = NO,
	    .index = NO,
	    .scale = 1 } },
	/* lock cmpxchg [r12+r13*8+0x12345678], r15 */
	{ M64,
	  BYTES(0xf0, 0x4f, 0x0f, 0xb1, 0xbc, 0xec, 0x78, 0x56, 0x34, 0x12),
	  0,
	  { .op = INSN_CMPXCHG,
	    .dst = INSN_MEM,
	    .src = INSN_REG,
	    .opnd_size = 8,
	    .mem_size = 8,
	    .addr_size = 8,
	    .reg = 15,
	    .segment = INSN_DS,
	    .base = 12,
	    .index = 13,
	    .scale = 8,
	    .disp = 0x12345678,
	    .lock = true } },
	/* rep stosd with 32-bit addresses: ES whatever the prefix */
	{ M64,
	  BYTES(0x67, 0x64, 0xf3, 0xab),
	  0,
	  { .op = INSN_STOS,
	    .opnd_size = 4,
	    .mem_size = 4,
	    .addr_size = 4,
	    .segment = INSN_ES,
	    .base = INSN_REG_RDI,
	    .index = NO,
	    .scale = 1,
	    .rep = INSN_REP_REP } },
	/* LOCK MOV to CR0 is CR8; mod bits do not matter to it */
	{ M32,
	  BYTES(0xf0, 0x0f, 0x22, 0x03),
	  0,
	  { .op = INSN_MOV_CR,
	    .dst = INSN_REG,
	    .src = INSN_RM_REG,
	    .opnd_size = 4,
	    .mem_size = 4,
	    .addr_size = 4,
	    .reg = 8,
	    .rm_reg = 3,
	    .segment = INSN_DS,
	    .base = NO,
	    .index = NO,
	    .scale = 1,
	    .lock = true } },
	/* test byte [rax], -1: the immediate of group 3 is there for /0 and /1 only */
	{ M64,
	  BYTES(0xf6, 0x00, 0xff),
	  0,
	  { .op = INSN_TEST,
	    .dst = INSN_MEM,
	    .src = INSN_IMM,
	    .opnd_size = 1,
	    .mem_size = 1,
	    .addr_size = 8,
	    .segment = INSN_DS,
	    .base = 0,
	    .index = NO,
	    .scale = 1,
	    .imm = -1 } },
	{ M64,
	  BYTES(0xf6, 0x10),
	  0,
	  { .op = INSN_NOT,
	    .dst = INSN_MEM,
	    .opnd_size = 1,
	    .mem_size = 1,
	    .addr_size = 8,
	    .segment = INSN_DS,
	    .base = 0,
	    .index = NO,
	    .scale = 1,
	    .reg = 2 } },
};

static void test_by_hand(void **state)
{
	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
		struct insn want = rows[n].want, got;

		want.length = (uint8_t)rows[n].len;
		want.mode = (uint8_t)rows[n].mode;
		assert_int_equal(insn_decode(rows[n].bytes, 15, rows[n].mode, &got), 0);
		if (want.reg == 0) {
			want.reg = got.reg; /* rows that do not care, group number or none */
		}
		if (memcmp(&got, &want, sizeof(got)) != 0) {
			fail_msg("row %zu differs", n);
		}
	}
}

static const struct {
	enum insn_mode mode;
	uint8_t bytes[16];
	size_t len;
	int result;
	unsigned int length;
} errors[] = {
	{ M64, BYTES(0xf0, 0x89, 0x00), -EINVAL, 0 },	    /* LOCK MOV */
	{ M64, BYTES(0xf0, 0x01, 0xc0), -EINVAL, 0 },	    /* LOCK ADD EAX, EAX */
	{ M64, BYTES(0xf0, 0x03, 0x00), -EINVAL, 0 },	    /* LOCK with a memory source */
	{ M64, BYTES(0xf0, 0x39, 0x00), -EINVAL, 0 },	    /* LOCK CMP */
	{ M64, BYTES(0xf0, 0x0f, 0xa3, 0x00), -EINVAL, 0 }, /* LOCK BT */
	{ M64, BYTES(0xf0, 0xa5), -EINVAL, 0 },		    /* LOCK MOVS */
	{ M64, BYTES(0xf0, 0x0f, 0xa2), -EINVAL, 0 },	    /* LOCK CPUID */
	{ M64, BYTES(0x06), -EINVAL, 0 },		    /* PUSH ES in 64-bit mode */
	{ M32, BYTES(0x06), -ENOTSUP, 1 },
	{ M64, BYTES(0xce), -EINVAL, 0 }, /* INTO */
	{ M64, BYTES(0xfe, 0x10), -EINVAL, 0 },
	{ M64, BYTES(0xc7, 0x08, 0, 0, 0, 0), -EINVAL, 0 },
	{ M64, BYTES(0x0f, 0xc3, 0xc0), -EINVAL, 0 }, /* MOVNTI to a register */
	{ M64, BYTES(0x0f, 0x20, 0xc8), -EINVAL, 0 }, /* CR1 */
	{ M64, BYTES(0x0f, 0x04), -EINVAL, 0 },
	{ M64, BYTES(0xc5, 0xf8, 0x77), -ENOTSUP, 0 }, /* VZEROUPPER */
	{ M32, BYTES(0xc5, 0x00), -ENOTSUP, 2 },       /* LDS */
	{ M64, BYTES(0x66, 0x0f, 0x6f, 0x04, 0x24), -ENOTSUP, 5 },
	{ M64,
	  BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		0x90),
	  -ENOTSUP, 15 },
	{ M64,
	  BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
		0x66, 0x90),
	  -E2BIG, 0 },
	{ M64, BYTES(0x66, 0x66, 0x66), -EAGAIN, 0 },
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(errors); n++) {
		struct insn got;
		int result = insn_decode(errors[n].bytes, errors[n].len, errors[n].mode, &got);

		if (result != errors[n].result) {
			fail_msg("row %zu: result %d, not %d", n, result, errors[n].result);
		}
		if (result == -ENOTSUP) {
			assert_int_equal(got.length, errors[n].length);
		}
	}
}

static const struct {
	enum insn_mode mode;
	uint8_t bytes[15];
	uint64_t linear;
} addresses[] = {
	/* Registers: value of number n is n * 0x1111111111111111, of RIP 0xfffffff0, FS base 0x100. */
	{ M64, { 0x8b, 0x44, 0x4b, 0x08 }, 0x5555555555555555ul + 8 }, /* [rbx+rcx*2+8] */
	{ M64, { 0x67, 0x8b, 0x44, 0x4b, 0x08 }, 0x5555555d },	       /* [ebx+ecx*2+8] */
	{ M64, { 0x64, 0x8b, 0x03 }, 0x3333333333333433 },	       /* fs:[rbx] */
	{ M64, { 0x36, 0x8b, 0x03 }, 0x3333333333333333 },	       /* ss:[rbx], base ignored */
	{ M64, { 0x8b, 0x05, 0x20, 0, 0, 0 }, 0x100000016 },	       /* [rip+0x20] */
	{ M64, { 0x67, 0x8b, 0x05, 0x20, 0, 0, 0 }, 0x17 },	       /* [eip+0x20] */
	{ M32, { 0x8b, 0x46, 0xff }, 0x66675665 },		       /* [esi-1], DS base 0xf000 */
	{ M32, { 0x8b, 0x05, 0xff, 0xff, 0xff, 0xff }, 0xefff },       /* wraps at 4 GiB */
	{ M16, { 0x8b, 0x00 }, 0x9999 + 0xf000 },		       /* [bx+si] */
	{ M16, { 0x8b, 0x80, 0x00, 0x70 }, 0x0999 + 0xf000 },	       /* wraps at 64 KiB */
	{ M64,
	  { 0x0f, 0xa3, 0x0b },
	  0x3333333333333333 + 0x2222220 }, /* bt [rbx], ecx: bit 286331153 */
	{ M64, { 0x4c, 0x0f, 0xa3, 0x3b }, 0x3333333333333333 - 8 }, /* bt [rbx], r15: bit -1 */
	{ M64, { 0x0f, 0xba, 0x23, 0xff }, 0x3333333333333333 },     /* bt dword [rbx], 255 */
	{ M64, { 0x8f, 0x04, 0x24 }, 0x4444444444444444 + 8 },	     /* pop qword [rsp] */
	{ M64, { 0xff, 0x34, 0x24 }, 0x4444444444444444 },	     /* push qword [rsp] */
};

static void test_effective_address(void **state)
{
	uint64_t gpr[16];
	struct insn_regs regs = { .gpr = gpr, .rip = 0xfffffff0 };

	(void)state;
	for (unsigned int i = 0; i < 16; i++) {
		gpr[i] = i * 0x1111111111111111ul;
	}
	for (unsigned int i = 0; i < INSN_FS; i++) {
		regs.segment_base[i] = 0xf000;
	}
	regs.segment_base[INSN_FS] = 0x100;
	for (size_t n = 0; n < ARRAY_SIZE(addresses); n++) {
		struct insn insn;
		uint64_t linear;

		assert_int_equal(insn_decode(addresses[n].bytes, 15, addresses[n].mode, &insn), 0);
		linear = insn_effective_address(&insn, &regs);
		if (linear != addresses[n].linear) {
			fail_msg("row %zu: %lx, not %lx", n, linear, addresses[n].linear);
		}
	}
}

/* ---- Against Zydis ---- */

static ZydisDecoder decoders[9]; /* by enum insn_mode */
static uint64_t seed = 0x123456789abcdef;

/* xorshift64*: a fixed sequence on every host. */
static uint64_t random64(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1d;
}

struct theirs {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static NORETURN void fail_on(const uint8_t *bytes, const struct insn *ours, const struct theirs *z,
			     const char *what)
{
	char hex[64] = "";

	for (unsigned int i = 0; i < INSN_MAX_LEN; i++) {
		snprintf(hex + 3 * i, 4, "%02x ", bytes[i]);
	}
	print_error("%s: mode %u: %s(Zydis: %s, %u bytes; ours: op %u, %u bytes)\n", what,
		    ours->mode * 8, hex, ZydisMnemonicGetString(z->insn.mnemonic), z->insn.length,
		    ours->op, ours->length);
	fail();
	abort();
}

/* Mnemonics of each operation; the ones with a size in them are written with '?'. */
static const char *const mnemonics[INSN_OPS] = {
	[INSN_MOV] = "mov movnti",
	[INSN_MOVZX] = "movzx",
	[INSN_MOVSX] = "movsx movsxd",
	[INSN_ADD] = "add",
	[INSN_OR] = "or",
	[INSN_ADC] = "adc",
	[INSN_SBB] = "sbb",
	[INSN_AND] = "and",
	[INSN_SUB] = "sub",
	[INSN_XOR] = "xor",
	[INSN_CMP] = "cmp",
	[INSN_TEST] = "test",
	[INSN_NOT] = "not",
	[INSN_NEG] = "neg",
	[INSN_INC] = "inc",
	[INSN_DEC] = "dec",
	[INSN_XCHG] = "xchg",
	[INSN_XADD] = "xadd",
	[INSN_CMPXCHG] = "cmpxchg",
	[INSN_BT] = "bt",
	[INSN_BTS] = "bts",
	[INSN_BTR] = "btr",
	[INSN_BTC] = "btc",
	[INSN_POP] = "pop",
	[INSN_PUSH] = "push",
	[INSN_STOS] = "stosb stosw stosd stosq",
	[INSN_MOVS] = "movsb movsw movsd movsq",
	[INSN_LODS] = "lodsb lodsw lodsd lodsq",
	[INSN_SCAS] = "scasb scasw scasd scasq",
	[INSN_CMPS] = "cmpsb cmpsw cmpsd cmpsq",
	[INSN_CPUID] = "cpuid",
	[INSN_RDMSR] = "rdmsr",
	[INSN_WRMSR] = "wrmsr",
	[INSN_RDTSC] = "rdtsc",
	[INSN_RDTSCP] = "rdtscp",
	[INSN_RDPMC] = "rdpmc",
	[INSN_HLT] = "hlt",
	[INSN_PAUSE] = "pause",
	[INSN_IN] = "in",
	[INSN_OUT] = "out",
	[INSN_INS] = "insb insw insd",
	[INSN_OUTS] = "outsb outsw outsd",
	[INSN_MOV_CR] = "mov",
	[INSN_MOV_DR] = "mov",
	[INSN_CLTS] = "clts",
	[INSN_LMSW] = "lmsw",
	[INSN_SMSW] = "smsw",
	[INSN_INVD] = "invd",
	[INSN_WBINVD] = "wbinvd wbnoinvd",
	[INSN_INVLPG] = "invlpg",
	[INSN_INVLPGA] = "invlpga",
	[INSN_XSETBV] = "xsetbv",
	[INSN_MONITOR] = "monitor",
	[INSN_MWAIT] = "mwait",
	[INSN_VMCALL] = "vmcall",
	[INSN_VMMCALL] = "vmmcall",
	[INSN_VMLAUNCH] = "vmlaunch",
	[INSN_VMRESUME] = "vmresume",
	[INSN_VMXOFF] = "vmxoff",
	[INSN_VMRUN] = "vmrun",
	[INSN_VMLOAD] = "vmload",
	[INSN_VMSAVE] = "vmsave",
	[INSN_STGI] = "stgi",
	[INSN_CLGI] = "clgi",
	[INSN_SKINIT] = "skinit",
	[INSN_SGDT] = "sgdt",
	[INSN_SIDT] = "sidt",
	[INSN_LGDT] = "lgdt",
	[INSN_LIDT] = "lidt",
	[INSN_INT3] = "int3",
	[INSN_INT] = "int",
	[INSN_INTO] = "into",
	[INSN_ICEBP] = "int1",
	[INSN_IRET] = "iret iretd iretq",
	[INSN_RSM] = "rsm",
};

static bool name_matches(const struct insn *ours, const struct theirs *z)
{
	const char *name = ZydisMnemonicGetString(z->insn.mnemonic);
	const char *at = mnemonics[ours->op];
	size_t n = strlen(name);

	for (; at != NULL; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL) {
		if (strncmp(at, name, n) == 0 && (at[n] == ' ' || at[n] == '\0')) {
			return true;
		}
	}
	return false;
}

/* Our number of a Zydis register; its byte registers run AL..BL, AH..BH, SPL..DIL, R8B..R15B. */
static unsigned int reg_number(ZydisRegister reg)
{
	static const uint8_t bytes[] = { 0, 1, 2, 3, 20, 21, 22, 23, 4,	 5,
					 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

	if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_R15B) {
		return bytes[reg - ZYDIS_REGISTER_AL];
	}
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) {
		return INSN_REG_RIP;
	}
	return reg == ZYDIS_REGISTER_NONE ? INSN_REG_NONE : (unsigned int)ZydisRegisterGetId(reg);
}

/*
 * SDM Vol. 2, "Special Cases of REX Encodings": SIB base 5 with mod 0 is no base, whatever REX.B. Zydis
 * 4.0 says R13D when the address size is 32, and the operand's displacement is then 0.
 */
static bool is_wrong_r13d(const struct theirs *z, const ZydisDecodedOperand *op)
{
	return op->mem.base == ZYDIS_REGISTER_R13D && z->insn.raw.modrm.mod == 0 &&
	       z->insn.raw.modrm.rm == 4 && z->insn.raw.sib.base == 5;
}

static bool memory_matches(const struct insn *ours, const struct theirs *z,
			   const ZydisDecodedOperand *op)
{
	uint64_t disp = (uint64_t)ours->disp ^ (uint64_t)z->insn.raw.disp.value;
	unsigned int scale =
		op->mem.index != ZYDIS_REGISTER_NONE && op->mem.scale != 0 ? op->mem.scale : 1;

	unsigned int base = is_wrong_r13d(z, op) ? NO : reg_number(op->mem.base);

	return base == ours->base && reg_number(op->mem.index) == ours->index &&
	       scale == ours->scale && insn_truncate(disp, ours->addr_size) == 0 &&
	       ZydisRegisterGetId(op->mem.segment) == ours->segment;
}

/* Zydis gives some system operands no size, and MOVSXD r16 a 32-bit source as AMD had it. */
static bool size_is_comparable(const struct insn *ours)
{
	return ours->op < INSN_EXECUTABLE_END && !(ours->op == INSN_MOVSX && ours->opnd_size == 2);
}

/* An immediate counts in its operand size, a bit number as a byte. */
static bool immediate_matches(const struct insn *ours, const ZydisDecodedOperand *op)
{
	bool bit = ours->op >= INSN_BT && ours->op <= INSN_BTC;

	return insn_truncate((uint64_t)ours->imm ^ op->imm.value.u, bit ? 1 : ours->opnd_size) == 0;
}

static bool operand_matches(const struct insn *ours, unsigned int kind, const struct theirs *z,
			    const ZydisDecodedOperand *op)
{

	switch (kind) {
	case INSN_REG:
		return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       reg_number(op->reg.value) == ours->reg;
	case INSN_RM_REG:
		return op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		       reg_number(op->reg.value) == ours->rm_reg;
	case INSN_MEM:
		return op->type == ZYDIS_OPERAND_TYPE_MEMORY && memory_matches(ours, z, op) &&
		       (op->size == 8 * ours->mem_size || !size_is_comparable(ours));
	case INSN_IMM:
		return op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && immediate_matches(ours, op);
	default:
		return false;
	}
}

static bool string_matches(const struct insn *ours, const struct theirs *z)
{
	for (unsigned int i = 0; i < z->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &z->operands[i];

		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && memory_matches(ours, z, op)) {
			return op->size == 8 * ours->mem_size;
		}
	}
	return false;
}

static bool is_string(const struct insn *i)
{
	return (i->op >= INSN_STOS && i->op <= INSN_CMPS) || i->op == INSN_INS ||
	       i->op == INSN_OUTS;
}

static bool operands_match(const struct insn *ours, const struct theirs *z)
{
	unsigned int at = 0;

	if (is_string(ours)) {
		return string_matches(ours, z);
	}
	if (ours->dst != INSN_NONE && !operand_matches(ours, ours->dst, z, &z->operands[at++])) {
		return false;
	}
	return ours->src == INSN_NONE || operand_matches(ours, ours->src, z, &z->operands[at]);
}

static void check_agreement(const uint8_t *bytes, const struct insn *ours, const struct theirs *z)
{
	static const struct {
		ZydisInstructionAttributes attribute;
		uint8_t rep;
	} reps[] = {
		{ ZYDIS_ATTRIB_HAS_REP, INSN_REP_REP },
		{ ZYDIS_ATTRIB_HAS_REPE, INSN_REP_REP },
		{ ZYDIS_ATTRIB_HAS_REPNE, INSN_REP_REPNE },
	};

	if (!name_matches(ours, z)) {
		fail_on(bytes, ours, z, "operation");
	}
	/* Zydis gives MOVNTI a width of 16 in 16-bit code, though its operands have 32. */
	if (ours->op < INSN_EXECUTABLE_END && z->insn.mnemonic != ZYDIS_MNEMONIC_MOVNTI &&
	    z->insn.operand_width != 8 * ours->opnd_size) {
		fail_on(bytes, ours, z, "operand size");
	}
	if (z->insn.address_width != 8 * ours->addr_size) {
		fail_on(bytes, ours, z, "address size");
	}
	if (!operands_match(ours, z)) {
		fail_on(bytes, ours, z, "operands");
	}
	for (unsigned int i = 0; is_string(ours) && i < ARRAY_SIZE(reps); i++) {
		if ((z->insn.attributes & reps[i].attribute) != 0 && ours->rep != reps[i].rep) {
			fail_on(bytes, ours, z, "repeat prefix");
		}
	}
	if (ours->lock != ((z->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0)) {
		fail_on(bytes, ours, z, "LOCK prefix");
	}
}

/* Every shorter piece of it must ask for more; the copy's end is guarded by the sanitizer. */
static void check_truncations(const uint8_t *bytes, enum insn_mode mode, unsigned int length)
{
	for (unsigned int len = 0; len < length; len++) {
		uint8_t *copy = malloc(len + 1);
		struct insn insn;

		memcpy(copy + 1, bytes, len);
		if (insn_decode(copy + 1, len, mode, &insn) != -EAGAIN) {
			fail_msg("%u of %u bytes of opcode %x %x are enough", len, length, bytes[0],
				 bytes[1]);
		}
		free(copy);
	}
}

static struct {
	unsigned long operands, lengths, undefined;
} counts;

static void compare(const uint8_t *bytes, enum insn_mode mode)
{
	struct theirs z;
	struct insn ours;
	int result = insn_decode(bytes, INSN_MAX_LEN, mode, &ours);
	bool defined = ZYAN_SUCCESS(
		ZydisDecoderDecodeFull(&decoders[mode], bytes, INSN_MAX_LEN, &z.insn, z.operands));

	if (result == 0 && ours.op == INSN_MOV_CR && ours.lock) {
		return; /* AMD's way to CR8, which Zydis does not know */
	}
	if (!defined) {
		z.insn.mnemonic = ZYDIS_MNEMONIC_INVALID;
		z.insn.length = 0;
	}
	if ((result == 0 && !defined) || (result != 0 && result != -ENOTSUP && defined)) {
		fail_on(bytes, &ours, &z, "defined or not");
	}
	if (defined && ours.length != z.insn.length && ours.length != 0) {
		fail_on(bytes, &ours, &z, "length");
	}
	if (result == 0) {
		counts.operands++;
		check_agreement(bytes, &ours, &z);
		check_truncations(bytes, mode, ours.length);
	} else if (defined && ours.length != 0) {
		counts.lengths++;
		check_truncations(bytes, mode, ours.length);
	} else if (!defined) {
		counts.undefined++;
	}
}

static const uint8_t prefixes[] = {
	0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65
};

/* Puts up to three prefixes and, in 64-bit mode, perhaps a REX, then the opcode and random bytes. */
static void compare_random_prefixes(enum insn_mode mode, bool two_byte, uint8_t opcode,
				    uint8_t modrm)
{
	uint8_t bytes[INSN_MAX_LEN + 8];
	unsigned int n = 0, count = (unsigned int)(random64() >> 60) % 4;

	while (n < count) {
		bytes[n++] = prefixes[(random64() >> 32) % sizeof(prefixes)];
	}
	if (mode == M64 && (random64() >> 63) != 0) {
		bytes[n++] = (uint8_t)(0x40 | random64() >> 60);
	}
	if (two_byte) {
		bytes[n++] = 0x0f;
	}
	bytes[n++] = opcode;
	bytes[n++] = modrm;
	while (n < INSN_MAX_LEN) {
		bytes[n++] = (uint8_t)(random64() >> 56);
	}
	compare(bytes, mode);
}

static void compare_map(enum insn_mode mode, bool two_byte)
{
	for (unsigned int opcode = 0; opcode < 256; opcode++) {
		for (unsigned int modrm = 0; modrm < 256; modrm++) {
			compare_random_prefixes(mode, two_byte, (uint8_t)opcode, (uint8_t)modrm);
		}
	}
}

/* All SIB bytes under all modes and REX bits, with a MOV. */
static void compare_sib(enum insn_mode mode, uint8_t rex)
{
	for (unsigned int sib = 0; sib < 256; sib++) {
		for (unsigned int mod = 0; mod < 3; mod++) {
			uint64_t disp = random64();
			uint8_t bytes[INSN_MAX_LEN] = { rex, 0x8b, (uint8_t)(mod << 6 | 4),
							(uint8_t)sib };

			memcpy(bytes + 4, &disp, sizeof(disp));
			compare(bytes + (rex == 0 ? 1 : 0), mode);
		}
	}
}

static void test_maps_as_zydis(void **state)
{
	static const enum insn_mode modes[] = { M16, M32, M64 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		compare_map(modes[i], false);
		compare_map(modes[i], true);
	}
	for (unsigned int rex = 0x40; rex < 0x50; rex++) {
		compare_sib(M64, (uint8_t)rex);
	}
	compare_sib(M64, 0);
	compare_sib(M32, 0);
	print_message("%lu with all operands, %lu by length, %lu undefined\n", counts.operands,
		      counts.lengths, counts.undefined);
	assert_true(counts.operands > 50000 && counts.lengths > 50000 && counts.undefined > 10000);
}

static void test_random_bytes(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < 200000; n++) {
		size_t len = (random64() >> 32) % 18;
		uint8_t *copy = malloc(len + 1);
		struct insn insn;
		int result;

		for (size_t i = 0; i <= len; i++) {
			copy[i] = (uint8_t)(random64() >> 56);
		}
		result = insn_decode(copy + 1, len,
				     n % 3 == 0	  ? M16
				     : n % 3 == 1 ? M32
						  : M64,
				     &insn);
		assert_true(result == -EAGAIN || result == -E2BIG || result == -EINVAL ||
			    insn.length <= len);
		free(copy);
	}
}

static int setup(void **state)
{
	(void)state;
	ZydisDecoderInit(&decoders[M64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderInit(&decoders[M32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	ZydisDecoderInit(&decoders[M16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),		  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_effective_address), cmocka_unit_test(test_maps_as_zydis),
		cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
