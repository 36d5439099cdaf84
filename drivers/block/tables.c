/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of places, by way of the metadata cache; a new last-level table is zeros at the file's end. */
/* Nothing is ever reused: space comes back by the file's own discard. */
#include "drivers/block/tables.h"

#include "drivers/block/bytes_be.h"
#include "drivers/block/meta.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

static struct tables *tables_of(const struct image *img)
{
	return img->state;
}

static uint64_t get_raw(const struct tables *t, const uint8_t *p)
{
	if (t->entry_size == 4) {
		return t->big_endian ? bytes_get_be32(p) : bytes_get_le32(p);
	}
	return t->big_endian ? bytes_get_be64(p) : bytes_get_le64(p);
}

static void put_raw(const struct tables *t, uint8_t *p, uint64_t raw)
{
	if (t->big_endian) {
		raw = __builtin_bswap64(raw) >> (64 - 8 * t->entry_size);
	}
	bytes_put_le(p, t->entry_size, raw);
}

static uint64_t index_of(const struct image *img, uint64_t off)
{
	return off / img->cluster_size;
}

/* ---- last-level tables ---- */

static bool on_root(const struct tables *t, uint64_t off, uint64_t len)
{
	uint64_t bytes = t->root_entries * t->entry_size;

	return (off < t->root + bytes && t->root < off + len) ||
	       (t->root_twin && off < t->root_twin + bytes && t->root_twin < off + len);
}

int tables_find(struct image *img, uint64_t root, uint64_t index, uint64_t *table)
{
	struct tables *t = tables_of(img);
	uint64_t bytes = t->entries * t->entry_size;
	uint8_t *p;
	int r;

	if (t->root == 0) {
		*table = t->map;
		return 0;
	}
	if (index / t->entries >= t->root_entries) {
		return image_corrupt(img, "first-level table ends too early");
	}
	r = meta_get(img->meta, root + index / t->entries * t->entry_size, META_ROOT, &p);
	if (r) {
		return r;
	}
	*table = get_raw(t, p);
	if (*table >> (63 - t->unit_shift)) {
		return image_corrupt(img, "table %lx is misplaced", *table);
	}
	*table <<= t->unit_shift;
	if (*table && (*table % BLOCK_SECTOR || *table < t->first || on_root(t, *table, bytes) ||
		       !range_within(*table, bytes, img->file->size))) {
		return image_corrupt(img, "table at %lx is misplaced", *table);
	}
	return 0;
}

int tables_entries(struct image *img, uint64_t table, uint64_t index, uint8_t **p, uint64_t *count)
{
	struct tables *t = tables_of(img);
	uint64_t in_table = t->root ? index % t->entries : index;
	uint64_t at = table + in_table * t->entry_size;
	uint32_t size = meta_block_size(img->meta);

	*count = u64_min((size - at % size) / t->entry_size, t->entries - in_table);
	return meta_get(img->meta, at, META_MAP, p);
}

/* ---- map ---- */

int tables_decode(struct image *img, uint64_t raw, struct block_map *m)
{
	struct tables *t = tables_of(img);
	int r;

	*m = (struct block_map){ .kind = BLOCK_UNALLOCATED, .len = img->cluster_size };
	if (raw == t->unused) {
		return 0;
	}
	r = t->decode(img, raw, m);
	if (r == 0 && (m->kind == BLOCK_DATA || m->kind == BLOCK_DEFLATE) &&
	    (m->file_off < t->first || m->file_off >= img->file->size)) {
		return image_corrupt(img, "entry %lx leads out of the file", raw);
	}
	if (r == 0 && m->kind == BLOCK_DATA && on_root(t, m->file_off, img->cluster_size)) {
		return image_corrupt(img, "entry %lx leads to the first-level table", raw);
	}
	return r;
}

static bool follows(const struct block_map *a, const struct block_map *b, uint64_t len)
{
	return a->kind == b->kind && a->kind != BLOCK_DEFLATE &&
	       (a->kind != BLOCK_DATA || b->file_off == a->file_off + len);
}

