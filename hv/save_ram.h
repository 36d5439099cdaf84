/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's memory in its file: 2 MiB a section, a map of its pages, those that are not all zero; and for */
/* each 2 MiB of which some are in the balloon a map of those. */
/* The vCPUs stand still meanwhile: nobody notes what is written. */
#ifndef HV_SAVE_RAM_H
#define HV_SAVE_RAM_H

#include "hv/gpa_space.h"
#include "hv/save.h"

struct vm;

#define SAVE_RAM   "ram"
#define SAVE_GIVEN "given"

/* Both: thread context, in slices, through the CPU's window. 0, -ENOMEM or what the file's calls say. */
int save_ram_write(const struct gpa_space *s, struct save_out *out);
/*
 * Into vm's memory, which is all zero; what was in the balloon is given away again, before there are
 * vCPUs. Adds to *used its sections. -EINVAL: they do not fit.
 */
int save_ram_load(struct vm *vm, const struct save_in *in, unsigned int *used);

#endif
