/* SPDX-License-Identifier: BSD-2-Clause */
/* More mappings than the first 4 GiB, made of 2 MiB pages. */
/* They stay: a later call replaces an earlier one at the same place. */
#ifndef GUESTS_HOSTILE_MAP_H
#define GUESTS_HOSTILE_MAP_H

#include <stdint.h>

#define MAP_GIGA    0x40000000ul
#define MAP_VIRTUAL 0x8000000000ul /* behind the first 512 GiB: an entry of the root table */

/* Maps the GiB that contains the physical address at this virtual one, which must be MAP_VIRTUAL. */
void map_giga(uint64_t virt, uint64_t phys);

#endif
