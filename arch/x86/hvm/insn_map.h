/* SPDX-License-Identifier: BSD-2-Clause */
/* The opcode maps as data: for each opcode what it is, how its operands are encoded, what follows. */
/* Private to the instruction decoder. */
#ifndef ARCH_X86_HVM_INSN_MAP_H
#define ARCH_X86_HVM_INSN_MAP_H

#include "hv/lib/types.h"

/* How the operands are encoded; destination first. */
enum insn_form {
	FORM_NONE,
	FORM_RM_R,
	FORM_R_RM,
	FORM_R_RM8,
	FORM_R_RM16,
	FORM_R_RM32,
	FORM_RM_IMM,
	FORM_RM,      /* the only operand, read and written */
	FORM_FROM_RM, /* the only operand, read */
	FORM_FROM_RM16,
	FORM_TO_RM16,
	FORM_ACC_IMM,
	FORM_ACC_MOFFS,
	FORM_MOFFS_ACC,
	FORM_AT_RSI, /* string instructions by the operand that struct insn describes */
	FORM_AT_RDI,
	FORM_RM_CR, /* MOV to and from control and debug registers */
	FORM_CR_RM,
	FORMS,
};

enum insn_flag {
	MAP_MODRM = BIT(0),
	MAP_BYTE = BIT(1),   /* operand size is 1 */
	MAP_MAX32 = BIT(2),  /* REX.W does not make it 8 */
	MAP_NATIVE = BIT(3), /* operand size is that of a register, whatever the prefixes */
	MAP_DEF64 = BIT(4),  /* operand size is 8 in 64-bit mode, 2 with 66 */
	MAP_IMM8 = BIT(5),
	MAP_IMM16 = BIT(6),
	MAP_IMMZ = BIT(7),    /* of the operand size, at most 4 */
	MAP_IMMV = BIT(8),    /* of the operand size */
	MAP_MOFFS = BIT(9),   /* of the address size */
	MAP_BRANCH = BIT(10), /* 66 does not shorten the immediate in 64-bit mode */
	MAP_NO64 = BIT(11),   /* undefined in 64-bit mode */
	MAP_MOVNTI = BIT(12), /* needs memory, no 66, F2, F3; operand size 4 or 8 */
	MAP_PREFIX = BIT(13),
	MAP_GROUP = BIT(14),   /* ModRM.reg chooses in insn_map_groups[op] */
	MAP_SPECIAL = BIT(15), /* enum insn_special in op says what else to look at */
	MAP_IMM = MAP_IMM8 | MAP_IMM16 | MAP_IMMZ | MAP_IMMV | MAP_MOFFS,
};

enum insn_special {
	SPECIAL_VEX, /* C4, C5, 62: a memory operand outside 64-bit mode, else another encoding */
	SPECIAL_MOVSXD,	 /* 63: ARPL outside 64-bit mode */
	SPECIAL_POP,	 /* 8F: ModRM.reg 0, else XOP */
	SPECIAL_NOP,	 /* 90: PAUSE after F3 */
	SPECIAL_SYSTEM,	 /* 0F 01 */
	SPECIAL_UNKNOWN, /* length depends on what we do not model */
};

enum insn_group {
	GROUP_ALU,
	GROUP_TEST,
	GROUP_INC8,
	GROUP_INC,
	GROUP_MOV,
	GROUP_BIT,
	GROUP_SYSTEM, /* 0F 01 with a memory operand */
	GROUPS,
};

struct insn_row {
	uint16_t flags; /* enum insn_flag */
	uint8_t op;	/* enum insn_op; 0: undefined */
	uint8_t form;	/* enum insn_form */
};

extern const struct insn_row insn_map_one[256];
extern const struct insn_row insn_map_two[256]; /* after 0F */
extern const struct insn_row insn_map_groups[GROUPS][8];
extern const uint8_t insn_map_system[64]; /* 0F 01 with ModRM C0..FF: enum insn_op or 0 */

#endif
