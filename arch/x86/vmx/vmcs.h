/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMCS: its fields, and the instructions that reach the current one. */
/* Which VMCS is current, and what goes into it, is vmx_vcpu.c's. */
#ifndef ARCH_X86_VMX_VMCS_H
#define ARCH_X86_VMX_VMCS_H

#include "hv/base/panic.h"
#include "hv/lib/types.h"

/* SDM Vol. 3D, "Field Encoding in VMCS"; the enum and the names in a dump come from this list. */
#define VMCS_FIELDS(F)                                                                             \
	F(VPID, 0x0000)                                                                            \
	F(GUEST_ES_SELECTOR, 0x0800)                                                               \
	F(GUEST_CS_SELECTOR, 0x0802)                                                               \
	F(GUEST_SS_SELECTOR, 0x0804)                                                               \
	F(GUEST_DS_SELECTOR, 0x0806)                                                               \
	F(GUEST_FS_SELECTOR, 0x0808)                                                               \
	F(GUEST_GS_SELECTOR, 0x080a)                                                               \
	F(GUEST_LDTR_SELECTOR, 0x080c)                                                             \
	F(GUEST_TR_SELECTOR, 0x080e)                                                               \
	F(GUEST_INTERRUPT_STATUS, 0x0810)                                                          \
	F(HOST_ES_SELECTOR, 0x0c00)                                                                \
	F(HOST_CS_SELECTOR, 0x0c02)                                                                \
	F(HOST_SS_SELECTOR, 0x0c04)                                                                \
	F(HOST_DS_SELECTOR, 0x0c06)                                                                \
	F(HOST_FS_SELECTOR, 0x0c08)                                                                \
	F(HOST_GS_SELECTOR, 0x0c0a)                                                                \
	F(HOST_TR_SELECTOR, 0x0c0c)                                                                \
	F(MSR_BITMAP, 0x2004)                                                                      \
	F(TSC_OFFSET, 0x2010)                                                                      \
	F(EXIT_MSR_STORE_ADDRESS, 0x2006)                                                          \
	F(EXIT_MSR_LOAD_ADDRESS, 0x2008)                                                           \
	F(ENTRY_MSR_LOAD_ADDRESS, 0x200a)                                                          \
	F(VIRTUAL_APIC_PAGE, 0x2012)                                                               \
	F(APIC_ACCESS_ADDRESS, 0x2014)                                                             \
	F(EPT_POINTER, 0x201a)                                                                     \
	F(EOI_EXIT_BITMAP0, 0x201c)                                                                \
	F(EOI_EXIT_BITMAP1, 0x201e)                                                                \
	F(EOI_EXIT_BITMAP2, 0x2020)                                                                \
	F(EOI_EXIT_BITMAP3, 0x2022)                                                                \
	F(GUEST_PHYSICAL_ADDRESS, 0x2400)                                                          \
	F(VMCS_LINK_POINTER, 0x2800)                                                               \
	F(GUEST_DEBUGCTL, 0x2802)                                                                  \
	F(GUEST_PAT, 0x2804)                                                                       \
	F(GUEST_EFER, 0x2806)                                                                      \
	F(GUEST_PDPTE0, 0x280a)                                                                    \
	F(GUEST_PDPTE1, 0x280c)                                                                    \
	F(GUEST_PDPTE2, 0x280e)                                                                    \
	F(GUEST_PDPTE3, 0x2810)                                                                    \
	F(HOST_PAT, 0x2c00)                                                                        \
	F(HOST_EFER, 0x2c02)                                                                       \
	F(PIN_CONTROLS, 0x4000)                                                                    \
	F(PROC_CONTROLS, 0x4002)                                                                   \
	F(EXCEPTION_BITMAP, 0x4004)                                                                \
	F(PAGE_FAULT_ERROR_MASK, 0x4006)                                                           \
	F(PAGE_FAULT_ERROR_MATCH, 0x4008)                                                          \
	F(CR3_TARGET_COUNT, 0x400a)                                                                \
	F(EXIT_CONTROLS, 0x400c)                                                                   \
	F(EXIT_MSR_STORE_COUNT, 0x400e)                                                            \
	F(EXIT_MSR_LOAD_COUNT, 0x4010)                                                             \
	F(ENTRY_CONTROLS, 0x4012)                                                                  \
	F(ENTRY_MSR_LOAD_COUNT, 0x4014)                                                            \
	F(ENTRY_INTR_INFO, 0x4016)                                                                 \
	F(ENTRY_INTR_ERROR, 0x4018)                                                                \
	F(ENTRY_INSN_LENGTH, 0x401a)                                                               \
	F(TPR_THRESHOLD, 0x401c)                                                                   \
	F(PROC2_CONTROLS, 0x401e)                                                                  \
	F(PLE_GAP, 0x4020)                                                                         \
	F(PLE_WINDOW, 0x4022)                                                                      \
	F(INSTRUCTION_ERROR, 0x4400)                                                               \
	F(EXIT_REASON, 0x4402)                                                                     \
	F(EXIT_INTR_INFO, 0x4404)                                                                  \
	F(EXIT_INTR_ERROR, 0x4406)                                                                 \
	F(IDT_VECTORING_INFO, 0x4408)                                                              \
	F(IDT_VECTORING_ERROR, 0x440a)                                                             \
	F(EXIT_INSN_LENGTH, 0x440c)                                                                \
	F(EXIT_INSN_INFO, 0x440e)                                                                  \
	F(GUEST_ES_LIMIT, 0x4800)                                                                  \
	F(GUEST_CS_LIMIT, 0x4802)                                                                  \
	F(GUEST_SS_LIMIT, 0x4804)                                                                  \
	F(GUEST_DS_LIMIT, 0x4806)                                                                  \
	F(GUEST_FS_LIMIT, 0x4808)                                                                  \
	F(GUEST_GS_LIMIT, 0x480a)                                                                  \
	F(GUEST_LDTR_LIMIT, 0x480c)                                                                \
	F(GUEST_TR_LIMIT, 0x480e)                                                                  \
	F(GUEST_GDTR_LIMIT, 0x4810)                                                                \
	F(GUEST_IDTR_LIMIT, 0x4812)                                                                \
	F(GUEST_ES_RIGHTS, 0x4814)                                                                 \
	F(GUEST_CS_RIGHTS, 0x4816)                                                                 \
	F(GUEST_SS_RIGHTS, 0x4818)                                                                 \
	F(GUEST_DS_RIGHTS, 0x481a)                                                                 \
	F(GUEST_FS_RIGHTS, 0x481c)                                                                 \
	F(GUEST_GS_RIGHTS, 0x481e)                                                                 \
	F(GUEST_LDTR_RIGHTS, 0x4820)                                                               \
	F(GUEST_TR_RIGHTS, 0x4822)                                                                 \
	F(GUEST_INTERRUPTIBILITY, 0x4824)                                                          \
	F(GUEST_ACTIVITY, 0x4826)                                                                  \
	F(GUEST_SYSENTER_CS, 0x482a)                                                               \
	F(PREEMPTION_TIMER, 0x482e)                                                                \
	F(HOST_SYSENTER_CS, 0x4c00)                                                                \
	F(CR0_MASK, 0x6000)                                                                        \
	F(CR4_MASK, 0x6002)                                                                        \
	F(CR0_SHADOW, 0x6004)                                                                      \
	F(CR4_SHADOW, 0x6006)                                                                      \
	F(EXIT_QUALIFICATION, 0x6400)                                                              \
	F(GUEST_LINEAR_ADDRESS, 0x640a)                                                            \
	F(GUEST_CR0, 0x6800)                                                                       \
	F(GUEST_CR3, 0x6802)                                                                       \
	F(GUEST_CR4, 0x6804)                                                                       \
	F(GUEST_ES_BASE, 0x6806)                                                                   \
	F(GUEST_CS_BASE, 0x6808)                                                                   \
	F(GUEST_SS_BASE, 0x680a)                                                                   \
	F(GUEST_DS_BASE, 0x680c)                                                                   \
	F(GUEST_FS_BASE, 0x680e)                                                                   \
	F(GUEST_GS_BASE, 0x6810)                                                                   \
	F(GUEST_LDTR_BASE, 0x6812)                                                                 \
	F(GUEST_TR_BASE, 0x6814)                                                                   \
	F(GUEST_GDTR_BASE, 0x6816)                                                                 \
	F(GUEST_IDTR_BASE, 0x6818)                                                                 \
	F(GUEST_DR7, 0x681a)                                                                       \
	F(GUEST_RSP, 0x681c)                                                                       \
	F(GUEST_RIP, 0x681e)                                                                       \
	F(GUEST_RFLAGS, 0x6820)                                                                    \
	F(GUEST_PENDING_DEBUG, 0x6822)                                                             \
	F(GUEST_SYSENTER_ESP, 0x6824)                                                              \
	F(GUEST_SYSENTER_EIP, 0x6826)                                                              \
	F(HOST_CR0, 0x6c00)                                                                        \
	F(HOST_CR3, 0x6c02)                                                                        \
	F(HOST_CR4, 0x6c04)                                                                        \
	F(HOST_FS_BASE, 0x6c06)                                                                    \
	F(HOST_GS_BASE, 0x6c08)                                                                    \
	F(HOST_TR_BASE, 0x6c0a)                                                                    \
	F(HOST_GDTR_BASE, 0x6c0c)                                                                  \
	F(HOST_IDTR_BASE, 0x6c0e)                                                                  \
	F(HOST_SYSENTER_ESP, 0x6c10)                                                               \
	F(HOST_SYSENTER_EIP, 0x6c12)                                                               \
	F(HOST_RSP, 0x6c14)                                                                        \
	F(HOST_RIP, 0x6c16)

