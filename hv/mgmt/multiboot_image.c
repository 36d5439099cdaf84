/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the multiboot header and the segments of a kernel file, with every bound checked. */
/* Whether the segments fit into a guest is the loader's question. */
#include "hv/mgmt/multiboot_image.h"

#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define HEADER_MAGIC  0x1badb002u
#define HEADER_SEARCH 8192u
#define HEADER_SIZE   12u
#define ADDRESS_SIZE  32u /* with the address fields */

#define WANTS_PAGE_ALIGN BIT(0)
#define WANTS_MEMORY	 BIT(1)
#define WANTS_MASK	 0xfffful /* what we must understand */
#define HAS_ADDRESSES	 BIT(16)

/* Tool Interface Standard, "Executable and Linking Format": the same fields in both classes. */
struct elf_layout {
	uint8_t ident_class;
	uint8_t word; /* bytes of an address */
	uint8_t ehdr_size;
	uint8_t entry, phoff, phentsize, phnum;		 /* in the file header */
	uint8_t phdr_size, offset, paddr, filesz, memsz; /* in a program header */
	uint16_t machine;
};

static const struct elf_layout layouts[] = {
	{ 1, 4, 52, 24, 28, 42, 44, 32, 4, 12, 16, 20, 3 },
	{ 2, 8, 64, 24, 32, 54, 56, 56, 8, 24, 32, 40, 62 },
};

#define ELF_CLASS   4u
#define ELF_DATA    5u
#define ELF_MACHINE 18u
#define PT_LOAD	    1u

static int bad(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

static int add_segment(struct multiboot_image *im, const struct multiboot_segment *s, uint64_t size,
		       const char **why)
{
	if (s->mem_size == 0) {
		return 0;
	}
	if (!range_within(s->file_off, s->file_size, size) || s->file_size > s->mem_size) {
		return bad(why, "the kernel file is cut off: a segment reaches past its end");
	}
	if (!range_within(s->addr, s->mem_size, UINT32_MAX)) {
		return bad(why, "the kernel has a segment above 4 GiB");
	}
	if (im->count == MULTIBOOT_SEGMENTS) {
		return bad(why, "the kernel has more than 16 segments");
	}
	im->segs[im->count++] = *s;
	im->end = u64_max(im->end, s->addr + s->mem_size);
	return 0;
}

static const struct elf_layout *find_layout(const uint8_t *file, uint64_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		const struct elf_layout *l = &layouts[i];

		if (size >= l->ehdr_size && memcmp(file, "\177ELF", 4) == 0 &&
		    file[ELF_CLASS] == l->ident_class && file[ELF_DATA] == 1 &&
		    bytes_get_le16(file + ELF_MACHINE) == l->machine) {
			return l;
		}
	}
	return NULL;
}

static int add_program_header(struct multiboot_image *im, const struct elf_layout *l,
			      const uint8_t *file, uint64_t size, uint64_t at, const char **why)
{
	const uint8_t *ph = file + at;
	const struct multiboot_segment s = {
		.file_off = bytes_get_le(ph + l->offset, l->word),
		.file_size = bytes_get_le(ph + l->filesz, l->word),
		.addr = bytes_get_le(ph + l->paddr, l->word),
		.mem_size = bytes_get_le(ph + l->memsz, l->word),
	};

	return bytes_get_le32(ph) == PT_LOAD ? add_segment(im, &s, size, why) : 0;
}

static int parse_elf(struct multiboot_image *im, const uint8_t *file, uint64_t size,
		     const char **why)
{
	const struct elf_layout *l = find_layout(file, size);
	uint64_t phoff, entry;
	unsigned int step, count;

	if (l == NULL) {
		return bad(why, "the kernel is no x86 ELF file, and has no load addresses in its "
				"multiboot header");
	}
	entry = bytes_get_le(file + l->entry, l->word);
	phoff = bytes_get_le(file + l->phoff, l->word);
	step = bytes_get_le16(file + l->phentsize);
	count = bytes_get_le16(file + l->phnum);
	if (step < l->phdr_size || !range_within(phoff, (uint64_t)step * count, size)) {
		return bad(why, "the kernel's program headers lie outside its file");
	}
	for (unsigned int i = 0; i < count; i++) {
		int err = add_program_header(im, l, file, size, phoff + (uint64_t)i * step, why);

		if (err != 0) {
			return err;
		}
	}
	im->entry = (uint32_t)entry;
	return entry <= UINT32_MAX ? 0 : bad(why, "the kernel's entry point is above 4 GiB");
}

/* Section 3.1.3, "The address fields of Multiboot header". h: offset of the header in the file. */
static int parse_addresses(struct multiboot_image *im, const uint8_t *file, uint64_t size,
			   uint64_t h, const char **why)
{
	uint32_t header = bytes_get_le32(file + h + 12);
	uint32_t load = bytes_get_le32(file + h + 16);
	uint32_t load_end = bytes_get_le32(file + h + 20);
	uint32_t bss_end = bytes_get_le32(file + h + 24);
	struct multiboot_segment s = { .addr = load };

	if (header < load || header - load > h) {
		return bad(why, "the load address in the multiboot header lies before the file");
	}
	s.file_off = h - (header - load);
	s.file_size = load_end != 0 ? (uint64_t)load_end - load : size - s.file_off;
	s.mem_size = bss_end != 0 ? (uint64_t)bss_end - load : s.file_size;
	if ((load_end != 0 && load_end < load) || (bss_end != 0 && bss_end < load)) {
		return bad(why, "the multiboot header's addresses contradict each other");
	}
	im->entry = bytes_get_le32(file + h + 28);
	return add_segment(im, &s, size, why);
}

static bool is_header(const uint8_t *p)
{
	return bytes_get_le32(p) == HEADER_MAGIC &&
	       (uint32_t)(bytes_get_le32(p) + bytes_get_le32(p + 4) + bytes_get_le32(p + 8)) == 0;
}

static bool find_header(const uint8_t *file, uint64_t size, uint64_t *at)
{
	uint64_t end = u64_min(size, HEADER_SEARCH);

	for (*at = 0; range_within(*at, HEADER_SIZE, end); *at += 4) {
		if (is_header(file + *at)) {
			return true;
		}
	}
	return false;
}

int multiboot_image_parse(const uint8_t *file, uint64_t size, struct multiboot_image *out,
			  const char **why)
{
	uint64_t at;
	uint32_t flags;
	int err;

	*out = (struct multiboot_image){ 0 };
	if (!find_header(file, size, &at)) {
		return bad(why, "the kernel has no multiboot header in its first 8 KiB");
	}
	flags = bytes_get_le32(file + at + 4);
	if (flags & WANTS_MASK & ~(WANTS_PAGE_ALIGN | WANTS_MEMORY)) {
		return bad(why, "the kernel's multiboot header demands what is not offered");
	}
	if ((flags & HAS_ADDRESSES) && !range_within(at, ADDRESS_SIZE, size)) {
		return bad(why, "the kernel file ends in its multiboot header");
	}
	err = flags & HAS_ADDRESSES ? parse_addresses(out, file, size, at, why)
				    : parse_elf(out, file, size, why);
	if (err == 0 && out->count == 0) {
		err = bad(why, "the kernel has nothing to load");
	}
	return err;
}
