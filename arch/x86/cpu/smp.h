/* SPDX-License-Identifier: BSD-2-Clause */
/* What the start of the application processors needs beforehand. */
/* The public side is arch/cpu.h. */
#ifndef ARCH_X86_CPU_SMP_H
#define ARCH_X86_CPU_SMP_H

struct boot_info;

/* Takes over the kick vector and chooses the page on which the others start. After acpi_init. */
void smp_init(const struct boot_info *info);

#endif
