/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest registers and segments in the VMCB, behind hvm_ops. */
/* Validity is checked above; here only what SVM, and QEMU's TCG, need is added. */
#include "arch/x86/hvm/x86_bits.h"
#include "arch/x86/svm/svm.h"

struct place {
	uint16_t offset; /* in the VMCB */
	uint16_t clean;	 /* its group */
};

#define SAVE(f) offsetof(struct vmcb, s.f)
static const struct place regs[HVM_REGS] = {
	[HVM_RIP] = { SAVE(rip), 0 },
	[HVM_RFLAGS] = { SAVE(rflags), 0 },
	[HVM_CR0] = { SAVE(cr0), VMCB_CLEAN_CR },
	[HVM_CR2] = { SAVE(cr2), VMCB_CLEAN_CR2 },
	[HVM_CR3] = { SAVE(cr3), VMCB_CLEAN_CR },
	[HVM_CR4] = { SAVE(cr4), VMCB_CLEAN_CR },
	[HVM_EFER] = { SAVE(efer), VMCB_CLEAN_CR },
	[HVM_DR6] = { SAVE(dr6), VMCB_CLEAN_DR },
	[HVM_DR7] = { SAVE(dr7), VMCB_CLEAN_DR },
	[HVM_PAT] = { SAVE(g_pat), VMCB_CLEAN_NP },
	[HVM_SYSENTER_CS] = { SAVE(sysenter_cs), 0 },
	[HVM_SYSENTER_ESP] = { SAVE(sysenter_esp), 0 },
	[HVM_SYSENTER_EIP] = { SAVE(sysenter_eip), 0 },
	[HVM_FS_BASE] = { SAVE(fs.base), 0 },
	[HVM_GS_BASE] = { SAVE(gs.base), 0 },
	[HVM_TSC_OFFSET] = { offsetof(struct vmcb, c.tsc_offset), VMCB_CLEAN_INTERCEPTS },
	[HVM_STAR] = { SAVE(star), 0 },
	[HVM_LSTAR] = { SAVE(lstar), 0 },
	[HVM_CSTAR] = { SAVE(cstar), 0 },
	[HVM_SFMASK] = { SAVE(sfmask), 0 },
	[HVM_KERNEL_GS_BASE] = { SAVE(kernel_gs_base), 0 },
	/* HVM_PDPTE*: the processor reads them from memory. */
};

static uint64_t *reg_place(struct vmcb *b, enum hvm_reg r)
{
	return (uint64_t *)((uint8_t *)b + regs[r].offset);
}

/* Adds what place_lme() may have taken away, and hides what is ours. */
static uint64_t guest_efer(const struct svm_vcpu *s, uint64_t efer)
{
	return (efer & ~VMCB_EFER_SVME) | (s->lme ? EFER_LME : 0);
}

uint64_t svm_reg_get(const struct vcpu *v, enum hvm_reg r)
{
	uint64_t val = regs[r].offset != 0 ? *reg_place(svm_of(v)->b, r) : 0;

	return r == HVM_EFER ? guest_efer(svm_of(v), val) : val;
}

/*
 * At #VMEXIT QEMU's TCG loads the host's CR0 while it still has the guest's EFER and CR4: with LME and
 * without PAE it refuses, and the host goes on without paging. LME counts only when paging begins,
 * which exits: until then the guest has none in the VMCB.
 */
static void place_lme(struct svm_vcpu *s)
{
	bool counts = !svm_features.minds_lme || (s->b->s.cr0 & CR0_PG) != 0;

	s->b->s.efer = (s->b->s.efer & ~EFER_LME) | (s->lme && counts ? EFER_LME : 0);
}

/* What follows from a register's new value. */
static void reg_changed(struct svm_vcpu *s, enum hvm_reg r, uint64_t val)
{
	if (r == HVM_EFER) {
		s->lme = (val & EFER_LME) != 0;
		s->b->s.efer |= VMCB_EFER_SVME;
	}
	if (r == HVM_EFER || r == HVM_CR0) {
		place_lme(s);
	}
	if (r == HVM_RIP) {
		s->b->c.shadow = 0; /* it covered the instruction that was there */
	}
}

void svm_reg_set(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	struct svm_vcpu *s = svm_of(v);

	if (regs[r].offset == 0) {
		return;
	}
	*reg_place(s->b, r) = val;
	svm_dirty(s, regs[r].clean);
	reg_changed(s, r, val);
}

static const struct place segs[HVM_SEGS] = {
	[HVM_ES] = { SAVE(es), VMCB_CLEAN_SEG },
	[HVM_CS] = { SAVE(cs), VMCB_CLEAN_SEG },
	[HVM_SS] = { SAVE(ss), VMCB_CLEAN_SEG },
	[HVM_DS] = { SAVE(ds), VMCB_CLEAN_SEG },
	[HVM_FS] = { SAVE(fs), 0 },
	[HVM_GS] = { SAVE(gs), 0 },
	[HVM_LDTR] = { SAVE(ldtr), 0 },
	[HVM_TR] = { SAVE(tr), 0 },
	[HVM_GDTR] = { SAVE(gdtr), VMCB_CLEAN_DT },
	[HVM_IDTR] = { SAVE(idtr), VMCB_CLEAN_DT },
};

#define SEG_DPL_SHIFT 5u
#define SEG_DPL_MASK  0x60u
#define TSS_BUSY      0x2u
#define TSS_BUSY_32   0xbu

static struct vmcb_segment *seg_place(struct vmcb *b, enum hvm_seg seg)
{
	return (struct vmcb_segment *)((uint8_t *)b + segs[seg].offset);
}

void svm_reg_get_seg(const struct vcpu *v, enum hvm_seg seg, struct hvm_segment *out)
{
	struct vmcb *b = svm_of(v)->b;
	const struct vmcb_segment *p = seg_place(b, seg);

	*out = (struct hvm_segment){ p->sel, p->attr, p->limit, p->base };
	if (seg == HVM_SS) { /* SYSRET does not load SS.DPL: only the CPL field is right */
		out->attr = (uint16_t)((p->attr & ~SEG_DPL_MASK) |
				       ((unsigned int)b->s.cpl << SEG_DPL_SHIFT));
	}
	if (seg == HVM_TR) { /* a loaded task register is busy, whatever VMSAVE wrote */
		out->attr |= TSS_BUSY;
	}
}

void svm_reg_set_seg(struct vcpu *v, enum hvm_seg seg, const struct hvm_segment *in)
{
	struct svm_vcpu *s = svm_of(v);
	struct vmcb_segment *p = seg_place(s->b, seg);

	*p = (struct vmcb_segment){ in->sel, in->attr, in->limit, in->base };
	svm_dirty(s, segs[seg].clean);
	if (seg == HVM_SS) {
		s->b->s.cpl = (uint8_t)X86_SEG_DPL(in->attr);
	}
	/*
	 * QEMU's TCG takes a TR of type Bh for no TSS and refuses every port in its bitmap; its own
	 * VMSAVE writes type 9, as the descriptor was when LTR read it.
	 */
	if (seg == HVM_TR && !svm_features.nrips && (in->attr & X86_SEG_TYPE) == TSS_BUSY_32) {
		p->attr = (uint16_t)(p->attr & ~TSS_BUSY);
	}
}
