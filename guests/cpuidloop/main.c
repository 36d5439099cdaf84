/* SPDX-License-Identifier: BSD-2-Clause */
/* One line, then CPUID without end: as many VM exits as a guest can make. */
/* Never gives the CPU back. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/print.h"

void guest_main(void)
{
	print("cpuidloop\n");
	for (;;) {
		(void)cpu_cpuid(0, 0);
	}
}
