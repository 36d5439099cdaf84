/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes a decoded instruction on registers the caller owns and memory it reaches by callbacks: */
/* MMIO emulation. Raises no exception, checks no segment limit; pure code, tested on the host. */
#ifndef ARCH_X86_HVM_INSN_EXEC_H
#define ARCH_X86_HVM_INSN_EXEC_H

#include "arch/x86/hvm/insn.h"

/* Most iterations of a REP string instruction in one call: the guest can be interrupted between. */
#define INSN_EXEC_MAX_REP 8u

/*
 * Guest memory by linear address: RAM or device, 1 to 8 bytes, perhaps across a page border. 0, or
 * anything else if a fault or crash is already on its way to the guest. A read-modify-write is one
 * read and one write: atomic only if the caller sees to it.
 */
struct insn_exec_ops {
	int (*read_mem)(void *ctx, uint64_t linear, unsigned int size, uint64_t *val);
	int (*write_mem)(void *ctx, uint64_t linear, unsigned int size, uint64_t val);
};

struct insn_cpu {
	struct insn_regs regs; /* updated in place; rip moves when the instruction is complete */
	const struct insn_exec_ops *ops;
	void *ctx;
	uint8_t stack_size; /* bytes of the stack pointer: 8 in 64-bit mode, else 4 or 2 by SS.B */
};

enum insn_result {
	INSN_DONE,
	INSN_CONTINUE, /* a REP with more to do: registers are in between, rip still points to it */
	INSN_FAULT,    /* a callback failed; complete REP iterations count, nothing else happened */
	INSN_UNHANDLED, /* not of the executable part of enum insn_op */
};

/* i must come from insn_decode(), which has already refused a LOCK prefix where it is not legal. */
enum insn_result insn_exec(const struct insn *i, struct insn_cpu *cpu);

#endif
