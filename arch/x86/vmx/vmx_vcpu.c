/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a VMCS: made, loaded when its thread gets a CPU, cleared when it loses it. */
/* Guest registers are vmx_reg.c's, entries and exits vmx_exit.c's. */
#include "arch/x86/vmx/vmx_vcpu.h"

#include "arch/paging.h"
#include "arch/x86/cpu/barrier.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/hvm/hvm_start.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vmsr.h"
#include "arch/x86/vmx/ept.h"
#include "arch/x86/vmx/vmx_apic.h"
#include "arch/x86/vmx/vmx_host.h"
#include "arch/x86/vmx/vmx_reg.h"
#include "arch/x86/vmx/vpid.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/base/stretch.h"
#include "hv/base/trace.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"
#include "hv/timer.h"
#include "hv/vm.h"

/* Labels in vmx_entry.S. */
extern const char vmx_exit_point[], vmx_exit_guarded[];

struct vmx_vcpu *vmx_vcpu_current[CPU_MAX];

/* ---- the current VMCS ---- */

static void make_current(struct vmx_vcpu *x)
{
	unsigned int cpu = cpu_id();

	vmcs_load(x->vmcs_hpa);
	vmx_vcpu_current[cpu] = x;
	x->cpu = cpu;
}

/* Writes the VMCS back to memory, so that any CPU may load it next. */
static void make_clear(struct vmx_vcpu *x)
{
	vmcs_clear(x->vmcs_hpa);
	vmx_vcpu_current[cpu_id()] = NULL;
	x->cpu = VMX_NO_CPU;
	x->entry.launched = false;
}

struct vmx_vcpu *vmx_vcpu_focus(const struct vcpu *v)
{
	struct vmx_vcpu *prev = vmx_vcpu_current[cpu_id()];
	struct vmx_vcpu *x = v->hvm;

	if (prev != x) {
		BUG_ON(v->thread != NULL && v->thread != thread_current());
		BUG_ON(x->cpu != VMX_NO_CPU);
		make_current(x);
	}
	return prev;
}

void vmx_vcpu_unfocus(const struct vcpu *v, struct vmx_vcpu *prev)
{
	struct vmx_vcpu *x = v->hvm;

	if (prev == x) {
		return;
	}
	make_clear(x);
	if (prev != NULL) {
		make_current(prev);
	}
}

/* ---- creation ---- */

/* The CPU swaps SPEC_CTRL by its own lists: no instruction of ours. */
static void switch_spec_ctrl(struct vmx_vcpu *x)
{
	x->guest_spec.index = MSR_SPEC_CTRL;
	x->host_spec = (struct vmx_msr){ .index = MSR_SPEC_CTRL, .val = x86_rdmsr(MSR_SPEC_CTRL) };
	vmcs_write(EXIT_MSR_STORE_ADDRESS, paging_hpa(&x->guest_spec).v);
	vmcs_write(ENTRY_MSR_LOAD_ADDRESS, paging_hpa(&x->guest_spec).v);
	vmcs_write(EXIT_MSR_LOAD_ADDRESS, paging_hpa(&x->host_spec).v);
	vmcs_write(EXIT_MSR_STORE_COUNT, 1);
	vmcs_write(ENTRY_MSR_LOAD_COUNT, 1);
	vmcs_write(EXIT_MSR_LOAD_COUNT, 1);
}

/* IBRS that is not enhanced counts only if it is written after each stay in a guest. */
static void write_ibrs_at_exits(struct vmx_vcpu *x)
{
	if (barrier_ibrs_at_exits()) {
		switch_spec_ctrl(x);
		x->guest_spec.val = x->host_spec.val & ~SPEC_CTRL_IBRS;
	}
}

/* The hypervisor has no system calls: SYSENTER state of the host stays 0. */
static const struct {
	enum vmcs_field field;
	uint64_t val;
} initial[] = {
	{ EXCEPTION_BITMAP, VMX_EXCEPTIONS },
	{ PAGE_FAULT_ERROR_MASK, 0 },
	{ PAGE_FAULT_ERROR_MATCH, 0 },
	{ CR3_TARGET_COUNT, 0 },
	{ EXIT_MSR_STORE_COUNT, 0 },
	{ EXIT_MSR_LOAD_COUNT, 0 },
	{ ENTRY_MSR_LOAD_COUNT, 0 },
	{ ENTRY_INTR_INFO, 0 },
	{ VMCS_LINK_POINTER, UINT64_MAX },
	{ GUEST_DEBUGCTL, 0 },
	{ GUEST_INTERRUPTIBILITY, 0 },
	{ GUEST_ACTIVITY, 0 },
	{ GUEST_PENDING_DEBUG, 0 },
	{ GUEST_PDPTE0, 0 },
	{ GUEST_PDPTE1, 0 },
	{ GUEST_PDPTE2, 0 },
	{ GUEST_PDPTE3, 0 },
	{ HOST_SYSENTER_CS, 0 },
	{ HOST_SYSENTER_ESP, 0 },
	{ HOST_SYSENTER_EIP, 0 },
	{ HOST_RSP, 0 },
	{ CR0_MASK, VMX_CR0_MASK },
};

