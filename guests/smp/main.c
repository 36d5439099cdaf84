/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts the other CPUs and has all of them start each other, interrupt each other and race. */
/* Holds on a bare machine with as many CPUs as well. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/smp/check.h"

static const struct check_table *const tables[] = {
	&check_cpuid, &check_init, &check_race, &check_ipi, &check_pv,
};

unsigned int check_cpus, check_rounds;

bool check_until(bool (*fn)(void))
{
	uint64_t start = cpu_tsc();

	while (!fn()) {
		if (cpu_tsc() - start > SMP_PATIENCE) {
			return false;
		}
		__asm__ volatile("pause");
	}
	return true;
}

static unsigned int run(const struct check_table *t)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < t->count; i++) {
		bool good = t->rows[i].run();

		print("smp.%s %s\n", t->rows[i].name, good ? "ok" : "FAILED");
		failed += !good;
	}
	return failed;
}

void guest_main(void)
{
	unsigned int failed = 0, count = 0;

	check_cpus = (unsigned int)mboot_number("cpus", 4);
	check_rounds = (unsigned int)mboot_number("rounds", 2000);
	lapic_init();
	if (check_cpus < 2 || check_cpus > SMP_CPUS || !smp_start(check_cpus)) {
		print("smp: not all of %u CPUs came up\n", check_cpus);
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++) {
		failed += run(tables[i]);
		count += tables[i]->count;
	}
	print("smp %u CPUs, %u checks, %u failed\n", check_cpus, count, failed);
}
