/* SPDX-License-Identifier: BSD-2-Clause */
/* Recognizes the one instruction that drivers use on device registers: a 32-bit MOV in 64-bit code. */
/* Everything else is the decoder's. */
#ifndef ARCH_X86_HVM_MMIO_MOV_H
#define ARCH_X86_HVM_MMIO_MOV_H

#include "hv/lib/types.h"

struct mmio_mov {
	uint32_t imm; /* what is stored if reg is 16 */
	uint8_t reg;  /* 0-15, 16: imm */
	uint8_t length;
	bool write;
};

/* MOV r/m32, r32; MOV r32, r/m32; MOV r/m32, imm32 with a memory operand. False: something else. */
bool mmio_mov_decode(const uint8_t *bytes, unsigned int got, struct mmio_mov *out);

#endif
