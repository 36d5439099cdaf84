/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the hypervisor: our own mistakes stop here, with all that helps to find them. */
/* A guest or an administrator must never be able to reach it. */
#ifndef HV_BASE_PANIC_H
#define HV_BASE_PANIC_H

#include "hv/lib/types.h"

/* Stops all CPUs, prints the message, a symbolised backtrace and the last trace records. */
void panic_stop(const char *fmt, ...) PRINTF(1, 2) NORETURN;
/* What makes the console's output leave without interrupts: called first in a panic, and last. */
void panic_set_flush(void (*fn)(void));
/* Prints the backtrace of the frame chain at rbp: "  ffffffff80201234 name+0x12". */
void panic_backtrace(uint64_t rip, uint64_t rbp);

#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond)) {                                                              \
			panic_stop("BUG_ON(%s) at %s:%d", #cond, __FILE__, __LINE__);              \
		}                                                                                  \
	} while (0)

#endif
