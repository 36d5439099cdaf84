/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the instruction decoder and the arithmetic of effective addresses. */
/* The opcode maps are in insn_map.c. Plain MOVs pass here on every APIC access: mind their path. */
#include "arch/x86/hvm/insn.h"
#include "arch/x86/hvm/insn_map.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

/* Instruction in the making. */
struct decode {
	const uint8_t *bytes;
	uint32_t pos;
	uint32_t limit;
	uint32_t flags; /* enum insn_flag; these three come from the rows of the maps */
	uint8_t op;
	uint8_t form;
	uint8_t mode;
	uint8_t modrm;
	uint8_t rex;
	uint8_t segment; /* override, or INSN_SEGMENTS */
	uint8_t rep;
	bool opnd_prefix;
	bool addr_prefix;
	bool lock;
	bool overrun;
	bool unknown_length;
};

static const struct {
	uint8_t dst, src; /* INSN_MEM stands for the r/m operand, memory or not */
	uint8_t rm_size;  /* of the r/m operand if it is not the operand size */
} forms[FORMS] = {
	[FORM_NONE] = { INSN_NONE, INSN_NONE, 0 },    [FORM_RM_R] = { INSN_MEM, INSN_REG, 0 },
	[FORM_R_RM] = { INSN_REG, INSN_MEM, 0 },      [FORM_R_RM8] = { INSN_REG, INSN_MEM, 1 },
	[FORM_R_RM16] = { INSN_REG, INSN_MEM, 2 },    [FORM_R_RM32] = { INSN_REG, INSN_MEM, 4 },
	[FORM_RM_IMM] = { INSN_MEM, INSN_IMM, 0 },    [FORM_RM] = { INSN_MEM, INSN_NONE, 0 },
	[FORM_FROM_RM] = { INSN_NONE, INSN_MEM, 0 },  [FORM_FROM_RM16] = { INSN_NONE, INSN_MEM, 2 },
	[FORM_TO_RM16] = { INSN_MEM, INSN_NONE, 2 },  [FORM_ACC_IMM] = { INSN_REG, INSN_IMM, 0 },
	[FORM_ACC_MOFFS] = { INSN_REG, INSN_MEM, 0 }, [FORM_MOFFS_ACC] = { INSN_MEM, INSN_REG, 0 },
	[FORM_AT_RSI] = { INSN_NONE, INSN_NONE, 0 },  [FORM_AT_RDI] = { INSN_NONE, INSN_NONE, 0 },
	[FORM_RM_CR] = { INSN_MEM, INSN_REG, 0 },     [FORM_CR_RM] = { INSN_REG, INSN_MEM, 0 },
};

/* SDM Vol. 2, "Instruction Prefixes" and APM Vol. 3, "Lock Prefix": with a memory destination only. */
#define LOCKABLE                                                                                   \
	(BIT(INSN_ADD) | BIT(INSN_OR) | BIT(INSN_ADC) | BIT(INSN_SBB) | BIT(INSN_AND) |            \
	 BIT(INSN_SUB) | BIT(INSN_XOR) | BIT(INSN_NOT) | BIT(INSN_NEG) | BIT(INSN_INC) |           \
	 BIT(INSN_DEC) | BIT(INSN_XCHG) | BIT(INSN_XADD) | BIT(INSN_CMPXCHG) | BIT(INSN_BTS) |     \
	 BIT(INSN_BTR) | BIT(INSN_BTC))

#define MEM_MAX_LEN   6u		/* ModRM, SIB, disp32 */
#define PLAIN_MAX_LEN (2 + MEM_MAX_LEN) /* REX and opcode before it */

#define CR_DEFINED 0x11du /* CR0, CR2, CR3, CR4, CR8 */
#define DR_DEFINED 0x0ffu

_Static_assert(INSN_EXECUTABLE_END < 64, "LOCKABLE is a 64-bit mask");

/* Behind the end everything reads as 0 and the overrun is noted: checked once, at the end. */
static inline uint8_t fetch_byte(struct decode *d)
{
	if (unlikely(d->pos >= d->limit)) {
		d->overrun = true;
		return 0;
	}
	return d->bytes[d->pos++];
}

