/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of QCOW2 that are not in test_qcow2.c itself but in the same program. */
/* What they test is said where they are. */
#ifndef TESTS_UNIT_DRIVERS_BLOCK_QCOW2_TESTS_H
#define TESTS_UNIT_DRIVERS_BLOCK_QCOW2_TESTS_H

struct lab_group;

/* A test for each field that is wrong. */
void qcow2_damage_add(struct lab_group *g);
void test_every_byte(void **state);
void test_backing_names(void **state);

void test_snapshots(void **state);
void test_snapshots_of_qemu(void **state);
void test_snapshot_errors(void **state);
void test_check(void **state);
void test_lazy(void **state);

#endif
