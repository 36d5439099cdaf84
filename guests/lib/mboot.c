/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies the multiboot1 information before a guest writes to low memory. */
/* Trusts the loader: a wrong table ends the guest, and that is a failed test. */
#include "guests/lib/mboot.h"
#include "guests/lib/cpu.h"
#include "guests/lib/mem.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/start.h"

#define MB_BOOTED    0x2badb002u
#define MB_MEMORY    0x001u
#define MB_CMDLINE   0x004u
#define MB_MODULES   0x008u
#define MB_MMAP	     0x040u
#define MAX_WORDS    16u
#define MAX_RANGES   32u
#define MAX_MODULES  8u
#define CMDLINE_SIZE 512u

struct mb_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
};
_Static_assert(sizeof(struct mb_info) == 52, "Multiboot, \"Boot information format\"");

struct mb_mmap {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct mb_mmap) == 24, "Multiboot, \"Boot information format\"");

struct mb_module {
	uint32_t start, end, string, reserved;
};
_Static_assert(sizeof(struct mb_module) == 16, "Multiboot, \"Boot information format\"");

static char cmdline[CMDLINE_SIZE], split[CMDLINE_SIZE];
static const char *words[MAX_WORDS];
static unsigned int word_count, range_count, module_count;
static struct mboot_range ranges[MAX_RANGES];
static struct mboot_module modules[MAX_MODULES];

static void copy_text(char *to, uint32_t from, size_t size)
{
	const char *text = (const char *)(uintptr_t)from;
	size_t i;

	for (i = 0; i + 1 < size && text[i]; i++) {
		to[i] = text[i];
	}
	to[i] = 0;
}

/* Loaders differ in whether the file's name comes first: it is the word with a '/', ':' or ".elf". */
static bool names_file(const char *word)
{
	size_t i;

	for (i = 0; word[i]; i++) {
		if (word[i] == '/' || word[i] == ':' || !memcmp(word + i, ".elf", 4)) {
			return true;
		}
	}
	return false;
}

static void split_words(void)
{
	char *at = split;

	memcpy(split, cmdline, sizeof(split));
	while (*at && word_count < MAX_WORDS) {
		while (*at == ' ') {
			*at++ = 0;
		}
		if (*at) {
			words[word_count++] = at;
		}
		while (*at && *at != ' ') {
			at++;
		}
	}
	if (word_count && names_file(words[0])) {
		memmove(words, words + 1, --word_count * sizeof(words[0]));
	}
}

static void copy_map(const struct mb_info *info)
{
	uint32_t at = info->mmap_addr;

	while (at < info->mmap_addr + info->mmap_length && range_count < MAX_RANGES) {
		const struct mb_mmap *m = (const struct mb_mmap *)(uintptr_t)at;

		ranges[range_count++] = (struct mboot_range){ m->base, m->length, m->type };
		at += m->size + (uint32_t)sizeof(m->size);
	}
}

static void copy_modules(const struct mb_info *info)
{
	const struct mb_module *m = (const struct mb_module *)(uintptr_t)info->mods_addr;

	for (; module_count < info->mods_count && module_count < MAX_MODULES; module_count++, m++) {
		modules[module_count].start = m->start;
		modules[module_count].end = m->end;
		copy_text(modules[module_count].text, m->string, sizeof(modules[0].text));
	}
}

void mboot_init(void)
{
	const struct mb_info *info = (const struct mb_info *)(uintptr_t)start_info;

	if (start_magic != MB_BOOTED) {
		print("guest: not started by a multiboot1 loader\n");
		power_off();
	}
	if (info->flags & MB_CMDLINE) {
		copy_text(cmdline, info->cmdline, sizeof(cmdline));
	}
	if (info->flags & MB_MMAP) {
		copy_map(info);
	}
	if (info->flags & MB_MODULES) {
		copy_modules(info);
	}
	split_words();
}

const char *mboot_cmdline(void)
{
	return cmdline;
}

const char *mboot_word(unsigned int n)
{
	return n < word_count ? words[n] : "";
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool mboot_has(const char *word)
{
	unsigned int i;

	for (i = 0; i < word_count; i++) {
		if (equal(words[i], word)) {
			return true;
		}
	}
	return false;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

uint64_t mboot_parse(const char *text)
{
	int base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
	uint64_t val = 0;

	for (text += base == 16 ? 2 : 0; *text; text++) {
		if (digit_of(*text) >= base) {
			return 0;
		}
		val = val * (uint64_t)base + (uint64_t)digit_of(*text);
	}
	return val;
}

uint64_t mboot_number(const char *key, uint64_t otherwise)
{
	unsigned int i;
	size_t len;

	for (i = 0; i < word_count; i++) {
		for (len = 0; key[len] && words[i][len] == key[len]; len++) {
		}
		if (!key[len] && words[i][len] == '=') {
			return mboot_parse(words[i] + len + 1);
		}
	}
	return otherwise;
}

const struct mboot_range *mboot_range(unsigned int n)
{
	return n < range_count ? &ranges[n] : NULL;
}

const struct mboot_module *mboot_module(unsigned int n)
{
	return n < module_count ? &modules[n] : NULL;
}

uint64_t mboot_ram_end(void)
{
	uint64_t self = (uintptr_t)mboot_ram_end;
	unsigned int i;

	for (i = 0; i < range_count; i++) {
		if (ranges[i].type == MBOOT_RAM && self - ranges[i].base < ranges[i].size) {
			return ranges[i].base + ranges[i].size;
		}
	}
	return 0;
}
