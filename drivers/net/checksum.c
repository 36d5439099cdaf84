/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum. Sums little-endian words and swaps at the end (RFC 1071, "Byte Order */
/* Independence"). Knows the offsets of no header. */
#include "drivers/net/checksum.h"
#include "drivers/net/netport.h"
#include "drivers/net/wire.h"
#include "hv/lib/bytes.h"

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Halves of 8-byte words: no carry is lost in anything shorter than 16 GiB. */
static uint64_t sum_le(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t w = bytes_get_le64(p);

		sum += (w & 0xffffffff) + (w >> 32);
	}
	return sum + (bytes_get_le(p, (unsigned int)len) & 0xffffffff) +
	       (bytes_get_le(p, (unsigned int)len) >> 32);
}

/* Behind an odd number of bytes, each byte weighs what its neighbour would. */
void checksum_add(struct checksum *c, const void *p, size_t len)
{
	uint16_t sum = __builtin_bswap16(fold(sum_le(p, len)));

	c->sum += c->odd ? __builtin_bswap16(sum) : sum;
	c->odd ^= len & 1;
}

uint16_t checksum_fold(const struct checksum *c)
{
	return fold(c->sum);
}

uint16_t checksum_bytes(const void *p, size_t len)
{
	return __builtin_bswap16(fold(sum_le(p, len)));
}

uint16_t checksum_packet(const struct netpkt *pkt, size_t off)
{
	struct checksum c = { 0 };

	for (unsigned int i = 0; i < pkt->segs; i++) {
		const struct netseg *s = &pkt->seg[i];

		if (off < s->len) {
			checksum_add(&c, s->base + off, s->len - off);
			off = 0;
		} else {
			off -= s->len;
		}
	}
	return checksum_fold(&c);
}

uint16_t checksum_pseudo4(uint32_t src, uint32_t dst, uint8_t proto, uint32_t len)
{
	return fold((uint64_t)src + dst + proto + len);
}

uint16_t checksum_pseudo6(const uint8_t *addresses, uint8_t proto, uint32_t len)
{
	return fold((uint64_t)checksum_bytes(addresses, 32) + proto + len);
}

uint16_t checksum_mend16(uint16_t field, uint16_t was, uint16_t is)
{
	return (uint16_t)~fold((uint64_t)(uint16_t)~field + (uint16_t)~was + is);
}

uint16_t checksum_mend32(uint16_t field, uint32_t was, uint32_t is)
{
	return (uint16_t)~fold((uint64_t)(uint16_t)~field + (uint32_t)~was + is);
}
