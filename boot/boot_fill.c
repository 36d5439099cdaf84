/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded writers into struct boot_info, used by every boot protocol. */
/* Parses no protocol itself. */
#include "boot/boot_fill.h"

#include "hv/lib/string.h"

extern char image_load_start[], image_load_end[];

struct boot_info boot_fill_info;

void boot_fill_start(struct boot_info *info, const char *loader, uint64_t entry_tsc)
{
	memset(info, 0, sizeof(*info));
	info->loader = loader;
	info->entry_tsc = entry_tsc;
	info->image_start.v = (uint64_t)image_load_start;
	info->image_end.v = (uint64_t)image_load_end;
}

/* Types as in ACPI Specification 6.4, "Address Range Types". */
static enum boot_mem_type mem_type(uint32_t e820_type)
{
	static const enum boot_mem_type types[] = {
		[1] = BOOT_MEM_RAM, [2] = BOOT_MEM_RESERVED, [3] = BOOT_MEM_ACPI,
		[4] = BOOT_MEM_NVS, [5] = BOOT_MEM_BAD,
	};

	return e820_type >= 1 && e820_type < ARRAY_SIZE(types) ? types[e820_type]
							       : BOOT_MEM_RESERVED;
}

void boot_fill_mem(struct boot_info *info, uint64_t base, uint64_t size, uint32_t e820_type)
{
	if (info->mem_count == BOOT_MEM_MAX || base + size < base) {
		return;
	}
	info->mem[info->mem_count++] = (struct boot_mem){
		.base = { base },
		.size = size,
		.type = mem_type(e820_type),
	};
}

void boot_fill_module(struct boot_info *info, uint64_t base, uint64_t size, const char *name)
{
	struct boot_module *m;
	size_t len = 0;

	if (info->module_count == BOOT_MODULES_MAX) {
		return;
	}
	m = &info->modules[info->module_count++];
	m->base.v = base;
	m->size = size;
	while (name[len] != '\0' && name[len] != ' ' && len < sizeof(m->name) - 1) {
		m->name[len] = name[len];
		len++;
	}
	m->name[len] = '\0';
}

void boot_fill_cmdline(struct boot_info *info, const char *text)
{
	string_copy(info->cmdline, text, sizeof(info->cmdline));
}
