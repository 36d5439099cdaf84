/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots a Linux bzImage at its 64-bit entry point ("The Linux/x86 Boot Protocol"). */
/* Real-mode and 32-bit entries are not used. */
#ifndef HV_MGMT_LOADER_LINUX_H
#define HV_MGMT_LOADER_LINUX_H

#include "hv/lib/types.h"

struct vcpu_start;
struct vm;

/* What the header of a bzImage says, checked. Offsets lie within the file. */
struct loader_linux_image {
	uint32_t header_end; /* the setup header is [1F1h, header_end) of the file */
	uint32_t kernel;     /* offset of the protected-mode kernel */
	uint64_t kernel_size;
	uint64_t pref_address;
	uint32_t init_size; /* memory it needs from where it is loaded */
	uint32_t alignment;
	uint32_t initrd_max;  /* highest address of the initrd's last byte */
	uint32_t cmdline_max; /* bytes, without the NUL */
};

/* Pure. -EINVAL with *why (static text). */
int loader_linux_parse(const uint8_t *file, uint64_t size, struct loader_linux_image *out,
		       const char **why);

/* As vm_load_fn. */
int loader_linux_load(struct vm *vm, struct vcpu_start *start, const char **why);

#endif
