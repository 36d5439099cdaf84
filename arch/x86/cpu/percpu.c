/* SPDX-License-Identifier: BSD-2-Clause */
/* Brings the executing CPU into the hypervisor's state: GDT, TSS, GS base, control registers. */
/* Starting other CPUs is smp.c's. */
#include "arch/x86/cpu/percpu.h"

#include "arch/paging.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/x86.h"
#include "hv/lib/errno.h"

#define DESC_CODE64 0x00af9b000000fffful
#define DESC_DATA   0x00cf93000000fffful
#define DESC_TSS    0x0000890000000000ul

struct percpu percpus[CPU_MAX];

unsigned int cpu_id(void)
{
	return percpu_id();
}

static void fill_gdt(struct percpu *p)
{
	uint64_t base = (uint64_t)&p->tss;

	p->gdt[SEL_CODE / 8] = DESC_CODE64;
	p->gdt[SEL_DATA / 8] = DESC_DATA;
	p->gdt[SEL_TSS / 8] = DESC_TSS | (sizeof(p->tss) - 1) | (base & 0xffffff) << 16 |
			      (base >> 24 & 0xff) << 56;
	p->gdt[SEL_TSS / 8 + 1] = base >> 32;
	p->tss.iomap = sizeof(p->tss);
}

static void load_gdt(struct percpu *p)
{
	struct PACKED {
		uint16_t limit;
		uint64_t base;
	} pointer = { sizeof(p->gdt) - 1, (uint64_t)p->gdt };

	__asm__ volatile("lgdt %0\n\t"
			 "pushq %1\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %2, %%ds\n\t"
			 "movl %2, %%es\n\t"
			 "movl %2, %%ss\n\t"
			 "movl %3, %%fs\n\t"
			 "movl %3, %%gs\n\t"
			 "ltr %w4"
			 :
			 : "m"(pointer), "i"(SEL_CODE), "r"(SEL_DATA), "r"(0), "r"(SEL_TSS)
			 : "rax", "memory");
}

/* Each protection that the CPU offers; the ones it lacks are in the boot log. */
static void set_control_registers(void)
{
	struct x86_cpuid leaf1 = x86_cpuid(1, 0);
	struct x86_cpuid leaf7 =
		x86_cpuid(0, 0).eax >= 7 ? x86_cpuid(7, 0) : (struct x86_cpuid){ 0 };
	uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_DE;

	cr4 |= leaf1.ecx & BIT(26) ? CR4_OSXSAVE : 0;
	cr4 |= leaf7.ebx & BIT(7) ? CR4_SMEP : 0;
	cr4 |= leaf7.ebx & BIT(20) ? CR4_SMAP : 0;
	cr4 |= leaf7.ecx & BIT(2) ? CR4_UMIP : 0;
	x86_write_cr4(cr4);
	x86_write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_ET | CR0_PE);
	x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_NXE);
}

void percpu_init(unsigned int cpu, uint32_t apic_id)
{
	struct percpu *p = &percpus[cpu];

	p->cpu = cpu;
	p->apic_id = apic_id;
	p->self = p;
	fill_gdt(p);
	load_gdt(p);
	x86_wrmsr(MSR_GS_BASE, (uint64_t)p);
	idt_load();
	set_control_registers();
}

int percpu_init_stacks(unsigned int cpu)
{
	for (unsigned int i = 0; i < 3; i++) {
		void *top = paging_stack_alloc();

		if (top == NULL) {
			return -ENOMEM;
		}
		percpus[cpu].tss.ist[i] = (uint64_t)top;
	}
	return 0;
}