int tables_map(struct image *img, uint64_t off, uint64_t len, struct block_map *m)
{
	struct tables *t = tables_of(img);
	uint64_t cs = img->cluster_size, skip = off % cs, table, count;
	struct block_map next;
	uint8_t *p;
	int r = tables_find(img, t->root, index_of(img, off), &table);

	if (r) {
		return r;
	}
	if (table == 0) {
		uint64_t reach = t->entries * cs;

		*m = (struct block_map){ .kind = BLOCK_UNALLOCATED, .len = reach - off % reach };
		return 0;
	}
	r = tables_entries(img, table, index_of(img, off), &p, &count);
	r = r ? r : tables_decode(img, get_raw(t, p), m);
	if (r) {
		return r;
	}
	for (uint64_t i = 1; i < count && m->len < skip + len; i++) {
		if (tables_decode(img, get_raw(t, p + i * t->entry_size), &next) ||
		    !follows(m, &next, m->len)) {
			break;
		}
		m->len += cs;
	}
	m->len -= skip;
	m->skip = m->kind == BLOCK_DEFLATE ? skip : 0;
	m->file_off += m->kind == BLOCK_DATA ? skip : 0;
	m->in_place = m->kind == BLOCK_DATA;
	return 0;
}

/* ---- alloc ---- */

static int put_root(struct image *img, uint64_t root, uint64_t index, uint64_t table)
{
	struct tables *t = tables_of(img);
	uint8_t *p;
	int r = meta_get(img->meta, root + index / t->entries * t->entry_size, META_ROOT, &p);

	if (r == 0) {
		put_raw(t, p, table >> t->unit_shift);
		meta_dirty(img->meta, p);
	}
	return r;
}

int tables_add(struct image *img, uint64_t root, uint64_t index)
{
	struct tables *t = tables_of(img);
	uint64_t bytes = ALIGN_UP(t->entries * t->entry_size, (uint64_t)BLOCK_SECTOR);
	uint64_t table = ALIGN_UP(t->next, t->align);
	int r;

	meta_forget(img->meta, table, bytes);
	r = block_file_write_zeros(img->file, table, bytes);
	if (r) {
		return r;
	}
	t->next = table + bytes;
	return put_root(img, root, index, table);
}

static int ensure_table(struct image *img, uint64_t root, uint64_t index)
{
	uint64_t table;
	int r = tables_find(img, root, index, &table);

	return r || table ? r : tables_add(img, root, index);
}

int tables_alloc(struct image *img, uint64_t off, uint64_t len, struct block_place *p)
{
	struct tables *t = tables_of(img);
	uint64_t skip = 0, start, size;
	int r = 0;

	if (t->root) {
		r = ensure_table(img, t->root, index_of(img, off));
	}
	if (r == 0 && t->root_twin) {
		r = ensure_table(img, t->root_twin, index_of(img, off));
	}
	start = ALIGN_UP(t->next, t->align);
	size = img->file->size;
	if (r == 0 && t->prepare != NULL) {
		r = t->prepare(img, start, &skip);
	}
	if (r) {
		return r;
	}
	(void)len; /* the next one will be contiguous anyway */
	*p = (struct block_place){ .file_off = start + skip, .len = img->cluster_size };
	p->fresh = p->file_off >= size;
	meta_forget(img->meta, start, t->stride);
	t->next = start + t->stride;
	return 0;
}

static int put_entry(struct image *img, uint64_t root, uint64_t index, uint64_t raw)
{
	uint64_t table, count;
	uint8_t *p;
	int r = tables_find(img, root, index, &table);

	r = r ? r : tables_entries(img, table, index, &p, &count);
	if (r == 0) {
		put_raw(tables_of(img), p, raw);
		meta_dirty(img->meta, p);
	}
	return r;
}

