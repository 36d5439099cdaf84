/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical CPU as the core sees it: which one am I, wait, wake another, end the machine. */
/* Knows nothing of guests; per-CPU data elsewhere is an array indexed by cpu_id(). */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "hv/lib/types.h"

#define CPU_MAX 64u

struct boot_info;

/* The boot CPU's tables and exception handlers: the very first call of hv_main. */
void cpu_boot_init(void);
/*
 * Firmware tables, interrupt controllers, clock: after paging. -ENODEV or -ENOMEM, logged, where the
 * machine lacks what we cannot do without.
 */
int cpu_platform_init(const struct boot_info *info);

/* Index of the executing CPU, 0 .. cpu_count() - 1. Stable: threads move only when they switch. */
unsigned int cpu_id(void);
/* CPUs that are up and scheduling; 1 until cpu_start_others() returned. */
unsigned int cpu_count(void);

/* Hint in a spin loop (PAUSE). */
void cpu_relax(void);

/*
 * Takes every pending interrupt, then masks again: the only place besides cpu_idle() where handlers
 * run. Call with no spinlock held.
 */
void cpu_irq_window(void);
/* Sleeps until an interrupt and takes it. An interrupt that is already pending ends it at once. */
void cpu_idle(void);
/*
 * Makes another CPU leave guest mode or cpu_idle() soon; returns at once. A kick of the executing
 * CPU is ignored. May be called with spinlocks held.
 */
void cpu_kick(unsigned int cpu);

/*
 * Stacks of threads. cpu_stack_prepare makes a new stack that begins in entry(), which never
 * returns; cpu_stack_switch saves the callee-saved registers on this stack, its pointer in *save,
 * and continues on `to`.
 */
void *cpu_stack_prepare(void *top, void (*entry)(void));
void cpu_stack_switch(void **save, void *to);

/*
 * Starts the application processors (INIT-SIPI-SIPI); each runs entry() on its own stack with
 * interrupts masked, and never returns from it. Returns how many came up.
 */
unsigned int cpu_start_others(void (*entry)(void));

/* Both print why to the log if they cannot, and then return. */
void cpu_reboot(void);
void cpu_poweroff(void);
/* Stops the executing CPU for ever. */
void cpu_halt(void) NORETURN;
/* Stops all other CPUs by NMI, wherever they are: for panic only. */
void cpu_stop_others(void);
/*
 * Watchdog, to be called every second or so on each CPU: kicks the next one (in a ring; nobody
 * watches a CPU that is alone), which if for 10 s it opens no interrupt window gets an NMI and panics
 * there with its backtrace. Also logs what the executing CPU's machine-check banks report.
 */
void cpu_watch(void);

/*
 * From here on the executing CPU works for that owner: a VM's id, or 0 for the hypervisor's own threads,
 * who see data of all VMs. A VM's guest finds nothing in predictors and caches of what the CPU did for
 * others since, as far as it has means for that. Costs nothing while the owner stays the same.
 */
void cpu_work_for(uint64_t owner);

/* A known weakness of speculation and what is done about it, in the words of Linux; static strings. */
struct cpu_vulnerability {
	const char *name, *status;
};
#define CPU_VULNERABILITIES_MAX 16u
/* Fills rows[CPU_VULNERABILITIES_MAX] with those of a CPU that is up; how many. */
unsigned int cpu_vulnerabilities(unsigned int cpu, struct cpu_vulnerability rows[]);

/* Brand string, e.g. "Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz"; static storage. */
const char *cpu_brand(void);
/* "GenuineIntel" or "AuthenticAMD"; static storage. */
const char *cpu_vendor(void);
/* 64 random bits from RDRAND; false if there is none, or it fails. */
bool cpu_random_hardware(uint64_t *val);
/* 64 random bits from RDRAND, else from the TSC; not for keys. */
uint64_t cpu_random(void);

#endif
