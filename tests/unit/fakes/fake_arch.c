/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/cpu.h and arch/clock.h for host tests. */
/* Nothing here fails. */
#include "tests/unit/fakes/fake_arch.h"

#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/x86/cpu/tsc_sync.h"

unsigned int fake_cpu;
uint64_t fake_now;
uint64_t fake_armed = CLOCK_NEVER;
unsigned int fake_windows;
bool fake_has_random = true;
bool fake_tsc_agrees = true;
uint64_t fake_wall_ns;

unsigned int cpu_id(void)
{
	return fake_cpu;
}

void cpu_relax(void)
{
}

void cpu_irq_window(void)
{
	fake_windows++;
}

static uint64_t next_random(void)
{
	static uint64_t count;

	return ++count * 0x9e3779b97f4a7c15ul;
}

bool cpu_random_hardware(uint64_t *val)
{
	*val = next_random();
	return fake_has_random;
}

uint64_t cpu_random(void)
{
	return next_random();
}

uint64_t clock_now(void)
{
	return fake_now;
}

uint64_t clock_hz(void)
{
	return 1000000000;
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
	return ns;
}

uint64_t clock_ticks_to_ns(uint64_t ticks)
{
	return ticks;
}

uint64_t clock_wall_ns(void)
{
	return fake_wall_ns;
}

bool tsc_sync_agrees(void)
{
	return fake_tsc_agrees;
}

void clock_arm(uint64_t deadline)
{
	fake_armed = deadline;
}
