/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32C (Castagnoli), as iSCSI and ext4 use it: RFC 3720, "CRC32C". */
/* Finds damage, not malice: whoever writes a file can write its sum. */
#ifndef HV_LIB_CRC32C_H
#define HV_LIB_CRC32C_H

#include "hv/lib/types.h"

/* Goes on from crc, which is 0 for the first bytes. About 2.5 instructions a byte. */
uint32_t crc32c(uint32_t crc, const void *buf, size_t len);

#endif
