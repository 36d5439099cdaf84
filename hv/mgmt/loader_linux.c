/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks a bzImage, places it with its initrd, and writes the boot parameters ("zero page"). */
/* Fields are named and cited as in "The Linux/x86 Boot Protocol". */
#include "hv/mgmt/loader_linux.h"

#include "hv/base/heap.h"
#include "hv/guest_mem.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/guest_map.h"
#include "hv/mgmt/loader.h"
#include "hv/vm.h"

/* "The Real-Mode Kernel Header": offsets in the file and in the boot parameters alike. */
enum header_field {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP_LEN = 0x201, /* of the short jump: where the header ends */
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMDLINE = 0x228,
	HDR_INITRD_MAX = 0x22c,
	HDR_ALIGNMENT = 0x230,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_LEAST_END = 0x264,
};

/* "Additional fields in struct boot_params" (Linux, "Zero Page"). */
enum params_field {
	PARAMS_RSDP = 0x070,
	PARAMS_E820_COUNT = 0x1e8,
	PARAMS_E820 = 0x2d0,
};

#define BOOT_FLAG	 0xaa55u
#define VERSION_64	 0x020cu /* the first with XLF_KERNEL_64 */
#define LOADED_HIGH	 BIT(0)
#define XLF_KERNEL_64	 BIT(0)
#define LOADER_UNDEFINED 0xffu
#define ENTRY_64	 0x200u
#define SECTOR		 512u
#define SETUP_SECTS_OLD	 4u

/* In the guest's first MiB. */
#define AT_PARAMS  (GUEST_LOADER + 0x0000)
#define AT_GDT	   (GUEST_LOADER + 0x1000)
#define AT_PML4	   (GUEST_LOADER + 0x2000)
#define AT_PDPT	   (GUEST_LOADER + 0x3000)
#define AT_PD	   (GUEST_LOADER + 0x4000) /* four pages: 4 GiB */
#define AT_CMDLINE (GUEST_LOADER + 0x8000)
#define STACK_TOP  (GUEST_LOADER + 0x2000)

#define PTE_PW	 3ul /* present, writable */
#define PTE_PS	 0x80ul
#define PD_COUNT 4u

struct placement {
	uint64_t kernel;
	uint64_t initrd;
	uint64_t initrd_size;
	uint64_t rsdp;
};

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

static int check_magic(const uint8_t *file, uint64_t size, const char **why)
{
	if (size < HDR_LEAST_END || bytes_get_le16(file + HDR_BOOT_FLAG) != BOOT_FLAG ||
	    memcmp(file + HDR_MAGIC, "HdrS", 4) != 0) {
		return bad(why, "the kernel is no Linux bzImage: it has no setup header");
	}
	if (bytes_get_le16(file + HDR_VERSION) < VERSION_64) {
		return bad(why, "the kernel's boot protocol is older than 2.12");
	}
	if (!(file[HDR_LOADFLAGS] & LOADED_HIGH)) {
		return bad(why, "the kernel is a zImage: only a bzImage can be loaded");
	}
	if (!(bytes_get_le16(file + HDR_XLOADFLAGS) & XLF_KERNEL_64)) {
		return bad(why, "the kernel has no 64-bit entry point");
	}
	return 0;
}

static int check_sizes(const struct loader_linux_image *im, uint64_t size, const char **why)
{
	if (im->header_end < HDR_LEAST_END || im->header_end > size ||
	    im->header_end > PARAMS_E820) {
		return bad(why, "the kernel's setup header has an impossible length");
	}
	if (im->kernel >= size || size - im->kernel < ENTRY_64 + SECTOR) {
		return bad(why, "the kernel file is cut off");
	}
	if (im->alignment == 0 || (im->alignment & (im->alignment - 1)) != 0) {
		return bad(why, "the kernel's alignment is no power of two");
	}
	if (im->init_size < im->kernel_size) {
		return bad(why, "the kernel's init_size is less than its size");
	}
	return 0;
}

