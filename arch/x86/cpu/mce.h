/* SPDX-License-Identifier: BSD-2-Clause */
/* Machine checks: the CPU's own report of broken hardware. */
/* Repairs nothing: corrected errors are logged, the others are the end. */
#ifndef ARCH_X86_CPU_MCE_H
#define ARCH_X86_CPU_MCE_H

/* Takes over vector 18. Once. */
void mce_init(void);
/* Logs what the banks of the executing CPU still hold from before, clears and enables them. */
void mce_init_cpu(void);
/* Logs and clears corrected errors of the executing CPU. In an interrupt window or a thread. */
void mce_poll(void);

#endif