/* Displacements and immediates; odd sizes (ENTER, far pointers) are only stepped over. */
static inline int64_t get_signed(const uint8_t *p, unsigned int size)
{
	switch (size) {
	case 1:
		return (int8_t)p[0];
	case 2:
		return (int16_t)bytes_get_le16(p);
	case 4:
		return (int32_t)bytes_get_le32(p);
	case 8:
		return (int64_t)bytes_get_le64(p);
	default:
		return 0;
	}
}

static inline int64_t fetch_signed(struct decode *d, unsigned int size)
{
	const uint8_t *p = d->bytes + d->pos;

	if (unlikely(size > d->limit - d->pos)) {
		d->overrun = true;
		d->pos = d->limit;
		return 0;
	}
	d->pos += size;
	return get_signed(p, size);
}

/* SDM Vol. 2, "Instruction Prefixes"; in 64-bit mode the ES, CS, SS and DS overrides do nothing. */
static void take_legacy_prefix(struct decode *d, uint8_t b)
{
	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		if (d->mode != INSN_MODE_64) {
			d->segment = b >> 3 & 3;
		}
		break;
	case 0x64:
	case 0x65:
		d->segment = b & 7;
		break;
	case 0x66:
		d->opnd_prefix = true;
		break;
	case 0x67:
		d->addr_prefix = true;
		break;
	case 0xf0:
		d->lock = true;
		break;
	default:
		d->rep = b == 0xf3 ? INSN_REP_REP : INSN_REP_REPNE;
		break;
	}
}

/* Returns false for 40..4F outside 64-bit mode: those are opcodes. */
static inline bool take_prefix(struct decode *d, uint8_t b)
{
	if ((b & 0xf0) != 0x40) {
		take_legacy_prefix(d, b);
		d->rex = 0; /* a REX counts only directly before the opcode */
		return true;
	}
	if (d->mode == INSN_MODE_64) {
		d->rex = b;
		return true;
	}
	return false;
}

static const struct insn_row *fetch_two_byte(struct decode *d)
{
	uint8_t b = fetch_byte(d);

	if (b == 0x38 || b == 0x3a) {
		fetch_byte(d);
	}
	return &insn_map_two[b];
}

static inline void fetch_opcode(struct decode *d)
{
	const struct insn_row *row;
	uint8_t b;

	do {
		b = fetch_byte(d);
		row = &insn_map_one[b];
	} while ((row->flags & MAP_PREFIX) != 0 && take_prefix(d, b));
	if (b == 0x0f) {
		row = fetch_two_byte(d);
	}
	d->flags = row->flags;
	d->op = row->op;
	d->form = row->form;
}

static void use_group(struct decode *d, unsigned int group)
{
	const struct insn_row *row = &insn_map_groups[group][d->modrm >> 3 & 7];

	d->flags |= row->flags;
	d->op = row->op;
	d->form = row->form;
}

/* SDM Vol. 2, "Opcode Extensions for One- and Two-byte Opcodes by Group Number", group 7. */
static void use_system(struct decode *d)
{
	if (d->modrm < 0xc0) {
		use_group(d, GROUP_SYSTEM);
		return;
	}
	d->op = insn_map_system[d->modrm & 0x3f];
	if (d->modrm < 0xd8 && (d->opnd_prefix || d->rep != INSN_REP_NONE)) {
		d->op = INSN_OTHER; /* a prefix makes Intel's (C0..D7) another instruction or none */
	}
	d->form = d->op == INSN_SMSW ? FORM_RM : d->op == INSN_LMSW ? FORM_FROM_RM16 : FORM_NONE;
	if (d->op == INSN_UNDEFINED) {
		d->op = INSN_OTHER;
	}
}

static void use(struct decode *d, enum insn_op op, enum insn_form form)
{
	d->op = (uint8_t)op;
	d->form = (uint8_t)form;
}

