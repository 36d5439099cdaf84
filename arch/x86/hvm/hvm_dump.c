/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints a vCPU: registers, segments, code bytes, then the vendor's control block. */
/* For crashes and the console; changes nothing. */
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/lib/fmt.h"

#define LINE 100u

typedef unsigned long long ull;

static void dump_gprs(const struct vcpu *v, void (*out)(const char *line))
{
	static const char *const names[] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"
	};
	char line[LINE];

	for (unsigned int i = 0; i < 16; i += 4) {
		(void)fmt_snprintf(line, sizeof(line),
				   "%s %016llx  %s %016llx  %s %016llx  %s %016llx", names[i],
				   (ull)v->gprs[i], names[i + 1], (ull)v->gprs[i + 1], names[i + 2],
				   (ull)v->gprs[i + 2], names[i + 3], (ull)v->gprs[i + 3]);
		out(line);
	}
}

static void dump_regs(const struct vcpu *v, void (*out)(const char *line))
{
	char line[LINE];

	(void)fmt_snprintf(line, sizeof(line), "rip %016llx  rflags %08llx  efer %04llx",
			   (ull)x86_reg(v, HVM_RIP), (ull)x86_reg(v, HVM_RFLAGS),
			   (ull)x86_reg(v, HVM_EFER));
	out(line);
	(void)fmt_snprintf(line, sizeof(line), "cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx",
			   (ull)x86_reg(v, HVM_CR0), (ull)x86_reg(v, HVM_CR2),
			   (ull)x86_reg(v, HVM_CR3), (ull)x86_reg(v, HVM_CR4));
	out(line);
}

static void dump_segs(const struct vcpu *v, void (*out)(const char *line))
{
	static const char *const names[HVM_SEGS] = { "es", "cs",   "ss", "ds",	 "fs",
						     "gs", "ldtr", "tr", "gdtr", "idtr" };
	char line[LINE];

	for (unsigned int i = 0; i < HVM_SEGS; i++) {
		struct hvm_segment s;

		hvm->get_seg(v, (enum hvm_seg)i, &s);
		(void)fmt_snprintf(line, sizeof(line),
				   "%-4s %04x  base %016llx  limit %08x  attr %04x", names[i],
				   s.sel, (ull)s.base, s.limit, s.attr);
		out(line);
	}
}

static void dump_code(struct vcpu *v, void (*out)(const char *line))
{
	uint8_t bytes[15];
	unsigned int got = exit_fetch(v, bytes);
	char line[LINE];
	int len = fmt_snprintf(line, sizeof(line), "code at rip:");

	for (unsigned int i = 0; i < got; i++) {
		len += fmt_snprintf(line + len, sizeof(line) - (size_t)len, " %02x", bytes[i]);
	}
	out(got != 0 ? line : "code at rip: not readable");
}

void hvm_vcpu_dump(struct vcpu *v, void (*out)(const char *line))
{
	dump_gprs(v, out);
	dump_regs(v, out);
	dump_segs(v, out);
	dump_code(v, out);
	hvm->dump(v, out);
}
