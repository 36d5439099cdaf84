/* SPDX-License-Identifier: BSD-2-Clause */
/* The format of fake_slat.h. */
/* Knows no tables. */
#include "fakes/fake_slat.h"

#define LARGE BIT(7)

static uint64_t leaf(hpa_t hpa, enum hvm_right rights, unsigned int level)
{
	return hpa.v | (uint64_t)rights | (level > 1 ? LARGE : 0);
}

static uint64_t table(hpa_t t)
{
	return t.v | 7;
}

static enum hvm_right rights_of(uint64_t entry, unsigned int level)
{
	(void)level;
	return (enum hvm_right)(entry & 7);
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	(void)level;
	return (entry & LARGE) != 0;
}

struct slat_format fake_slat_format(bool large_1g)
{
	return (struct slat_format){ leaf, table, rights_of, is_leaf, large_1g };
}
