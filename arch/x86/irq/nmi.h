/* SPDX-License-Identifier: BSD-2-Clause */
/* Non-maskable interrupts: to stop the other CPUs, to see where one hangs, and the hardware's own. */
/* An NMI that arrives in a guest is an exit; the backend then calls nmi_handle. */
#ifndef ARCH_X86_IRQ_NMI_H
#define ARCH_X86_IRQ_NMI_H

#include "hv/lib/types.h"

/* Takes over vector 2. Once, after lapic_init. */
void nmi_init(void);
/* What the handler of vector 2 does; in NMI context or right after the exit that an NMI caused. */
void nmi_handle(void);

#endif
