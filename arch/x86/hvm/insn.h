/* SPDX-License-Identifier: BSD-2-Clause */
/* Decodes one guest instruction to data: what it does, on which operands, how long it is. */
/* Executes nothing (insn_exec.h) and fetches nothing; pure code, so the host can test and fuzz it. */
#ifndef ARCH_X86_HVM_INSN_H
#define ARCH_X86_HVM_INSN_H

#include "hv/lib/types.h"

#define INSN_MAX_LEN 15u /* SDM Vol. 2, "Instruction Prefixes": more is #GP */

/* Default code size in bytes: CS.L, else CS.D. */
enum insn_mode {
	INSN_MODE_16 = 2,
	INSN_MODE_32 = 4,
	INSN_MODE_64 = 8,
};

/* Registers as the manuals number them. Only byte operands use AH..BH; RIP and NONE only addresses. */
enum insn_reg {
	INSN_REG_RAX,
	INSN_REG_RCX,
	INSN_REG_RDX,
	INSN_REG_RBX,
	INSN_REG_RSP,
	INSN_REG_RBP,
	INSN_REG_RSI,
	INSN_REG_RDI,
	INSN_REG_R15 = 15,
	INSN_REG_RIP = 16,
	INSN_REG_AH = 20,
	INSN_REG_CH,
	INSN_REG_DH,
	INSN_REG_BH,
	INSN_REG_NONE,
};

enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS, INSN_SEGMENTS };

enum insn_op {
	INSN_UNDEFINED, /* never in a decoded instruction */
	INSN_OTHER,	/* valid or not: only its length is known (-ENOTSUP) */

	/* Executed by insn_exec. */
	INSN_MOV,
	INSN_MOVZX,
	INSN_MOVSX, /* and MOVSXD */
	INSN_ADD,   /* eight in the order of ModRM.reg in opcode 80h */
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_TEST,
	INSN_NOT,
	INSN_NEG,
	INSN_INC,
	INSN_DEC,
	INSN_XCHG,
	INSN_XADD,
	INSN_CMPXCHG,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
	INSN_POP,
	INSN_PUSH,
	INSN_STOS,
	INSN_MOVS,
	INSN_LODS,
	INSN_SCAS,
	INSN_CMPS,
	INSN_EXECUTABLE_END,

	/* Instructions with an intercept of their own: decoded for their length and operands. */
	INSN_CPUID = INSN_EXECUTABLE_END,
	INSN_RDMSR,
	INSN_WRMSR,
	INSN_RDTSC,
	INSN_RDTSCP,
	INSN_RDPMC,
	INSN_HLT,
	INSN_PAUSE,
	INSN_IN,
	INSN_OUT,
	INSN_INS,
	INSN_OUTS,
	INSN_MOV_CR, /* the control or debug register is in reg, the general one in rm_reg */
	INSN_MOV_DR,
	INSN_CLTS,
	INSN_LMSW,
	INSN_SMSW,
	INSN_INVD,
	INSN_WBINVD,
	INSN_INVLPG,
	INSN_INVLPGA,
	INSN_XSETBV,
	INSN_MONITOR,
	INSN_MWAIT,
	INSN_VMCALL,
	INSN_VMMCALL,
	INSN_VMLAUNCH,
	INSN_VMRESUME,
	INSN_VMXOFF,
	INSN_VMRUN,
	INSN_VMLOAD,
	INSN_VMSAVE,
	INSN_STGI,
	INSN_CLGI,
	INSN_SKINIT,
	INSN_SGDT,
	INSN_SIDT,
	INSN_LGDT,
	INSN_LIDT,
	INSN_INT3,
	INSN_INT,
	INSN_INTO,
	INSN_ICEBP,
	INSN_IRET,
	INSN_RSM,
	INSN_OPS,
};

enum insn_operand {
	INSN_NONE,
	INSN_REG,    /* the register in reg */
	INSN_RM_REG, /* the register in rm_reg */
	INSN_MEM,
	INSN_IMM,
};

enum insn_rep { INSN_REP_NONE, INSN_REP_REPNE, INSN_REP_REP };

struct insn {
	int64_t imm; /* sign-extended; moffs and displacements are in disp */
	int64_t disp;
	uint8_t length;
	uint8_t op;	   /* enum insn_op */
	uint8_t mode;	   /* enum insn_mode it was decoded for */
	uint8_t opnd_size; /* bytes: 1, 2, 4, 8 */
	uint8_t mem_size;  /* bytes of the r/m operand; differs for MOVZX, MOVSX, LMSW, SMSW */
	uint8_t addr_size; /* bytes: 2, 4, 8 */
	uint8_t dst;	   /* enum insn_operand; string instructions leave both INSN_NONE */
	uint8_t src;
	uint8_t reg;
	uint8_t rm_reg;
	uint8_t segment; /* of the memory operand, enum insn_segment */
	uint8_t base;	 /* enum insn_reg; string instructions: RSI if they read there, else RDI */
	uint8_t index;
	uint8_t scale; /* 1, 2, 4, 8 */
	uint8_t rep;   /* enum insn_rep: the last of F2 and F3 */
	bool lock;
};

_Static_assert(sizeof(struct insn) == 32, "no padding: decoded instructions compare by memcmp()");

/* State that an address depends on. rip is that of the instruction itself. */
struct insn_regs {
	uint64_t *gpr; /* 16, in the order of enum insn_reg; the caller's own array */
	uint64_t rip;
	uint64_t rflags;
	uint64_t segment_base[INSN_SEGMENTS]; /* in 64-bit mode only FS and GS are looked at */
};

/*
 * Decodes the instruction at bytes, of which len may be read. Returns
 *   0         decoded;
 *   -EAGAIN   it goes on behind len: fetch more, or raise the fault that the fetch met;
 *   -E2BIG    it is longer than 15 bytes (#GP);
 *   -EINVAL   undefined (#UD), also for a LOCK prefix where none is legal;
 *   -ENOTSUP  not one of enum insn_op: out->op is INSN_OTHER, out->length its length if that could
 *             be told, else 0 (VEX, EVEX, XOP, SSE4A). Whether it is defined at all is not checked.
 * On -EAGAIN, -E2BIG and -EINVAL out holds rubbish.
 */
int insn_decode(const uint8_t *bytes, size_t len, enum insn_mode mode, struct insn *out);

/*
 * Linear address of the memory operand (of string instructions, the one that base names), with
 * wrap-around at the address size and, outside 64-bit mode, at 4 GiB. Whether it is canonical and
 * within the segment limit is for the caller to check. The bit offset of BT, BTS, BTR and BTC and the
 * stack pointer after POP are taken into account.
 */
uint64_t insn_effective_address(const struct insn *i, const struct insn_regs *regs);

/* The same for a segment and an offset already wrapped. */
uint64_t insn_linear(enum insn_mode mode, const struct insn_regs *regs, enum insn_segment segment,
		     uint64_t offset);

/* Value of a general register (also AH..BH), zero-extended from size bytes. */
uint64_t insn_get_reg(const uint64_t gpr[16], unsigned int reg, unsigned int size);

/* Low size bytes of v. */
static inline uint64_t insn_truncate(uint64_t v, unsigned int size)
{
	return v & (UINT64_MAX >> (64 - 8 * size));
}

#endif
