/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's memory in its file: 2 MiB a section, a map of its pages, those that are not all zero. */
/* The vCPUs stand still meanwhile: nobody notes what is written. */
#ifndef HV_SAVE_RAM_H
#define HV_SAVE_RAM_H

#include "hv/gpa_space.h"
#include "hv/save.h"

#define SAVE_RAM "ram"

/* Both: thread context, in slices, through the CPU's window. 0, -ENOMEM or what the file's calls say. */
int save_ram_write(const struct gpa_space *s, struct save_out *out);
/* Into memory that is all zero. Adds to *used its sections. -EINVAL: they do not fit s. */
int save_ram_load(const struct gpa_space *s, const struct save_in *in, unsigned int *used);

#endif