static void use_special(struct decode *d)
{
	bool long_mode = d->mode == INSN_MODE_64;

	switch (d->op) {
	case SPECIAL_MOVSXD:
		use(d, long_mode ? INSN_MOVSX : INSN_OTHER, long_mode ? FORM_R_RM32 : FORM_NONE);
		break;
	case SPECIAL_POP:
		d->unknown_length = (d->modrm >> 3 & 7) != 0;
		use(d, d->unknown_length ? INSN_OTHER : INSN_POP, FORM_RM);
		break;
	case SPECIAL_NOP:
		use(d, d->rep == INSN_REP_REP && (d->rex & REX_B) == 0 ? INSN_PAUSE : INSN_OTHER,
		    FORM_NONE);
		break;
	case SPECIAL_SYSTEM:
		use_system(d);
		break;
	case SPECIAL_VEX:
		d->unknown_length = long_mode || d->modrm >= 0xc0;
		use(d, INSN_OTHER, FORM_NONE);
		break;
	default:
		d->unknown_length = true;
		use(d, INSN_OTHER, FORM_NONE);
		break;
	}
}

/* Operand sizes that no prefix or only REX.W changes. */
static unsigned int fixed_operand_size(const struct decode *d)
{
	if ((d->flags & MAP_BYTE) != 0) {
		return 1;
	}
	if ((d->flags & MAP_MOVNTI) != 0) {
		return (d->rex & REX_W) != 0 ? 8 : 4;
	}
	return d->mode == INSN_MODE_64 ? 8 : 4;
}

static inline unsigned int operand_size(const struct decode *d)
{
	unsigned int size = d->opnd_prefix == (d->mode == INSN_MODE_16) ? 4 : 2;

	if ((d->flags & (MAP_BYTE | MAP_MOVNTI | MAP_NATIVE)) != 0) {
		return fixed_operand_size(d);
	}
	if ((d->rex & REX_W) != 0) {
		return (d->flags & MAP_MAX32) != 0 ? 4 : 8;
	}
	return (d->flags & MAP_DEF64) != 0 && d->mode == INSN_MODE_64 && size == 4 ? 8 : size;
}

static inline unsigned int address_size(const struct decode *d)
{
	if (likely(!d->addr_prefix)) {
		return d->mode;
	}
	return d->mode == INSN_MODE_32 ? 2 : 4;
}

static inline void set_segment(const struct decode *d, struct insn *out, enum insn_segment normal)
{
	out->segment = d->segment == INSN_SEGMENTS ? (uint8_t)normal : d->segment;
}

/* SDM Vol. 2, "16-Bit Addressing Forms with the ModR/M Byte". */
static void decode_mem16(struct decode *d, struct insn *out)
{
	static const struct {
		uint8_t base, index, segment;
	} rows[8] = {
		{ INSN_REG_RBX, INSN_REG_RSI, INSN_DS },  { INSN_REG_RBX, INSN_REG_RDI, INSN_DS },
		{ INSN_REG_RBP, INSN_REG_RSI, INSN_SS },  { INSN_REG_RBP, INSN_REG_RDI, INSN_SS },
		{ INSN_REG_RSI, INSN_REG_NONE, INSN_DS }, { INSN_REG_RDI, INSN_REG_NONE, INSN_DS },
		{ INSN_REG_RBP, INSN_REG_NONE, INSN_SS }, { INSN_REG_RBX, INSN_REG_NONE, INSN_DS },
	};
	unsigned int rm = d->modrm & 7, mod = d->modrm >> 6;

	if (mod == 0 && rm == 6) {
		set_segment(d, out, INSN_DS);
		out->disp = fetch_signed(d, 2);
		return;
	}
	out->base = rows[rm].base;
	out->index = rows[rm].index;
	set_segment(d, out, rows[rm].segment);
	if (mod != 0) {
		out->disp = fetch_signed(d, mod);
	}
}

/*
 * SDM Vol. 2, "32-Bit Addressing Forms with the ModR/M Byte", "RIP-Relative Addressing". p is at the
 * ModRM byte, of MEM_MAX_LEN readable bytes; out has no base and no index yet. Returns the length.
 */
static inline unsigned int decode_mem(const uint8_t *p, unsigned int rex, enum insn_mode mode,
				      struct insn *out)
{
	unsigned int base = p[0] & 7u, mod = p[0] >> 6, len = 1;

