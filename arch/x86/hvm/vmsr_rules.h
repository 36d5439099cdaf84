/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes of the MSRs that have rules of their own; the rows of vmsr.c point here. */
/* All return false for #GP. */
#ifndef ARCH_X86_HVM_VMSR_RULES_H
#define ARCH_X86_HVM_VMSR_RULES_H

#include "hv/lib/types.h"

struct vcpu;

typedef bool vmsr_read_fn(struct vcpu *v, uint32_t msr, uint64_t *val);
typedef bool vmsr_write_fn(struct vcpu *v, uint32_t msr, uint64_t val);

/* vmsr_rules.c */
vmsr_read_fn vmsr_zero_read, vmsr_one_read;
vmsr_write_fn vmsr_ignore_write;
vmsr_read_fn vmsr_tsc_read, vmsr_tsc_adjust_read, vmsr_tsc_deadline_read;
vmsr_write_fn vmsr_tsc_write, vmsr_tsc_adjust_write, vmsr_tsc_deadline_write;
vmsr_read_fn vmsr_apic_base_read, vmsr_x2apic_read;
vmsr_write_fn vmsr_apic_base_write, vmsr_x2apic_write;
vmsr_read_fn vmsr_efer_read, vmsr_mcg_status_read, vmsr_misc_enable_read;
vmsr_write_fn vmsr_efer_write, vmsr_mcg_status_write, vmsr_misc_enable_write, vmsr_debugctl_write;
vmsr_read_fn vmsr_spec_ctrl_read;
vmsr_write_fn vmsr_spec_ctrl_write;
vmsr_read_fn vmsr_patch_level_read, vmsr_platform_info_read;
vmsr_read_fn vmsr_hwcr_read, vmsr_nb_cfg_read, vmsr_top_mem_read, vmsr_top_mem2_read;
vmsr_read_fn vmsr_vm_cr_read, vmsr_de_cfg_read;
vmsr_write_fn vmsr_hwcr_write, vmsr_nb_cfg_write;

/* vmsr_mtrr.c */
vmsr_read_fn vmsr_mtrr_cap_read, vmsr_mtrr_var_read, vmsr_mtrr_fixed_read, vmsr_mtrr_def_read;
vmsr_write_fn vmsr_mtrr_var_write, vmsr_mtrr_fixed_write, vmsr_mtrr_def_write;
vmsr_read_fn vmsr_pat_read;
vmsr_write_fn vmsr_pat_write;

/* Bits that a guest on v may set in EFER. */
uint64_t vmsr_efer_offered(const struct vcpu *v);

/*
 * Memory types as PC firmware leaves them: write-back, uncached VGA hole and device windows. They
 * are kept for the guest to read; the second-level tables decide.
 */
void vmsr_mtrr_firmware(struct vcpu *v);

#endif
