/* SPDX-License-Identifier: BSD-2-Clause */
/* Random instruction streams, each from a valid state of some mode: "random seed=S count=N". */
/* A stream may destroy this guest: the line before it says where to go on. */
#include "guests/hostile/fpu.h"
#include "guests/hostile/hostile.h"
#include "guests/hostile/random_code.h"
#include "guests/hostile/random_run.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"

void hostile_random(void)
{
	unsigned int first = (unsigned int)mboot_number("seed", 0);
	unsigned int count = (unsigned int)mboot_number("count", 1), n;

	print("hostile random: %u streams from %u, run=%lu\n", count, first,
	      mboot_number("run", 0));
	fpu_init();
	random_run_init();
	for (n = first; n < first + count; n++) {
		random_code_seed(n);
		print("stream %u %s\n", n, random_run_name(n));
		print_drain();
		print("stream %u ended by %s\n", n, random_run(n));
	}
	print("hostile random done\n");
}
