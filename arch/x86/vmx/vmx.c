/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX as one of the backends of hvm_ops: probing, turning it on and off per CPU, and the ops table. */
/* vCPUs are vmx_vcpu.c's, exits vmx_exit.c's. */
#include "arch/cpu.h"
#include "arch/paging.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/backends.h"
#include "arch/x86/hvm/kvm_leaf.h"
#include "arch/x86/vmx/ept.h"
#include "arch/x86/vmx/vmx_caps.h"
#include "arch/x86/vmx/vmx_event.h"
#include "arch/x86/vmx/vmx_exit.h"
#include "arch/x86/vmx/vmx_reg.h"
#include "arch/x86/vmx/vmx_vcpu.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vm.h"

struct vmx_caps vmx_caps;

static void *vmxon_regions[CPU_MAX];

static uint32_t cpuid1_ecx(void)
{
	return x86_cpuid(1, 0).ecx;
}

static const struct vmx_caps_source hardware = {
	.msr = x86_rdmsr,
	.cpuid1_ecx = cpuid1_ecx,
};

static unsigned int probe(struct hvm_feature *rows, unsigned int max)
{
	unsigned int count;

	if (!(cpuid1_ecx() & CPUID1_ECX_VMX) && strcmp(cpu_vendor(), "AuthenticAMD") == 0) {
		return 0; /* another vendor's CPU */
	}
	count = vmx_caps_probe(&hardware, &vmx_caps, rows, max);
	vmx_caps.apicv = vmx_caps.apicv && hvm_with_apicv;
	if (vmx_caps.apicv) {
		kvm_leaf_withhold(KVM_PV_EOI); /* EOIs cost no exit, and would not be seen there */
	}
	ept_init(vmx_caps.ept_1g, vmx_caps.apicv);
	return count;
}

/* Locks VMX on where the firmware left the choice open. */
static int unlock(void)
{
	uint64_t fc = x86_rdmsr(MSR_FEATURE_CONTROL);

	if (!(fc & FEATURE_CONTROL_LOCK)) {
		x86_wrmsr(MSR_FEATURE_CONTROL, fc | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMXON);
	} else if (!(fc & FEATURE_CONTROL_VMXON)) {
		return -EACCES;
	}
	return 0;
}

static int vmxon(void *region)
{
	hpa_t hpa = paging_hpa(region);
	bool fail;

	bytes_put_le32(region, vmx_caps.revision);
	x86_write_cr0((x86_read_cr0() | vmx_caps.cr0_fixed0) & vmx_caps.cr0_fixed1);
	x86_write_cr4((x86_read_cr4() | CR4_VMXE | vmx_caps.cr4_fixed0) & vmx_caps.cr4_fixed1);
	__asm__ volatile("vmxon %[r]" : "=@ccbe"(fail) : [r] "m"(hpa.v) : "memory");
	return fail ? -EACCES : 0;
}

static int cpu_enable(void)
{
	void *region;
	int err = unlock();

	if (err != 0) {
		return err;
	}
	region = page_alloc(0);
	if (region == NULL) {
		return -ENOMEM;
	}
	err = vmxon(region);
	if (err != 0) {
		page_free(region, 0);
		return err;
	}
	vmxon_regions[cpu_id()] = region;
	return 0;
}

static void cpu_disable(void)
{
	void **region = &vmxon_regions[cpu_id()];

	if (*region == NULL) {
		return;
	}
	__asm__ volatile("vmxoff" : : : "memory", "cc");
	x86_write_cr4(x86_read_cr4() & ~CR4_VMXE);
	page_free(*region, 0);
	*region = NULL;
}

static int map(struct vm *vm, gpa_t gpa, hpa_t hpa, uint64_t size, enum hvm_right rights)
{
	struct ept *e = vm->slat;

	return slat_map(&e->slat, gpa, hpa, size, rights);
}

static int unmap(struct vm *vm, gpa_t gpa, uint64_t size)
{
	struct ept *e = vm->slat;

	return slat_unmap(&e->slat, gpa, size);
}

static int create_vcpu(struct vcpu *v)
{
	v->exit_names = vmx_exit_names();
	return vmx_vcpu_create(v);
}

static void dump(const struct vcpu *v, void (*out)(const char *line))
{
	struct vmx_vcpu *prev = vmx_vcpu_focus(v);

	vmcs_dump(out);
	vmx_vcpu_unfocus(v, prev);
}

const struct hvm_ops vmx_hvm_ops = {
	.name = "VMX",
	.probe = probe,
	.cpu_enable = cpu_enable,
	.cpu_disable = cpu_disable,
	.vm_create = ept_create,
	.vm_destroy = ept_destroy,
	.slat_map = map,
	.slat_unmap = unmap,
	.vcpu_create = create_vcpu,
	.vcpu_destroy = vmx_vcpu_destroy,
	.vcpu_init = vmx_event_init,
	.vcpu_switched_in = vmx_vcpu_switched_in,
	.vcpu_switched_out = vmx_vcpu_switched_out,
	.fault_mended = vmx_vcpu_fault_mended,
	.flush_tlb = vmx_vcpu_flush_tlb,
	.vcpu_run = vmx_exit_run,
	.get_reg = vmx_reg_get,
	.set_reg = vmx_reg_set,
	.get_seg = vmx_reg_get_seg,
	.set_seg = vmx_reg_set_seg,
	.get_halfway = vmx_reg_get_halfway,
	.set_halfway = vmx_reg_set_halfway,
	.interrupt_shadow = vmx_reg_interrupt_shadow,
	.dump = dump,
};
