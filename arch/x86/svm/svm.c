/* SPDX-License-Identifier: BSD-2-Clause */
/* AMD-V as one of the backends of hvm_ops: probing, turning it on per CPU, and the ops table. */
/* vCPUs are svm_vcpu.c's, exits svm_exit.c's. */
#include "arch/x86/svm/svm.h"

#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/backends.h"
#include "arch/x86/hvm/slat.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vmsr.h"
#include "arch/x86/hvm/x86_bits.h"
#include "arch/x86/svm/npt.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
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

#define MSRPM_ORDER 1u /* 8 KiB: APM Vol. 2, "MSR Intercepts" */
#define IOPM_ORDER  2u /* 12 KiB: "I/O Intercepts" */

struct svm_features svm_features;
struct svm_cpu svm_cpus[CPU_MAX];
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

void svm_fill_maps(const struct vcpu *v, struct vmcb_control *c)
{
	c->iopm = paging_hpa(iopm).v;
	c->msrpm = paging_hpa(vcpuid_has(v, VCPUID_RDTSCP) ? msrpm_tsc_aux : msrpm_plain).v;
}

static int cpu_enable(void)
{
	struct svm_cpu *c = &svm_cpus[cpu_id()];
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

const struct hvm_ops svm_hvm_ops = {
	.name = "SVM",
	.probe = probe,
	.cpu_enable = cpu_enable,
	.cpu_disable = cpu_disable,
	.vm_create = vm_create_slat,
	.vm_destroy = vm_destroy_slat,
	.slat_map = map_ram,
	.slat_unmap = unmap_ram,
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.vcpu_init = svm_event_init,
	.vcpu_switched_in = svm_vcpu_switched_in,
	.vcpu_switched_out = svm_vcpu_switched_out,
	.flush_tlb = svm_vcpu_flush_tlb,
	.vcpu_run = svm_vcpu_run,
	.get_reg = svm_reg_get,
	.set_reg = svm_reg_set,
	.get_seg = svm_reg_get_seg,
	.set_seg = svm_reg_set_seg,
	.get_halfway = svm_event_get_halfway,
	.set_halfway = svm_event_set_halfway,
	.interrupt_shadow = svm_vcpu_interrupt_shadow,
	.dump = svm_vcpu_dump,
};
