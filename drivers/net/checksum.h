/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071): of bytes in pieces, of pseudo headers, and mended in place (RFC 1624). */
/* A "sum" is folded to 16 bits and not complemented; the field in a packet is its complement. */
#ifndef DRIVERS_NET_CHECKSUM_H
#define DRIVERS_NET_CHECKSUM_H

#include "drivers/net/wire.h"
#include "hv/lib/types.h"

struct netpkt;

/* Bytes in pieces of any length; begin with all zero. */
struct checksum {
	uint64_t sum;
	bool odd; /* an odd number of bytes so far */
};
void checksum_add(struct checksum *c, const void *p, size_t len);
uint16_t checksum_fold(const struct checksum *c);

/* Sum of two sums. */
static inline uint16_t checksum_plus(uint16_t a, uint16_t b)
{
	uint32_t sum = (uint32_t)a + b;

	return (uint16_t)(sum + (sum >> 16));
}

/* The sum of len bytes, for headers. */
uint16_t checksum_bytes(const void *p, size_t len);
/* Of pkt's bytes from off to the end. */
uint16_t checksum_packet(const struct netpkt *pkt, size_t off);
/* RFC 9293, "Header Format"; RFC 8200, "Upper-Layer Checksums". len: header and payload. */
uint16_t checksum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint32_t len);
/* addresses: source and destination as in the header, 32 bytes. */
uint16_t checksum_pseudo6(const uint8_t *addresses, uint8_t proto, uint32_t len);

/* What goes into a field for that sum; in UDP's, 0 would mean that there is none. */
static inline uint16_t checksum_field(uint16_t sum)
{
	return (uint16_t)~sum;
}
static inline uint16_t checksum_udp_field(uint16_t sum)
{
	return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}
/* Of a packet that came with NETPKT_CSUM_PARTIAL: only UDP's field stands at that offset. */
static inline uint16_t checksum_partial_field(uint16_t sum, uint16_t csum_offset)
{
	return csum_offset == UDP_SUM ? checksum_udp_field(sum) : checksum_field(sum);
}

/* RFC 1624, equation 3: the field after a word that it covers has changed. */
uint16_t checksum_mend16(uint16_t field, uint16_t was, uint16_t is);
uint16_t checksum_mend32(uint16_t field, uint32_t was, uint32_t is);

#endif