int tables_link(struct image *img, uint64_t off, const struct block_place *p)
{
	struct tables *t = tables_of(img);
	uint64_t raw = t->encode(img, p->file_off);
	int r = put_entry(img, t->root, index_of(img, off), raw);

	if (r == 0 && t->root_twin) {
		r = put_entry(img, t->root_twin, index_of(img, off), raw);
	}
	return r == 0 && t->linked ? t->linked(img, p->file_off) : r;
}

/* Nothing refers to the place: it is lost, unless it is the last one. */
void tables_unalloc(struct image *img, uint64_t off, const struct block_place *p)
{
	struct tables *t = tables_of(img);

	(void)off;
	if (p->file_off + p->len == t->next) {
		t->next -= t->stride;
	}
}

int tables_extend(struct image *img, uint64_t off, uint64_t *skip)
{
	uint64_t end = off + tables_of(img)->stride;
	int r = end > img->file->size ? block_file_truncate(img->file, end) : 0;

	*skip = 0;
	return r == -ENOTSUP ? -ENOSPC : r; /* a file of fixed size is full */
}

/* ---- opening ---- */

int tables_for_each(struct image *img, int (*fn)(struct image *img, uint64_t raw, void *arg),
		    void *arg)
{
	struct tables *t = tables_of(img);
	uint64_t end = (img->dev.size + img->cluster_size - 1) / img->cluster_size;
	int r = 0;

	for (uint64_t i = 0; r == 0 && i < end;) {
		uint64_t table, count;
		uint8_t *p;

		r = tables_find(img, t->root, i, &table);
		if (r == 0 && table == 0) {
			i += t->entries - i % t->entries;
			continue;
		}
		r = r ? r : tables_entries(img, table, i, &p, &count);
		for (uint64_t k = 0; r == 0 && k < count && i < end; k++, i++) {
			uint64_t raw = get_raw(t, p + k * t->entry_size);

			r = raw != t->unused ? fn(img, raw, arg) : 0;
		}
		r = r ? r : image_step(img, i, end);
		thread_checkpoint();
	}
	return r;
}

static int see_end(struct image *img, uint64_t raw, void *arg)
{
	uint64_t *end = arg;
	struct block_map m;
	int r = tables_decode(img, raw, &m);

	if (r == 0 && m.kind == BLOCK_DATA) {
		*end = u64_max(*end, m.file_off + img->cluster_size);
	} else if (r == 0 && m.kind == BLOCK_DEFLATE) {
		*end = u64_max(*end, m.file_off + m.file_len);
	}
	return r;
}

/* A first-level table, and the tables that it leads to. */
static int see_root(struct image *img, uint64_t root, uint64_t *end)
{
	struct tables *t = tables_of(img);
	uint64_t table;
	int r = 0;

	*end = u64_max(*end, root + t->root_entries * t->entry_size);
	for (uint64_t i = 0; r == 0 && i < t->root_entries; i++) {
		r = tables_find(img, root, i * t->entries, &table);
		if (r == 0 && table) {
			*end = u64_max(*end, table + t->entries * t->entry_size);
		}
		thread_checkpoint();
	}
	return r;
}

/* In a file of fixed size the end is behind what is in use. */
static int find_end(struct image *img)
{
	struct tables *t = tables_of(img);
	int r = 0;

	t->next = u64_max(t->first, t->fixed);
	if (t->root) {
		r = see_root(img, t->root, &t->next);
	}
	if (r == 0 && t->root_twin) {
		r = see_root(img, t->root_twin, &t->next);
	}
	return r ? r : tables_for_each(img, see_end, &t->next);
}

int tables_open(struct image *img)
{
	struct tables *t = tables_of(img);

	img->meta = meta_new(img->file, BLOCK_SECTOR);
	if (img->meta == NULL) {
		return image_error(img, -ENOMEM, "out of memory");
	}
	t->next = u64_max(img->file->size, t->first);
	return img->file->ops->truncate == NULL && !img->dev.readonly ? find_end(img) : 0;
}
