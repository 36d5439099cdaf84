/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259s, which is only silenced: interrupts come by the I/O APIC. */
/* Guests' 8259s are drivers/emul. */
#ifndef ARCH_X86_IRQ_PIC_H
#define ARCH_X86_IRQ_PIC_H

/* Moves both off the exceptions' vectors and masks all inputs. */
void pic_mask(void);

#endif
