/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the guest's instruction: its bytes, its length, the code size it runs with. */
/* On a CPU that does not save the next RIP it runs at every exit, so it is short. */
#include "arch/x86/hvm/code_page.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/insn.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/lib/errno.h"
#include "hv/vcpu.h"

unsigned int exit_code_bits(const struct vcpu *v)
{
	struct hvm_segment cs;

	hvm->get_seg(v, HVM_CS, &cs);
	if ((cs.attr & X86_SEG_L) != 0 && (x86_reg(v, HVM_EFER) & EFER_LMA) != 0) {
		return 64;
	}
	return (cs.attr & X86_SEG_DB) != 0 ? 32 : 16;
}

/* Linear address of the code at RIP. */
static uint64_t code_address(const struct vcpu *v)
{
	uint64_t rip = x86_reg(v, HVM_RIP);
	struct hvm_segment cs;

	hvm->get_seg(v, HVM_CS, &cs);
	if ((cs.attr & X86_SEG_L) != 0) {
		return rip;
	}
	return (uint32_t)(cs.base + rip);
}

/* Copies n bytes of the page that linear lies in; 0 if they cannot be read. */
static unsigned int fetch_page(struct vcpu *v, uint64_t linear, uint8_t *bytes, unsigned int n)
{
	const uint8_t *code = code_page_find(v, linear, x86_reg(v, HVM_CR3), x86_reg(v, HVM_EFER));

	if (code == NULL) {
		return 0;
	}
	code += linear % PAGE_SIZE;
	if (likely(n == INSN_MAX_LEN)) { /* two overlapping words */
		__builtin_memcpy(bytes, code, 8);
		__builtin_memcpy(bytes + 7, code + 7, 8);
		return n;
	}
	for (unsigned int i = 0; i < n; i++) {
		bytes[i] = code[i];
	}
	return n;
}

unsigned int exit_fetch(struct vcpu *v, uint8_t bytes[15])
{
	uint64_t linear = code_address(v);
	unsigned int room = (unsigned int)u64_min(PAGE_SIZE - linear % PAGE_SIZE, INSN_MAX_LEN);
	unsigned int got = fetch_page(v, linear, bytes, room);

	if (got == room && room < INSN_MAX_LEN) {
		got += fetch_page(v, linear + room, bytes + room, INSN_MAX_LEN - room);
	}
	return got;
}

/* Length of intercepted instructions without a prefix, by first byte; 0: look closer. */
static const uint8_t one_byte[256] = {
	[0x6c ... 0x6f] = 1, /* INS, OUTS */
	[0xe4 ... 0xe7] = 2, /* IN, OUT with an immediate port */
	[0xec ... 0xef] = 1, /* IN, OUT with DX */
	[0xf4] = 1,	     /* HLT */
};

/* The same behind 0Fh. */
static const uint8_t two_byte[256] = {
	[0x06] = 2,	     /* CLTS */
	[0x08 ... 0x09] = 2, /* INVD, WBINVD */
	[0x20 ... 0x23] = 3, /* MOV CR, MOV DR: ModRM always names a register */
	[0x30 ... 0x33] = 2, /* WRMSR, RDTSC, RDMSR, RDPMC */
	[0xa2] = 2,	     /* CPUID */
};

static unsigned int common_length(const uint8_t *bytes, unsigned int got)
{
	unsigned int len = got >= 2 && bytes[0] == 0x0f ? two_byte[bytes[1]] : one_byte[bytes[0]];

	return len <= got ? len : 0;
}

/* With prefixes, of another kind, or across a page's end. */
static __attribute__((noinline)) unsigned int decoded_length(struct vcpu *v)
{
	uint8_t bytes[INSN_MAX_LEN] = { 0 };
	unsigned int got = exit_fetch(v, bytes);
	unsigned int len = got != 0 ? common_length(bytes, got) : 0;
	struct insn insn;

	if (len != 0 || got == 0) {
		return len;
	}
	switch (insn_decode(bytes, got, (enum insn_mode)(exit_code_bits(v) / 8), &insn)) {
	case 0:
	case -ENOTSUP:
		return insn.length;
	default:
		return 0;
	}
}

unsigned int exit_insn_length(struct vcpu *v)
{
	return exit_insn_length_at(v, code_address(v), x86_reg(v, HVM_CR3), x86_reg(v, HVM_EFER));
}

unsigned int exit_insn_length_at(struct vcpu *v, uint64_t linear, uint64_t cr3, uint64_t efer)
{
	uint64_t offset = linear % PAGE_SIZE;
	const uint8_t *code = code_page_find(v, linear, cr3, efer);
	unsigned int len = 0;

	if (likely(code != NULL && offset <= PAGE_SIZE - INSN_MAX_LEN)) {
		len = common_length(code + offset, INSN_MAX_LEN);
	}
	return likely(len != 0) ? len : decoded_length(v);
}
