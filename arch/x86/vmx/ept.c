/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT entries in the shape that arch/x86/hvm/slat builds tables from, and INVEPT. */
/* Does not decide what is mapped where. */
#include "arch/x86/vmx/ept.h"

#include "arch/paging.h"
#include "arch/x86/hvm/vlapic.h"
#include "hv/base/heap.h"
#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/lib/errno.h"
#include "hv/vm.h"

/* SDM Vol. 3C, "The EPT Translation Mechanism". The low three bits are those of enum hvm_right. */
#define EPT_LARGE     BIT(7)
#define EPT_MEMORY_WB (6ul << 3)
_Static_assert(HVM_READ == 1 && HVM_WRITE == 2 && HVM_EXEC == 4, "the low bits of an EPT entry");

/* SDM Vol. 3C, "Extended-Page-Table Pointer (EPTP)". */
#define EPTP_MEMORY_WB 6ul
#define EPTP_LEVELS_4  (3ul << 3)

#define INVEPT_SINGLE_CONTEXT 1ul

static uint64_t leaf(hpa_t hpa, enum hvm_right rights, unsigned int level)
{
	uint64_t bits = (uint64_t)rights;

	/* Writable or executable but not readable is a misconfiguration on many CPUs. */
	if (bits & (HVM_WRITE | HVM_EXEC)) {
		bits |= HVM_READ;
	}
	return hpa.v | bits | EPT_MEMORY_WB | (level > 1 ? EPT_LARGE : 0);
}

static uint64_t table(hpa_t next)
{
	return next.v | HVM_RWX;
}

static enum hvm_right rights_of(uint64_t entry, unsigned int level)
{
	(void)level;
	return (enum hvm_right)(entry & HVM_RWX);
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (entry & EPT_LARGE);
}

static struct slat_format format = {
	.leaf = leaf,
	.table = table,
	.rights = rights_of,
	.is_leaf = is_leaf,
};

static bool needs_apic_page;

void ept_init(bool large_1g, bool apic_page)
{
	format.large_1g = large_1g;
	needs_apic_page = apic_page;
}

/*
 * One for each VM: a guest in x2APIC mode finds memory of its own there, where else nothing answers.
 * No code runs from it.
 */
static int make_apic_page(struct ept *e)
{
	if (!needs_apic_page) {
		return 0;
	}
	e->apic_page = page_alloc(0);
	if (e->apic_page == NULL) {
		return -ENOMEM;
	}
	return slat_map(&e->slat, (gpa_t){ VLAPIC_BASE }, paging_hpa(e->apic_page), PAGE_SIZE,
			(enum hvm_right)(HVM_READ | HVM_WRITE));
}

int ept_create(struct vm *vm)
{
	struct ept *e = heap_alloc(sizeof(*e));
	int err;

	if (e == NULL) {
		return -ENOMEM;
	}
	err = slat_create(&e->slat, &format);
	if (err != 0) {
		heap_free(e);
		return err;
	}
	vm->slat = e;
	err = make_apic_page(e);
	if (err != 0) {
		ept_destroy(vm);
	}
	return err;
}

void ept_destroy(struct vm *vm)
{
	struct ept *e = vm->slat;

	slat_destroy(&e->slat);
	if (e->apic_page != NULL) {
		page_free(e->apic_page, 0);
	}
	heap_free(e);
	vm->slat = NULL;
}

uint64_t ept_pointer(const struct ept *e)
{
	return e->slat.root.v | EPTP_MEMORY_WB | EPTP_LEVELS_4;
}

void ept_flush(struct ept *e, unsigned int cpu)
{
	struct {
		uint64_t eptp;
		uint64_t reserved;
	} descriptor = { ept_pointer(e), 0 };
	uint64_t generation = slat_generation(&e->slat);
	bool fail;

	__asm__ volatile("invept %[d], %[type]"
			 : "=@ccbe"(fail)
			 : [d] "m"(descriptor), [type] "r"(INVEPT_SINGLE_CONTEXT)
			 : "memory");
	BUG_ON(fail);
	e->seen[cpu] = generation + 1;
}
