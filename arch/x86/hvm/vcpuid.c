/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID tells a guest: builds one vCPU's answers from the host's and the policy, and looks them up. */
/* Which bits may pass is vcpuid_policy.c; nothing here executes CPUID after creation. */
#include "arch/x86/hvm/vcpuid.h"

#include "arch/clock.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid_host.h"
#include "arch/x86/hvm/vcpuid_policy.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vm.h"

#define EXT_LEAF  0x80000000u
#define INTEL_MAX 0x16u /* TSC and frequency leaves */
#define AMD_MAX	  0x0du
#define INTEL_EXT 0x80000008u
#define AMD_EXT	  0x8000001au

#define HYPER_LEAVES 4u /* their upper 4 bits: the hypervisors' */

#define LEAF1_APIC    BIT(9)  /* EDX */
#define LEAF1_OSXSAVE BIT(27) /* ECX */

static struct vcpuid_leaf *leaf_of(struct vcpuid_view *view, uint32_t leaf)
{
	if (leaf <= VCPUID_BASIC_MAX) {
		return &view->basic[leaf];
	}
	if (leaf - EXT_LEAF <= VCPUID_EXT_MAX) {
		return &view->ext[leaf - EXT_LEAF];
	}
	return NULL;
}

static bool in_range(const struct vcpuid_view *view, uint32_t leaf)
{
	if (leaf >= EXT_LEAF) {
		return leaf <= view->max_ext;
	}
	return leaf <= view->max_basic;
}

static const struct x86_cpuid *hyper_lookup(const struct vcpuid_view *view, uint32_t leaf)
{
	for (unsigned int i = 0; i < view->hyper_count; i++) {
		if (view->hyper[i].leaf == leaf) {
			return &view->hyper[i].regs;
		}
	}
	return &view->rows[0];
}

const struct x86_cpuid *vcpuid_lookup(const struct vcpuid_view *view, uint32_t leaf, uint32_t sub)
{
	const struct vcpuid_leaf *l;

	if (unlikely(!in_range(view, leaf))) {
		if (leaf >> 28 == HYPER_LEAVES) {
			return hyper_lookup(view, leaf);
		}
		/* SDM Vol. 2A, "CPUID": the data of the highest basic leaf; APM: zeros. */
		leaf = view->intel ? view->max_basic : UINT32_MAX;
	}
	l = leaf_of((struct vcpuid_view *)(uintptr_t)view, leaf);
	if (l == NULL) {
		return &view->rows[0];
	}
	if (!l->indexed) {
		return &view->rows[l->first];
	}
	return &view->rows[sub <= (uint32_t)(l->last - l->first) ? l->first + sub : l->beyond];
}

/* A new row for a leaf; subleaves in rising order without gaps. NULL: the table is full. */
static struct x86_cpuid *add_row(struct vcpuid_view *view, uint32_t leaf, uint32_t sub)
{
	struct vcpuid_leaf *l = leaf_of(view, leaf);

	if (l == NULL || view->count == VCPUID_ROWS) {
		return NULL;
	}
	if (sub == 0) {
		l->first = view->count;
	}
	l->last = view->count;
	return &view->rows[view->count++];
}

static void add_leaf(struct vcpuid_view *view, uint32_t leaf, struct x86_cpuid regs)
{
	struct x86_cpuid *row = add_row(view, leaf, 0);

	if (row != NULL) {
		*row = regs;
	}
}

static void add_subleaf(struct vcpuid_view *view, uint32_t leaf, uint32_t sub,
			struct x86_cpuid regs)
{
	struct x86_cpuid *row = add_row(view, leaf, sub);

	if (row != NULL) {
		leaf_of(view, leaf)->indexed = true;
		*row = regs;
	}
}

/* Leaf 4: as the host's caches, shared by the cores that this VM has. */
static void add_caches(struct vcpuid_view *view, unsigned int cpus)
{
	for (uint32_t sub = 0; sub < 8; sub++) {
		struct x86_cpuid r = vcpuid_host(4, sub);
		unsigned int level = r.eax >> 5 & 7;

		if ((r.eax & 0x1f) == 0) {
			add_subleaf(view, 4, sub, (struct x86_cpuid){ 0 });
			return;
		}
		r.eax &= 0x3fff;
		r.eax |= (level >= 3 ? cpus - 1 : 0) << 14 | (cpus - 1) << 26;
		add_subleaf(view, 4, sub, r);
	}
}

