/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the execution of decoded instructions: operands, results and flags as SDM Vol. 2 has them. */
/* Knows nothing of VMs; where an address leads is the callbacks' business. */
#include "arch/x86/hvm/insn_exec.h"

#define FLAG_CF BIT(0)
#define FLAG_PF BIT(2)
#define FLAG_AF BIT(4)
#define FLAG_ZF BIT(6)
#define FLAG_SF BIT(7)
#define FLAG_DF BIT(10)
#define FLAG_OF BIT(11)
#define FLAG_RF BIT(16)

#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* ---- Registers and operands ---- */

/* SDM Vol. 1, "General-Purpose Registers in 64-Bit Mode": 32-bit results are zero-extended. */
static void set_reg(uint64_t *gpr, unsigned int reg, unsigned int size, uint64_t val)
{
	uint64_t mask = UINT64_MAX >> (64 - 8 * size);

	if (size >= 4) {
		gpr[reg] = val & mask;
	} else if (reg >= INSN_REG_AH) {
		gpr[reg - INSN_REG_AH] = (gpr[reg - INSN_REG_AH] & ~0xff00ul) | (val & 0xff) << 8;
	} else {
		gpr[reg] = (gpr[reg] & ~mask) | (val & mask);
	}
}

static bool read_mem(struct insn_cpu *cpu, uint64_t linear, unsigned int size, uint64_t *val)
{
	return cpu->ops->read_mem(cpu->ctx, linear, size, val) == 0;
}

static bool write_mem(struct insn_cpu *cpu, uint64_t linear, unsigned int size, uint64_t val)
{
	return cpu->ops->write_mem(cpu->ctx, linear, size, insn_truncate(val, size)) == 0;
}

static bool load(const struct insn *i, struct insn_cpu *cpu, unsigned int operand,
		 unsigned int size, uint64_t ea, uint64_t *val)
{
	switch (operand) {
	case INSN_REG:
		*val = insn_get_reg(cpu->regs.gpr, i->reg, size);
		return true;
	case INSN_RM_REG:
		*val = insn_get_reg(cpu->regs.gpr, i->rm_reg, size);
		return true;
	case INSN_MEM:
		if (!read_mem(cpu, ea, size, val)) {
			return false;
		}
		*val = insn_truncate(*val, size);
		return true;
	default:
		*val = insn_truncate((uint64_t)i->imm, size);
		return true;
	}
}

static bool store(const struct insn *i, struct insn_cpu *cpu, uint64_t ea, uint64_t val)
{
	if (i->dst == INSN_MEM) {
		return write_mem(cpu, ea, i->opnd_size, val);
	}
	set_reg(cpu->regs.gpr, i->dst == INSN_REG ? i->reg : i->rm_reg, i->opnd_size, val);
	return true;
}

static uint64_t address(const struct insn *i, const struct insn_cpu *cpu)
{
	bool memory = i->dst == INSN_MEM || i->src == INSN_MEM;

	return memory ? insn_effective_address(i, &cpu->regs) : 0;
}

static void set_flags(struct insn_cpu *cpu, uint64_t flags)
{
	cpu->regs.rflags = (cpu->regs.rflags & ~FLAGS_ARITHMETIC) | (flags & FLAGS_ARITHMETIC);
}

/* ---- Arithmetic: operands come truncated; *flags goes in old and comes out new ---- */

typedef uint64_t alu_fn_t(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags);

static uint64_t sign_of(uint64_t v, unsigned int size)
{
	return v >> (8 * size - 1) & 1;
}

/* SF, ZF and PF, which only depend on the result. */
static uint64_t result_flags(uint64_t r, unsigned int size)
{
	return (sign_of(r, size) != 0 ? FLAG_SF : 0) | (r == 0 ? FLAG_ZF : 0) |
	       (__builtin_parityl(r & 0xff) ? 0 : FLAG_PF);
}

/* carries: bit n is the carry or borrow out of bit n. overflow: its sign bit is OF. */
static uint64_t sum_flags(uint64_t r, uint64_t carries, uint64_t overflow, unsigned int size)
{
	return result_flags(r, size) | (sign_of(carries, size) != 0 ? FLAG_CF : 0) |
	       ((carries & BIT(3)) != 0 ? FLAG_AF : 0) |
	       (sign_of(overflow, size) != 0 ? FLAG_OF : 0);
}

