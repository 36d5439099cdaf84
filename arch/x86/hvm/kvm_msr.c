/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's own MSRs, and what `vm info` tells of their use. */
/* What they do is in the features' own files. */
#include "arch/x86/hvm/kvm_msr.h"

#include "arch/hvm.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/hvm/pv_eoi.h"
#include "arch/x86/hvm/pv_steal.h"
#include "arch/x86/hvm/pvclock.h"
#include "arch/x86/hvm/vlapic.h"
#include "hv/vcpu.h"

struct row {
	bool (*read)(struct vcpu *v, uint64_t *val);
	bool (*write)(struct vcpu *v, uint64_t val);
	enum kvm_feature feature;
};

static const struct row rows[KVM_MSR_LAST - KVM_MSR_FIRST + 1] = {
	[0] = { pvclock_read_wall, pvclock_write_wall, KVM_CLOCKSOURCE2 },
	[1] = { pvclock_read_system, pvclock_write_system, KVM_CLOCKSOURCE2 },
	[3] = { pv_steal_read, pv_steal_write, KVM_STEAL_TIME },
	[4] = { pv_eoi_read, pv_eoi_write, KVM_PV_EOI },
};

static const struct row *find(const struct vcpu *v, uint32_t msr)
{
	const struct row *r = &rows[msr - KVM_MSR_FIRST];

	return r->read != NULL && kvm_leaf_has(v, r->feature) ? r : NULL;
}

bool kvm_msr_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	const struct row *r = find(v, msr);

	return r != NULL && r->read(v, val);
}

bool kvm_msr_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	const struct row *r = find(v, msr);

	return r != NULL && r->write(v, val);
}

static bool apic_in_hardware(const struct vcpu *v)
{
	return v->lapic->hardware;
}

/* used: it is switched on now; or, where there is no such thing, feature: it was made use of. */
static const struct {
	const char *name;
	bool (*used)(const struct vcpu *v);
	enum kvm_feature feature;
} interfaces[] = {
	{ "kvmclock", pvclock_used, KVM_CLOCKSOURCE2 },
	{ "pv-eoi", pv_eoi_used, KVM_PV_EOI },
	{ "steal-time", pv_steal_used, KVM_STEAL_TIME },
	{ "pv-tlb-flush", NULL, KVM_PV_TLB_FLUSH },
	{ "pv-ipi", NULL, KVM_PV_SEND_IPI },
	{ "pv-sched-yield", NULL, KVM_PV_SCHED_YIELD },
	{ "apicv", apic_in_hardware, KVM_PV_EOI }, /* what takes the place of pv-eoi */
};

const char *hvm_paravirt(const struct vcpu *v, unsigned int i, bool *used)
{
	if (i >= ARRAY_SIZE(interfaces)) {
		return NULL;
	}
	*used = interfaces[i].used != NULL ? interfaces[i].used(v)
					   : kvm_leaf_is_used(v, interfaces[i].feature);
	return interfaces[i].name;
}
