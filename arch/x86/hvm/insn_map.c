/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the opcode maps. SDM Vol. 2, "Opcode Map"; APM Vol. 3, "Opcode and Operand Encodings". */
/* Rows without a form are instructions of which only the length matters. */
#include "arch/x86/hvm/insn_map.h"
#include "arch/x86/hvm/insn.h"

#define ROW(o, f, fl)                                                                              \
	{                                                                                          \
		.op = INSN_##o, .form = FORM_##f, .flags = (fl)                                    \
	}
#define MODRM(o, f)  ROW(o, f, MAP_MODRM)
#define MODRM8(o, f) ROW(o, f, MAP_MODRM | MAP_BYTE)
#define OTHER(fl)    ROW(OTHER, NONE, fl)
#define PLAIN(o)     ROW(o, NONE, 0)
#define PREFIX	     OTHER(MAP_PREFIX)
#define GROUP(g, fl)                                                                               \
	{                                                                                          \
		.op = GROUP_##g, .flags = MAP_MODRM | MAP_GROUP | (fl)                             \
	}
#define SPECIAL(s, fl)                                                                             \
	{                                                                                          \
		.op = SPECIAL_##s, .flags = MAP_SPECIAL | (fl)                                     \
	}

#define ALU(base, o)                                                                               \
	[(base) + 0] = MODRM8(o, RM_R), [(base) + 1] = MODRM(o, RM_R),                             \
		  [(base) + 2] = MODRM8(o, R_RM), [(base) + 3] = MODRM(o, R_RM),                   \
		  [(base) + 4] = ROW(o, ACC_IMM, MAP_BYTE | MAP_IMM8),                             \
		  [(base) + 5] = ROW(o, ACC_IMM, MAP_IMMZ)

#define STRING(base, o, f) [(base) + 0] = ROW(o, f, MAP_BYTE), [(base) + 1] = ROW(o, f, 0)