	if (base == INSN_REG_RSP) {
		unsigned int index = (p[1] >> 3 & 7u) | (rex & REX_X) << 2;

		base = p[1] & 7u;
		if (index != INSN_REG_RSP) {
			out->index = (uint8_t)index;
			out->scale = (uint8_t)(1u << (p[1] >> 6));
		}
		len = 2;
	}
	if (mod == 0 && base == INSN_REG_RBP) {
		if (len == 1 && mode == INSN_MODE_64) {
			out->base = INSN_REG_RIP;
		}
		out->disp = get_signed(p + len, 4);
		return len + 4;
	}
	base |= (rex & REX_B) << 3;
	out->base = (uint8_t)base;
	if (base == INSN_REG_RSP || base == INSN_REG_RBP) {
		out->segment = INSN_SS;
	}
	if (mod == 0) {
		return len;
	}
	out->disp = mod == 1 ? get_signed(p + len, 1) : get_signed(p + len, 4);
	return len + (mod == 1 ? 1 : 4);
}

/* decode_mem() where the bytes may end: what is missing reads as 0 and is noted. */
static void decode_mem_bounded(struct decode *d, struct insn *out)
{
	const uint8_t *p = d->bytes + d->pos - 1;
	unsigned int left = d->limit - d->pos + 1, len;
	uint8_t padded[MEM_MAX_LEN] = { 0 };

	if (left < MEM_MAX_LEN) {
		memcpy(padded, p, d->overrun ? 0 : left);
		p = padded;
	}
	len = decode_mem(p, d->rex, d->mode, out);
	if (d->segment != INSN_SEGMENTS) {
		out->segment = d->segment;
	}
	if (len > left) {
		d->overrun = true;
		len = left;
	}
	d->pos += len - 1;
}

/* Registers 4 to 7 of byte operands are AH to BH unless there is a REX prefix. */
static inline uint8_t byte_register(unsigned int rex, unsigned int reg, unsigned int size)
{
	bool high = size == 1 && rex == 0 && reg >= INSN_REG_RSP;

	return (uint8_t)(high ? reg + (INSN_REG_AH - INSN_REG_RSP) : reg);
}

static inline void decode_rm(struct decode *d, struct insn *out)
{
	unsigned int reg = (d->modrm >> 3 & 7u) | (d->rex & REX_R) << 1;

	out->reg = byte_register(d->rex, reg, out->opnd_size);
	if (d->modrm >= 0xc0 || d->form >= FORM_RM_CR) {
		reg = (d->modrm & 7u) | (d->rex & REX_B) << 3;
		out->rm_reg = byte_register(d->rex, reg, out->mem_size);
		out->dst = out->dst == INSN_MEM ? INSN_RM_REG : out->dst;
		out->src = out->src == INSN_MEM ? INSN_RM_REG : out->src;
	} else if (likely(out->addr_size != 2)) {
		decode_mem_bounded(d, out);
	} else {
		decode_mem16(d, out);
	}
}

static unsigned int immediate_size(const struct decode *d, const struct insn *out)
{
	unsigned int size = 0, z = out->opnd_size > 4 ? 4 : out->opnd_size;

	if ((d->flags & MAP_BRANCH) != 0 && d->mode == INSN_MODE_64) {
		z = 4;
	}
	size += (d->flags & MAP_IMM8) != 0 ? 1 : 0;
	size += (d->flags & MAP_IMM16) != 0 ? 2 : 0;
	size += (d->flags & MAP_IMMZ) != 0 ? z : 0;
	size += (d->flags & MAP_IMMV) != 0 ? out->opnd_size : 0;
	return size;
}

static void decode_immediate(struct decode *d, struct insn *out)
{
	if ((d->flags & MAP_MOFFS) != 0) {
		int64_t offset = fetch_signed(d, out->addr_size);

		out->disp = (int64_t)insn_truncate((uint64_t)offset, out->addr_size);
		set_segment(d, out, INSN_DS);
	} else {
		out->imm = fetch_signed(d, immediate_size(d, out));
	}
}

/* Operands that no ModRM byte describes. */
static inline void decode_implied(struct decode *d, struct insn *out)
{
	if (d->form == FORM_AT_RSI) {
		out->base = INSN_REG_RSI;
		set_segment(d, out, INSN_DS);
	} else if (d->form == FORM_AT_RDI) {
		out->base = INSN_REG_RDI;
		out->segment = INSN_ES; /* cannot be overridden */
	}
}

