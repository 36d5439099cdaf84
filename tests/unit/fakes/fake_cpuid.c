/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's CPUID for tests: an Intel CPU like Haswell, or an AMD CPU like first-generation EPYC. */
/* Only leaves that the policy reads. */
#include "fakes/fake_cpuid.h"

bool fake_cpuid_amd;
unsigned int fake_cpuid_reads;

struct row {
	uint32_t leaf, sub;
	struct x86_cpuid regs;
};

static const struct row intel[] = {
	{ 0, 0, { 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 } },
	{ 1, 0, { 0x306c3, 0x04100800, 0x7ffafbff, 0xbfebfbff } },
	{ 2, 0, { 0x76036301, 0xf0b5ff, 0, 0xc10000 } },
	{ 4, 0, { 0x1c004121, 0x1c0003f, 0x3f, 0 } },
	{ 4, 1, { 0x1c03c163, 0x3c0003f, 0x1fff, 6 } },
	{ 6, 0, { 0x77, 2, 9, 0 } },
	{ 7, 0, { 0, 0x27ab, 0, 0x9c000000 } },
	{ 0xa, 0, { 0x7300403, 0, 0, 0x603 } },
	{ 0xd, 0, { 7, 832, 832, 0 } },
	{ 0xd, 1, { 1, 0, 0, 0 } },
	{ 0xd, 2, { 256, 576, 0, 0 } },
	{ 0x80000000, 0, { 0x80000008, 0, 0, 0 } },
	{ 0x80000001, 0, { 0, 0, 0x21, 0x2c100800 } },
	{ 0x80000007, 0, { 0, 0, 0, 0x100 } },
	{ 0x80000008, 0, { 0x3027, 0, 0, 0 } },
};

static const struct row amd[] = {
	{ 0, 0, { 0xd, 0x68747541, 0x444d4163, 0x69746e65 } },
	{ 1, 0, { 0x800f12, 0x00100800, 0xfed8320b, 0x178bfbff } },
	{ 6, 0, { 4, 0, 0, 0 } },
	{ 7, 0, { 0, 0x209c01a9, 4, 0 } },
	{ 0xd, 0, { 7, 832, 832, 0 } },
	{ 0xd, 1, { 0xf, 0, 0, 0 } },
	{ 0xd, 2, { 256, 576, 0, 0 } },
	{ 0x80000000, 0, { 0x8000001f, 0x68747541, 0x444d4163, 0x69746e65 } },
	{ 0x80000001, 0, { 0x800f12, 0, 0x004003f7, 0x2fd3fbff } },
	{ 0x80000005, 0, { 0xff40ff18, 0xff40ff30, 0x20080140, 0x40040140 } },
	{ 0x80000007, 0, { 0, 7, 0, 0x100 } },
	{ 0x80000008, 0, { 0x3030, 0x1007, 0x4007, 0 } },
	{ 0x8000000a, 0, { 1, 16, 0, 1 } },
};

struct x86_cpuid vcpuid_host(uint32_t leaf, uint32_t sub)
{
	const struct row *rows = fake_cpuid_amd ? amd : intel;
	unsigned int count = fake_cpuid_amd ? ARRAY_SIZE(amd) : ARRAY_SIZE(intel);

	fake_cpuid_reads++;
	for (unsigned int i = 0; i < count; i++) {
		if (rows[i].leaf == leaf && rows[i].sub == sub) {
			return rows[i].regs;
		}
	}
	return (struct x86_cpuid){ 0 };
}