/* PAUSEs less than a gap apart are a loop; one longer than the window exits. TSC ticks. */
#define PAUSE_GAP    128u
#define PAUSE_WINDOW 4096u

/* What CPUID hides from the guest shall not work either; a vCPU alone can wait for no other. */
static uint32_t secondary_controls(const struct vcpu *v)
{
	uint32_t c = vmx_caps.words[VMX_PROC2];

	if (v->vm->cfg.cpus == 1) {
		c &= ~(uint32_t)PROC2_PAUSE_LOOP;
	}

	if (!vcpuid_has(v, VCPUID_RDTSCP)) {
		c &= ~(uint32_t)PROC2_RDTSCP;
	}
	if (!vcpuid_has(v, VCPUID_INVPCID)) {
		c &= ~(uint32_t)PROC2_INVPCID;
	}
	return c;
}

static void write_controls(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;

	x->proc = vmx_caps.words[VMX_PROC];
	vmcs_write(PIN_CONTROLS, vmx_caps.words[VMX_PIN]);
	vmcs_write(PROC_CONTROLS, x->proc);
	x->proc2 = secondary_controls(v);
	vmcs_write(PROC2_CONTROLS, x->proc2);
	vmcs_write(EXIT_CONTROLS, vmx_caps.words[VMX_EXIT]);
	vmcs_write(ENTRY_CONTROLS, vmx_caps.words[VMX_ENTRY]);
	vmcs_write(EPT_POINTER, ept_pointer(v->vm->slat));
	vmcs_write(MSR_BITMAP, paging_hpa(x->msr_bitmap).v);
	if (x->vpid != 0) {
		vmcs_write(VPID, x->vpid);
	}
	if (vmx_caps.timer) {
		vmcs_write(PREEMPTION_TIMER, UINT32_MAX);
	}
	if (vmx_caps.words[VMX_PROC2] & PROC2_PAUSE_LOOP) {
		vmcs_write(PLE_GAP, PAUSE_GAP);
		vmcs_write(PLE_WINDOW, PAUSE_WINDOW);
	}
}

static void write_initial(struct vcpu *v)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(initial); i++) {
		vmcs_write(initial[i].field, initial[i].val);
	}
	vmcs_write(HOST_RIP, (uint64_t)(barrier_at_exits() ? vmx_exit_guarded : vmx_exit_point));
	vmcs_write(CR4_MASK, vmx_reg_cr4_mask(v));
	vmcs_write(TSC_OFFSET, v->tsc_offset);
	write_controls(v);
}

/* SDM Vol. 3C, "MSR-Bitmap Address": reads of low MSRs, of high ones, then writes of both. */
static void pass_through(uint8_t *bitmap, uint32_t msr)
{
	uint32_t index = msr & 0x1fff;
	uint32_t high = msr >= 0xc0000000u ? 0x400 : 0;

	bitmap[high + index / 8] &= (uint8_t) ~(1u << (index % 8));
	bitmap[0x800 + high + index / 8] &= (uint8_t) ~(1u << (index % 8));
}

/* Writes only: what it orders to be forgotten is the CPU's own. Any other bit is #GP there. */
static void pass_pred_cmd(uint8_t *bitmap)
{
	bitmap[0x800 + MSR_PRED_CMD / 8] &= (uint8_t) ~(1u << (MSR_PRED_CMD % 8));
}

static void fill_msr_bitmap(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;
	unsigned int count;
	const uint32_t *msrs = vmsr_passthrough(&count);

	memset(x->msr_bitmap, 0xff, PAGE_SIZE);
	for (unsigned int i = 0; i < count; i++) {
		if (msrs[i] != MSR_TSC_AUX || vcpuid_has(v, VCPUID_RDTSCP)) {
			pass_through(x->msr_bitmap, msrs[i]);
		}
	}
	if (vcpuid_has(v, VCPUID_SPEC_CTRL)) {
		pass_pred_cmd(x->msr_bitmap);
	}
}

static int allocate(struct vmx_vcpu *x)
{
	x->cpu = VMX_NO_CPU;
	x->last_cpu = VMX_NO_CPU;
	x->dr6 = VMX_DR6_RESET;
	x->vmcs = page_alloc(0);
	x->msr_bitmap = page_alloc(0);
	if (x->vmcs == NULL || x->msr_bitmap == NULL) {
		return -ENOMEM;
	}
	x->vmcs_hpa = paging_hpa(x->vmcs);
	bytes_put_le32(x->vmcs, vmx_caps.revision);
	return vpid_take(&x->vpid);
}

static void release(struct vmx_vcpu *x)
{
	if (x->vmcs != NULL) {
		page_free(x->vmcs, 0);
	}
	if (x->msr_bitmap != NULL) {
		page_free(x->msr_bitmap, 0);
	}
	vpid_give(x->vpid);
	heap_free(x);
}

