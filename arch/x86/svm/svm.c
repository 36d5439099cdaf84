/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD-V behind struct hvm_ops: turning it on, vCPUs' control blocks and registers, one round trip. */
/* What an exit means is svm_exit.c's, what gets injected svm_event.c's. */
#include "arch/x86/svm/svm.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/backends.h"
#include "arch/x86/hvm/hvm_start.h"
#include "arch/x86/hvm/slat.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vmsr.h"
#include "arch/x86/hvm/x86_bits.h"
#include "arch/x86/svm/npt.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/base/stretch.h"
#include "hv/base/trace.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/timer.h"
#include "hv/vm.h"

#define MSR_VM_CR	0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define VM_CR_SVMDIS	BIT(4)

#define CPUID_SVM	  0x8000000au
#define CPUID_SVM_NP	  BIT(0)
#define CPUID_SVM_NRIPS	  BIT(3)
#define CPUID_SVM_CLEAN	  BIT(5)
#define CPUID_SVM_FLUSH	  BIT(6)
#define CPUID_SVM_DECODE  BIT(7)
#define CPUID_SVM_PAUSE	  BIT(10)
#define CPUID_EXT	  0x80000001u
#define CPUID_HYPERVISOR  0x40000000u
#define CPUID1_ECX_GUEST  BIT(31)
#define TCG_NAME	  0x54474354u /* "TCGT" in EBX */
#define CPUID_EXT_ECX_SVM BIT(2)
#define CPUID_EXT_EDX_NX  BIT(20)

#define DR7_ENABLES 0xffu /* L0-3, G0-3: SDM and APM, "Debug Control Register" */
#define DR7_RESET   0x400u

#define MSRPM_ORDER 1u /* 8 KiB: APM Vol. 2, "MSR Intercepts" */
#define IOPM_ORDER  2u /* 12 KiB: "I/O Intercepts" */

/* APM Vol. 2, "Pause Intercept Filtering": how many, less than a gap of cycles apart, are a loop. */
#define PAUSES	  3000u
#define PAUSE_GAP 128u

struct svm_cpu {
	hpa_t host;	 /* a VMCB with VMSAVE's part of our state, which VMRUN does not keep */
	void *save_area; /* VM_HSAVE_PA: the processor's own */
	struct asid_pool asids;
};

struct svm_features svm_features;
static struct svm_cpu cpus[CPU_MAX];
/* Shared by all guests: they differ in nothing but TSC_AUX, which not every CPU model has. */
static uint8_t *msrpm_plain, *msrpm_tsc_aux, *iopm;

static unsigned int probe(struct hvm_feature *rows, unsigned int max)
{
	bool svm = (x86_cpuid_checked(CPUID_EXT, 0).ecx & CPUID_EXT_ECX_SVM) != 0;
	uint32_t edx = svm ? x86_cpuid_checked(CPUID_SVM, 0).edx : 0;
	const struct hvm_feature all[] = {
		{ "AMD-V", true, svm },
		{ "AMD-V not disabled by firmware", true,
		  svm && (x86_rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) == 0 },
		{ "nested paging", true, (edx & CPUID_SVM_NP) != 0 },
		{ "no-execute pages", true,
		  (x86_cpuid_checked(CPUID_EXT, 0).edx & CPUID_EXT_EDX_NX) != 0 },
		{ "NRIP save", false, (edx & CPUID_SVM_NRIPS) != 0 },
		{ "VMCB clean bits", false, (edx & CPUID_SVM_CLEAN) != 0 },
		{ "flush by ASID", false, (edx & CPUID_SVM_FLUSH) != 0 },
		{ "decode assists", false, (edx & CPUID_SVM_DECODE) != 0 },
		{ "PAUSE filter", false, (edx & CPUID_SVM_PAUSE) != 0 },
	};
	unsigned int count = max < ARRAY_SIZE(all) ? max : (unsigned int)ARRAY_SIZE(all);

	if (!svm && strcmp(cpu_vendor(), "AuthenticAMD") != 0) {
		return 0; /* another vendor's CPU */
	}
	if (!svm) {
		count = max < 1 ? max : 1; /* the rest is of AMD-V: nothing is known of it */
	}
	memcpy(rows, all, count * sizeof(*rows));
	return count;
}

