/* SPDX-License-Identifier: BSD-2-Clause */
/* Port I/O by the IN and OUT instructions. */
/* Knows no device; delays and retries are the drivers'. */
#include "arch/pio.h"

uint8_t pio_in8(uint16_t port)
{
	uint8_t val;

	__asm__ volatile("inb %[port], %[val]" : [val] "=a"(val) : [port] "Nd"(port));
	return val;
}

uint16_t pio_in16(uint16_t port)
{
	uint16_t val;

	__asm__ volatile("inw %[port], %[val]" : [val] "=a"(val) : [port] "Nd"(port));
	return val;
}

uint32_t pio_in32(uint16_t port)
{
	uint32_t val;

	__asm__ volatile("inl %[port], %[val]" : [val] "=a"(val) : [port] "Nd"(port));
	return val;
}

void pio_out8(uint16_t port, uint8_t val)
{
	__asm__ volatile("outb %[val], %[port]" : : [val] "a"(val), [port] "Nd"(port));
}

void pio_out16(uint16_t port, uint16_t val)
{
	__asm__ volatile("outw %[val], %[port]" : : [val] "a"(val), [port] "Nd"(port));
}

void pio_out32(uint16_t port, uint32_t val)
{
	__asm__ volatile("outl %[val], %[port]" : : [val] "a"(val), [port] "Nd"(port));
}
