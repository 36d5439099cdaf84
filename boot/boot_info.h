/* SPDX-License-Identifier: BSD-2-Clause */
/* What every entry (multiboot2, PVH, EFI) hands to hv_main: one struct, filled once, then const. */
/* Knows no boot protocol; all addresses are host-physical. */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "hv/lib/types.h"

#define BOOT_MEM_MAX	 128u
#define BOOT_MODULES_MAX 64u

enum boot_mem_type {
	BOOT_MEM_RAM,	   /* free to use, less the image and the modules */
	BOOT_MEM_RESERVED, /* firmware's, devices', anything unknown */
	BOOT_MEM_ACPI,	   /* ACPI tables; we read them and never reuse the memory */
	BOOT_MEM_NVS,
	BOOT_MEM_BAD,
};

struct boot_mem {
	hpa_t base;
	uint64_t size;
	enum boot_mem_type type;
};

struct boot_module {
	hpa_t base;
	uint64_t size;
	char name[64]; /* first word of the module's command line; "" for PVH's unnamed one */
};

struct boot_info {
	const char *loader;    /* "multiboot2", "PVH" or "EFI", for the boot log */
	char cmdline[256];     /* the options after the image's name */
	hpa_t rsdp;	       /* 0 if the loader gave none: then search as ACPI says */
	uint8_t rsdp_copy[36]; /* the tag's copy of the RSDP, where rsdp is 0 */
	bool rsdp_copied;
	hpa_t image_start; /* the loaded image with its BSS, [start, end) */
	hpa_t image_end;
	uint64_t entry_tsc; /* TSC at the first instruction */
	unsigned int mem_count;
	unsigned int module_count;
	struct boot_mem mem[BOOT_MEM_MAX];
	struct boot_module modules[BOOT_MODULES_MAX];
};

/* The one way in: called on the boot CPU in long mode, interrupts off. Never returns. */
void hv_main(const struct boot_info *info) NORETURN;

#endif
