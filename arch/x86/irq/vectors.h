/* SPDX-License-Identifier: BSD-2-Clause */
/* The one plan of interrupt vectors in root mode; a higher one is served first. */
/* Guests' vectors are another world. */
#ifndef ARCH_X86_IRQ_VECTORS_H
#define ARCH_X86_IRQ_VECTORS_H

#define VECTOR_NMI 2u
#define VECTOR_MCE 18u

#define VECTOR_PIC	 0x20u /* 16 of the masked 8259s: only spurious ones arrive */
#define VECTOR_IRQ_FIRST 0x30u /* devices: handed out by irq.c */
#define VECTOR_IRQ_LAST	 0xdfu
#define VECTOR_KICK	 0xf0u
#define VECTOR_CLOCK	 0xf1u
#define VECTOR_ERROR	 0xfeu /* the local APIC's own errors */
#define VECTOR_SPURIOUS	 0xffu /* low four bits set: older local APICs hardwire them */

#endif