int loader_linux_parse(const uint8_t *file, uint64_t size, struct loader_linux_image *out,
		       const char **why)
{
	unsigned int sects;
	int err = check_magic(file, size, why);

	if (err != 0) {
		return err;
	}
	sects = file[HDR_SETUP_SECTS] != 0 ? file[HDR_SETUP_SECTS] : SETUP_SECTS_OLD;
	*out = (struct loader_linux_image){
		.header_end = HDR_MAGIC + file[HDR_JUMP_LEN],
		.kernel = (sects + 1) * SECTOR,
		.kernel_size = size - u64_min(size, (sects + 1) * SECTOR),
		.pref_address = bytes_get_le64(file + HDR_PREF_ADDRESS),
		.init_size = bytes_get_le32(file + HDR_INIT_SIZE),
		.alignment = bytes_get_le32(file + HDR_ALIGNMENT),
		.initrd_max = bytes_get_le32(file + HDR_INITRD_MAX),
		.cmdline_max = bytes_get_le32(file + HDR_CMDLINE_SIZE),
	};
	return check_sizes(out, size, why);
}

static int too_large(struct vm *vm, uint64_t end, const char **why)
{
	char needs[16], has[16];

	fmt_snprintf(vm->why, sizeof(vm->why), "the kernel needs memory up to %s, the VM has %s",
		     fmt_size(needs, sizeof(needs), end), fmt_size(has, sizeof(has), vm->mem.size));
	*why = vm->why;
	return -E2BIG;
}

static int place_kernel(struct vm *vm, const struct loader_linux_image *im, uint64_t *at,
			const char **why)
{
	/* No lower place helps: a relocatable kernel moves itself up to its preferred address. */
	*at = im->pref_address;
	if (guest_map_in_low_ram(&vm->mem, *at, im->init_size)) {
		return 0;
	}
	return too_large(vm, im->pref_address + im->init_size, why);
}

/* As high as the kernel allows, so that the kernel's own needs lie below. */
static int place_initrd(const struct vm *vm, const struct loader_linux_image *im,
			struct placement *p, const char **why)
{
	uint64_t limit = u64_min(vm->mem.low_size, (uint64_t)im->initrd_max + 1);

	if (p->initrd_size == 0) {
		return 0;
	}
	if (p->initrd_size <= limit) {
		p->initrd = ALIGN_DOWN(limit - p->initrd_size, PAGE_SIZE);
		if (p->initrd >= p->kernel + im->init_size) {
			return 0;
		}
	}
	*why = "kernel and initrd do not fit into its memory";
	return -E2BIG;
}

static void fill_header(uint8_t *params, const uint8_t *file, const struct loader_linux_image *im,
			const struct placement *p)
{
	memcpy(params + HDR_SETUP_SECTS, file + HDR_SETUP_SECTS, im->header_end - HDR_SETUP_SECTS);
	params[HDR_LOADER] = LOADER_UNDEFINED;
	bytes_put_le32(params + HDR_RAMDISK_IMAGE, (uint32_t)p->initrd);
	bytes_put_le32(params + HDR_RAMDISK_SIZE, (uint32_t)p->initrd_size);
	bytes_put_le32(params + HDR_CMDLINE, AT_CMDLINE);
	bytes_put_le64(params + PARAMS_RSDP, p->rsdp);
}

static void fill_map(const struct vm *vm, uint8_t *params)
{
	struct guest_map_entry map[GUEST_MAP_MAX];
	unsigned int count = guest_map_build(&vm->mem, map);

	params[PARAMS_E820_COUNT] = (uint8_t)count;
	memcpy(params + PARAMS_E820, map, count * sizeof(map[0]));
}

static int write_params(struct vm *vm, const uint8_t *file, const struct loader_linux_image *im,
			const struct placement *p)
{
	uint8_t *params = heap_alloc(PAGE_SIZE);
	int err;

	if (params == NULL) {
		return -ENOMEM;
	}
	fill_header(params, file, im, p);
	fill_map(vm, params);
	err = guest_mem_load(vm, (gpa_t){ AT_PARAMS }, params, PAGE_SIZE);
	heap_free(params);
	return err;
}