#define VMCS_ENUM(name, encoding) name = (encoding),
enum vmcs_field { VMCS_FIELDS(VMCS_ENUM) };

/* The fields of one segment lie one step of 2 apart in the order of enum hvm_seg. */
static inline enum vmcs_field vmcs_nth(enum vmcs_field first, unsigned int n)
{
	return (enum vmcs_field)((unsigned int)first + 2 * n);
}

/* VMfail of these four is our bug: SDM Vol. 3C, "Conventions": CF or ZF set means VMfail. */
static inline uint64_t vmcs_read(enum vmcs_field f)
{
	uint64_t val;
	bool fail;

	__asm__ volatile("vmread %[f], %[val]"
			 : [val] "=r"(val), "=@ccbe"(fail)
			 : [f] "r"((uint64_t)f));
	BUG_ON(fail);
	return val;
}

static inline void vmcs_write(enum vmcs_field f, uint64_t val)
{
	bool fail;

	__asm__ volatile("vmwrite %[val], %[f]"
			 : "=@ccbe"(fail)
			 : [val] "r"(val), [f] "r"((uint64_t)f)
			 : "memory");
	BUG_ON(fail);
}

static inline uint32_t vmcs_read32(enum vmcs_field f)
{
	return (uint32_t)vmcs_read(f);
}

static inline void vmcs_load(hpa_t region)
{
	bool fail;

	__asm__ volatile("vmptrld %[r]" : "=@ccbe"(fail) : [r] "m"(region.v) : "memory");
	BUG_ON(fail);
}

static inline void vmcs_clear(hpa_t region)
{
	bool fail;

	__asm__ volatile("vmclear %[r]" : "=@ccbe"(fail) : [r] "m"(region.v) : "memory");
	BUG_ON(fail);
}

/*
 * Every field of the current VMCS as "NAME value", several to a line: out(line). Fields that the CPU
 * does not have are left out.
 */
void vmcs_dump(void (*out)(const char *line));
/* Text of VM_INSTRUCTION_ERROR; static storage. */
const char *vmcs_error_text(uint32_t error);

#endif
