/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of fields that are not in test_malformed.c itself but in the same program. */
/* What they test is said where they are. */
#ifndef TESTS_UNIT_DRIVERS_BLOCK_FIELDS_TESTS_H
#define TESTS_UNIT_DRIVERS_BLOCK_FIELDS_TESTS_H

#include "fakes/fake_file.h"

#define FIELDS_END (1ul << 63) /* with an offset: from the file's end */

struct lab_group;

/* The number at off, or at FIELDS_END | bytes before the end. */
uint64_t fields_get(const struct fake_file *ff, uint64_t off, unsigned int size, bool big_endian);

void fields_new_add(struct lab_group *g);
void fields_made_add(struct lab_group *g);
void fields_edges_add(struct lab_group *g);
void fields_grow_add(struct lab_group *g);
void fields_use_add(struct lab_group *g);
void fields_qcow2_add(struct lab_group *g);
void fields_qcow2_l2_add(struct lab_group *g);
void fields_qcow2_rewrite_add(struct lab_group *g);
void fields_vhd_add(struct lab_group *g);

#endif