const struct insn_row insn_map_one[256] = {
	ALU(0x00, ADD),
	[0x06 ... 0x07] = OTHER(MAP_NO64),
	ALU(0x08, OR),
	[0x0e] = OTHER(MAP_NO64),
	[0x0f] = OTHER(0), /* goes on in the two-byte map */
	ALU(0x10, ADC),
	[0x16 ... 0x17] = OTHER(MAP_NO64),
	ALU(0x18, SBB),
	[0x1e ... 0x1f] = OTHER(MAP_NO64),
	ALU(0x20, AND),
	[0x26] = PREFIX,
	[0x27] = OTHER(MAP_NO64),
	ALU(0x28, SUB),
	[0x2e] = PREFIX,
	[0x2f] = OTHER(MAP_NO64),
	ALU(0x30, XOR),
	[0x36] = PREFIX,
	[0x37] = OTHER(MAP_NO64),
	ALU(0x38, CMP),
	[0x3e] = PREFIX,
	[0x3f] = OTHER(MAP_NO64),
	[0x40 ... 0x4f] = PREFIX, /* REX; outside 64-bit mode INC and DEC */
	[0x50 ... 0x5f] = OTHER(0),
	[0x60 ... 0x61] = OTHER(MAP_NO64),
	[0x62] = SPECIAL(VEX, MAP_MODRM),
	[0x63] = SPECIAL(MOVSXD, MAP_MODRM),
	[0x64 ... 0x67] = PREFIX,
	[0x68] = OTHER(MAP_IMMZ),
	[0x69] = OTHER(MAP_MODRM | MAP_IMMZ),
	[0x6a] = OTHER(MAP_IMM8),
	[0x6b] = OTHER(MAP_MODRM | MAP_IMM8),
	[0x6c] = ROW(INS, AT_RDI, MAP_BYTE),
	[0x6d] = ROW(INS, AT_RDI, MAP_MAX32),
	[0x6e] = ROW(OUTS, AT_RSI, MAP_BYTE),
	[0x6f] = ROW(OUTS, AT_RSI, MAP_MAX32),
	[0x70 ... 0x7f] = OTHER(MAP_IMM8),
	[0x80] = GROUP(ALU, MAP_BYTE | MAP_IMM8),
	[0x81] = GROUP(ALU, MAP_IMMZ),
	[0x82] = GROUP(ALU, MAP_BYTE | MAP_IMM8 | MAP_NO64),
	[0x83] = GROUP(ALU, MAP_IMM8),
	[0x84] = MODRM8(TEST, RM_R),
	[0x85] = MODRM(TEST, RM_R),
	[0x86] = MODRM8(XCHG, RM_R),
	[0x87] = MODRM(XCHG, RM_R),
	[0x88] = MODRM8(MOV, RM_R),
	[0x89] = MODRM(MOV, RM_R),
	[0x8a] = MODRM8(MOV, R_RM),
	[0x8b] = MODRM(MOV, R_RM),
	[0x8c ... 0x8e] = OTHER(MAP_MODRM),
	[0x8f] = SPECIAL(POP, MAP_MODRM | MAP_DEF64),
	[0x90] = SPECIAL(NOP, 0),
	[0x91 ... 0x99] = OTHER(0),
	[0x9a] = OTHER(MAP_IMMZ | MAP_IMM16 | MAP_NO64),
	[0x9b ... 0x9f] = OTHER(0),
	[0xa0] = ROW(MOV, ACC_MOFFS, MAP_BYTE | MAP_MOFFS),
	[0xa1] = ROW(MOV, ACC_MOFFS, MAP_MOFFS),
	[0xa2] = ROW(MOV, MOFFS_ACC, MAP_BYTE | MAP_MOFFS),
	[0xa3] = ROW(MOV, MOFFS_ACC, MAP_MOFFS),
	STRING(0xa4, MOVS, AT_RSI),
	STRING(0xa6, CMPS, AT_RSI),
	[0xa8] = ROW(TEST, ACC_IMM, MAP_BYTE | MAP_IMM8),
	[0xa9] = ROW(TEST, ACC_IMM, MAP_IMMZ),
	STRING(0xaa, STOS, AT_RDI),
	STRING(0xac, LODS, AT_RSI),
	STRING(0xae, SCAS, AT_RDI),
	[0xb0 ... 0xb7] = OTHER(MAP_BYTE | MAP_IMM8),
	[0xb8 ... 0xbf] = OTHER(MAP_IMMV),
	[0xc0 ... 0xc1] = OTHER(MAP_MODRM | MAP_IMM8),
	[0xc2] = OTHER(MAP_IMM16),
	[0xc3] = OTHER(0),
	[0xc4 ... 0xc5] = SPECIAL(VEX, MAP_MODRM),
	[0xc6] = GROUP(MOV, MAP_BYTE | MAP_IMM8),
	[0xc7] = GROUP(MOV, MAP_IMMZ),
	[0xc8] = OTHER(MAP_IMM16 | MAP_IMM8),
	[0xc9] = OTHER(0),
	[0xca] = OTHER(MAP_IMM16),
	[0xcb] = OTHER(0),
	[0xcc] = PLAIN(INT3),
	[0xcd] = ROW(INT, NONE, MAP_IMM8),
	[0xce] = ROW(INTO, NONE, MAP_NO64),
	[0xcf] = PLAIN(IRET),
	[0xd0 ... 0xd3] = OTHER(MAP_MODRM),
	[0xd4 ... 0xd5] = OTHER(MAP_IMM8 | MAP_NO64),
	[0xd6] = OTHER(MAP_NO64),
	[0xd7] = OTHER(0),
	[0xd8 ... 0xdf] = OTHER(MAP_MODRM),
	[0xe0 ... 0xe3] = OTHER(MAP_IMM8),
	[0xe4] = ROW(IN, NONE, MAP_BYTE | MAP_IMM8),
	[0xe5] = ROW(IN, NONE, MAP_MAX32 | MAP_IMM8),
	[0xe6] = ROW(OUT, NONE, MAP_BYTE | MAP_IMM8),
	[0xe7] = ROW(OUT, NONE, MAP_MAX32 | MAP_IMM8),
	[0xe8 ... 0xe9] = OTHER(MAP_IMMZ | MAP_BRANCH),
	[0xea] = OTHER(MAP_IMMZ | MAP_IMM16 | MAP_NO64),
	[0xeb] = OTHER(MAP_IMM8),
	[0xec] = ROW(IN, NONE, MAP_BYTE),
	[0xed] = ROW(IN, NONE, MAP_MAX32),
	[0xee] = ROW(OUT, NONE, MAP_BYTE),
	[0xef] = ROW(OUT, NONE, MAP_MAX32),
	[0xf0] = PREFIX,
	[0xf1] = PLAIN(ICEBP),
	[0xf2 ... 0xf3] = PREFIX,
	[0xf4] = PLAIN(HLT),
	[0xf5] = OTHER(0),
	[0xf6] = GROUP(TEST, MAP_BYTE),
	[0xf7] = GROUP(TEST, 0),
	[0xf8 ... 0xfd] = OTHER(0),
	[0xfe] = GROUP(INC8, MAP_BYTE),
	[0xff] = GROUP(INC, 0),
};

