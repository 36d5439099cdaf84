/* SPDX-License-Identifier: BSD-2-Clause */
/* The contents of a fresh VMCB, and its printed form. */
/* Runs nothing: that is svm_vcpu.c. */
#include "arch/x86/svm/vmcb.h"

#include "hv/lib/bytes.h"
#include "hv/lib/fmt.h"

#define INTERCEPT1                                                                                 \
	(VMCB_INTERCEPT_INTR | VMCB_INTERCEPT_NMI | VMCB_INTERCEPT_CR0_SEL_WRITE |                 \
	 VMCB_INTERCEPT_RDPMC | VMCB_INTERCEPT_CPUID | VMCB_INTERCEPT_RSM | VMCB_INTERCEPT_INVD |  \
	 VMCB_INTERCEPT_HLT | VMCB_INTERCEPT_INVLPGA | VMCB_INTERCEPT_IOIO | VMCB_INTERCEPT_MSR |  \
	 VMCB_INTERCEPT_FERR_FREEZE | VMCB_INTERCEPT_SHUTDOWN)
#define INTERCEPT2                                                                                 \
	(VMCB_INTERCEPT_VMRUN | VMCB_INTERCEPT_VMMCALL | VMCB_INTERCEPT_VMLOAD |                   \
	 VMCB_INTERCEPT_VMSAVE | VMCB_INTERCEPT_STGI | VMCB_INTERCEPT_CLGI |                       \
	 VMCB_INTERCEPT_SKINIT | VMCB_INTERCEPT_WBINVD | VMCB_INTERCEPT_MONITOR |                  \
	 VMCB_INTERCEPT_MWAIT | VMCB_INTERCEPT_XSETBV | VMCB_INTERCEPT_RDPRU)
#define INTERCEPT3                                                                                 \
	(VMCB_INTERCEPT_INVLPGB | VMCB_INTERCEPT_INVLPGB_ILLEGAL | VMCB_INTERCEPT_MCOMMIT |        \
	 VMCB_INTERCEPT_TLBSYNC)

void vmcb_init(struct vmcb *b)
{
	struct vmcb_control *c = &b->c;

	c->cr_read = BIT(8);
	c->cr_write = BIT(4) | BIT(8);
	c->exceptions = VMCB_EXCEPTIONS;
	c->intercept1 = (uint32_t)INTERCEPT1;
	c->intercept2 = INTERCEPT2;
	c->intercept3 = INTERCEPT3;
	c->int_ctl = VMCB_V_INTR_MASKING;
	c->np_enable = VMCB_NP_ENABLE;
	b->s.efer = VMCB_EFER_SVME;
}

struct field {
	const char *name;
	uint16_t offset;
	uint8_t size; /* 1, 2, 4, 8; 16: a segment */
};

#define CONTROL(f)                                                                                 \
	{                                                                                          \
#f, offsetof(struct vmcb, c.f), sizeof(((struct vmcb *)0)->c.f)                    \
	}
#define SAVE(f)                                                                                    \
	{                                                                                          \
#f, offsetof(struct vmcb, s.f), sizeof(((struct vmcb *)0)->s.f)                    \
	}

static const struct field fields[] = {
	CONTROL(exit_code),
	CONTROL(exit_info1),
	CONTROL(exit_info2),
	CONTROL(exit_int_info),
	CONTROL(event_inj),
	CONTROL(int_ctl),
	CONTROL(shadow),
	CONTROL(nrip),
	CONTROL(asid),
	CONTROL(tlb_control),
	CONTROL(clean),
	CONTROL(tsc_offset),
	CONTROL(np_enable),
	CONTROL(ncr3),
	CONTROL(iopm),
	CONTROL(msrpm),
	CONTROL(cr_read),
	CONTROL(cr_write),
	CONTROL(exceptions),
	CONTROL(intercept1),
	CONTROL(intercept2),
	CONTROL(intercept3),
	SAVE(rip),
	SAVE(rsp),
	SAVE(rax),
	SAVE(rflags),
	SAVE(cr0),
	SAVE(cr2),
	SAVE(cr3),
	SAVE(cr4),
	SAVE(efer),
	SAVE(cpl),
	SAVE(dr6),
	SAVE(dr7),
	SAVE(g_pat),
	SAVE(es),
	SAVE(cs),
	SAVE(ss),
	SAVE(ds),
	SAVE(fs),
	SAVE(gs),
	SAVE(gdtr),
	SAVE(ldtr),
	SAVE(idtr),
	SAVE(tr),
	SAVE(star),
	SAVE(lstar),
	SAVE(cstar),
	SAVE(sfmask),
	SAVE(kernel_gs_base),
	SAVE(sysenter_cs),
	SAVE(sysenter_esp),
	SAVE(sysenter_eip),
};

static void dump_field(const struct vmcb *b, const struct field *f, char *line, size_t size)
{
	const uint8_t *p = (const uint8_t *)b + f->offset;

	if (f->size == sizeof(struct vmcb_segment)) {
		fmt_snprintf(line, size, "%-14s %03x  sel %04x attr %03x limit %08x base %016lx",
			     f->name, f->offset, bytes_get_le16(p), bytes_get_le16(p + 2),
			     bytes_get_le32(p + 4), bytes_get_le64(p + 8));
	} else {
		fmt_snprintf(line, size, "%-14s %03x  %0*lx", f->name, f->offset, f->size * 2,
			     bytes_get_le(p, f->size));
	}
}

void vmcb_dump(const struct vmcb *b, void (*out)(const char *line))
{
	char line[96];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		dump_field(b, &fields[i], line, sizeof(line));
		out(line);
	}
}
