/* SPDX-License-Identifier: BSD-2-Clause */
/* The multiboot1 information, copied at start: command line words, memory map, modules. */
/* Keeps no pointer into the loader's memory. */
#ifndef GUESTS_LIB_MBOOT_H
#define GUESTS_LIB_MBOOT_H

#include <stdbool.h>
#include <stdint.h>

#define MBOOT_RAM 1u

struct mboot_range {
	uint64_t base, size;
	uint32_t type;
};

struct mboot_module {
	uint32_t start, end;
	char text[64];
};

void mboot_init(void);

/* The whole line, the first word being the file's name with some loaders. */
const char *mboot_cmdline(void);

/* Word number n (0 is the first after what names the file), or "" if there are fewer. */
const char *mboot_word(unsigned int n);

/* True if one of the words is exactly this. */
bool mboot_has(const char *word);

/* The number behind "key=" (decimal, or 0x and hexadecimal), or what to take without it. */
uint64_t mboot_number(const char *key, uint64_t otherwise);

/* The n-th range or module, NULL behind the last. */
const struct mboot_range *mboot_range(unsigned int n);
const struct mboot_module *mboot_module(unsigned int n);

/* End of the RAM range that the guest itself was loaded into. */
uint64_t mboot_ram_end(void);

/* A decimal or 0x number; 0 for anything else. */
uint64_t mboot_parse(const char *text);

#endif
