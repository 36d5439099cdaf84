/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes and reads the sections of a saved VM's file; checks the frame, whoever may have made it. */
/* Looks into no section. */
#include "hv/save.h"

#include "hv/base/heap.h"
#include "hv/lib/crc32c.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define SLICE 2048u  /* summed between checkpoints: some 6,000 instructions */
#define BLOCK 16384u /* read at once */
#define ALIGN 8u
#define END   "end"

/* Sections that a file may have: the VM's parts, and of RAM each has a page at least. */
#define PARTS_MAX    512u
#define RAM_SIZE_MIN 4096u

struct save_header {
	char magic[12];
	uint32_t version;
};
_Static_assert(sizeof(struct save_header) == 16, "the file's layout");
#define MAGIC "InsulaSaved" /* 11 letters and a zero */
_Static_assert(sizeof(MAGIC) == sizeof(((struct save_header *)0)->magic), "the file's layout");

/* ---- writing ---- */

static uint32_t sum(uint32_t crc, const void *buf, size_t len)
{
	for (size_t done = 0; done < len; done += SLICE) {
		crc = crc32c(crc, (const char *)buf + done, u64_min(len - done, SLICE));
		thread_checkpoint();
	}
	return crc;
}

static int append(struct save_out *out, const void *buf, size_t len)
{
	out->crc = sum(out->crc, buf, len);
	out->size += len;
	return len > 0 ? out->append(out->arg, buf, len) : 0;
}

static int pad(struct save_out *out)
{
	static const char zeros[ALIGN];

	return append(out, zeros, ALIGN_UP(out->size, ALIGN) - out->size);
}

int save_begin(struct save_out *out)
{
	const struct save_header h = { .magic = MAGIC, .version = SAVE_VERSION };

	out->size = 0;
	out->crc = 0;
	return append(out, &h, sizeof(h));
}

int save_section(struct save_out *out, const struct save_section *s)
{
	int err = pad(out);

	return err != 0 ? err : append(out, s, sizeof(*s));
}

int save_data(struct save_out *out, const void *buf, size_t len)
{
	return append(out, buf, len);
}

int save_end(struct save_out *out)
{
	const struct save_section end = { .name = END, .length = sizeof(uint32_t) };
	int err = save_section(out, &end);
	uint32_t crc = out->crc;

	return err != 0 ? err : append(out, &crc, sizeof(crc));
}

/* ---- reading ---- */

static bool name_ok(const char name[SAVE_NAME_MAX + 1])
{
	size_t len = strnlen(name, SAVE_NAME_MAX + 1);

	for (size_t i = len; i <= SAVE_NAME_MAX; i++) {
		if (name[i] != '\0') {
			return false;
		}
	}
	return len > 0 && len <= SAVE_NAME_MAX;
}

static bool is_end(const struct save_place *p)
{
	return strcmp(p->s.name, END) == 0;
}

/* Reads the header at `off`: false if it is not one. */
static bool place_at(const struct save_in *in, uint64_t off, struct save_place *p)
{
	if (!range_within(off, sizeof(p->s), in->size) ||
	    in->read(in->arg, off, &p->s, sizeof(p->s)) != 0) {
		return false;
	}
	p->data = off + sizeof(p->s);
	return name_ok(p->s.name) && range_within(p->data, p->s.length, in->size);
}

static bool next_place(const struct save_in *in, struct save_place *p)
{
	uint64_t off =
		p->data == 0 ? sizeof(struct save_header) : ALIGN_UP(p->data + p->s.length, ALIGN);

	return place_at(in, off, p);
}

/* Headers follow each other up to the last, which ends the file. */
static bool frame_ok(const struct save_in *in, struct save_place *p)
{
	uint64_t max = PARTS_MAX + in->size / RAM_SIZE_MIN, count = 0;

	p->data = 0;
	while (count <= max && next_place(in, p)) {
		if (is_end(p)) {
			return p->s.length == sizeof(uint32_t) && p->data + p->s.length == in->size;
		}
		if (++count % 16 == 0) {
			thread_checkpoint();
		}
	}
	return false;
}

static int sum_up_to(const struct save_in *in, uint64_t end, uint32_t *crc)
{
	char *buf = heap_alloc(BLOCK);
	int err = buf != NULL ? 0 : -ENOMEM;

	for (uint64_t off = 0; off < end && err == 0; off += BLOCK) {
		size_t n = u64_min(BLOCK, end - off);

		err = in->read(in->arg, off, buf, n);
		*crc = err == 0 ? sum(*crc, buf, n) : 0;
	}
	heap_free(buf);
	return err;
}

static int fail(const char **why, const char *text, int err)
{
	*why = text;
	return err;
}

static int check_header(const struct save_in *in, const char **why)
{
	struct save_header h;

	if (in->size < sizeof(h) || in->read(in->arg, 0, &h, sizeof(h)) != 0 ||
	    memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0) {
		return fail(why, "it is not the file of a saved VM", -EINVAL);
	}
	if (h.version != SAVE_VERSION) {
		return fail(why, "its format is of another version of Insula", -EINVAL);
	}
	return 0;
}

int save_check(const struct save_in *in, const char **why)
{
	struct save_place end;
	uint32_t crc = 0, found = 0;
	int err = check_header(in, why);

	if (err != 0) {
		return err;
	}
	if (!frame_ok(in, &end)) {
		return fail(why, "it is cut short or damaged", -EINVAL);
	}
	err = sum_up_to(in, end.data, &found);
	err = err != 0 ? err : in->read(in->arg, end.data, &crc, sizeof(crc));
	if (err != 0) {
		return fail(why, "it cannot be read", err);
	}
	return crc == found ? 0 : fail(why, "it is damaged: its sum is wrong", -EINVAL);
}

bool save_next(const struct save_in *in, struct save_place *p)
{
	return next_place(in, p) && !is_end(p);
}

int save_find(const struct save_in *in, const char *name, uint32_t instance, struct save_place *p)
{
	p->data = 0;
	while (save_next(in, p)) {
		if (p->s.instance == instance && strcmp(p->s.name, name) == 0) {
			return 0;
		}
		thread_checkpoint();
	}
	return -ENOENT;
}

int save_read(const struct save_in *in, const struct save_place *p, uint64_t off, void *buf,
	      size_t len)
{
	if (!range_within(off, len, p->s.length)) {
		return -EINVAL;
	}
	return in->read(in->arg, p->data + off, buf, len);
}
