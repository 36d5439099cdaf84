/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/paging.h's direct map over one host allocation. */
/* Physical address 0 is the allocation's first byte. */
#include "tests/unit/fakes/fake_paging.h"

#include "arch/paging.h"
#include "hv/lib/errno.h"

#include <stdlib.h>
#include <string.h>

static char *ram;
bool fake_paging_fail;

void fake_paging_reset(void)
{
	if (ram == NULL) {
		ram = aligned_alloc(2 * MIB, FAKE_RAM);
	}
	memset(ram, 0xaa, FAKE_RAM);
	fake_paging_fail = false;
}

void *paging_direct(hpa_t hpa)
{
	return ram + hpa.v;
}

hpa_t paging_hpa(const void *va)
{
	return (hpa_t){ (uint64_t)((const char *)va - ram) };
}

int paging_direct_add(hpa_t hpa, uint64_t size, enum paging_right rights)
{
	(void)hpa;
	(void)size;
	(void)rights;
	return fake_paging_fail ? -ENOMEM : 0;
}