int vmx_vcpu_create(struct vcpu *v)
{
	struct vmx_vcpu *x = heap_alloc(sizeof(*x));
	struct vmx_vcpu *prev;
	int err;

	if (x == NULL) {
		return -ENOMEM;
	}
	err = allocate(x);
	if (err != 0) {
		release(x);
		return err;
	}
	v->hvm = x;
	fill_msr_bitmap(v);
	vmcs_clear(x->vmcs_hpa);
	prev = vmx_vcpu_focus(v);
	write_initial(v);
	write_ibrs_at_exits(x);
	hvm_reset_state(v);
	err = vmx_apic_create(v);
	vmx_vcpu_unfocus(v, prev);
	if (err != 0) {
		release(x);
		v->hvm = NULL;
	}
	return err;
}

void vmx_vcpu_destroy(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;

	BUG_ON(x->cpu != VMX_NO_CPU);
	vmx_apic_destroy(v);
	release(x);
	v->hvm = NULL;
}

/* ---- its thread gets and loses a CPU ---- */

/* The host uses none of these, so the guest's stay loaded while its thread has the CPU. */
static const struct {
	uint32_t msr;
	size_t offset; /* in struct vcpu_x86 */
} switched_msrs[] = {
	{ MSR_STAR, offsetof(struct vcpu_x86, star) },
	{ MSR_LSTAR, offsetof(struct vcpu_x86, lstar) },
	{ MSR_CSTAR, offsetof(struct vcpu_x86, cstar) },
	{ MSR_SFMASK, offsetof(struct vcpu_x86, sfmask) },
	{ MSR_KERNEL_GS_BASE, offsetof(struct vcpu_x86, kernel_gs_base) },
};

static uint64_t *saved_msr(const struct vcpu *v, unsigned int i)
{
	return (uint64_t *)((char *)v->x86 + switched_msrs[i].offset);
}

_Static_assert(HVM_LSTAR == HVM_STAR + 1 && HVM_CSTAR == HVM_STAR + 2 &&
		       HVM_SFMASK == HVM_STAR + 3 && HVM_KERNEL_GS_BASE == HVM_STAR + 4,
	       "order of switched_msrs");

uint64_t vmx_vcpu_get_msr(const struct vcpu *v, enum hvm_reg r)
{
	const struct vmx_vcpu *x = v->hvm;
	unsigned int i = r - HVM_STAR;

	return x->live ? x86_rdmsr(switched_msrs[i].msr) : *saved_msr(v, i);
}

void vmx_vcpu_set_msr(struct vcpu *v, enum hvm_reg r, uint64_t val)
{
	const struct vmx_vcpu *x = v->hvm;
	unsigned int i = r - HVM_STAR;

	*saved_msr(v, i) = val;
	if (x->live) {
		x86_wrmsr(switched_msrs[i].msr, val);
	}
}

void vmx_vcpu_set_spec_ctrl(struct vcpu *v, uint64_t val)
{
	struct vmx_vcpu *x = v->hvm;

	x->guest_spec.val = val;
	if (val == 0) {
		return; /* a guest that wants none costs nothing */
	}
	if (x->guest_spec.index == 0) {
		switch_spec_ctrl(x);
	}
	pass_through(x->msr_bitmap, MSR_SPEC_CTRL);
}

static void came_to_cpu(struct vmx_vcpu *x, unsigned int cpu)
{
	vmx_host_write();
	if (x->vpid != 0) {
		/* Translations it left here are from before it ran elsewhere, or another's VPID. */
		vpid_flush(x->vpid);
	}
	x->trace = trace_rings[cpu].rec != NULL ? &trace_rings[cpu] : NULL;
	x->stretch = &stretches[cpu];
	x->alarm = timer_next_of(cpu);
	x->last_cpu = cpu;
}

void vmx_vcpu_switched_in(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;

	make_current(x);
	if (x->last_cpu != x->cpu) {
		came_to_cpu(x, x->cpu);
	}
	vmcs_write(HOST_CR3, x86_read_cr3());
	for (unsigned int i = 0; i < ARRAY_SIZE(switched_msrs); i++) {
		x86_wrmsr(switched_msrs[i].msr, *saved_msr(v, i));
	}
	x86_write_cr2(x->cr2);
	__asm__ volatile("movq %0, %%dr6" : : "r"(x->dr6));
	vcpu_x86_load(v);
	x->live = true;
	x->deadline = 0;
	x->due = UINT64_MAX;
}

void vmx_vcpu_switched_out(struct vcpu *v)
{
	struct vmx_vcpu *x = v->hvm;

	x->live = false;
	vcpu_x86_save(v);
	__asm__ volatile("movq %%dr6, %0" : "=r"(x->dr6));
	for (unsigned int i = 0; i < ARRAY_SIZE(switched_msrs); i++) {
		*saved_msr(v, i) = x86_rdmsr(switched_msrs[i].msr);
	}
	make_clear(x);
}

void vmx_vcpu_fault_mended(void)
{
	const struct vmx_vcpu *x = vmx_vcpu_current[cpu_id()];

	if (x != NULL && x->live) {
		x86_write_cr2(x->cr2);
	}
}

/* Without a VPID each entry does that by itself. */
void vmx_vcpu_flush_tlb(struct vcpu *v)
{
	const struct vmx_vcpu *x = v->hvm;

	if (x->vpid != 0) {
		vpid_flush(x->vpid);
	}
}