/* Leaf 0Bh: one thread a core, all cores in one package. */
static void add_topology(struct vcpuid_view *view, unsigned int cpus, uint32_t id)
{
	unsigned int shift = cpus > 1 ? 32 - (unsigned int)__builtin_clz(cpus - 1) : 0;

	add_subleaf(view, 0xb, 0, (struct x86_cpuid){ 0, 1, 0x100, id });
	add_subleaf(view, 0xb, 1, (struct x86_cpuid){ shift, cpus, 0x201, id });
	add_subleaf(view, 0xb, 2, (struct x86_cpuid){ 0, 0, 2, id });
	view->basic[0xb].beyond = view->basic[0xb].last;
}

/* Leaf 0Dh, the parts that do not change; subleaves 0 and 1 are completed by vcpuid_refresh. */
static void add_xsave(struct vcpuid_view *view)
{
	struct x86_cpuid r = vcpuid_host(0xd, 1);

	if (view->xcr0 == 0) {
		return;
	}
	add_subleaf(view, 0xd, 0, (struct x86_cpuid){ (uint32_t)view->xcr0, 0, 0, 0 });
	/* XSAVEOPT, XSAVEC, XGETBV with ECX = 1; no XSAVES: there is no supervisor state. */
	add_subleaf(view, 0xd, 1, (struct x86_cpuid){ r.eax & 7, 0, 0, 0 });
	for (uint32_t i = 2; i < 20; i++) {
		r = (view->xcr0 & BIT(i)) != 0 ? vcpuid_host(0xd, i) : (struct x86_cpuid){ 0 };
		r.ecx &= 2;
		r.edx = 0;
		add_subleaf(view, 0xd, i, r);
	}
}

/*
 * Leaves 15h and 16h for Intel's, so that nobody needs to calibrate: the "crystal" has the TSC's
 * rate (the local APIC timer counts it, see vlapic.h). Left out if it does not fit into ECX.
 */
static void add_frequency(struct vcpuid_view *view)
{
	uint64_t hz = clock_hz();
	uint32_t mhz = (uint32_t)((hz + 500000) / 1000000) & 0xffff;

	if (hz <= UINT32_MAX) {
		add_leaf(view, 0x15, (struct x86_cpuid){ 1, 1, (uint32_t)hz, 0 });
	}
	add_leaf(view, 0x16, (struct x86_cpuid){ mhz, mhz, 100, 0 });
}

static void add_limits(struct vcpuid_view *view)
{
	struct x86_cpuid basic = vcpuid_host(0, 0);
	struct x86_cpuid ext = vcpuid_host(EXT_LEAF, 0);

	view->intel = basic.ebx == 0x756e6547; /* "Genu" */
	view->max_basic = view->intel ? INTEL_MAX : AMD_MAX;
	view->max_ext = (uint32_t)u64_min(ext.eax, view->intel ? INTEL_EXT : AMD_EXT);
	basic.eax = view->max_basic;
	ext.eax = view->max_ext;
	add_leaf(view, 0, basic);
	add_leaf(view, EXT_LEAF, ext);
}

static void apply_policy(struct vcpuid_view *view)
{
	unsigned int count;
	const struct vcpuid_policy *rows = vcpuid_policy_rows(&count);

	for (unsigned int i = 0; i < count; i++) {
		const struct vcpuid_policy *p = &rows[i];
		struct x86_cpuid host = vcpuid_host(p->leaf, 0);
		bool wanted = p->vendor == VCPUID_ANY || (p->vendor == VCPUID_INTEL) == view->intel;

		if (wanted && in_range(view, p->leaf)) {
			add_leaf(view, p->leaf,
				 (struct x86_cpuid){ (host.eax & p->mask.eax) | p->set.eax,
						     (host.ebx & p->mask.ebx) | p->set.ebx,
						     (host.ecx & p->mask.ecx) | p->set.ecx,
						     (host.edx & p->mask.edx) | p->set.edx });
		}
	}
}

