/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD-V behind struct hvm_ops: turning it on, vCPUs' control blocks, one round trip. */
/* What an exit means is svm_exit.c's, what gets injected svm_event.c's, registers are svm_reg.c's. */
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
	.get_reg = svm_reg_get,
	.set_reg = svm_reg_set,
	.get_seg = svm_reg_get_seg,
	.set_seg = svm_reg_set_seg,
	.get_halfway = svm_event_get_halfway,
	.set_halfway = svm_event_set_halfway,
	.interrupt_shadow = interrupt_shadow,
	.dump = dump,
};
