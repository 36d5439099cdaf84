/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32 of IEEE 802.3, as GPT uses it (UEFI Specification, "GPT Header"). */
/* ext4, iSCSI and our save files have another one: crc32c. */
#ifndef HV_LIB_CRC32_H
#define HV_LIB_CRC32_H

#include "hv/lib/types.h"

/* Goes on from crc, which is 0 for the first bytes. About 12 instructions a byte: for small things. */
uint32_t crc32(uint32_t crc, const void *buf, size_t len);

#endif
