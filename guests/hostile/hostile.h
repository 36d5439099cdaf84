/* SPDX-License-Identifier: BSD-2-Clause */
/* What a group of hostile acts is: numbered steps, each of which may be this guest's last. */
/* main.c runs them; one file per group defines them. */
#ifndef GUESTS_HOSTILE_HOSTILE_H
#define GUESTS_HOSTILE_HOSTILE_H

#include "guests/lib/cpu.h"

struct hostile_group {
	const char *name;
	unsigned int count;		  /* of steps */
	unsigned int (*count_fn)(void);	  /* where only the linker knows */
	unsigned int every;		  /* a line for each so many steps */
	void (*step)(unsigned int n);	  /* may fault, hang, never return */
	void (*describe)(unsigned int n); /* prints a word about it; may be NULL */
	void (*prepare)(void);		  /* on each CPU, before its first; may be NULL */
	bool (*last)(unsigned int n);	  /* ends the machine when all is well; may be NULL */
	void (*on_nmi)(void);		  /* in a race, at each; may be NULL */
	bool guarded;			  /* by the watchdog: a step may hang */
};

extern const struct hostile_group hostile_end, hostile_msr, hostile_port, hostile_mmio,
	hostile_insn, hostile_cr, hostile_virt, hostile_jump, hostile_tables, hostile_descr,
	hostile_string, hostile_pci, hostile_storm;

/* Random instruction streams: "random seed=S count=N". */
void hostile_random(void);

/* An address that nothing answers, beyond all RAM and below the devices. */
#define HOSTILE_HOLE 0xd0000000u

/* The first address behind the guest's RAM. */
uint64_t hostile_ram_end(void);

/*
 * An NMI about this many milliseconds (at most 50) from now, which ends idt_try(), and again each time
 * so many later until cancelled: the first may come before what it guards.
 */
void hostile_watchdog(unsigned int ms);
void hostile_watchdog_cancel(void);
/* From now on it is every CPU's, and nobody cancels it. */
void hostile_watchdog_everyone(void);

#endif
