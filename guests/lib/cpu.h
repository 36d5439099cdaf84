/* SPDX-License-Identifier: BSD-2-Clause */
/* One-instruction helpers: ports, time stamps, CPUID, control registers, interrupt flag. */
/* Catches no fault: see idt.h and msr.h for that. */
#ifndef GUESTS_LIB_CPU_H
#define GUESTS_LIB_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline uint8_t pio_in8(uint16_t port)
{
	uint8_t val;

	__asm__ volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline uint16_t pio_in16(uint16_t port)
{
	uint16_t val;

	__asm__ volatile("inw %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline uint32_t pio_in32(uint16_t port)
{
	uint32_t val;

	__asm__ volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
	return val;
}

static inline void pio_out8(uint16_t port, uint8_t val)
{
	__asm__ volatile("outb %0, %1" ::"a"(val), "Nd"(port));
}

static inline void pio_out16(uint16_t port, uint16_t val)
{
	__asm__ volatile("outw %0, %1" ::"a"(val), "Nd"(port));
}

static inline void pio_out32(uint16_t port, uint32_t val)
{
	__asm__ volatile("outl %0, %1" ::"a"(val), "Nd"(port));
}

static inline uint32_t mmio_read32(uintptr_t addr)
{
	uint32_t val;

	__asm__ volatile("movl (%1), %0" : "=r"(val) : "r"(addr) : "memory");
	return val;
}

static inline void mmio_write32(uintptr_t addr, uint32_t val)
{
	__asm__ volatile("movl %0, (%1)" ::"r"(val), "r"(addr) : "memory");
}

static inline uint64_t cpu_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpu_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* True if the extended or basic range that leaf belongs to reaches it. */
static inline bool cpu_has_leaf(uint32_t leaf)
{
	uint32_t max = cpu_cpuid(leaf & 0xffff0000u, 0).eax;

	return max >= leaf && (max & 0xffff0000u) == (leaf & 0xffff0000u);
}

static inline void cpu_cli(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void cpu_sti(void)
{
	__asm__ volatile("sti" ::: "memory");
}

/* Interrupts on for this one wait: an interrupt between the two instructions ends it too. */
static inline void cpu_wait(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

#define CPU_CR(name)                                                                               \
	static inline uint64_t cpu_read_##name(void)                                               \
	{                                                                                          \
		uint64_t val;                                                                      \
                                                                                                   \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(val)::"memory");                     \
		return val;                                                                        \
	}                                                                                          \
	static inline void cpu_write_##name(uint64_t val)                                          \
	{                                                                                          \
		__asm__ volatile("mov %0, %%" #name ::"r"(val) : "memory");                        \
	}

CPU_CR(cr0)
CPU_CR(cr2)
CPU_CR(cr3)
CPU_CR(cr4)
CPU_CR(cr8)

#endif