static uint64_t add_carry(uint64_t a, uint64_t b, uint64_t carry, unsigned int size,
			  uint64_t *flags)
{
	uint64_t r = insn_truncate(a + b + carry, size);

	*flags = sum_flags(r, (a & b) | ((a | b) & ~r), (a ^ r) & (b ^ r), size);
	return r;
}

static uint64_t sub_borrow(uint64_t a, uint64_t b, uint64_t borrow, unsigned int size,
			   uint64_t *flags)
{
	uint64_t r = insn_truncate(a - b - borrow, size);

	*flags = sum_flags(r, (~a & b) | ((~a | b) & r), (a ^ b) & (a ^ r), size);
	return r;
}

static uint64_t alu_add(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	return add_carry(a, b, 0, size, flags);
}

static uint64_t alu_adc(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	return add_carry(a, b, *flags & FLAG_CF, size, flags);
}

static uint64_t alu_sub(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	return sub_borrow(a, b, 0, size, flags);
}

static uint64_t alu_sbb(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	return sub_borrow(a, b, *flags & FLAG_CF, size, flags);
}

/* AF is undefined after these three; every CPU we know clears it. */
static uint64_t alu_and(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	*flags = result_flags(a & b, size);
	return a & b;
}

static uint64_t alu_or(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	*flags = result_flags(a | b, size);
	return a | b;
}

static uint64_t alu_xor(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	*flags = result_flags(a ^ b, size);
	return a ^ b;
}

static uint64_t alu_not(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	(void)b;
	(void)flags;
	return insn_truncate(~a, size);
}

static uint64_t alu_neg(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	(void)b;
	return sub_borrow(0, a, 0, size, flags);
}

/* INC and DEC leave CF alone. */
static uint64_t alu_inc(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	uint64_t carry = *flags & FLAG_CF, r = add_carry(a, 1, 0, size, flags);

	(void)b;
	*flags = (*flags & ~FLAG_CF) | carry;
	return r;
}

static uint64_t alu_dec(uint64_t a, uint64_t b, unsigned int size, uint64_t *flags)
{
	uint64_t carry = *flags & FLAG_CF, r = sub_borrow(a, 1, 0, size, flags);

	(void)b;
	*flags = (*flags & ~FLAG_CF) | carry;
	return r;
}

static const struct {
	alu_fn_t *fn;
	bool writes;
} alu_ops[INSN_EXECUTABLE_END] = {
	[INSN_ADD] = { alu_add, true },	  [INSN_OR] = { alu_or, true },
	[INSN_ADC] = { alu_adc, true },	  [INSN_SBB] = { alu_sbb, true },
	[INSN_AND] = { alu_and, true },	  [INSN_SUB] = { alu_sub, true },
	[INSN_XOR] = { alu_xor, true },	  [INSN_CMP] = { alu_sub, false },
	[INSN_TEST] = { alu_and, false }, [INSN_NOT] = { alu_not, true },
	[INSN_NEG] = { alu_neg, true },	  [INSN_INC] = { alu_inc, true },
	[INSN_DEC] = { alu_dec, true },
};

/* ---- One function per kind of instruction; false: a callback failed ---- */

static bool exec_mov(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t ea = address(i, cpu), val;

	return load(i, cpu, i->src, i->opnd_size, ea, &val) && store(i, cpu, ea, val);
}

/* MOVZX, MOVSX, MOVSXD: mem_size is the size of the source, register or memory. */
static bool exec_extend(const struct insn *i, struct insn_cpu *cpu)
{
	unsigned int unused = 64u - 8u * i->mem_size;
	uint64_t ea = address(i, cpu), val;

	if (!load(i, cpu, i->src, i->mem_size, ea, &val)) {
		return false;
	}
	if (i->op == INSN_MOVSX) {
		val = (uint64_t)((int64_t)(val << unused) >> unused);
	}
	return store(i, cpu, ea, val);
}

static bool exec_alu(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t ea = address(i, cpu), flags = cpu->regs.rflags, a, b, r;

	if (!load(i, cpu, i->dst, i->opnd_size, ea, &a) ||
	    !load(i, cpu, i->src, i->opnd_size, ea, &b)) {
		return false;
	}
	r = alu_ops[i->op].fn(a, b, i->opnd_size, &flags);
	if (alu_ops[i->op].writes && !store(i, cpu, ea, r)) {
		return false;
	}
	set_flags(cpu, flags);
	return true;
}

