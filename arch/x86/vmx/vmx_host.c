/* SPDX-License-Identifier: BSD-2-Clause */
/* The host-state area of a VMCS: what an exit loads into the CPU. */
/* CR3, RSP and RIP are written elsewhere: they are the thread's, not the CPU's. */
#include "arch/x86/vmx/vmx_host.h"

#include "arch/x86/cpu/x86.h"
#include "arch/x86/vmx/vmcs.h"
#include "hv/lib/bytes.h"

struct PACKED table_register {
	uint16_t limit;
	uint64_t base;
};
_Static_assert(sizeof(struct table_register) == 10, "SDM Vol. 3A, System Table Registers");

/* SDM Vol. 3A, "TSS Descriptor in 64-bit mode". */
static uint64_t tss_base(uint64_t gdt, uint16_t selector)
{
	const uint8_t *d = (const uint8_t *)gdt + (selector & ~7u);

	return (bytes_get_le32(d) >> 16) | (bytes_get_le32(d + 4) & 0xff) << 16 |
	       (bytes_get_le32(d + 4) & 0xff000000) | (uint64_t)bytes_get_le32(d + 8) << 32;
}

static void write_tables(void)
{
	struct table_register gdt, idt;
	uint16_t tr;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	__asm__ volatile("sidt %0" : "=m"(idt));
	__asm__ volatile("str %0" : "=rm"(tr));
	vmcs_write(HOST_GDTR_BASE, gdt.base);
	vmcs_write(HOST_IDTR_BASE, idt.base);
	vmcs_write(HOST_TR_SELECTOR, tr);
	vmcs_write(HOST_TR_BASE, tss_base(gdt.base, tr));
}

static void write_selectors(void)
{
	uint16_t sel;

	__asm__ volatile("movw %%cs, %0" : "=rm"(sel));
	vmcs_write(HOST_CS_SELECTOR, sel);
	__asm__ volatile("movw %%ss, %0" : "=rm"(sel));
	vmcs_write(HOST_SS_SELECTOR, sel);
	/* 64-bit code uses neither of these; GS and FS have their bases only. */
	vmcs_write(HOST_DS_SELECTOR, 0);
	vmcs_write(HOST_ES_SELECTOR, 0);
	vmcs_write(HOST_FS_SELECTOR, 0);
	vmcs_write(HOST_GS_SELECTOR, 0);
}

void vmx_host_write(void)
{
	write_tables();
	write_selectors();
	vmcs_write(HOST_CR0, x86_read_cr0());
	vmcs_write(HOST_CR4, x86_read_cr4());
	vmcs_write(HOST_EFER, x86_rdmsr(MSR_EFER));
	vmcs_write(HOST_PAT, x86_rdmsr(MSR_PAT));
	vmcs_write(HOST_FS_BASE, x86_rdmsr(MSR_FS_BASE));
	vmcs_write(HOST_GS_BASE, x86_rdmsr(MSR_GS_BASE));
}
