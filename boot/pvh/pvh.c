/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the start information of the PVH entry: Xen's "x86/HVM direct boot ABI", version 1. */
/* QEMU passes one module without a name: the cpio bundle. */
#include "boot/boot_fill.h"

#define PVH_MAGIC 0x336ec578u

struct pvh_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap; /* from here on: version 1 */
	uint32_t memmap_count;
	uint32_t reserved;
};

struct pvh_module {
	uint64_t base;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct pvh_memmap {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};
_Static_assert(sizeof(struct pvh_start_info) == 56, "PVH, hvm_start_info");
_Static_assert(sizeof(struct pvh_module) == 32, "PVH, hvm_modlist_entry");
_Static_assert(sizeof(struct pvh_memmap) == 24, "PVH, hvm_memmap_table_entry");

static struct boot_info *const info = &boot_fill_info;

static void read_memmap(const struct pvh_start_info *s)
{
	const struct pvh_memmap *m = boot_fill_ptr(s->memmap);

	for (uint32_t i = 0; s->version >= 1 && i < s->memmap_count; i++) {
		boot_fill_mem(info, m[i].base, m[i].size, m[i].type);
	}
}

static void read_modules(const struct pvh_start_info *s)
{
	const struct pvh_module *m = boot_fill_ptr(s->modules);

	for (uint32_t i = 0; i < s->module_count; i++) {
		boot_fill_module(info, m[i].base, m[i].size, "");
	}
}

/* Called by entry.S. */
void boot_from_pvh(uint64_t start_info, uint64_t entry_tsc) NORETURN;

void boot_from_pvh(uint64_t start_info, uint64_t entry_tsc)
{
	const struct pvh_start_info *s = boot_fill_ptr(start_info);

	boot_fill_start(info, "PVH", entry_tsc);
	if (s->magic == PVH_MAGIC) {
		info->rsdp.v = s->rsdp;
		if (s->cmdline != 0) {
			boot_fill_cmdline(info, boot_fill_ptr(s->cmdline));
		}
		read_memmap(s);
		read_modules(s);
	}
	hv_main(info);
}
