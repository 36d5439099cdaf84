/* SPDX-License-Identifier: BSD-2-Clause */
/* The order in which the boot CPU and the machine around it come up. */
/* Does nothing itself. */
#include "arch/x86/cpu/smp.h"

#include "arch/cpu.h"
#include "arch/x86/acpi/acpi.h"
#include "arch/x86/cpu/barrier.h"
#include "arch/x86/cpu/idt.h"
#include "arch/x86/cpu/mce.h"
#include "arch/x86/cpu/percpu.h"
#include "arch/x86/irq/clock_x86.h"
#include "arch/x86/irq/irq_x86.h"
#include "arch/x86/irq/lapic.h"

void cpu_boot_init(void)
{
	idt_init();
	percpu_init(0, 0);
}

int cpu_platform_init(const struct boot_info *info)
{
	int err = percpu_init_stacks(0);

	if (err != 0) {
		return err;
	}
	idt_use_own_stacks();
	acpi_init(info);
	err = irq_init();
	if (err != 0) {
		return err;
	}
	percpus[0].apic_id = lapic_id();
	clock_init();
	mce_init();
	mce_init_cpu();
	barrier_init_cpu();
	smp_init(info);
	return 0;
}