/* QEMU's TCG names itself, unless that was taken away (kvm=off). */
static bool is_tcg(void)
{
	return (x86_cpuid(1, 0).ecx & CPUID1_ECX_GUEST) != 0 &&
	       x86_cpuid(CPUID_HYPERVISOR, 0).ebx == TCG_NAME;
}

static void read_features(void)
{
	struct x86_cpuid r = x86_cpuid_checked(CPUID_SVM, 0);

	svm_features = (struct svm_features){
		.nrips = (r.edx & CPUID_SVM_NRIPS) != 0,
		.loads_null_tr = is_tcg(),
		.keeps_breakpoints = is_tcg(),
		.repeats_interrupts = is_tcg(),
		.minds_lme = is_tcg(),
		.loses_interrupts = is_tcg(),
		.clean_bits = (r.edx & CPUID_SVM_CLEAN) != 0,
		.flush_by_asid = (r.edx & CPUID_SVM_FLUSH) != 0,
		.decode_assists = (r.edx & CPUID_SVM_DECODE) != 0,
		.pause_filter = (r.edx & CPUID_SVM_PAUSE) != 0,
		.asids = r.ebx < 2 ? 2 : r.ebx,
	};
}

/* Two bits per MSR, three ranges of 8192: APM Vol. 2, "MSR Intercepts". */
static void msrpm_allow(uint8_t *map, uint32_t msr)
{
	static const uint32_t first[] = { 0, 0xc0000000u, 0xc0010000u };

	for (uint32_t i = 0; i < ARRAY_SIZE(first); i++) {
		if (msr - first[i] < 0x2000) {
			uint32_t bit = i * 0x4000 + (msr - first[i]) * 2;

			map[bit / 8] = (uint8_t)(map[bit / 8] & ~(3u << bit % 8));
		}
	}
}

static uint8_t *make_msrpm(bool tsc_aux)
{
	uint8_t *map = page_alloc(MSRPM_ORDER);
	unsigned int count;
	const uint32_t *pass = vmsr_passthrough(&count);

	if (map == NULL) {
		return NULL;
	}
	memset(map, 0xff, PAGE_SIZE << MSRPM_ORDER);
	for (unsigned int i = 0; i < count; i++) {
		if (pass[i] != MSR_TSC_AUX || tsc_aux) {
			msrpm_allow(map, pass[i]);
		}
	}
	return map;
}

/* Once, by the first CPU, before others start. */
static int make_maps(void)
{
	if (iopm != NULL) {
		return 0;
	}
	read_features();
	svm_exit_init();
	msrpm_plain = make_msrpm(false);
	msrpm_tsc_aux = make_msrpm(true);
	iopm = page_alloc(IOPM_ORDER);
	if (msrpm_plain == NULL || msrpm_tsc_aux == NULL || iopm == NULL) {
		return -ENOMEM;
	}
	memset(iopm, 0xff, PAGE_SIZE << IOPM_ORDER);
	return 0;
}

static int cpu_enable(void)
{
	struct svm_cpu *c = &cpus[cpu_id()];
	void *host;
	int err = make_maps();

	if (err != 0) {
		return err;
	}
	if (x86_rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
		return -EACCES;
	}
	host = page_alloc(0);
	c->save_area = page_alloc(0);
	if (host == NULL || c->save_area == NULL) {
		return -ENOMEM;
	}
	c->host = paging_hpa(host);
	x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | VMCB_EFER_SVME);
	x86_wrmsr(MSR_VM_HSAVE_PA, paging_hpa(c->save_area).v);
	__asm__ volatile("vmsave %[vmcb]" : : [vmcb] "a"(c->host.v) : "memory");
	asid_init(&c->asids, svm_features.asids);
	return 0;
}

static void cpu_disable(void)
{
	/* GIF is 1 in root mode; INIT must not be held off after SVME is cleared. */
	x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) & ~VMCB_EFER_SVME);
	x86_wrmsr(MSR_VM_HSAVE_PA, 0);
}

static int vm_create_slat(struct vm *vm)
{
	struct slat *slat = heap_alloc(sizeof(*slat));
	int err = slat == NULL ? -ENOMEM : slat_create(slat, npt_format());

	if (err != 0) {
		heap_free(slat);
		return err;
	}
	vm->slat = slat;
	return 0;
}

