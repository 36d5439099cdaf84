/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers of a guest: the policy table and its exits. */
/* MSRs with rules of their own are in vmsr_rules.c. */
#include "arch/x86/hvm/vmsr.h"

#include "arch/x86/hvm/event.h"
#include "arch/x86/hvm/exit.h"
#include "arch/x86/hvm/kvm_msr.h"
#include "arch/x86/hvm/vcpu_x86.h"
#include "arch/x86/hvm/vcpuid.h"
#include "arch/x86/hvm/vmsr_rules.h"
#include "hv/base/log.h"
#include "hv/vm.h"

#define UNKNOWN_LOGGED 16u /* names of unknown MSRs that one vCPU may put into the log */

enum vendor { ANY, INTEL, AMD };

struct row {
	uint32_t first, last;
	enum vendor vendor;
	const char *name;
	vmsr_read_fn *read;
	vmsr_write_fn *write;
};

/* Sorted by number; a NULL function is #GP. */
static const struct row rows[] = {
	{ 0x10, 0x10, ANY, "TSC", vmsr_tsc_read, vmsr_tsc_write },
	{ 0x17, 0x17, INTEL, "PLATFORM_ID", vmsr_zero_read, NULL },
	{ 0x1b, 0x1b, ANY, "APIC_BASE", vmsr_apic_base_read, vmsr_apic_base_write },
	{ 0x3a, 0x3a, INTEL, "FEATURE_CONTROL", vmsr_one_read, NULL }, /* locked, no VMX */
	{ 0x3b, 0x3b, ANY, "TSC_ADJUST", vmsr_tsc_adjust_read, vmsr_tsc_adjust_write },
	{ MSR_SPEC_CTRL, MSR_SPEC_CTRL, INTEL, "SPEC_CTRL", vmsr_spec_ctrl_read,
	  vmsr_spec_ctrl_write },
	{ 0x8b, 0x8b, ANY, "PATCH_LEVEL", vmsr_patch_level_read, vmsr_ignore_write },
	{ 0xce, 0xce, INTEL, "PLATFORM_INFO", vmsr_platform_info_read, NULL },
	{ 0xfe, 0xfe, ANY, "MTRRcap", vmsr_mtrr_cap_read, NULL },
	{ 0x179, 0x179, ANY, "MCG_CAP", vmsr_zero_read, NULL }, /* no bank, no MCG_CTL */
	{ 0x17a, 0x17a, ANY, "MCG_STATUS", vmsr_mcg_status_read, vmsr_mcg_status_write },
	{ 0x1a0, 0x1a0, INTEL, "MISC_ENABLE", vmsr_misc_enable_read, vmsr_misc_enable_write },
	{ 0x1d9, 0x1d9, ANY, "DEBUGCTL", vmsr_zero_read, vmsr_debugctl_write },
	{ 0x200, 0x20f, ANY, "MTRR_PHYS", vmsr_mtrr_var_read, vmsr_mtrr_var_write },
	{ 0x250, 0x250, ANY, "MTRR_FIX64K", vmsr_mtrr_fixed_read, vmsr_mtrr_fixed_write },
	{ 0x258, 0x259, ANY, "MTRR_FIX16K", vmsr_mtrr_fixed_read, vmsr_mtrr_fixed_write },
	{ 0x268, 0x26f, ANY, "MTRR_FIX4K", vmsr_mtrr_fixed_read, vmsr_mtrr_fixed_write },
	{ 0x277, 0x277, ANY, "PAT", vmsr_pat_read, vmsr_pat_write },
	{ 0x2ff, 0x2ff, ANY, "MTRR_DEF_TYPE", vmsr_mtrr_def_read, vmsr_mtrr_def_write },
	{ 0x6e0, 0x6e0, ANY, "TSC_DEADLINE", vmsr_tsc_deadline_read, vmsr_tsc_deadline_write },
	{ 0x800, 0x8ff, ANY, "X2APIC", vmsr_x2apic_read, vmsr_x2apic_write },
	{ KVM_MSR_FIRST, KVM_MSR_LAST, ANY, "KVM", kvm_msr_read, kvm_msr_write },
	{ 0xc0000080, 0xc0000080, ANY, "EFER", vmsr_efer_read, vmsr_efer_write },
	{ 0xc0010010, 0xc0010010, AMD, "SYSCFG", vmsr_zero_read, vmsr_ignore_write },
	{ 0xc0010015, 0xc0010015, AMD, "HWCR", vmsr_hwcr_read, vmsr_hwcr_write },
	{ 0xc001001a, 0xc001001a, AMD, "TOP_MEM", vmsr_top_mem_read, NULL },
	{ 0xc001001d, 0xc001001d, AMD, "TOP_MEM2", vmsr_top_mem2_read, NULL },
	{ 0xc001001f, 0xc001001f, AMD, "NB_CFG", vmsr_nb_cfg_read, vmsr_nb_cfg_write },
	{ 0xc0010055, 0xc0010055, AMD, "INT_PENDING", vmsr_zero_read, vmsr_ignore_write },
	{ 0xc0010058, 0xc0010058, AMD, "MMIO_CFG_BASE", vmsr_zero_read, NULL },
	{ 0xc0010114, 0xc0010114, AMD, "VM_CR", vmsr_vm_cr_read, vmsr_ignore_write },
	{ 0xc0011029, 0xc0011029, AMD, "DE_CFG", vmsr_de_cfg_read, vmsr_ignore_write },
};

