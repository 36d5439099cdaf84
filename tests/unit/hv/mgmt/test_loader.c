/* SPDX-License-Identifier: BSD-2-Clause */
/* The loaders of Linux, multiboot and flat guests: what lands where, and images made to hurt. */
/* The guest's memory is an array; bytes that no loader may write are watched. */
/* TEST_SOURCES: tests/unit/fakes/fake_checkpoint.c hv/lib/fmt.c */
/* TEST_SOURCES: hv/mgmt/loader.c hv/mgmt/loader_linux.c hv/mgmt/loader_multiboot.c */
/* TEST_SOURCES: hv/mgmt/multiboot_image.c hv/mgmt/guest_map.c hv/mgmt/guest_acpi.c */
/* TEST_SOURCES: hv/mgmt/guest_aml.c hv/mgmt/guest_mptable.c hv/lib/string.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c */
#include "hv/mgmt/loader.h"

#include "hv/guest_mem.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/guest_map.h"
#include "hv/mgmt/loader_linux.h"
#include "hv/mgmt/multiboot_image.h"
#include "hv/vm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RAM    (32ul * MIB)
#define LINUX  (64ul * KIB)
#define PREF   0x1000000ul
#define INITSZ 0x200000u

static uint8_t *ram;
static struct vm vm;
static struct vcpu_start start;
static const char *why;
static uint8_t image[LINUX];
static size_t image_size;
static uint8_t initrd[5000];
static vm_load_fn *registered;

int guest_mem_load(struct vm *m, gpa_t gpa, const void *buf, size_t len)
{
	assert_ptr_equal(m, &vm);
	if (!range_within(gpa.v, len, RAM)) {
		return -EFAULT;
	}
	memcpy(ram + gpa.v, buf, len);
	return 0;
}

int bootfs_find(const char *path, struct bootfs_file *out)
{
	if (strcmp(path, "boot:kernel") == 0) {
		*out = (struct bootfs_file){ "kernel", image, image_size };
		return 0;
	}
	if (strcmp(path, "boot:initrd") == 0 || strcmp(path, "boot:mod") == 0) {
		*out = (struct bootfs_file){ "initrd", initrd, sizeof(initrd) };
		return 0;
	}
	return strncmp(path, "boot:", 5) == 0 ? -ENOENT : -EINVAL;
}

void vm_set_loader(vm_load_fn *load)
{
	registered = load;
}

static void make_linux(void)
{
	memset(image, 0x90, sizeof(image));
	memset(image, 0, 1024);
	image[0x1f1] = 1; /* one setup sector: the kernel is at 1024 */
	bytes_put_le16(image + 0x1fe, 0xaa55);
	image[0x201] = 0x6a;
	memcpy(image + 0x202, "HdrS", 4);
	bytes_put_le16(image + 0x206, 0x020f);
	image[0x211] = 1;
	bytes_put_le32(image + 0x22c, 0x7fffffff);
	bytes_put_le32(image + 0x230, 0x200000);
	image[0x234] = 1;
	bytes_put_le16(image + 0x236, 1);
	bytes_put_le32(image + 0x238, 255);
	bytes_put_le64(image + 0x258, PREF);
	bytes_put_le32(image + 0x260, INITSZ);
	image_size = sizeof(image);
}

static int setup(void **state)
{
	(void)state;
	ram = calloc(1, RAM);
	memset(&vm, 0, sizeof(vm));
	vm.mem.size = vm.mem.low_size = RAM;
	vm.cfg.cpus = 1;
	strcpy(vm.cfg.kernel, "boot:kernel");
	strcpy(vm.cfg.cmdline, "console=ttyS0 x=y");
	memset(initrd, 0xee, sizeof(initrd));
	make_linux();
	return ram == NULL;
}

