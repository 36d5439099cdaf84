/* SPDX-License-Identifier: BSD-2-Clause */
/* Walks the entries of a newc cpio archive, each bound checked before it is used. */
/* Knows regular files only: directories, links and devices are passed over. */
#include "hv/mgmt/cpio.h"

#include "hv/lib/errno.h"
#include "hv/lib/string.h"

/* cpio(5), "New ASCII Format": a magic and thirteen numbers of eight hexadecimal digits. */
#define MAGIC_LEN  6u
#define FIELD_LEN  8u
#define FIELDS	   13u
#define HEADER_LEN (MAGIC_LEN + FIELDS * FIELD_LEN)
#define MODE_TYPE  0170000u
#define MODE_FILE  0100000u
#define NAME_MAX_  1024u

enum cpio_field { FIELD_MODE = 1, FIELD_FILESIZE = 6, FIELD_NAMESIZE = 11 };

struct entry {
	struct cpio_file file;
	uint32_t mode;
	uint64_t end; /* offset of the next one */
};

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int field(const uint8_t *header, enum cpio_field n, uint32_t *out)
{
	const uint8_t *p = header + MAGIC_LEN + n * FIELD_LEN;

	*out = 0;
	for (unsigned int i = 0; i < FIELD_LEN; i++) {
		int d = digit(p[i]);

		if (d < 0) {
			return -EPROTO;
		}
		*out = *out << 4 | (uint32_t)d;
	}
	return 0;
}

static bool is_magic(const uint8_t *p)
{
	return memcmp(p, "070701", MAGIC_LEN) == 0 || memcmp(p, "070702", MAGIC_LEN) == 0;
}

static int parse(const uint8_t *a, uint64_t size, uint64_t off, struct entry *e)
{
	uint32_t namesize, filesize;
	uint64_t data;

	if (!range_within(off, HEADER_LEN, size) || !is_magic(a + off) ||
	    field(a + off, FIELD_MODE, &e->mode) != 0 ||
	    field(a + off, FIELD_NAMESIZE, &namesize) != 0 ||
	    field(a + off, FIELD_FILESIZE, &filesize) != 0) {
		return -EPROTO;
	}
	if (namesize == 0 || namesize > NAME_MAX_ ||
	    !range_within(off + HEADER_LEN, namesize, size) ||
	    a[off + HEADER_LEN + namesize - 1] != '\0') {
		return -EPROTO;
	}
	data = ALIGN_UP(off + HEADER_LEN + namesize, 4ul);
	if (!range_within(data, filesize, size)) {
		return -EPROTO;
	}
	e->file = (struct cpio_file){ (const char *)a + off + HEADER_LEN, a + data, filesize };
	e->end = ALIGN_UP(data + filesize, 4ul);
	return 0;
}

int cpio_next(const void *archive, uint64_t size, uint64_t *cursor, struct cpio_file *out)
{
	struct entry e;

	while (*cursor < size) {
		int err = parse(archive, size, *cursor, &e);

		if (err != 0) {
			return err;
		}
		*cursor = e.end;
		if (strcmp(e.file.name, "TRAILER!!!") == 0) {
			*cursor = size;
			return 0;
		}
		if ((e.mode & MODE_TYPE) == MODE_FILE) {
			*out = e.file;
			out->name += string_starts_with(out->name, "./") ? 2 : 0;
			return 1;
		}
	}
	return 0;
}
