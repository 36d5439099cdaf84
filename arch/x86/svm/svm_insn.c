/* SPDX-License-Identifier: BSD-2-Clause */
/* What an intercepted instruction was, where the processor does not say. */
/* Only as much decoding as that needs; the decoder proper is behind exit_insn_length. */
#include "arch/x86/svm/svm.h"

#include "arch/x86/hvm/exit.h"

#define CODE_MAX 15u

/* APM Vol. 3, "Legacy Prefixes"; LOCK is among them because LOCK MOV CR0 names CR8. */
static bool is_prefix(uint8_t byte, bool long_mode)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64 ... 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return long_mode && (byte & 0xf0) == 0x40;
	}
}

/* MOV from and to CRn is 0F 20 and 0F 22, DRn's are one higher. */
static bool decode_mov(const uint8_t *code, unsigned int len, bool long_mode, uint8_t from,
		       unsigned int *gpr)
{
	unsigned int i = 0;
	uint8_t rex = 0;

	while (i < len && is_prefix(code[i], long_mode)) {
		rex = long_mode && (code[i] & 0xf0) == 0x40 ? code[i] : 0;
		i++;
	}
	if (i + 3 > len || code[i] != 0x0f || (code[i + 1] & ~2u) != from) {
		return false;
	}
	*gpr = (code[i + 2] & 7u) | (rex & 1u) << 3;
	return true;
}

static bool fetch_mov(struct vcpu *v, uint8_t from, unsigned int *gpr)
{
	uint8_t code[CODE_MAX];
	unsigned int len = exit_fetch(v, code);

	return decode_mov(code, len, exit_code_bits(v) == 64, from, gpr);
}

bool svm_insn_mov_cr(struct vcpu *v, unsigned int *gpr)
{
	uint64_t info = svm_of(v)->b->c.exit_info1;

	if (svm_features.decode_assists) {
		*gpr = info & VMCB_CR_GPR_MASK;
		return (info & VMCB_CR_MOV) != 0;
	}
	return fetch_mov(v, 0x20, gpr);
}

bool svm_insn_mov_dr(struct vcpu *v, unsigned int *gpr)
{
	return fetch_mov(v, 0x21, gpr);
}
