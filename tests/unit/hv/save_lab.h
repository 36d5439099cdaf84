/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM of real chips, 2 MiB of memory and vCPUs that are four bytes each, saved to and restored from a */
/* buffer: for test_save_vm.c and the fuzzer. */
#ifndef TESTS_UNIT_HV_SAVE_LAB_H
#define TESTS_UNIT_HV_SAVE_LAB_H

#include "hv/save_vm.h"

#define SAVE_LAB_MAX (256ul * KIB)

extern uint8_t *save_lab_file;
extern size_t save_lab_size;
extern uint8_t *save_lab_ram;	       /* all of the guest's */
extern const uint64_t *save_lab_given; /* its pages in the balloon, NULL: none */
extern uint64_t save_lab_taken[8];     /* those that a restore put there */
extern size_t save_lab_room;	       /* bytes that the store still takes */
extern size_t save_lab_reads;	       /* counted */

void save_lab_start(void);
void save_lab_stop(void);
/* Into save_lab_file. */
int save_lab_save(void);
/* From it: resets the VM, checks the file and loads it; 0 or -Exxx. */
int save_lab_restore(void);
/* Makes the sum right again, if the frame is. */
void save_lab_sum(void);

#endif
