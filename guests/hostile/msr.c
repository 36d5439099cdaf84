/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads every model-specific register there may be, and writes it three ways. */
/* Puts back what it could read, so that the guest itself lives on. */
#include "guests/lib/msr.h"
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"

#define NON_CANONICAL 0x0000800000000000u
#define KVM_MSRS      0x4b564d00u
#define ENABLE	      1u

static const struct {
	uint32_t first, count;
} ranges[] = {
	{ 0, 0x2000 },		{ 0x40000000, 0x100 },	{ KVM_MSRS, 0x10 },
	{ 0xc0000000, 0x2000 }, { 0xc0010000, 0x2000 },
};

static uint32_t index_of(unsigned int n)
{
	unsigned int i;

	for (i = 0; n >= ranges[i].count; i++) {
		n -= ranges[i].count;
	}
	return ranges[i].first + n;
}

/* The x2APIC's interrupt command could send this CPU an INIT. APIC_BASE 0 cannot be taken back. */
static bool deadly(uint32_t index, uint64_t val)
{
	return index == 0x830 || (index == MSR_APIC_BASE && val == 0);
}

/* KVM's take addresses: devices' memory, ends of RAM, no RAM at all, with and without alignment. */
static void write_addresses(uint32_t index)
{
	static uint8_t pages[2][4096] __attribute__((aligned(4096)));
	const uint64_t bases[] = { (uintptr_t)pages[0], (uintptr_t)pages[1] - 4,
				   0xa0000 - 4,		0x1000000 - 4,
				   0xc0000000 - 8,	0xfee00000,
				   0xfec00000,		0x100000000 - 4,
				   1ul << 52,		~0ul - 63 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		(void)msr_write(index, bases[i]);
		(void)msr_write(index, bases[i] | ENABLE);
		(void)msr_write(index, bases[i] | ENABLE | 2);
	}
	(void)msr_write(index, 0);
}

static void step(unsigned int n)
{
	static const uint64_t values[] = { 0, ~0ul, NON_CANONICAL };
	uint32_t index = index_of(n);
	uint64_t old;
	bool readable = msr_read(index, &old);
	unsigned int i;

	if (index >> 8 == KVM_MSRS >> 8) {
		write_addresses(index);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		if (!deadly(index, values[i]) && msr_write(index, values[i]) && readable) {
			(void)msr_write(index, old);
		}
	}
}

static void describe(unsigned int n)
{
	print("msr %x", index_of(n));
}

const struct hostile_group hostile_msr = {
	.name = "msr",
	.count = 0x2000 + 0x100 + 0x10 + 0x2000 + 0x2000,
	.every = 0x400,
	.step = step,
	.describe = describe,
};
