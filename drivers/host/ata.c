/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes ATA's identify data apart and puts commands together. */
/* Pure: touches no register. */
#include "drivers/host/ata.h"

#include "drivers/host/host_disk.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

/* "IDENTIFY DEVICE data": words, and bits of them */
#define WORD_SERIAL	  10u
#define WORD_MODEL	  27u
#define WORD_CAPABILITIES 49u
#define WORD_SECTORS	  60u
#define WORD_QUEUE	  75u /* one less */
#define WORD_SERIAL_ATA	  76u
#define WORD_COMMAND_SETS 83u
#define WORD_SECTORS_WIDE 100u
#define WORD_SECTOR_SIZE  106u
#define WORD_LOGICAL_SIZE 117u
#define WORD_TRIM	  169u

#define CAPABILITY_DMA BIT(8)
#define CAPABILITY_LBA BIT(9)
#define SATA_QUEUES    BIT(8)
#define NO_WORD	       0xffffu /* or 0: the disk is not of Serial ATA */
#define QUEUE_MASK     0x1fu
#define SET_WIDE       BIT(10)
#define SET_FLUSH      BIT(12)
#define VALID	       0x4000u /* bits 15 and 14 of a word that counts are 01 */
#define VALID_MASK     0xc000u
#define LONG_SECTORS   BIT(12)
#define SECTORS_MAX    BIT(48)

static uint16_t word(const uint8_t *raw, unsigned int n)
{
	return bytes_get_le16(raw + 2 * n);
}

/* "ATA string convention": two characters in a word, the first one above; padded by spaces. */
static void copy_text(char *to, const uint8_t *raw, unsigned int first, unsigned int len)
{
	unsigned int end = 0;

	for (unsigned int i = 0; i < len; i++) {
		uint8_t c = raw[2 * first + (i ^ 1)];

		to[i] = c > ' ' && c < 0x7f ? (char)c : ' ';
		end = to[i] != ' ' ? i + 1 : end;
	}
	to[end] = '\0';
}

static bool valid(const uint8_t *raw, unsigned int n)
{
	return (word(raw, n) & VALID_MASK) == VALID;
}

static bool short_sectors(const uint8_t *raw)
{
	return !valid(raw, WORD_SECTOR_SIZE) || (word(raw, WORD_SECTOR_SIZE) & LONG_SECTORS) == 0 ||
	       bytes_get_le32(raw + 2 * (size_t)WORD_LOGICAL_SIZE) == BLOCK_SECTOR / 2;
}

static unsigned int queue_depth(const uint8_t *raw)
{
	uint16_t sata = word(raw, WORD_SERIAL_ATA);

	return sata != NO_WORD && (sata & SATA_QUEUES) != 0
		       ? (word(raw, WORD_QUEUE) & QUEUE_MASK) + 1u
		       : 0;
}

int ata_identify(const uint8_t *raw, struct ata_identity *out, struct host_disk *d)
{
	const uint16_t needs = CAPABILITY_DMA | CAPABILITY_LBA;
	uint16_t sets = valid(raw, WORD_COMMAND_SETS) ? word(raw, WORD_COMMAND_SETS) : 0;

	copy_text(d->model, raw, WORD_MODEL, sizeof(d->model) - 1);
	copy_text(d->serial, raw, WORD_SERIAL, sizeof(d->serial) - 1);
	if ((word(raw, WORD_CAPABILITIES) & needs) != needs || !short_sectors(raw)) {
		return -ENOTSUP;
	}
	out->wide = (sets & SET_WIDE) != 0;
	out->cache = (sets & SET_FLUSH) != 0;
	out->trim = (word(raw, WORD_TRIM) & 1) != 0 && out->wide;
	out->queue = out->wide ? queue_depth(raw) : 0;
	out->sectors = out->wide ? bytes_get_le64(raw + 2 * (size_t)WORD_SECTORS_WIDE)
				 : bytes_get_le32(raw + 2 * (size_t)WORD_SECTORS) & 0xfffffff;
	return out->sectors != 0 && out->sectors <= SECTORS_MAX ? 0 : -EINVAL;
}

/* "LBA Range Entry": 48 bits of address, 16 of length; unused ones are zero */
void ata_trim_ranges(uint8_t *block, uint64_t lba, uint32_t sectors)
{
	memset(block, 0, ATA_TRIM_BLOCK);
	for (uint8_t *p = block; sectors > 0; p += 8) {
		uint32_t part = (uint32_t)u64_min(sectors, ATA_TRIM_RANGE);

		bytes_put_le64(p, lba | (uint64_t)part << 48);
		lba += part;
		sectors -= part;
	}
}

struct ata_command ata_read_write(const struct ata_identity *id, bool write, uint64_t lba,
				  uint32_t count)
{
	static const uint8_t codes[2][2] = { { ATA_READ_DMA, ATA_READ_DMA_EXT },
					     { ATA_WRITE_DMA, ATA_WRITE_DMA_EXT } };

	return (struct ata_command){
		.code = codes[write][id->wide], .lba = lba, .count = count, .wide = id->wide
	};
}

struct ata_command ata_flush(const struct ata_identity *id)
{
	return (struct ata_command){ .code = id->wide ? ATA_FLUSH_CACHE_EXT : ATA_FLUSH_CACHE,
				     .wide = id->wide };
}