/* Rows that the policy made and the VM's shape completes. */
static void shape(struct vcpuid_view *view, unsigned int cpus, uint32_t id)
{
	struct x86_cpuid *one = &view->rows[view->basic[1].first];
	struct x86_cpuid *ext1 = &view->rows[view->ext[1].first];
	struct x86_cpuid *ext8 = &view->rows[view->ext[8].first];

	one->ebx = (one->ebx & 0xff00) | cpus << 16 | id << 24;
	one->edx |= cpus > 1 ? BIT(28) : 0; /* HTT: the count above is valid */
	if (view->intel) {
		return;
	}
	ext1->edx |= one->edx & 0x0183f3ff; /* AMD repeats leaf 1 there */
	ext1->ecx |= cpus > 1 ? BIT(1) : 0; /* CmpLegacy */
	ext8->ecx = cpus - 1;
}

/* Linear addresses of 48 bits, physical ones of as many at most. */
static void limit_addresses(struct vcpuid_view *view)
{
	struct x86_cpuid *ext8 = &view->rows[view->ext[8].first];
	uint32_t bits = (uint32_t)u64_min(ext8->eax & 0xff, 48);

	ext8->eax = (bits != 0 ? bits : 36) | 48 << 8;
}

/* What the configuration takes away ("-rdrand"), and what cannot be without it. */
static void remove_features(struct vcpuid_view *view, const struct vm_config *cfg)
{
	for (unsigned int i = 0; i < cfg->cpuid_count && i < VM_CPUID_MAX; i++) {
		const char *name = cfg->cpuid[i];

		vcpuid_policy_clear(view, name + (name[0] == '-' ? 1 : 0));
	}
	vcpuid_policy_close(view);
}

static int build(struct vcpuid_view *view, const struct vcpu *v)
{
	unsigned int cpus = v->vm->cfg.cpus != 0 ? v->vm->cfg.cpus : 1;

	view->count = 1; /* row 0: zeros */
	add_limits(view);
	apply_policy(view);
	view->basic[7].indexed = true; /* and has no other subleaf: those are zero */
	shape(view, cpus, v->id);
	limit_addresses(view);
	remove_features(view, &v->vm->cfg);
	view->xcr0 = vcpuid_policy_xcr0(view);
	if (view->intel) {
		add_caches(view, cpus);
		add_frequency(view);
	}
	add_topology(view, cpus, v->id);
	add_xsave(view);
	kvm_leaf_make(view, &v->vm->cfg);
	return view->count < VCPUID_ROWS ? 0 : -ENOSPC;
}

int vcpuid_create(struct vcpu *v)
{
	struct vcpuid_view *view = heap_alloc(sizeof(*view));
	int err;

	if (view == NULL) {
		return -ENOMEM;
	}
	err = build(view, v);
	if (err != 0) {
		heap_free(view);
		return err;
	}
	v->x86->cpuid = view;
	return 0;
}

/* Row 0 is for the leaves that are not there. */
static void blank(struct vcpuid_view *view, uint32_t leaf)
{
	unsigned int row = leaf_of(view, leaf)->first;

	if (row != 0) {
		view->rows[row] = (struct x86_cpuid){ 0 };
	}
}

/* Takes out what shows the guest's state, or measured rates. */
static void leave_fixed(struct vcpuid_view *view)
{
	struct x86_cpuid *one = &view->rows[view->basic[1].first];

	one->ecx &= ~(uint32_t)LEAF1_OSXSAVE;
	one->edx &= ~(uint32_t)LEAF1_APIC;
	if (view->xcr0 != 0) {
		struct x86_cpuid *xsave = &view->rows[view->basic[0xd].first];

		xsave[0].ebx = xsave[0].ecx = xsave[1].ebx = 0; /* refresh_xsave() */
	}
	blank(view, 0x15);
	blank(view, 0x16);
	for (unsigned int i = 0; i < view->hyper_count; i++) {
		if (view->hyper[i].leaf == KVM_LEAF_TIMING) {
			view->hyper[i].regs = (struct x86_cpuid){ 0 };
		}
	}
}