const struct insn_row insn_map_two[256] = {
	[0x00] = OTHER(MAP_MODRM),
	[0x01] = SPECIAL(SYSTEM, MAP_MODRM),
	[0x02 ... 0x03] = OTHER(MAP_MODRM),
	[0x05] = OTHER(0),
	[0x06] = PLAIN(CLTS),
	[0x07] = OTHER(0),
	[0x08] = PLAIN(INVD),
	[0x09] = PLAIN(WBINVD),
	[0x0b] = OTHER(0),
	[0x0d] = OTHER(MAP_MODRM),
	[0x0e] = OTHER(0),
	[0x0f] = OTHER(MAP_MODRM | MAP_IMM8),
	[0x10 ... 0x1f] = OTHER(MAP_MODRM),
	[0x20] = ROW(MOV_CR, RM_CR, MAP_MODRM | MAP_NATIVE),
	[0x21] = ROW(MOV_DR, RM_CR, MAP_MODRM | MAP_NATIVE),
	[0x22] = ROW(MOV_CR, CR_RM, MAP_MODRM | MAP_NATIVE),
	[0x23] = ROW(MOV_DR, CR_RM, MAP_MODRM | MAP_NATIVE),
	[0x28 ... 0x2f] = OTHER(MAP_MODRM),
	[0x30] = PLAIN(WRMSR),
	[0x31] = PLAIN(RDTSC),
	[0x32] = PLAIN(RDMSR),
	[0x33] = PLAIN(RDPMC),
	[0x34 ... 0x35] = OTHER(0),
	[0x37] = OTHER(0),
	[0x38] = OTHER(MAP_MODRM), /* the three-byte maps: all alike */
	[0x3a] = OTHER(MAP_MODRM | MAP_IMM8),
	[0x40 ... 0x6f] = OTHER(MAP_MODRM),
	[0x70 ... 0x73] = OTHER(MAP_MODRM | MAP_IMM8),
	[0x74 ... 0x76] = OTHER(MAP_MODRM),
	[0x77] = OTHER(0),
	[0x78 ... 0x79] = SPECIAL(UNKNOWN, 0),
	[0x7c ... 0x7f] = OTHER(MAP_MODRM),
	[0x80 ... 0x8f] = OTHER(MAP_IMMZ | MAP_BRANCH),
	[0x90 ... 0x9f] = OTHER(MAP_MODRM),
	[0xa0 ... 0xa1] = OTHER(0),
	[0xa2] = PLAIN(CPUID),
	[0xa3] = MODRM(BT, RM_R),
	[0xa4] = OTHER(MAP_MODRM | MAP_IMM8),
	[0xa5 ... 0xa7] = OTHER(MAP_MODRM),
	[0xa8 ... 0xa9] = OTHER(0),
	[0xaa] = PLAIN(RSM),
	[0xab] = MODRM(BTS, RM_R),
	[0xac] = OTHER(MAP_MODRM | MAP_IMM8),
	[0xad ... 0xaf] = OTHER(MAP_MODRM),
	[0xb0] = MODRM8(CMPXCHG, RM_R),
	[0xb1] = MODRM(CMPXCHG, RM_R),
	[0xb2] = OTHER(MAP_MODRM),
	[0xb3] = MODRM(BTR, RM_R),
	[0xb4 ... 0xb5] = OTHER(MAP_MODRM),
	[0xb6] = MODRM(MOVZX, R_RM8),
	[0xb7] = MODRM(MOVZX, R_RM16),
	[0xb8 ... 0xb9] = OTHER(MAP_MODRM),
	[0xba] = GROUP(BIT, MAP_IMM8),
	[0xbb] = MODRM(BTC, RM_R),
	[0xbc ... 0xbd] = OTHER(MAP_MODRM),
	[0xbe] = MODRM(MOVSX, R_RM8),
	[0xbf] = MODRM(MOVSX, R_RM16),
	[0xc0] = MODRM8(XADD, RM_R),
	[0xc1] = MODRM(XADD, RM_R),
	[0xc2] = OTHER(MAP_MODRM | MAP_IMM8),
	[0xc3] = ROW(MOV, RM_R, MAP_MODRM | MAP_MOVNTI),
	[0xc4 ... 0xc6] = OTHER(MAP_MODRM | MAP_IMM8),
	[0xc7] = OTHER(MAP_MODRM),
	[0xc8 ... 0xcf] = OTHER(0),
	[0xd0 ... 0xff] = OTHER(MAP_MODRM),
};

