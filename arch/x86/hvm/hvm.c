/* SPDX-License-Identifier: BSD-2-Clause */
/* Hardware virtualization as the core sees it: choice of the backend, VMs, vCPUs. */
/* Knows no VMCS and no VMCB. */
#include "arch/hvm.h"

#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/backends.h"
#include "arch/x86/hvm/hvm_start.h"
#include "arch/x86/hvm/pv_eoi.h"
#include "arch/x86/hvm/pv_steal.h"
#include "arch/x86/hvm/pvclock.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vlapic.h"
#include "arch/x86/hvm/x86_bits.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/vm.h"

#define FEATURES_MAX 48u

const struct hvm_ops *hvm;
bool hvm_with_apicv;

static struct hvm_feature features[FEATURES_MAX];
static unsigned int feature_count;

static const struct hvm_ops *const backends[] = { &vmx_hvm_ops, &svm_hvm_ops };

static bool suits(const struct hvm_feature *rows, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (rows[i].required && !rows[i].present) {
			return false;
		}
	}
	return count != 0;
}

static void log_features(const char *name)
{
	for (unsigned int i = 0; i < feature_count; i++) {
		const struct hvm_feature *f = &features[i];
		const char *word = f->present ? "yes" : f->required ? "MISSING, required" : "no";

		log_printf(f->required && !f->present ? LOG_HOST : LOG_INFO, "%s: %s: %s", name,
			   f->name, word);
	}
}

static unsigned int probe(const struct hvm_ops *backend)
{
	unsigned int count = backend->probe(features, FEATURES_MAX);

	return count < FEATURES_MAX ? count : FEATURES_MAX;
}

int hvm_init(const char *options)
{
	hvm_with_apicv = strstr(options, "apicv=on") != NULL;
	for (unsigned int i = 0; i < ARRAY_SIZE(backends); i++) {
		const struct hvm_ops *backend = backends[i];

		unsigned int count = probe(backend);

		if (count == 0) {
			continue; /* another vendor's CPU: what was found stays */
		}
		feature_count = count;
		log_features(backend->name);
		if (suits(features, feature_count)) {
			hvm = backend;
			vlapic_init();
			return 0;
		}
		break; /* its rows say why; the other vendor's backend would only overwrite them */
	}
	log_printf(LOG_HOST, "no hardware virtualization that suits: %s",
		   feature_count != 0 ? "see above what is missing"
				      : "this CPU has neither VT-x nor AMD-V");
	return -ENODEV;
}

const struct hvm_feature *hvm_features(unsigned int *count)
{
	*count = feature_count;
	return features;
}

/* SDM Vol. 1, "Enabling the XSAVE Feature Set": for vcpu_x86.c, which switches guests' state. */
static void enable_xsave(void)
{
	const uint64_t sse = CR4_OSFXSR | CR4_OSXMMEXCPT;
	bool xsave = (x86_cpuid(1, 0).ecx & BIT(26)) != 0;
	uint64_t cr4;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= sse | (xsave ? CR4_OSXSAVE : 0);
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

int hvm_cpu_enable(void)
{
	enable_xsave();
	return hvm->cpu_enable();
}

/* Maps the part of an extent that lies in [first, end). */
static int map_part(struct vm *vm, const struct gpa_extent *e, uint64_t first, uint64_t end)
{
	uint64_t from = u64_max(e->gpa.v, first);
	uint64_t to = u64_min(e->gpa.v + e->size, end);

	if (from >= to) {
		return 0;
	}
	return hvm->slat_map(vm, (gpa_t){ from }, hpa_add(e->hpa, from - e->gpa.v), to - from,
			     HVM_RWX);
}

static int map_ram(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->mem.count; i++) {
		const struct gpa_extent *e = &vm->mem.extents[i];
		int err = map_part(vm, e, 0, GPA_VGA_HOLE);

		thread_checkpoint();
		if (err == 0) {
			err = map_part(vm, e, GPA_VGA_END, UINT64_MAX);
		}
		if (err != 0) {
			return err;
		}
	}
	return 0;
}

int hvm_vm_create(struct vm *vm)
{
	int err = hvm->vm_create(vm);

	if (err != 0) {
		return err;
	}
	thread_checkpoint();
	err = map_ram(vm);
	if (err != 0) {
		hvm->vm_destroy(vm);
	}
	return err;
}

void hvm_vm_destroy(struct vm *vm)
{
	if (vm->slat != NULL) { /* it may not have come to that */
		hvm->vm_destroy(vm);
	}
}

int hvm_vcpu_create(struct vcpu *v, const struct vcpu_start *start)
{
	int err = vcpu_x86_create(v);

	if (err != 0) {
		return err;
	}
	err = vlapic_create(v);
	if (err == 0) {
		thread_checkpoint(); /* each half is long enough: pages are zeroed in both */
		err = hvm->vcpu_create(v);
	}
	if (err != 0) {
		vlapic_destroy(v);
		vcpu_x86_destroy(v);
		return err;
	}
	v->x86->has_firmware = start->mode == VCPU_START_RESET;
	hvm_start_state(v, start);
	return 0;
}

void hvm_vcpu_init(struct vcpu *v)
{
	if (v->id == 0 && !v->x86->has_firmware) {
		vm_request_reset(v->vm);
		return;
	}
	__atomic_store_n(&v->pending, 0, __ATOMIC_SEQ_CST);
	/* Nothing more into memory that whoever starts next may use otherwise; KVM does the same. */
	(void)pv_eoi_write(v, 0);
	(void)pv_steal_write(v, 0);
	v->x86->clock.system_time = 0;
	vlapic_init_signal(v->lapic);
	v->lapic->eoi.msr = 0;
	hvm->vcpu_init(v);
	vcpu_x86_init(v);
	hvm_init_state(v);
}

void hvm_vcpu_startup(struct vcpu *v, uint8_t vector)
{
	hvm_startup_state(v, vector);
}

void hvm_vcpu_switched_in(struct vcpu *v)
{
	hvm->vcpu_switched_in(v);
	pv_steal_switched_in(v);
}

void hvm_vcpu_switched_out(struct vcpu *v)
{
	pv_steal_switched_out(v);
	hvm->vcpu_switched_out(v);
}

void hvm_vcpu_refresh_clock(struct vcpu *v)
{
	pvclock_refresh(v);
}

void hvm_vcpu_settle(struct vcpu *v)
{
	vlapic_sync(v->lapic);
}

void hvm_vcpu_destroy(struct vcpu *v)
{
	hvm->vcpu_destroy(v);
	vlapic_destroy(v);
	vcpu_x86_destroy(v);
}

static bool irq_waits(struct vcpu *v)
{
	if ((x86_reg(v, HVM_RFLAGS) & RFLAGS_IF) == 0) {
		return false;
	}
	if (!v->lapic->hardware) {
		vlapic_sync(v->lapic);
	}
	return vlapic_pending(v->lapic) >= 0 ||
	       (v->vm->virq.pic_output && vlapic_takes_pic(v->lapic));
}

bool hvm_vcpu_has_event(struct vcpu *v)
{
	uint32_t pending = __atomic_load_n(&v->pending, __ATOMIC_ACQUIRE);

	if ((pending & (VCPU_PENDING_EXCEPTION | VCPU_PENDING_NMI)) != 0) {
		return true;
	}
	return (pending & VCPU_PENDING_IRQ) != 0 && irq_waits(v);
}