/* Where leaves are must be the same before rows are looked at: from then on indices are our own. */
static bool same_shape(const struct vcpuid_view *a, const struct vcpuid_view *b)
{
	return memcmp(a->basic, b->basic, sizeof(a->basic)) == 0 &&
	       memcmp(a->ext, b->ext, sizeof(a->ext)) == 0 && a->hyper_count == b->hyper_count;
}

static bool same_processor(const struct vcpuid_view *a, const struct vcpuid_view *b)
{
	struct vcpuid_view *copy = heap_alloc(2 * sizeof(*copy));
	bool same = false;

	if (copy != NULL) {
		copy[0] = *a;
		copy[1] = *b;
		leave_fixed(&copy[0]);
		leave_fixed(&copy[1]);
		same = memcmp(&copy[0], &copy[1], sizeof(*copy)) == 0;
	}
	heap_free(copy);
	return same;
}

bool vcpuid_adopt(struct vcpu *v, const struct vcpuid_view *saved)
{
	if (!same_shape(v->x86->cpuid, saved) || !same_processor(v->x86->cpuid, saved)) {
		return false;
	}
	*v->x86->cpuid = *saved;
	return true;
}

void vcpuid_destroy(struct vcpu *v)
{
	heap_free(v->x86->cpuid);
	v->x86->cpuid = NULL;
}

/* Bytes of an XSAVE area for the components in xcr0; compact: as XSAVEC writes it. */
static uint32_t area_size(const struct vcpuid_view *view, uint64_t xcr0, bool compact)
{
	const struct x86_cpuid *rows = &view->rows[view->basic[0xd].first];
	uint32_t end = 576;

	for (unsigned int i = 2; i < 20; i++) {
		if ((xcr0 & BIT(i)) == 0) {
			continue;
		}
		if (compact) {
			end = (rows[i].ecx & 2) != 0 ? ALIGN_UP(end, 64u) : end;
			end += rows[i].eax;
		} else {
			end = (uint32_t)u64_max(end, rows[i].eax + rows[i].ebx);
		}
	}
	return end;
}

uint32_t vcpuid_xsave_size(const struct vcpuid_view *view)
{
	return view->xcr0 != 0 ? area_size(view, view->xcr0, false) : 512;
}

static void refresh_xsave(struct vcpuid_view *view, uint64_t xcr0)
{
	struct x86_cpuid *rows = &view->rows[view->basic[0xd].first];

	if (view->xcr0 == 0) {
		return;
	}
	rows[0].ebx = area_size(view, xcr0, false);
	rows[0].ecx = area_size(view, view->xcr0, false);
	rows[1].ebx = (rows[1].eax & 2) != 0 ? area_size(view, xcr0, true) : 0;
}

static void set_bit_if(uint32_t *reg, uint32_t bit, bool on)
{
	*reg = on ? *reg | bit : *reg & ~bit;
}

void vcpuid_refresh(struct vcpu *v, uint32_t leaf)
{
	struct vcpuid_view *view = v->x86->cpuid;
	struct x86_cpuid *one = &view->rows[view->basic[1].first];

	if (leaf == 0xd) {
		refresh_xsave(view, vcpu_x86_xcr0(v));
		return;
	}
	set_bit_if(&one->ecx, LEAF1_OSXSAVE, (x86_reg(v, HVM_CR4) & CR4_OSXSAVE) != 0);
	set_bit_if(&one->edx, LEAF1_APIC, (v->lapic->s.base & VLAPIC_BASE_ENABLE) != 0);
}

bool vcpuid_is_intel(const struct vcpu *v)
{
	return v->x86->cpuid->intel;
}

uint64_t vcpuid_reserved_pa(const struct vcpu *v)
{
	const struct vcpuid_view *view = v->x86->cpuid;
	uint32_t bits = view->rows[view->ext[8].first].eax & 0xff;

	return ~(BIT(bits) - 1) & (BIT(52) - 1);
}

uint64_t vcpuid_xcr0_offered(const struct vcpu *v)
{
	return v->x86->cpuid->xcr0;
}
