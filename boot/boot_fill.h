/* SPDX-License-Identifier: BSD-2-Clause */
/* What the boot protocols share when they fill struct boot_info: bounds and names in one place. */
/* Runs on the bootstrap map: 4 GiB, identity. */
#ifndef BOOT_BOOT_FILL_H
#define BOOT_BOOT_FILL_H

#include "boot/boot_info.h"

/* What is filled: an image is started by one protocol only. */
extern struct boot_info boot_fill_info;

/* Empties info and sets what does not depend on the protocol. */
void boot_fill_start(struct boot_info *info, const char *loader, uint64_t entry_tsc);
/* Each ignores what no longer fits (the boot log shows the counts). */
void boot_fill_mem(struct boot_info *info, uint64_t base, uint64_t size, uint32_t e820_type);
void boot_fill_module(struct boot_info *info, uint64_t base, uint64_t size, const char *name);
void boot_fill_cmdline(struct boot_info *info, const char *text);

/* A C string at a physical address below 4 GiB, as the bootstrap map shows it. */
static inline const void *boot_fill_ptr(uint64_t phys)
{
	return (const void *)phys;
}

#endif
