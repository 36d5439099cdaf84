/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that no driver uses on device memory, on device memory. */
/* Each may crash the VM: the line before it tells which it was. */
#include "guests/hostile/forms.h"
#include "guests/hostile/fpu.h"
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"

static const uint32_t places[] = { 0xfee00020, HOSTILE_HOLE, 0xff000000, 0x000a0000 };

static void step(unsigned int n)
{
	forms_call(forms_memory[n / ARRAY_SIZE(places)].code,
		   (const void *)(uintptr_t)places[n % ARRAY_SIZE(places)]);
}

static void describe(unsigned int n)
{
	print("%s at %x", forms_memory[n / ARRAY_SIZE(places)].name,
	      places[n % ARRAY_SIZE(places)]);
}

static unsigned int count(void)
{
	return (unsigned int)(forms_memory_end - forms_memory) * (unsigned int)ARRAY_SIZE(places);
}

const struct hostile_group hostile_insn = {
	.name = "insn",
	.count_fn = count,
	.every = 1,
	.step = step,
	.describe = describe,
	.prepare = fpu_init,
	.guarded = true,
};