static void vm_destroy_slat(struct vm *vm)
{
	slat_destroy(vm->slat);
	heap_free(vm->slat);
	vm->slat = NULL;
}

static int map_ram(struct vm *vm, gpa_t gpa, hpa_t hpa, uint64_t size, enum hvm_right rights)
{
	return slat_map(vm->slat, gpa, hpa, size, rights);
}

static int unmap_ram(struct vm *vm, gpa_t gpa, uint64_t size)
{
	return slat_unmap(vm->slat, gpa, size);
}

static void fill_addresses(struct vcpu *v, struct vmcb_control *c)
{
	const struct slat *slat = v->vm->slat;

	c->iopm = paging_hpa(iopm).v;
	c->msrpm = paging_hpa(vcpuid_has(v, VCPUID_RDTSCP) ? msrpm_tsc_aux : msrpm_plain).v;
	c->ncr3 = slat->root.v;
	c->tsc_offset = v->tsc_offset;
	c->pause_count = PAUSES;
	c->pause_threshold = PAUSE_GAP;
}

static int vcpu_create_vmcb(struct vcpu *v)
{
	struct svm_vcpu *s = heap_alloc(sizeof(*s));

	if (s == NULL) {
		return -ENOMEM;
	}
	s->b = page_alloc(0);
	if (s->b == NULL) {
		heap_free(s);
		return -ENOMEM;
	}
	s->hpa = paging_hpa(s->b);
	v->hvm = s;
	v->exit_names = svm_exit_names();
	vmcb_init(s->b);
	s->b->c.dr_write = svm_features.keeps_breakpoints ? BIT(5) | BIT(7) : 0;
	s->b->c.intercept1 |= svm_features.loads_null_tr ? VMCB_INTERCEPT_TR_WRITE : 0;
	fill_addresses(v, &s->b->c);
	hvm_reset_state(v);
	return 0;
}

static void vcpu_destroy_vmcb(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);

	page_free(s->b, 0);
	heap_free(s);
	v->hvm = NULL;
}

static void switched_in(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	unsigned int cpu = cpu_id();

	/* Another CPU may have run it since: nothing that this one keeps of the VMCB is good. */
	s->clean = 0;
	s->cpu = &cpus[cpu];
	s->ring = &trace_rings[cpu];
	s->stretch = &stretches[cpu];
	s->alarm = timer_next_of(cpu);
	svm_event_watch_pauses(v, true);
	vcpu_x86_load(v);
}

static void switched_out(struct vcpu *v)
{
	vcpu_x86_save(v);
}

/* The TLB may hold nothing of this vCPU that is older than its page tables, nor anyone else's. */
static void prepare_tlb(struct vcpu *v, struct svm_vcpu *s, struct svm_cpu *c)
{
	struct vmcb_control *ctl = &s->b->c;
	enum asid_flush flush = asid_prepare(&c->asids, &s->asid, slat_generation(v->vm->slat));

	ctl->tlb_control = VMCB_TLB_KEEP;
	if (likely(flush == ASID_KEEP)) {
		return;
	}
	svm_dirty(s, VMCB_CLEAN_ASID);
	ctl->asid = s->asid.asid;
	ctl->tlb_control = flush == ASID_FLUSH_OWN && svm_features.flush_by_asid
				   ? VMCB_TLB_FLUSH_ASID
				   : VMCB_TLB_FLUSH_ALL;
}

/* No translation is of that generation: prepare_tlb flushes. */
#define NO_GENERATION UINT64_MAX

static void flush_tlb(struct vcpu *v)
{
	svm_of(v)->asid.tables = NO_GENERATION;
}

/*
 * #VMEXIT disables the guest's breakpoints (APM Vol. 2, "#VMEXIT"). QEMU's TCG leaves them armed and
 * later takes the list of what is armed for one of DR7's at that time, which crashes it. There DR7 is
 * switched by hand, and a guest's write of it exits; DR0-3 are the guest's already.
 */
static bool dr7_needs_switch(const struct vmcb *b)
{
	return unlikely((b->s.dr7 & DR7_ENABLES) != 0) && svm_features.keeps_breakpoints;
}

