/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM of the unit tests: 1 MiB from gpa 0 on.  */
/* Has no holes. */
#ifndef TESTS_UNIT_FAKES_FAKE_GUEST_MEM_H
#define TESTS_UNIT_FAKES_FAKE_GUEST_MEM_H

#include "hv/guest_mem.h"

#define FAKE_RAM (1ul * MIB)

extern uint8_t fake_ram[FAKE_RAM];
extern unsigned int fake_mem_windows; /* that are open */

void fake_guest_mem_reset(void);
uint64_t fake_guest_mem_get64(uint64_t gpa);
void fake_guest_mem_put64(uint64_t gpa, uint64_t val);
void fake_guest_mem_put32(uint64_t gpa, uint32_t val);

#endif