/* XCHG and XADD. A failing store must leave the register alone; two registers are written in order. */
static bool exec_exchange(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t ea = address(i, cpu), flags = cpu->regs.rflags, old, val;

	if (!load(i, cpu, i->dst, i->opnd_size, ea, &old)) {
		return false;
	}
	val = insn_get_reg(cpu->regs.gpr, i->reg, i->opnd_size);
	if (i->op == INSN_XADD) {
		val = alu_add(old, val, i->opnd_size, &flags);
	}
	if (i->dst == INSN_MEM && !store(i, cpu, ea, val)) {
		return false;
	}
	set_reg(cpu->regs.gpr, i->reg, i->opnd_size, old);
	if (i->dst != INSN_MEM) {
		store(i, cpu, ea, val);
	}
	set_flags(cpu, flags);
	return true;
}

/* SDM Vol. 2, "CMPXCHG": memory is written in either case. */
static bool exec_cmpxchg(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t accumulator = insn_get_reg(cpu->regs.gpr, INSN_REG_RAX, i->opnd_size);
	uint64_t ea = address(i, cpu), flags, old, val;
	bool equal;

	if (!load(i, cpu, i->dst, i->opnd_size, ea, &old)) {
		return false;
	}
	equal = alu_sub(accumulator, old, i->opnd_size, &flags) == 0;
	val = equal ? insn_get_reg(cpu->regs.gpr, i->reg, i->opnd_size) : old;
	if ((equal || i->dst == INSN_MEM) && !store(i, cpu, ea, val)) {
		return false;
	}
	if (!equal) {
		set_reg(cpu->regs.gpr, INSN_REG_RAX, i->opnd_size, old);
	}
	set_flags(cpu, flags);
	return true;
}

static uint64_t change_bit(unsigned int op, uint64_t v, uint64_t mask)
{
	switch (op) {
	case INSN_BTS:
		return v | mask;
	case INSN_BTR:
		return v & ~mask;
	default:
		return v ^ mask;
	}
}

/* The effective address already points to the word that a register's bit offset selects. */
static bool exec_bit(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t ea = address(i, cpu), val, offset, mask;

	if (!load(i, cpu, i->dst, i->opnd_size, ea, &val) ||
	    !load(i, cpu, i->src, i->opnd_size, ea, &offset)) {
		return false;
	}
	mask = BIT(offset & (8u * i->opnd_size - 1));
	if (i->op != INSN_BT && !store(i, cpu, ea, change_bit(i->op, val, mask))) {
		return false;
	}
	cpu->regs.rflags = (cpu->regs.rflags & ~FLAG_CF) | ((val & mask) != 0 ? FLAG_CF : 0);
	return true;
}

/* Linear address of the stack slot at an offset, which wraps at the stack's own size. */
static uint64_t stack_linear(const struct insn *i, const struct insn_cpu *cpu, uint64_t offset)
{
	return insn_linear(i->mode, &cpu->regs, INSN_SS, insn_truncate(offset, cpu->stack_size));
}

static bool exec_push(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t rsp = cpu->regs.gpr[INSN_REG_RSP] - i->opnd_size, val;

	if (!load(i, cpu, i->src, i->opnd_size, address(i, cpu), &val) ||
	    !write_mem(cpu, stack_linear(i, cpu, rsp), i->opnd_size, val)) {
		return false;
	}
	set_reg(cpu->regs.gpr, INSN_REG_RSP, cpu->stack_size, rsp);
	return true;
}

/* The effective address already counts RSP as incremented; POP to RSP itself overwrites that. */
static bool exec_pop(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t rsp = cpu->regs.gpr[INSN_REG_RSP], val;

	if (!read_mem(cpu, stack_linear(i, cpu, rsp), i->opnd_size, &val)) {
		return false;
	}
	if (i->dst == INSN_MEM && !store(i, cpu, address(i, cpu), val)) {
		return false;
	}
	set_reg(cpu->regs.gpr, INSN_REG_RSP, cpu->stack_size, rsp + i->opnd_size);
	if (i->dst != INSN_MEM) {
		store(i, cpu, 0, val);
	}
	return true;
}

/* ---- String instructions ---- */

static uint64_t destination(const struct insn *i, const struct insn_cpu *cpu)
{
	uint64_t rdi = insn_truncate(cpu->regs.gpr[INSN_REG_RDI], i->addr_size);

	return insn_linear(i->mode, &cpu->regs, INSN_ES, rdi);
}

