/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds random bytes to the instruction decoder and, where it decodes them, to the executor, whose */
/* memory is random too. Checks what must hold for any input; memory errors are the sanitizers' part. */
/* FUZZ_SOURCES: arch/x86/hvm/insn.c arch/x86/hvm/insn_map.c arch/x86/hvm/insn_exec.c */
#include <stdlib.h>
#include <string.h>

#include "arch/x86/hvm/insn_exec.h"
#include "hv/lib/errno.h"

#define REGS_SIZE (16 * sizeof(uint64_t))
#define HEAD_SIZE (2 + REGS_SIZE) /* mode, faults, registers; the rest is the instruction */

struct memory {
	uint64_t pattern; /* what reads give, rotated each time */
	unsigned int calls_left;
	unsigned int calls;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds) {
		abort();
	}
}

static int access(struct memory *m, unsigned int size)
{
	check(size == 1 || size == 2 || size == 4 || size == 8);
	m->calls++;
	return m->calls_left-- == 0 ? -1 : 0;
}

static int read_mem(void *ctx, uint64_t linear, unsigned int size, uint64_t *val)
{
	struct memory *m = ctx;

	*val = m->pattern ^ linear;
	m->pattern = m->pattern << 7 | m->pattern >> 57;
	return access(m, size);
}

static int write_mem(void *ctx, uint64_t linear, unsigned int size, uint64_t val)
{
	(void)linear;
	check(insn_truncate(val, size) == val);
	return access(ctx, size);
}

static const struct insn_exec_ops ops = { read_mem, write_mem };

static void check_insn(const struct insn *i, size_t len)
{
	check(i->length != 0 && i->length <= len && i->length <= INSN_MAX_LEN);
	check(i->op > INSN_OTHER && i->op < INSN_OPS);
	check(i->opnd_size == 1 || i->opnd_size == 2 || i->opnd_size == 4 || i->opnd_size == 8);
	check(i->mem_size != 0 && i->mem_size <= i->opnd_size);
	check(i->addr_size == 2 || i->addr_size == 4 || i->addr_size == 8);
	check(i->segment < INSN_SEGMENTS);
	check(i->base <= INSN_REG_RIP || i->base == INSN_REG_NONE);
	check(i->index <= INSN_REG_R15 || i->index == INSN_REG_NONE);
}

static void execute(const struct insn *i, const uint8_t *data)
{
	uint64_t gpr[16];
	struct memory memory = { .calls_left = data[1] };
	struct insn_cpu cpu = {
		.regs = { .gpr = gpr, .rip = 0x1000, .rflags = 0x202 | (data[1] & 1u) << 10 },
		.ops = &ops,
		.ctx = &memory,
		.stack_size = i->mode,
	};
	enum insn_result result;

	memcpy(gpr, data + 2, sizeof(gpr));
	memory.pattern = gpr[INSN_REG_RAX];
	result = insn_exec(i, &cpu);
	check((result == INSN_UNHANDLED) == (i->op >= INSN_EXECUTABLE_END));
	check(cpu.regs.rip == 0x1000u + (result == INSN_DONE ? i->length : 0u));
	check((cpu.regs.rflags & ~0x8d5ul) == (0x202 | (data[1] & 1u) << 10));
	check(memory.calls <= 2 * INSN_EXEC_MAX_REP);
	check(result == INSN_FAULT || memory.calls <= data[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum insn_mode modes[] = { INSN_MODE_16, INSN_MODE_32, INSN_MODE_64,
						INSN_MODE_64 };
	struct insn insn, again;
	size_t len;
	int result;

	if (size < HEAD_SIZE) {
		return 0;
	}
	len = size - HEAD_SIZE;
	result = insn_decode(data + HEAD_SIZE, len, modes[data[0] & 3], &insn);
	check(result == 0 || result == -EAGAIN || result == -E2BIG || result == -EINVAL ||
	      result == -ENOTSUP);
	check(result != -EAGAIN || len < INSN_MAX_LEN);
	if (result == 0) {
		check_insn(&insn, len);
		/* Exactly its own bytes are enough, and mean the same. */
		check(insn_decode(data + HEAD_SIZE, insn.length, modes[data[0] & 3], &again) == 0);
		check(memcmp(&insn, &again, sizeof(insn)) == 0);
		execute(&insn, data);
	}
	return 0;
}