static int write_entries(struct vm *vm, uint64_t at, uint64_t first, uint64_t step,
			 unsigned int count)
{
	uint64_t *page = heap_alloc(PAGE_SIZE);
	int err;

	if (page == NULL) {
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < count; i++) {
		page[i] = first + i * step;
	}
	err = guest_mem_load(vm, (gpa_t){ at }, page, PAGE_SIZE);
	heap_free(page);
	return err;
}

/* The first 4 GiB, mapped one to one in 2 MiB pages. */
static int write_page_tables(struct vm *vm)
{
	int err = write_entries(vm, AT_PML4, AT_PDPT | PTE_PW, 0, 1);

	if (err == 0) {
		err = write_entries(vm, AT_PDPT, AT_PD | PTE_PW, PAGE_SIZE, PD_COUNT);
	}
	for (unsigned int i = 0; i < PD_COUNT && err == 0; i++) {
		err = write_entries(vm, AT_PD + i * PAGE_SIZE, i * GIB | PTE_PW | PTE_PS, 2 * MIB,
				    PAGE_SIZE / sizeof(uint64_t));
	}
	return err;
}

static int write_cmdline(struct vm *vm, const struct loader_linux_image *im, const char **why)
{
	size_t len = strlen(vm->cfg.cmdline);

	if (len > im->cmdline_max) {
		*why = "the kernel does not take a command line of that length";
		return -E2BIG;
	}
	return guest_mem_load(vm, (gpa_t){ AT_CMDLINE }, vm->cfg.cmdline, len + 1);
}

static int write_images(struct vm *vm, const struct bootfs_file *kernel,
			const struct loader_linux_image *im, const struct bootfs_file *initrd,
			const struct placement *p)
{
	int err = guest_mem_load(vm, (gpa_t){ p->kernel }, kernel->data + im->kernel,
				 im->kernel_size);

	if (err == 0 && p->initrd_size != 0) {
		err = guest_mem_load(vm, (gpa_t){ p->initrd }, initrd->data, initrd->size);
	}
	return err;
}

static int place(struct vm *vm, const struct loader_linux_image *im,
		 const struct bootfs_file *initrd, struct placement *p, const char **why)
{
	int err = place_kernel(vm, im, &p->kernel, why);

	p->initrd_size = initrd->size;
	if (err == 0) {
		err = place_initrd(vm, im, p, why);
	}
	if (err == 0) {
		err = loader_tables(vm, &p->rsdp, why);
	}
	return err;
}

static int write_all(struct vm *vm, const struct bootfs_file *kernel,
		     const struct loader_linux_image *im, const struct bootfs_file *initrd,
		     const struct placement *p, const char **why)
{
	int err = write_cmdline(vm, im, why);

	if (err == 0) {
		err = write_images(vm, kernel, im, initrd, p);
	}
	if (err == 0) {
		err = write_params(vm, kernel->data, im, p);
	}
	if (err == 0) {
		err = write_page_tables(vm);
	}
	return err;
}

/* "64-bit Boot Protocol": what the kernel finds in the registers. */
static int fill_start(struct vm *vm, const struct placement *p, struct vcpu_start *start)
{
	*start = (struct vcpu_start){
		.mode = VCPU_START_LONG64,
		.rip = p->kernel + ENTRY_64,
		.rsp = STACK_TOP,
		.rsi = AT_PARAMS,
		.cr3 = AT_PML4,
	};
	return loader_gdt(vm, AT_GDT, true, start);
}

int loader_linux_load(struct vm *vm, struct vcpu_start *start, const char **why)
{
	struct loader_linux_image im;
	struct bootfs_file kernel;
	struct bootfs_file initrd = { 0 };
	struct placement p = { 0 };
	int err = loader_open(vm, vm->cfg.kernel, &kernel, why);

	if (err == 0 && vm->cfg.initrd[0] != '\0') {
		err = loader_open(vm, vm->cfg.initrd, &initrd, why);
	}
	if (err == 0) {
		err = loader_linux_parse(kernel.data, kernel.size, &im, why);
	}
	if (err == 0) {
		err = place(vm, &im, &initrd, &p, why);
	}
	if (err == 0) {
		err = write_all(vm, &kernel, &im, &initrd, &p, why);
	}
	return err != 0 ? err : fill_start(vm, &p, start);
}