static void advance(const struct insn *i, struct insn_cpu *cpu, unsigned int reg)
{
	uint64_t step =
		(cpu->regs.rflags & FLAG_DF) != 0 ? 0 - (uint64_t)i->opnd_size : i->opnd_size;

	set_reg(cpu->regs.gpr, reg, i->addr_size, cpu->regs.gpr[reg] + step);
}

static bool compare_string(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t a = insn_get_reg(cpu->regs.gpr, INSN_REG_RAX, i->opnd_size), b, flags;

	if (i->op == INSN_CMPS &&
	    !load(i, cpu, INSN_MEM, i->opnd_size, insn_effective_address(i, &cpu->regs), &a)) {
		return false;
	}
	if (!load(i, cpu, INSN_MEM, i->opnd_size, destination(i, cpu), &b)) {
		return false;
	}
	alu_sub(a, b, i->opnd_size, &flags);
	set_flags(cpu, flags);
	return true;
}

static bool copy_string(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t val = cpu->regs.gpr[INSN_REG_RAX];

	if (i->op != INSN_STOS &&
	    !read_mem(cpu, insn_effective_address(i, &cpu->regs), i->opnd_size, &val)) {
		return false;
	}
	if (i->op == INSN_LODS) {
		set_reg(cpu->regs.gpr, INSN_REG_RAX, i->opnd_size, val);
		return true;
	}
	return write_mem(cpu, destination(i, cpu), i->opnd_size, val);
}

static bool compares(const struct insn *i)
{
	return i->op == INSN_CMPS || i->op == INSN_SCAS;
}

static bool string_iteration(const struct insn *i, struct insn_cpu *cpu)
{
	if (!(compares(i) ? compare_string(i, cpu) : copy_string(i, cpu))) {
		return false;
	}
	if (i->base == INSN_REG_RSI) {
		advance(i, cpu, INSN_REG_RSI);
	}
	if (i->op != INSN_LODS) {
		advance(i, cpu, INSN_REG_RDI);
	}
	return true;
}

/* REPE goes on while ZF is set, REPNE while it is clear; the rest only counts. */
static bool condition_ends(const struct insn *i, const struct insn_cpu *cpu)
{
	bool equal = (cpu->regs.rflags & FLAG_ZF) != 0;

	return compares(i) && equal != (i->rep == INSN_REP_REP);
}

static enum insn_result exec_rep(const struct insn *i, struct insn_cpu *cpu)
{
	uint64_t count = insn_truncate(cpu->regs.gpr[INSN_REG_RCX], i->addr_size);

	for (unsigned int n = 0; n < INSN_EXEC_MAX_REP && count != 0; n++) {
		if (!string_iteration(i, cpu)) {
			return INSN_FAULT;
		}
		count--;
		set_reg(cpu->regs.gpr, INSN_REG_RCX, i->addr_size, count);
		if (condition_ends(i, cpu)) {
			return INSN_DONE;
		}
	}
	return count == 0 ? INSN_DONE : INSN_CONTINUE;
}

/* ---- The table ---- */

static bool (*const handlers[INSN_EXECUTABLE_END])(const struct insn *i, struct insn_cpu *cpu) = {
	[INSN_MOV] = exec_mov,
	[INSN_MOVZX... INSN_MOVSX] = exec_extend,
	[INSN_ADD... INSN_DEC] = exec_alu,
	[INSN_XCHG... INSN_XADD] = exec_exchange,
	[INSN_CMPXCHG] = exec_cmpxchg,
	[INSN_BT... INSN_BTC] = exec_bit,
	[INSN_POP] = exec_pop,
	[INSN_PUSH] = exec_push,
	[INSN_STOS... INSN_CMPS] = string_iteration,
};

enum insn_result insn_exec(const struct insn *i, struct insn_cpu *cpu)
{
	enum insn_result result;

	if (unlikely(i->op >= INSN_EXECUTABLE_END || handlers[i->op] == NULL)) {
		return INSN_UNHANDLED;
	}
	if (unlikely(i->op >= INSN_STOS && i->rep != INSN_REP_NONE)) {
		result = exec_rep(i, cpu);
	} else {
		result = handlers[i->op](i, cpu) ? INSN_DONE : INSN_FAULT;
	}
	if (likely(result == INSN_DONE)) {
		cpu->regs.rip =
			insn_truncate(cpu->regs.rip + i->length, i->mode == INSN_MODE_64 ? 8 : 4);
		cpu->regs.rflags &= ~FLAG_RF;
	}
	return result;
}
