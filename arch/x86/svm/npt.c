/* SPDX-License-Identifier: BSD-2-Clause */
/* The bits of a nested page table entry. */
/* Building and walking the tables is arch/x86/hvm/slat's. */
#include "arch/x86/svm/npt.h"

#include "arch/x86/cpu/x86.h"

/* APM Vol. 2, "Nested Paging": the format of long mode's tables; the guest's accesses count as user. */
#define NPT_P  BIT(0)
#define NPT_W  BIT(1)
#define NPT_U  BIT(2)
#define NPT_A  BIT(5)
#define NPT_D  BIT(6)
#define NPT_PS BIT(7)
#define NPT_NX BIT(63)

#define CPUID_EXT_FEATURES 0x80000001u
#define CPUID_EDX_PAGE1GB  BIT(26)

static uint64_t leaf(hpa_t hpa, enum hvm_right rights, unsigned int level)
{
	return hpa.v | NPT_P | NPT_U | NPT_A | NPT_D | (level > 1 ? NPT_PS : 0) |
	       (rights & HVM_WRITE ? NPT_W : 0) | (rights & HVM_EXEC ? 0 : NPT_NX);
}

static uint64_t table(hpa_t hpa)
{
	return hpa.v | NPT_P | NPT_W | NPT_U | NPT_A;
}

static enum hvm_right rights(uint64_t entry, unsigned int level)
{
	unsigned int r = HVM_READ;

	(void)level;
	r |= entry & NPT_W ? HVM_WRITE : 0u;
	r |= entry & NPT_NX ? 0u : HVM_EXEC;
	return (enum hvm_right)r;
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (entry & NPT_PS) != 0;
}

static const struct slat_format formats[2] = {
	{ leaf, table, rights, is_leaf, .large_1g = false },
	{ leaf, table, rights, is_leaf, .large_1g = true },
};

const struct slat_format *npt_format(void)
{
	bool large = (x86_cpuid_checked(CPUID_EXT_FEATURES, 0).edx & CPUID_EDX_PAGE1GB) != 0;

	return &formats[large];
}