static bool lock_is_legal(const struct decode *d, struct insn *out)
{
	/* APM Vol. 3, "MOV CRn": LOCK MOV CR0 is the way to CR8 outside 64-bit mode. */
	if (d->op == INSN_MOV_CR && out->reg == 0) {
		out->reg = 8;
		return true;
	}
	return d->op == INSN_OTHER || (d->op < INSN_EXECUTABLE_END && out->dst == INSN_MEM &&
				       (LOCKABLE & BIT(d->op)) != 0);
}

/* Rules that few instructions have; called when one of them may apply. */
static bool rare_rules_hold(const struct decode *d, struct insn *out)
{
	bool prefixed = d->opnd_prefix || d->rep != INSN_REP_NONE;

	if (((d->flags & MAP_NO64) != 0 && d->mode == INSN_MODE_64) ||
	    ((d->flags & MAP_MOVNTI) != 0 && (d->modrm >= 0xc0 || prefixed)) ||
	    (d->lock && !lock_is_legal(d, out))) {
		return false;
	}
	if (d->form == FORM_RM_CR || d->form == FORM_CR_RM) {
		uint32_t defined = d->op == INSN_MOV_CR ? CR_DEFINED : DR_DEFINED;

		return (defined >> out->reg & 1) != 0;
	}
	return true;
}

static inline void set_operands(const struct decode *d, struct insn *out)
{
	unsigned int rm_size = forms[d->form].rm_size;

	*out = (struct insn){
		.op = d->op,
		.mode = d->mode,
		.opnd_size = (uint8_t)operand_size(d),
		.addr_size = (uint8_t)address_size(d),
		.dst = forms[d->form].dst,
		.src = forms[d->form].src,
		.segment = INSN_DS,
		.base = INSN_REG_NONE,
		.index = INSN_REG_NONE,
		.scale = 1,
		.rep = d->rep,
		.lock = d->lock,
	};
	out->mem_size =
		rm_size != 0 && rm_size < out->opnd_size ? (uint8_t)rm_size : out->opnd_size;
}

static inline int finish(const struct decode *d, size_t len, struct insn *out)
{
	const uint32_t rare = MAP_NO64 | MAP_MOVNTI | MAP_NATIVE;

	if (unlikely(d->overrun)) {
		return len >= INSN_MAX_LEN ? -E2BIG : -EAGAIN;
	}
	if (unlikely(((d->flags & rare) != 0 || d->lock) && !rare_rules_hold(d, out))) {
		return -EINVAL;
	}
	if (unlikely(d->op <= INSN_OTHER)) {
		out->length = d->unknown_length ? 0 : (uint8_t)d->pos;
		return d->op == INSN_OTHER ? -ENOTSUP : -EINVAL;
	}
	out->length = (uint8_t)d->pos;
	return 0;
}

/*
 * The short way for what nearly every MMIO access is: 64-bit mode, at most a REX prefix, a register and
 * a memory operand, no immediate. Of bytes PLAIN_MAX_LEN can be read. Returns false for all else.
 */
static inline bool decode_plain(const uint8_t *bytes, struct insn *out)
{
	unsigned int rex = (bytes[0] & 0xf0) == 0x40 ? bytes[0] : 0;
	const uint8_t *p = bytes + (rex != 0 ? 1 : 0);
	const struct insn_row *row = &insn_map_one[p[0]];
	unsigned int size, reg = (p[1] >> 3 & 7u) | (rex & REX_R) << 1;

	if ((row->flags & ~(uint32_t)MAP_BYTE) != MAP_MODRM || row->op <= INSN_OTHER ||
	    p[1] >= 0xc0) {
		return false;
	}
	size = row->flags != MAP_MODRM ? 1 : (rex & REX_W) != 0 ? 8 : 4;
	*out = (struct insn){
		.op = row->op,
		.mode = INSN_MODE_64,
		.opnd_size = (uint8_t)size,
		.mem_size = (uint8_t)size,
		.addr_size = 8,
		.dst = row->form == FORM_RM_R ? INSN_MEM : INSN_REG,
		.src = row->form == FORM_RM_R ? INSN_REG : INSN_MEM,
		.reg = byte_register(rex, reg, size),
		.segment = INSN_DS,
		.base = INSN_REG_NONE,
		.index = INSN_REG_NONE,
		.scale = 1,
	};
	p += 1 + decode_mem(p + 1, rex, INSN_MODE_64, out);
	out->length = (uint8_t)(p - bytes);
	return true;
}

