/* SPDX-License-Identifier: BSD-2-Clause */
/* What a multiboot (1) kernel file wants loaded where: ELF32, ELF64, or flat with the address fields. */
/* Pure: reads the file, touches no guest. "Multiboot Specification version 0.6.96". */
#ifndef HV_MGMT_MULTIBOOT_IMAGE_H
#define HV_MGMT_MULTIBOOT_IMAGE_H

#include "hv/lib/types.h"

#define MULTIBOOT_SEGMENTS 16u

struct multiboot_segment {
	uint64_t file_off; /* [file_off, file_off + file_size) lies in the file */
	uint64_t file_size;
	uint64_t addr;	   /* guest-physical */
	uint64_t mem_size; /* at least file_size; the rest is zeroed; addr + it does not overflow */
};

struct multiboot_image {
	unsigned int count;
	struct multiboot_segment segs[MULTIBOOT_SEGMENTS];
	uint32_t entry;
	uint64_t end; /* behind the highest segment */
};

/* -EINVAL with *why (static text). */
int multiboot_image_parse(const uint8_t *file, uint64_t size, struct multiboot_image *out,
			  const char **why);

#endif