static int teardown(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

static void test_linux_is_where_the_protocol_says(void **state)
{
	uint8_t *params;
	uint32_t at;

	(void)state;
	strcpy(vm.cfg.initrd, "boot:initrd");
	loader_init();
	assert_int_equal(registered(&vm, &start, &why), 0);
	assert_int_equal(start.mode, VCPU_START_LONG64);
	assert_int_equal(start.rip, PREF + 0x200);
	assert_memory_equal(ram + PREF, image + 1024, image_size - 1024);
	params = ram + start.rsi;
	assert_memory_equal(params + 0x202, "HdrS", 4);
	assert_int_equal(params[0x210], 0xff);
	assert_string_equal((char *)ram + bytes_get_le32(params + 0x228), "console=ttyS0 x=y");
	at = bytes_get_le32(params + 0x218);
	assert_int_equal(bytes_get_le32(params + 0x21c), sizeof(initrd));
	assert_int_equal(at % PAGE_SIZE, 0);
	assert_in_range(at, PREF + INITSZ, RAM - sizeof(initrd));
	assert_memory_equal(ram + at, initrd, sizeof(initrd));
	assert_memory_equal(ram + bytes_get_le64(params + 0x70), "RSD PTR ", 8);
	assert_int_equal(params[0x1e8], 4);
	assert_int_equal(bytes_get_le64(params + 0x2d0 + 3 * 20), 0x100000);
	assert_int_equal(bytes_get_le64(params + 0x2d0 + 3 * 20 + 8), RAM - 0x100000);
	assert_int_equal(bytes_get_le64(ram + start.gdt.v + 0x10), 0x00af9b000000ffff);
}

/* Every 2 MiB of the first 4 GiB translates to itself. */
static void test_linux_page_tables(void **state)
{
	(void)state;
	assert_int_equal(loader_load(&vm, &start, &why), 0);
	for (uint64_t linear = 0; linear < 4 * GIB; linear += 2 * MIB) {
		uint64_t e = bytes_get_le64(ram + start.cr3);

		e = bytes_get_le64(ram + (e & ~0xffful) + (linear >> 30) * 8);
		e = bytes_get_le64(ram + (e & ~0xffful) + (linear >> 21 & 511) * 8);
		assert_int_equal(e, linear | 0x83);
	}
	assert_int_equal(bytes_get_le64(ram + start.cr3 + 8), 0);
}

/* Relocatable or not: put lower, Debian's kernel moved itself up and ran past the end of 64 MiB. */
static void test_linux_needs_ram_at_its_place(void **state)
{
	(void)state;
	vm.mem.size = vm.mem.low_size = 8 * MIB;
	assert_int_equal(loader_load(&vm, &start, &why), -E2BIG);
	assert_string_equal(why, "the kernel needs memory up to 18 MiB, the VM has 8 MiB");
}

static void test_linux_initrd_must_not_meet_the_kernel(void **state)
{
	(void)state;
	strcpy(vm.cfg.initrd, "boot:initrd");
	vm.mem.size = vm.mem.low_size = PREF + INITSZ;
	image[0x234] = 0;
	assert_int_equal(loader_load(&vm, &start, &why), -E2BIG);
	vm.mem.size = vm.mem.low_size = RAM;
	bytes_put_le32(image + 0x22c, 0xfff); /* initrd_addr_max */
	assert_int_equal(loader_load(&vm, &start, &why), -E2BIG);
	bytes_put_le32(image + 0x22c, 0xffffffff);
	assert_int_equal(loader_load(&vm, &start, &why), 0);
}

static void test_linux_refusals_say_why(void **state)
{
	static const struct {
		unsigned int offset;
		uint8_t byte;
		const char *why;
	} rows[] = {
		{ 0x1fe, 0, "no setup header" },    { 0x202, 'x', "no setup header" },
		{ 0x206, 0x0b, "older than 2.12" }, { 0x211, 0, "zImage" },
		{ 0x236, 0, "64-bit entry" },	    { 0x201, 0x10, "impossible length" },
		{ 0x201, 0xff, "impossible" },	    { 0x1f1, 0xff, "cut off" },
		{ 0x230, 3, "power of two" },	    { 0x262, 0, "init_size" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		make_linux();
		image[rows[i].offset] = rows[i].byte;
		assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
		assert_non_null(strstr(why, rows[i].why));
	}
	make_linux();
	memset(vm.cfg.cmdline, 'c', 300);
	assert_int_equal(loader_load(&vm, &start, &why), -E2BIG);
	strcpy(vm.cfg.kernel, "boot:none");
	assert_int_equal(loader_load(&vm, &start, &why), -ENOENT);
	strcpy(vm.cfg.kernel, "main:kernel");
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
}

static void test_linux_every_truncation(void **state)
{
	struct loader_linux_image im;

	(void)state;
	for (size_t size = 0; size < 4096; size++) {
		uint8_t *copy = malloc(size + 1);
		uint8_t *exact;

		memcpy(copy, image, size);
		exact = realloc(copy, size > 0 ? size : 1);
		if (loader_linux_parse(exact, size, &im, &why) == 0) {
			assert_true(im.header_end <= size && im.kernel < size);
			assert_true(size >= 2048);
		}
		free(exact);
	}
}

/* A multiboot kernel: header at 16, ELF of either class with one segment, or address fields. */
static void put_header(unsigned int at, uint32_t flags)
{
	bytes_put_le32(image + at, 0x1badb002);
	bytes_put_le32(image + at + 4, flags);
	bytes_put_le32(image + at + 8, 0u - 0x1badb002u - flags);
}

static void make_elf(bool wide)
{
	memset(image, 0, sizeof(image));
	memcpy(image, "\177ELF", 4);
	image[4] = wide ? 2 : 1;
	image[5] = 1;
	bytes_put_le16(image + 18, wide ? 62 : 3);
	put_header(0x200, 0);
	image_size = 0x3000;
	if (wide) {
		bytes_put_le64(image + 24, 0x100010);
		bytes_put_le64(image + 32, 64);
		bytes_put_le16(image + 54, 56);
		bytes_put_le16(image + 56, 1);
		bytes_put_le32(image + 64, 1);
		bytes_put_le64(image + 64 + 8, 0x1000);
		bytes_put_le64(image + 64 + 24, 0x100000);
		bytes_put_le64(image + 64 + 32, 0x800);
		bytes_put_le64(image + 64 + 40, 0x5000);
	} else {
		bytes_put_le32(image + 24, 0x100010);
		bytes_put_le32(image + 28, 64);
		bytes_put_le16(image + 42, 32);
		bytes_put_le16(image + 44, 1);
		bytes_put_le32(image + 64, 1);
		bytes_put_le32(image + 64 + 4, 0x1000);
		bytes_put_le32(image + 64 + 12, 0x100000);
		bytes_put_le32(image + 64 + 16, 0x800);
		bytes_put_le32(image + 64 + 20, 0x5000);
	}
	memset(image + 0x1000, 0xc3, 0x800);
	vm.cfg.boot = VM_BOOT_MULTIBOOT;
}

static void check_info(void)
{
	uint8_t *info = ram + start.rbx;
	uint8_t *mods = ram + bytes_get_le32(info + 24);
	uint32_t at = bytes_get_le32(mods);

	assert_int_equal(start.mode, VCPU_START_PROTECTED32);
	assert_int_equal(start.rax, 0x2badb002);
	assert_int_equal(bytes_get_le32(info) & 0x24d, 0x24d);
	assert_int_equal(bytes_get_le32(info + 8), (RAM - MIB) / KIB);
	assert_string_equal((char *)ram + bytes_get_le32(info + 16), "console=ttyS0 x=y");
	assert_int_equal(bytes_get_le32(info + 20), 1);
	assert_int_equal(bytes_get_le32(mods + 4), at + sizeof(initrd));
	assert_string_equal((char *)ram + bytes_get_le32(mods + 8), "boot:mod with args");
	assert_memory_equal(ram + at, initrd, sizeof(initrd));
	assert_int_equal(bytes_get_le32(info + 44), 4 * 24);
	assert_int_equal(bytes_get_le32(ram + bytes_get_le32(info + 48)), 20);
	assert_int_equal(bytes_get_le64(ram + start.gdt.v + 0x10), 0x00cf9b000000ffff);
}

static void test_multiboot_elf(void **state)
{
	(void)state;
	for (int wide = 0; wide < 2; wide++) {
		make_elf(wide);
		vm.cfg.module_count = 1;
		strcpy(vm.cfg.modules[0], "boot:mod with args");
		assert_int_equal(loader_load(&vm, &start, &why), 0);
		assert_int_equal(start.rip, 0x100010);
		assert_memory_equal(ram + 0x100000, image + 0x1000, 0x800);
		assert_true(bytes_get_le32(ram + bytes_get_le32(ram + start.rbx + 24)) >= 0x105000);
		check_info();
	}
}

static void test_multiboot_flat_addresses(void **state)
{
	(void)state;
	memset(image, 0x77, 0x1000);
	image_size = 0x1000;
	vm.cfg.boot = VM_BOOT_MULTIBOOT;
	put_header(0x20, 0x10002);
	bytes_put_le32(image + 0x20 + 12, 0x200020); /* header */
	bytes_put_le32(image + 0x20 + 16, 0x200000); /* load */
	bytes_put_le32(image + 0x20 + 20, 0x200800); /* load end */
	bytes_put_le32(image + 0x20 + 24, 0x204000); /* bss end */
	bytes_put_le32(image + 0x20 + 28, 0x200100); /* entry */
	assert_int_equal(loader_load(&vm, &start, &why), 0);
	assert_int_equal(start.rip, 0x200100);
	assert_memory_equal(ram + 0x200000, image, 0x800);
	assert_int_equal(ram[0x200800], 0);
	bytes_put_le32(image + 0x20 + 16, 0x1fff00); /* begins before the file */
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
	bytes_put_le32(image + 0x20 + 16, 0x200000);
	bytes_put_le32(image + 0x20 + 20, 0x100000); /* ends before it begins */
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
}

static void test_multiboot_refusals(void **state)
{
	(void)state;
	make_elf(true);
	bytes_put_le64(image + 64 + 24, 0x80000); /* below 1 MiB */
	assert_int_equal(loader_load(&vm, &start, &why), -E2BIG);
	make_elf(true);
	bytes_put_le64(image + 64 + 24, RAM - 0x1000); /* past the end */
	assert_int_equal(loader_load(&vm, &start, &why), -E2BIG);
	make_elf(true);
	bytes_put_le64(image + 64 + 24, UINT64_MAX - 0x800);
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
	make_elf(true);
	bytes_put_le64(image + 64 + 8, UINT64_MAX - 4); /* offset in the file */
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
	make_elf(true);
	bytes_put_le64(image + 32, UINT64_MAX - 4); /* program headers */
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
	make_elf(true);
	bytes_put_le16(image + 56, 0);
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
	assert_non_null(strstr(why, "nothing to load"));
	make_elf(true);
	put_header(0x200, 4); /* demands a video mode */
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
	make_elf(true);
	image[0x204] ^= 1; /* the sum is wrong: no header */
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
	make_elf(true);
	vm.cfg.module_count = 1;
	memset(vm.cfg.modules[0], 'm', sizeof(vm.cfg.modules[0]) - 1);
	assert_int_equal(loader_load(&vm, &start, &why), -EINVAL);
}

static void parse_exact(size_t size)
{
	uint8_t *copy = malloc(size + 1);
	uint8_t *exact;
	struct multiboot_image im;

	memcpy(copy, image, size);
	exact = realloc(copy, size > 0 ? size : 1);
	if (multiboot_image_parse(exact, size, &im, &why) == 0) {
		for (unsigned int i = 0; i < im.count; i++) {
			assert_true(range_within(im.segs[i].file_off, im.segs[i].file_size, size));
			assert_true(im.segs[i].addr + im.segs[i].mem_size <= UINT32_MAX);
		}
	}
	free(exact);
}

static void test_multiboot_damage(void **state)
{
	(void)state;
	srand(3);
	make_elf(true);
	for (size_t size = 0; size < image_size; size++) {
		parse_exact(size);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		make_elf(i & 1);
		for (unsigned int n = 0; n < 4; n++) {
			image[rand() % 120] = (uint8_t)rand();
		}
		parse_exact(image_size);
	}
}

static void test_flat(void **state)
{
	(void)state;
	vm.cfg.boot = VM_BOOT_FLAT;
	image_size = 512;
	assert_int_equal(loader_load(&vm, &start, &why), 0);
	assert_int_equal(start.mode, VCPU_START_REAL16);
	assert_int_equal(start.rip, 0x7c00);
	assert_memory_equal(ram + 0x7c00, image, 512);
	image_size = 0x9fc00 - 0x7c00 + 1;
	assert_int_equal(loader_load(&vm, &start, &why), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_linux_is_where_the_protocol_says, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_linux_page_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linux_needs_ram_at_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linux_initrd_must_not_meet_the_kernel, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_linux_refusals_say_why, setup, teardown),
		cmocka_unit_test_setup_teardown(test_linux_every_truncation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multiboot_elf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multiboot_flat_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multiboot_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_multiboot_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flat, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
