/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions for hypervisors, and the rest of those that most hypervisors intercept. */
/* Most of them must fault. */
#include "guests/hostile/forms.h"
#include "guests/hostile/fpu.h"
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"

static uint8_t page[4096] __attribute__((aligned(4096)));

static void step(unsigned int n)
{
	forms_call(forms_virt[n].code, page);
}

static void describe(unsigned int n)
{
	print("%s", forms_virt[n].name);
}

static unsigned int count(void)
{
	return (unsigned int)(forms_virt_end - forms_virt);
}

const struct hostile_group hostile_virt = {
	.name = "virt",
	.count_fn = count,
	.every = 1,
	.step = step,
	.describe = describe,
	.prepare = fpu_init,
	.guarded = true,
};
