/* SPDX-License-Identifier: BSD-2-Clause */
/* Picks the loader by the configured boot protocol; what the protocols have in common. */
/* Knows no image format but "bytes at 7C00h". */
#include "hv/mgmt/loader.h"

#include "hv/base/heap.h"
#include "hv/guest_mem.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/guest_acpi.h"
#include "hv/mgmt/guest_map.h"
#include "hv/mgmt/guest_mptable.h"
#include "hv/mgmt/loader_linux.h"
#include "hv/mgmt/loader_multiboot.h"
#include "hv/vm.h"

#define FLAT_BASE 0x7c00ul
#define FLAT_MAX  (GUEST_EBDA - FLAT_BASE)

int loader_open(struct vm *vm, const char *path, struct bootfs_file *out, const char **why)
{
	int err = bootfs_find(path, out);

	if (err != 0) {
		fmt_snprintf(vm->why, sizeof(vm->why),
			     err == -ENOENT ? "%s is not among the boot modules"
					    : "%s is not named as boot:FILE",
			     path);
		*why = vm->why;
	}
	return err;
}

static int load_acpi(struct vm *vm, uint8_t *buf, size_t size)
{
	size_t len = guest_acpi_build(buf, size, GUEST_ACPI, vm->cfg.cpus);

	return len == 0 ? -ENOSPC : guest_mem_load(vm, (gpa_t){ GUEST_ACPI }, buf, len);
}

static int load_mptable(struct vm *vm, uint8_t *buf, size_t size)
{
	size_t len = guest_mptable_build(buf, size, GUEST_MPTABLE, vm->cfg.cpus);

	return len == 0 ? -ENOSPC : guest_mem_load(vm, (gpa_t){ GUEST_MPTABLE }, buf, len);
}

int loader_tables(struct vm *vm, uint64_t *rsdp, const char **why)
{
	const size_t size = 16 * KIB;
	uint8_t *buf = heap_alloc(size);
	int err = buf == NULL ? -ENOMEM : load_acpi(vm, buf, size);

	if (err == 0) {
		err = load_mptable(vm, buf, size);
	}
	heap_free(buf);
	*rsdp = GUEST_ACPI;
	if (err != 0) {
		*why = "its ACPI tables could not be written";
	}
	return err;
}

int loader_gdt(struct vm *vm, uint64_t gpa, bool long_mode, struct vcpu_start *start)
{
	const uint64_t gdt[] = {
		0,
		0,
		long_mode ? 0x00af9b000000fffful : 0x00cf9b000000fffful,
		0x00cf93000000fffful,
	};

	start->gdt = (gpa_t){ gpa };
	start->gdt_limit = sizeof(gdt) - 1;
	return guest_mem_load(vm, start->gdt, gdt, sizeof(gdt));
}

static int load_flat(struct vm *vm, struct vcpu_start *start, const char **why)
{
	struct bootfs_file f;
	int err = loader_open(vm, vm->cfg.kernel, &f, why);

	if (err != 0) {
		return err;
	}
	if (f.size > FLAT_MAX) {
		*why = "a flat image must fit between 7C00h and 9FC00h";
		return -E2BIG;
	}
	*start = (struct vcpu_start){ .mode = VCPU_START_REAL16,
				      .rip = FLAT_BASE,
				      .rsp = FLAT_BASE };
	return guest_mem_load(vm, (gpa_t){ FLAT_BASE }, f.data, f.size);
}

int loader_load(struct vm *vm, struct vcpu_start *start, const char **why)
{
	static vm_load_fn *const loaders[] = {
		[VM_BOOT_LINUX] = loader_linux_load,
		[VM_BOOT_MULTIBOOT] = loader_multiboot_load,
		[VM_BOOT_FLAT] = load_flat,
	};
	int err;

	*why = "writing its memory failed";
	err = loaders[vm->cfg.boot](vm, start, why);
	if (err == 0) {
		*why = NULL;
	}
	return err;
}

void loader_init(void)
{
	vm_set_loader(loader_load);
}
