/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a multiboot kernel, its modules and its boot information into a guest. */
/* "Multiboot Specification version 0.6.96", "Boot information format". */
#include "hv/mgmt/loader_multiboot.h"

#include "hv/base/heap.h"
#include "hv/guest_mem.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/guest_map.h"
#include "hv/mgmt/loader.h"
#include "hv/mgmt/multiboot_image.h"
#include "hv/thread.h"
#include "hv/vm.h"

#define LOADER_MAGIC 0x2badb002u

enum info_flag {
	INFO_MEMORY = BIT(0),
	INFO_CMDLINE = BIT(2),
	INFO_MODULES = BIT(3),
	INFO_MAP = BIT(6),
	INFO_LOADER_NAME = BIT(9),
};

struct info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB */
	uint32_t mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
};
_Static_assert(offsetof(struct info, mmap_length) == 44, "Boot information format");
_Static_assert(offsetof(struct info, boot_loader_name) == 64, "Boot information format");

struct module_entry {
	uint32_t start;
	uint32_t end;
	uint32_t string;
	uint32_t reserved;
};
_Static_assert(sizeof(struct module_entry) == 16, "Boot information format");

struct map_entry {
	uint32_t size; /* of the rest */
	struct guest_map_entry e;
} PACKED;
_Static_assert(sizeof(struct map_entry) == 24, "Boot information format");

/* One block in the guest's first MiB, built here and copied at once. */
struct block {
	struct info info;
	uint32_t reserved;
	struct module_entry mods[VM_MODULES_MAX];
	struct map_entry map[GUEST_MAP_MAX];
	char loader_name[8];
	char cmdline[VM_CMDLINE_MAX];
	char mod_strings[VM_MODULES_MAX][VM_PATH_MAX + 64];
};

#define AT_BLOCK  GUEST_LOADER
#define AT_GDT	  (GUEST_LOADER + 0x8000)
#define AT(field) ((uint32_t)(AT_BLOCK + offsetof(struct block, field)))

_Static_assert(sizeof(struct block) <= 0x8000, "the GDT lies behind it");

static int write_segment(struct vm *vm, const uint8_t *file, const struct multiboot_segment *s,
			 const char **why)
{
	if (!guest_map_in_low_ram(&vm->mem, s->addr, s->mem_size)) {
		*why = "a segment of the kernel lies below 1 MiB or outside the guest's memory";
		return -E2BIG;
	}
	/* The rest of mem_size is zero already: the memory was scrubbed. */
	return guest_mem_load(vm, (gpa_t){ s->addr }, file + s->file_off, s->file_size);
}

static int write_kernel(struct vm *vm, const uint8_t *file, const struct multiboot_image *im,
			const char **why)
{
	for (unsigned int i = 0; i < im->count; i++) {
		int err = write_segment(vm, file, &im->segs[i], why);

		if (err != 0) {
			return err;
		}
	}
	return 0;
}

/* cfg.modules[n] is "STORE:FILE arguments"; the guest gets all of it as the module's string. */
static int open_module(struct vm *vm, unsigned int n, struct bootfs_file *out, const char **why)
{
	char path[VM_PATH_MAX];
	const char *text = vm->cfg.modules[n];
	const char *space = strchr(text, ' ');
	size_t len = space != NULL ? (size_t)(space - text) : strlen(text);

	if (len >= sizeof(path)) {
		*why = "a module's path is too long";
		return -EINVAL;
	}
	memcpy(path, text, len);
	path[len] = '\0';
	return loader_open(vm, path, out, why);
}

/* Modules follow the kernel, each on a page of its own. *next: where the first may lie. */
static int write_module(struct vm *vm, struct block *b, unsigned int n, uint64_t *next,
			const char **why)
{
	struct bootfs_file f;
	int err = open_module(vm, n, &f, why);
	uint64_t at = ALIGN_UP(*next, PAGE_SIZE);

	if (err != 0) {
		return err;
	}
	if (!guest_map_in_low_ram(&vm->mem, at, f.size)) {
		*why = "kernel and modules do not fit into its memory";
		return -E2BIG;
	}
	b->mods[n] =
		(struct module_entry){ (uint32_t)at, (uint32_t)(at + f.size),
				       AT(mod_strings) + n * (uint32_t)sizeof(b->mod_strings[0]),
				       0 };
	(void)string_copy(b->mod_strings[n], vm->cfg.modules[n], sizeof(b->mod_strings[n]));
	*next = at + f.size;
	return guest_mem_load(vm, (gpa_t){ at }, f.data, f.size);
}

static void fill_map(const struct vm *vm, struct block *b)
{
	struct guest_map_entry map[GUEST_MAP_MAX];
	unsigned int count = guest_map_build(&vm->mem, map);

	for (unsigned int i = 0; i < count; i++) {
		b->map[i] = (struct map_entry){ sizeof(map[i]), map[i] };
	}
	b->info.mmap_length = count * (uint32_t)sizeof(b->map[0]);
	b->info.mmap_addr = AT(map);
}

static void fill_info(const struct vm *vm, struct block *b)
{
	b->info = (struct info){
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP | INFO_LOADER_NAME,
		.mem_lower = (uint32_t)(GUEST_EBDA / KIB),
		.mem_upper = (uint32_t)((vm->mem.low_size - GUEST_1M) / KIB),
		.cmdline = AT(cmdline),
		.mods_count = vm->cfg.module_count,
		.mods_addr = AT(mods),
		.boot_loader_name = AT(loader_name),
	};
	(void)string_copy(b->loader_name, "Insula", sizeof(b->loader_name));
	(void)string_copy(b->cmdline, vm->cfg.cmdline, sizeof(b->cmdline));
	fill_map(vm, b);
}

static int write_block(struct vm *vm, const struct multiboot_image *im, const char **why)
{
	struct block *b = heap_alloc(sizeof(*b));
	uint64_t next = im->end;
	int err = b == NULL ? -ENOMEM : 0;

	thread_checkpoint(); /* all of it was zeroed */
	for (unsigned int i = 0; err == 0 && i < vm->cfg.module_count; i++) {
		err = write_module(vm, b, i, &next, why);
	}
	if (err == 0) {
		fill_info(vm, b);
		err = guest_mem_load(vm, (gpa_t){ AT_BLOCK }, b, sizeof(*b));
	}
	heap_free(b);
	return err;
}

int loader_multiboot_load(struct vm *vm, struct vcpu_start *start, const char **why)
{
	struct multiboot_image im;
	struct bootfs_file kernel;
	uint64_t rsdp;
	int err = loader_open(vm, vm->cfg.kernel, &kernel, why);

	if (err == 0) {
		err = multiboot_image_parse(kernel.data, kernel.size, &im, why);
	}
	if (err == 0) {
		err = write_kernel(vm, kernel.data, &im, why);
	}
	if (err == 0) {
		err = write_block(vm, &im, why);
	}
	if (err == 0) {
		err = loader_tables(vm, &rsdp, why);
	}
	*start = (struct vcpu_start){ .mode = VCPU_START_PROTECTED32,
				      .rax = LOADER_MAGIC,
				      .rbx = AT_BLOCK };
	start->rip = err == 0 ? im.entry : 0;
	return err != 0 ? err : loader_gdt(vm, AT_GDT, false, start);
}
