/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest guest: says where it runs and switches itself off. */
/* Tests boot, console and power-off. */
#include "guests/lib/console.h"
#include "guests/lib/cpu.h"
#include "guests/lib/start.h"

void guest_main(const char *cmdline)
{
	struct cpu_cpuid r = cpu_cpuid(0, 0);
	const uint32_t vendor[] = { r.ebx, r.edx, r.ecx, 0 };

	console_printf("hello from a guest on %s, command line \"%s\"\n", (const char *)vendor,
		       cmdline);
}
