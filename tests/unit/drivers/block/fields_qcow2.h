/* SPDX-License-Identifier: BSD-2-Clause */
/* What fields_qcow2.c and fields_qcow2_rewrite.c share: small images, and looking into them. */
/* Asserts by cmocka. */
#ifndef TESTS_UNIT_DRIVERS_BLOCK_FIELDS_QCOW2_H
#define TESTS_UNIT_DRIVERS_BLOCK_FIELDS_QCOW2_H

#include "drivers/block/lab.h"

#define CLUSTER 4096ul
#define COPIED	(1ul << 63)

/* Big-endian numbers in the file. */
uint64_t qcow2_get(const struct fake_file *ff, uint64_t off, unsigned int size);
void qcow2_put(struct fake_file *ff, uint64_t off, unsigned int size, uint64_t val);

struct fake_file *qcow2_new(uint64_t size, uint32_t cluster_size, uint32_t refcount_bits);
/* Header in cluster 0, refcount table 1, block 2, L1 3, L2 4, data 5 and 6. */
struct fake_file *qcow2_small(void);

/* So many steps of the twin; then all is as it must be. */
void qcow2_steps(struct twin *t, unsigned int n);
/* Closes it, finds it right, and opens it again. */
void qcow2_reopen(struct twin *t, struct fake_file *ff);
/* And ends it all; no memory was lost. */
void qcow2_done(struct twin *t, struct fake_file *ff);

#endif