/* The way for every instruction, piece by piece; out of line, or its stack frame burdens the other. */
static __attribute__((noinline)) int decode_any(const uint8_t *bytes, size_t len,
						enum insn_mode mode, struct insn *out)
{
	struct decode d = {
		.bytes = bytes,
		.limit = len < INSN_MAX_LEN ? (uint32_t)len : INSN_MAX_LEN,
		.mode = (uint8_t)mode,
		.segment = INSN_SEGMENTS,
	};

	fetch_opcode(&d);
	if ((d.flags & MAP_MODRM) != 0) {
		d.modrm = fetch_byte(&d);
	}
	if (unlikely((d.flags & (MAP_GROUP | MAP_SPECIAL)) != 0)) {
		(d.flags & MAP_GROUP) != 0 ? use_group(&d, d.op) : use_special(&d);
	}
	set_operands(&d, out);
	if ((d.flags & MAP_MODRM) != 0) {
		decode_rm(&d, out);
	} else {
		decode_implied(&d, out);
	}
	if ((d.flags & MAP_IMM) != 0) {
		decode_immediate(&d, out);
	}
	return finish(&d, len, out);
}

int insn_decode(const uint8_t *bytes, size_t len, enum insn_mode mode, struct insn *out)
{
	if (likely(mode == INSN_MODE_64 && len >= PLAIN_MAX_LEN) && decode_plain(bytes, out)) {
		return 0;
	}
	return decode_any(bytes, len, mode, out);
}

uint64_t insn_get_reg(const uint64_t gpr[16], unsigned int reg, unsigned int size)
{
	if (unlikely(reg >= INSN_REG_AH)) {
		return gpr[reg - INSN_REG_AH] >> 8 & 0xff;
	}
	return insn_truncate(gpr[reg], size);
}

uint64_t insn_linear(enum insn_mode mode, const struct insn_regs *regs, enum insn_segment segment,
		     uint64_t offset)
{
	if (likely(mode == INSN_MODE_64)) {
		return segment < INSN_FS ? offset : regs->segment_base[segment] + offset;
	}
	return (uint32_t)(regs->segment_base[segment] + offset);
}

/* What an instruction adds to the address that its operand bytes spell. */
static uint64_t implied_displacement(const struct insn *i, const struct insn_regs *regs)
{
	unsigned int bits = 8 * i->opnd_size;
	int64_t bit;

	if (i->op == INSN_POP) { /* SDM Vol. 2, "POP": RSP counts as already incremented */
		return i->base == INSN_REG_RSP ? i->opnd_size : 0;
	}
	if (i->src != INSN_REG) {
		return 0;
	}
	/* SDM Vol. 2, "BT": a register's bit offset is signed and reaches beyond the operand. */
	bit = (int64_t)(regs->gpr[i->reg] << (64 - bits)) >> (64 - bits);
	return (uint64_t)(bit >> (3 + __builtin_ctz(i->opnd_size))) * i->opnd_size;
}

uint64_t insn_effective_address(const struct insn *i, const struct insn_regs *regs)
{
	uint64_t offset = (uint64_t)i->disp;

	if (likely(i->base < INSN_REG_RIP)) {
		offset += regs->gpr[i->base];
	} else if (i->base == INSN_REG_RIP) {
		offset += regs->rip + i->length;
	}
	if (i->index != INSN_REG_NONE) {
		offset += regs->gpr[i->index] * i->scale;
	}
	if (unlikely(i->op >= INSN_BT && i->op <= INSN_POP)) {
		offset += implied_displacement(i, regs);
	}
	offset = insn_truncate(offset, i->addr_size);
	return insn_linear(i->mode, regs, i->segment, offset);
}
