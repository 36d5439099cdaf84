/* SPDX-License-Identifier: BSD-2-Clause */
/* What start.S sets up: the descriptor table's selectors and the page tables' root. */
/* Constants and symbols only. */
#ifndef GUESTS_LIB_START_H
#define GUESTS_LIB_START_H

#define SEL_CODE64	0x08
#define SEL_DATA	0x10 /* flat, 4 GiB */
#define SEL_CODE32	0x18
#define SEL_CODE16	0x20 /* 4 GiB */
#define SEL_DATA16	0x28 /* 64 KiB */
#define SEL_TSS		0x30
#define SEL_CODE16_REAL 0x40 /* 64 KiB */
#define SEL_USER_CODE64 0x4b
#define SEL_USER_DATA	0x53
#define SEL_USER_CODE32 0x5b
#define SEL_USER_CODE16 0x63
#define SEL_SPARE	0x68 /* for the guest to fill in */
#define SEL_SPARE2	0x70
#define SEL_LIMIT	0x77

#ifndef __ASSEMBLER__
#include <stdint.h>

extern const uint32_t start_magic; /* EAX and EBX at entry */
extern const uint32_t start_info;
extern uint64_t start_gdt[];
extern const uint8_t start_gdtr[10];
extern uint64_t start_pml4[];
#endif

#endif
