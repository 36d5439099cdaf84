/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that C has no words for, one per function. */
/* No policy. */
#ifndef GUESTS_LIB_CPU_H
#define GUESTS_LIB_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint8_t cpu_in8(uint16_t port)
{
	uint8_t val;

	__asm__ volatile("inb %w1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline uint32_t cpu_in32(uint16_t port)
{
	uint32_t val;

	__asm__ volatile("inl %w1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline void cpu_out8(uint16_t port, uint8_t val)
{
	__asm__ volatile("outb %0, %w1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void cpu_out16(uint16_t port, uint16_t val)
{
	__asm__ volatile("outw %0, %w1" : : "a"(val), "Nd"(port) : "memory");
}

static inline void cpu_out32(uint16_t port, uint32_t val)
{
	__asm__ volatile("outl %0, %w1" : : "a"(val), "Nd"(port) : "memory");
}

static inline uint64_t cpu_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void cpu_wrmsr(uint32_t msr, uint64_t val)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32))
			 : "memory");
}

struct cpu_cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpu_cpuid cpu_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpu_cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t cpu_rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* Interrupts on, and asleep until one came; none gets between the two. Off again behind it. */
static inline void cpu_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline void cpu_sti(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void cpu_cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

#endif