static const uint32_t passthrough[] = {
	MSR_SYSENTER_CS, MSR_SYSENTER_ESP,   MSR_SYSENTER_EIP, MSR_STAR,
	MSR_LSTAR,	 MSR_CSTAR,	     MSR_SFMASK,       MSR_FS_BASE,
	MSR_GS_BASE,	 MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
};

const uint32_t *vmsr_passthrough(unsigned int *count)
{
	*count = ARRAY_SIZE(passthrough);
	return passthrough;
}

static const struct row *find(const struct vcpu *v, uint32_t msr)
{
	unsigned int low = 0, high = ARRAY_SIZE(rows);

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (msr > rows[mid].last) {
			low = mid + 1;
		} else if (msr < rows[mid].first) {
			high = mid;
		} else {
			bool here = rows[mid].vendor == ANY ||
				    (rows[mid].vendor == INTEL) == vcpuid_is_intel(v);

			return here ? &rows[mid] : NULL;
		}
	}
	return NULL;
}

static void log_unknown(struct vcpu *v, uint32_t msr, const char *what)
{
	if (v->x86->unknown_msrs < UNKNOWN_LOGGED) {
		v->x86->unknown_msrs++;
		log_printf(LOG_DEBUG, "%s: %s of unknown MSR %x: #GP", v->vm->cfg.name, what, msr);
	}
}

bool vmsr_read(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	const struct row *r = find(v, msr);

	if (r == NULL) {
		log_unknown(v, msr, "read");
		return false;
	}
	return r->read != NULL && r->read(v, msr, val);
}

bool vmsr_write(struct vcpu *v, uint32_t msr, uint64_t val)
{
	const struct row *r = find(v, msr);

	if (r == NULL) {
		log_unknown(v, msr, "write");
		return false;
	}
	return r->write != NULL && r->write(v, msr, val);
}

enum exit_action exit_rdmsr(struct vcpu *v)
{
	uint64_t val = 0;

	if (!vmsr_read(v, (uint32_t)v->gprs[GPR_RCX], &val)) {
		event_exception(v, VEC_GP, 0);
		return EXIT_RESUME;
	}
	v->gprs[GPR_RAX] = (uint32_t)val;
	v->gprs[GPR_RDX] = val >> 32;
	return EXIT_SKIP_INSN;
}

enum exit_action exit_wrmsr(struct vcpu *v)
{
	uint64_t val = (uint32_t)v->gprs[GPR_RAX] | v->gprs[GPR_RDX] << 32;

	if (!vmsr_write(v, (uint32_t)v->gprs[GPR_RCX], val)) {
		event_exception(v, VEC_GP, 0);
		return EXIT_RESUME;
	}
	return EXIT_SKIP_INSN;
}
