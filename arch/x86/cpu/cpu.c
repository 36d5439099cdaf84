/* SPDX-License-Identifier: BSD-2-Clause */
/* The executing CPU: its names, waiting, interrupt windows, random bits. */
/* Starting CPUs is smp.c, ending the machine machine.c. */
#include "arch/cpu.h"

#include "arch/x86/cpu/percpu.h"
#include "arch/x86/cpu/x86.h"
#include "arch/x86/irq/window.h"
#include "hv/base/stretch.h"
#include "hv/lib/string.h"

#define CPUID1_ECX_RDRAND BIT(30)
#define RDRAND_TRIES	  10u /* SDM Vol. 1, "RDRAND": more than that means broken hardware */
#define BRAND_LEAF	  0x80000002u

void cpu_relax(void)
{
	__asm__ volatile("pause");
}

static struct stretch *this_stretch(void)
{
	return &stretches[percpu_id()];
}

/* STI holds interrupts off for one more instruction: the NOP; they are taken after it. */
void cpu_irq_window(void)
{
	window_note();
	stretch_end(this_stretch(), x86_rdtsc());
	__asm__ volatile("sti; nop; cli" ::: "memory");
	stretch_begin(this_stretch(), x86_rdtsc());
}

/* No interrupt can come between STI and HLT, so none is slept through. */
void cpu_idle(void)
{
	window_note();
	stretch_end(this_stretch(), x86_rdtsc());
	__asm__ volatile("sti; hlt; cli" ::: "memory");
	stretch_begin(this_stretch(), x86_rdtsc());
}

void cpu_halt(void)
{
	for (;;) {
		__asm__ volatile("cli; hlt" ::: "memory");
	}
}

const char *cpu_vendor(void)
{
	static char vendor[13];
	struct x86_cpuid r = x86_cpuid(0, 0);

	memcpy(vendor, &r.ebx, 4);
	memcpy(vendor + 4, &r.edx, 4);
	memcpy(vendor + 8, &r.ecx, 4);
	return vendor;
}

/* Intel pads the string in front. */
const char *cpu_brand(void)
{
	static char brand[49];
	const char *p = brand;

	if (x86_cpuid(0x80000000, 0).eax < BRAND_LEAF + 2) {
		return "unnamed CPU";
	}
	for (unsigned int i = 0; i < 3; i++) {
		struct x86_cpuid r = x86_cpuid(BRAND_LEAF + i, 0);

		memcpy(brand + 16 * i, &r, 16);
	}
	while (*p == ' ') {
		p++;
	}
	return p;
}

static bool rdrand(uint64_t *val)
{
	bool ok = false;

	for (unsigned int i = 0; i < RDRAND_TRIES && !ok; i++) {
		__asm__ volatile("rdrand %[val]" : [val] "=r"(*val), "=@ccc"(ok));
	}
	return ok;
}

/* splitmix64's finaliser: spreads the few changing bits of a counter over all. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

/* CPUID is not asked again: on a virtual host it costs an exit. */
bool cpu_random_hardware(uint64_t *val)
{
	static enum { UNKNOWN, NO, YES } has;

	if (has == UNKNOWN) {
		has = (x86_cpuid(1, 0).ecx & CPUID1_ECX_RDRAND) != 0 ? YES : NO;
	}
	return has == YES && rdrand(val);
}

uint64_t cpu_random(void)
{
	static uint64_t counter;
	uint64_t val;

	if (cpu_random_hardware(&val)) {
		return val;
	}
	uint64_t n = __atomic_add_fetch(&counter, 0x9e3779b97f4a7c15ul, __ATOMIC_RELAXED);

	return mix(x86_rdtsc() + n);
}
