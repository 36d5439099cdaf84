/* SPDX-License-Identifier: BSD-2-Clause */
/* Recognizes the one instruction that drivers use on device registers: a 32-bit MOV in 64-bit code. */
/* Everything else is the decoder's. */
#include "arch/x86/hvm/mmio_mov.h"

#include "hv/lib/bytes.h"

#define OP_STORE     0x89
#define OP_LOAD	     0x8b
#define OP_STORE_IMM 0xc7

#define REX_W 8u
#define REX_R 4u

/* Bytes of ModRM, SIB and displacement; 0 if the operand is a register (SDM Vol. 2A, "ModR/M"). */
static unsigned int operand_length(const uint8_t *modrm)
{
	unsigned int mod = modrm[0] >> 6;
	unsigned int sib = (modrm[0] & 7) == 4;
	unsigned int base = sib != 0 ? modrm[1] & 7 : modrm[0] & 7;
	static const uint8_t displacement[] = { 0, 1, 4 };

	if (mod == 3) {
		return 0;
	}
	if (mod == 0 && base == 5) {
		return 1 + sib + 4;
	}
	return 1 + sib + displacement[mod];
}

bool mmio_mov_decode(const uint8_t *bytes, unsigned int got, struct mmio_mov *out)
{
	unsigned int at = 0;
	unsigned int rex = 0;
	unsigned int len;
	uint8_t op;

	if (got < 15) {
		return false; /* next to an unreadable page: the decoder checks byte by byte */
	}
	if ((bytes[0] & 0xf0) == 0x40) {
		rex = bytes[at++];
	}
	op = bytes[at++];
	len = operand_length(bytes + at);
	if ((rex & REX_W) != 0 || len == 0) {
		return false;
	}
	out->reg = (uint8_t)((bytes[at] >> 3 & 7) | ((rex & REX_R) != 0 ? 8 : 0));
	out->length = (uint8_t)(at + len);
	out->write = op != OP_LOAD;
	if (op == OP_STORE_IMM && (bytes[at] >> 3 & 7) == 0) {
		out->reg = 16;
		out->imm = bytes_get_le32(bytes + at + len);
		out->length = (uint8_t)(out->length + 4);
		return true;
	}
	return op == OP_STORE || op == OP_LOAD;
}
