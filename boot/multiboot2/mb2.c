/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads GRUB's multiboot2 information: Multiboot2 Specification 2.0, "Boot information format". */
/* Trusts the loader for addresses, not for lengths. */
#include "boot/boot_fill.h"
#include "hv/lib/string.h"

enum mb2_tag_type {
	MB2_END = 0,
	MB2_CMDLINE = 1,
	MB2_MODULE = 3,
	MB2_MMAP = 6,
	MB2_ACPI_OLD = 14,
	MB2_ACPI_NEW = 15,
};

struct mb2_tag {
	uint32_t type;
	uint32_t size;
};

struct mb2_module {
	struct mb2_tag tag;
	uint32_t start;
	uint32_t end;
	char name[];
};

struct mb2_mmap_entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

struct mb2_mmap {
	struct mb2_tag tag;
	uint32_t entry_size;
	uint32_t entry_version;
	char entries[];
};
_Static_assert(sizeof(struct mb2_mmap_entry) == 24, "Multiboot2, Memory map");

static struct boot_info *const info = &boot_fill_info;

static void read_module(const struct mb2_tag *tag)
{
	const struct mb2_module *m = (const void *)tag;

	if (m->end >= m->start) {
		boot_fill_module(info, m->start, m->end - m->start, m->name);
	}
}

static void read_mmap(const struct mb2_tag *tag)
{
	const struct mb2_mmap *map = (const void *)tag;
	uint32_t off = sizeof(*map);

	while (map->entry_size >= sizeof(struct mb2_mmap_entry) &&
	       range_within(off, map->entry_size, tag->size)) {
		const struct mb2_mmap_entry *e = (const void *)((const char *)map + off);

		boot_fill_mem(info, e->base, e->size, e->type);
		off += map->entry_size;
	}
}

/* The tag holds a copy of the RSDP; the newer one wins. */
static void read_rsdp(const struct mb2_tag *tag)
{
	if (info->rsdp_copied && tag->type == MB2_ACPI_OLD) {
		return;
	}
	memset(info->rsdp_copy, 0, sizeof(info->rsdp_copy));
	memcpy(info->rsdp_copy, tag + 1,
	       u64_min(sizeof(info->rsdp_copy), tag->size - sizeof(*tag)));
	info->rsdp_copied = true;
}

static void read_cmdline(const struct mb2_tag *tag)
{
	boot_fill_cmdline(info, (const char *)(tag + 1));
}

static void (*const readers[])(const struct mb2_tag *) = {
	[MB2_CMDLINE] = read_cmdline, [MB2_MODULE] = read_module, [MB2_MMAP] = read_mmap,
	[MB2_ACPI_OLD] = read_rsdp,   [MB2_ACPI_NEW] = read_rsdp,
};

/* Called by entry.S. */
void boot_from_multiboot2(uint64_t mbi, uint64_t entry_tsc) NORETURN;

void boot_from_multiboot2(uint64_t mbi, uint64_t entry_tsc)
{
	uint32_t total = *(const uint32_t *)boot_fill_ptr(mbi);
	uint32_t off = 8;

	boot_fill_start(info, "multiboot2", entry_tsc);
	while (range_within(off, sizeof(struct mb2_tag), total)) {
		const struct mb2_tag *tag = boot_fill_ptr(mbi + off);

		if (tag->type == MB2_END || tag->size < sizeof(*tag) ||
		    !range_within(off, tag->size, total)) {
			break;
		}
		if (tag->type < ARRAY_SIZE(readers) && readers[tag->type] != NULL) {
			readers[tag->type](tag);
		}
		off += ALIGN_UP(tag->size, 8u);
	}
	hv_main(info);
}