static void write_dr7(uint64_t val)
{
	__asm__ volatile("mov %0, %%db7" : : "r"(val) : "memory");
}

/*
 * QEMU's TCG drops an interrupt request of the host that comes from its other thread in the very moment
 * of a #VMEXIT (it changes the word of requests without a lock there). The local APIC keeps the vector
 * and asks again with the next one; but nothing comes behind a lost alarm: without this time would stand
 * still until a key is pressed. Elsewhere the interrupt of an alarm that is over ends the guest's stay.
 */
static void renew_alarm(const struct svm_vcpu *s, uint64_t now)
{
	uint64_t deadline = __atomic_load_n(s->alarm, __ATOMIC_RELAXED);

	if (unlikely(now > deadline) && svm_features.loses_interrupts) {
		clock_arm(deadline);
	}
}

static enum hvm_next vcpu_run(struct vcpu *v)
{
	struct svm_vcpu *s = svm_of(v);
	struct svm_cpu *c = s->cpu;
	struct vmcb *b = s->b;
	uint64_t now;

	svm_event_prepare(v, s);
	prepare_tlb(v, s, c);
	b->c.clean = svm_features.clean_bits ? s->clean : 0;
	b->s.rax = v->gprs[GPR_RAX];
	b->s.rsp = v->gprs[GPR_RSP];
	if (dr7_needs_switch(b)) {
		write_dr7(b->s.dr7);
	}
	now = x86_rdtsc();
	renew_alarm(s, now);
	stretch_end(s->stretch, now);
	svm_entry(v->gprs, s->hpa.v, c->host.v);
	v->exit_tsc = x86_rdtsc();
	stretch_begin(s->stretch, v->exit_tsc);
	if (dr7_needs_switch(b)) {
		write_dr7(DR7_RESET);
	}
	v->gprs[GPR_RAX] = b->s.rax;
	v->gprs[GPR_RSP] = b->s.rsp;
	s->clean = VMCB_CLEAN_ALL;
	svm_event_after_exit(v, s);
	return svm_exit_handle(v);
}

struct reg_row {
	uint16_t offset; /* in the VMCB */
	uint16_t clean;	 /* its group */
};

#define SAVE(f) offsetof(struct vmcb, s.f)
static const struct reg_row regs[HVM_REGS] = {
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

static uint64_t get_reg(const struct vcpu *v, enum hvm_reg r)
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

static void set_reg(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	struct svm_vcpu *s = svm_of(v);

	if (regs[r].offset == 0) {
		return;
	}
	*reg_place(s->b, r) = val;
	svm_dirty(s, regs[r].clean);
	reg_changed(s, r, val);
}

struct seg_row {
	uint16_t offset;
	uint16_t clean;
};

static const struct seg_row segs[HVM_SEGS] = {
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

static void get_seg(const struct vcpu *v, enum hvm_seg seg, struct hvm_segment *out)
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

static void set_seg(struct vcpu *v, enum hvm_seg seg, const struct hvm_segment *in)
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

static bool interrupt_shadow(const struct vcpu *v)
{
	return (svm_of(v)->b->c.shadow & VMCB_SHADOW) != 0;
}

static void dump(const struct vcpu *v, void (*out)(const char *line))
{
	vmcb_dump(svm_of(v)->b, out);
}

const struct hvm_ops svm_hvm_ops = {
	.name = "SVM",
	.probe = probe,
	.cpu_enable = cpu_enable,
	.cpu_disable = cpu_disable,
	.vm_create = vm_create_slat,
	.vm_destroy = vm_destroy_slat,
	.slat_map = map_ram,
	.slat_unmap = unmap_ram,
	.vcpu_create = vcpu_create_vmcb,
	.vcpu_destroy = vcpu_destroy_vmcb,
	.vcpu_init = svm_event_init,
	.vcpu_switched_in = switched_in,
	.vcpu_switched_out = switched_out,
	.flush_tlb = flush_tlb,
	.vcpu_run = vcpu_run,
	.get_reg = get_reg,
	.set_reg = set_reg,
	.get_seg = get_seg,
	.set_seg = set_seg,
	.get_halfway = svm_event_get_halfway,
	.set_halfway = svm_event_set_halfway,
	.interrupt_shadow = interrupt_shadow,
	.dump = dump,
};