const struct insn_row insn_map_groups[GROUPS][8] = {
	[GROUP_ALU] = {
		ROW(ADD, RM_IMM, 0), ROW(OR, RM_IMM, 0), ROW(ADC, RM_IMM, 0), ROW(SBB, RM_IMM, 0),
		ROW(AND, RM_IMM, 0), ROW(SUB, RM_IMM, 0), ROW(XOR, RM_IMM, 0), ROW(CMP, RM_IMM, 0),
	},
	[GROUP_TEST] = {
		ROW(TEST, RM_IMM, MAP_IMMZ), ROW(TEST, RM_IMM, MAP_IMMZ),
		ROW(NOT, RM, 0), ROW(NEG, RM, 0),
		OTHER(0), OTHER(0), OTHER(0), OTHER(0),
	},
	[GROUP_INC8] = { ROW(INC, RM, 0), ROW(DEC, RM, 0) },
	[GROUP_INC] = {
		ROW(INC, RM, 0), ROW(DEC, RM, 0), OTHER(0), OTHER(0), OTHER(0), OTHER(0),
		ROW(PUSH, FROM_RM, MAP_DEF64),
	},
	[GROUP_MOV] = { [0] = ROW(MOV, RM_IMM, 0), [7] = OTHER(0) /* XABORT, XBEGIN */ },
	[GROUP_BIT] = {
		[4] = ROW(BT, RM_IMM, 0), ROW(BTS, RM_IMM, 0), ROW(BTR, RM_IMM, 0), ROW(BTC, RM_IMM, 0),
	},
	[GROUP_SYSTEM] = {
		ROW(SGDT, RM, 0), ROW(SIDT, RM, 0), ROW(LGDT, FROM_RM, 0), ROW(LIDT, FROM_RM, 0),
		ROW(SMSW, TO_RM16, 0), OTHER(0), ROW(LMSW, FROM_RM16, 0), ROW(INVLPG, FROM_RM, 0),
	},
};

#define MODRM_OF(byte) ((byte)&0x3f)

const uint8_t insn_map_system[64] = {
	[MODRM_OF(0xc1)] = INSN_VMCALL,
	[MODRM_OF(0xc2)] = INSN_VMLAUNCH,
	[MODRM_OF(0xc3)] = INSN_VMRESUME,
	[MODRM_OF(0xc4)] = INSN_VMXOFF,
	[MODRM_OF(0xc8)] = INSN_MONITOR,
	[MODRM_OF(0xc9)] = INSN_MWAIT,
	[MODRM_OF(0xd1)] = INSN_XSETBV,
	[MODRM_OF(0xd8)] = INSN_VMRUN,
	[MODRM_OF(0xd9)] = INSN_VMMCALL,
	[MODRM_OF(0xda)] = INSN_VMLOAD,
	[MODRM_OF(0xdb)] = INSN_VMSAVE,
	[MODRM_OF(0xdc)] = INSN_STGI,
	[MODRM_OF(0xdd)] = INSN_CLGI,
	[MODRM_OF(0xde)] = INSN_SKINIT,
	[MODRM_OF(0xdf)] = INSN_INVLPGA,
	[MODRM_OF(0xe0)... MODRM_OF(0xe7)] = INSN_SMSW,
	[MODRM_OF(0xf0)... MODRM_OF(0xf7)] = INSN_LMSW,
	[MODRM_OF(0xf9)] = INSN_RDTSCP,
};
