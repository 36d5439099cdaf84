/* SPDX-License-Identifier: BSD-2-Clause */
/* What all devices and files share: the check of arguments, ends of files, scatter lists, a device */
/* used as a file. Moves no data itself. */
#include "drivers/block/block.h"

#include "hv/base/heap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

/* ---- devices ---- */

static int check_range(const struct block_dev *d, uint64_t off, uint64_t len, bool write)
{
	if ((off | len) % BLOCK_SECTOR || !range_within(off, len, d->size)) {
		return -EINVAL;
	}
	return write && d->readonly ? -EROFS : 0;
}

static bool aligned(const struct block_vec *v, unsigned int n)
{
	size_t all = 0;

	for (unsigned int i = 0; i < n; i++) {
		all |= v[i].len;
	}
	return all % BLOCK_SECTOR == 0;
}

int block_read(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	int r = aligned(v, n) ? check_range(d, off, block_vec_bytes(v, n), false) : -EINVAL;

	return r ? r : d->ops->read(d, off, v, n);
}

int block_write(struct block_dev *d, uint64_t off, const struct block_vec *v, unsigned int n)
{
	int r = aligned(v, n) ? check_range(d, off, block_vec_bytes(v, n), true) : -EINVAL;

	return r ? r : d->ops->write(d, off, v, n);
}

int block_flush(struct block_dev *d)
{
	return d->readonly ? 0 : d->ops->flush(d);
}

int block_discard(struct block_dev *d, uint64_t off, uint64_t len)
{
	int r = check_range(d, off, len, true);

	return r || len == 0 ? r : d->ops->discard(d, off, len);
}

int block_write_zeroes(struct block_dev *d, uint64_t off, uint64_t len, bool unmap)
{
	int r = check_range(d, off, len, true);

	return r || len == 0 ? r : d->ops->write_zeroes(d, off, len, unmap);
}

int block_close(struct block_dev *d)
{
	return d ? d->ops->close(d) : 0;
}

/* ---- files ---- */

int block_file_readv(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n)
{
	struct block_cursor c = { .v = v, .n = n };
	uint64_t size = __atomic_load_n(&f->size, __ATOMIC_ACQUIRE);
	uint64_t len = block_vec_bytes(v, n);
	uint64_t there = off >= size ? 0 : u64_min(len, size - off);
	struct block_vec part[BLOCK_SLICE];
	uint64_t done = 0;
	int r = 0;

	if (there == len) {
		return f->ops->read(f, off, v, n);
	}
	while (r == 0 && done < len) {
		bool data = done < there;
		uint64_t got = block_cursor_take(&c, (data ? there : len) - done, part, &n);

		if (data) {
			r = f->ops->read(f, off + done, part, n);
		} else {
			block_vec_clear(part, n);
		}
		done += got;
	}
	return r;
}

int block_file_writev(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return f->readonly ? -EROFS : f->ops->write(f, off, v, n);
}

int block_file_read(struct block_file *f, uint64_t off, void *buf, size_t len)
{
	struct block_vec v = { buf, len };

	return block_file_readv(f, off, &v, 1);
}

int block_file_read_any(struct block_file *f, uint64_t off, void *to, uint64_t len)
{
	uint8_t sector[BLOCK_SECTOR], *p = to;
	int r = 0;

	while (r == 0 && len > 0) {
		uint64_t skip = off % BLOCK_SECTOR, part = u64_min(len, BLOCK_SECTOR - skip);

		r = block_file_read(f, off - skip, sector, sizeof(sector));
		memcpy(p, sector + skip, part);
		p += part;
		off += part;
		len -= part;
	}
	return r;
}

int block_file_write(struct block_file *f, uint64_t off, const void *buf, size_t len)
{
	struct block_vec v = { (uint8_t *)buf, len };

	return block_file_writev(f, off, &v, 1);
}

int block_file_write_zeros(struct block_file *f, uint64_t off, uint64_t len)
{
	static const uint8_t zeros[4096];
	struct block_vec v[BLOCK_SLICE];
	int r = 0;

	while (r == 0 && len > 0) {
		unsigned int n = 0;
		uint64_t done = 0;

		for (; n < BLOCK_SLICE && done < len; n++) {
			v[n] = (struct block_vec){ (uint8_t *)zeros,
						   u64_min(sizeof(zeros), len - done) };
			done += v[n].len;
		}
		r = block_file_writev(f, off, v, n);
		off += done;
		len -= done;
	}
	return r;
}

int block_file_flush(struct block_file *f)
{
	return f->readonly ? 0 : f->ops->flush(f);
}

int block_file_write_header(struct block_file *f, uint64_t off, const void *buf, size_t len)
{
	int r = block_file_flush(f);

	return r ? r : block_file_write(f, off, buf, len);
}

int block_file_truncate(struct block_file *f, uint64_t size)
{
	if (f->readonly) {
		return -EROFS;
	}
	if (f->ops->truncate == NULL) {
		return size == f->size ? 0 : -ENOTSUP;
	}
	return f->ops->truncate(f, size);
}

void block_file_discard(struct block_file *f, uint64_t off, uint64_t len)
{
	if (f->ops->discard != NULL && !f->readonly) {
		(void)f->ops->discard(f, off, len); /* a hint */
	}
}

void block_file_close(struct block_file *f)
{
	if (f != NULL) {
		f->ops->close(f);
	}
}

/* ---- a device as a file ---- */

struct dev_file {
	struct block_file file;
	struct block_dev *dev;
};

static struct block_dev *dev_of(struct block_file *f)
{
	return container_of(f, struct dev_file, file)->dev;
}

static int dev_read(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return block_read(dev_of(f), off, v, n);
}

static int dev_write(struct block_file *f, uint64_t off, const struct block_vec *v, unsigned int n)
{
	if (!range_within(off, block_vec_bytes(v, n), f->size)) {
		return -ENOSPC;
	}
	return block_write(dev_of(f), off, v, n);
}

static int dev_flush(struct block_file *f)
{
	return block_flush(dev_of(f));
}

static int dev_discard(struct block_file *f, uint64_t off, uint64_t len)
{
	return block_discard(dev_of(f), off, len);
}

static void dev_close(struct block_file *f)
{
	(void)block_close(dev_of(f)); /* the image flushed it, and took the error */
	heap_free(container_of(f, struct dev_file, file));
}

static const struct block_file_ops dev_ops = {
	.read = dev_read,
	.write = dev_write,
	.flush = dev_flush,
	.discard = dev_discard,
	.close = dev_close,
};

struct block_file *block_file_of_dev(struct block_dev *d)
{
	struct dev_file *df = heap_alloc(sizeof(*df));

	if (df == NULL) {
		return NULL;
	}
	df->file = (struct block_file){
		.ops = &dev_ops, .size = d->size, .readonly = d->readonly, .immediate = d->immediate
	};
	df->dev = d;
	return &df->file;
}

/* ---- scatter lists ---- */

uint64_t block_vec_bytes(const struct block_vec *v, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		sum += v[i].len;
	}
	return sum;
}

uint64_t block_cursor_take(struct block_cursor *c, uint64_t max, struct block_vec *out,
			   unsigned int *n)
{
	uint64_t sum = 0;

	for (*n = 0; *n < BLOCK_SLICE && sum < max && c->n > 0; (*n)++) {
		size_t len = u64_min(c->v->len - c->skip, max - sum);

		out[*n] = (struct block_vec){ c->v->base + c->skip, len };
		sum += len;
		c->skip += len;
		if (c->skip == c->v->len) {
			c->v++;
			c->n--;
			c->skip = 0;
		}
	}
	return sum;
}

void block_cursor_skip(struct block_cursor *c, uint64_t len)
{
	struct block_vec part[BLOCK_SLICE];
	unsigned int n;

	while (len > 0) {
		len -= block_cursor_take(c, len, part, &n);
	}
}

static bool is_zero(const uint8_t *p, size_t len)
{
	while (len > 0 && (uint64_t)p % 8) {
		if (*p++ != 0) {
			return false;
		}
		len--;
	}
	for (; len >= 8; p += 8, len -= 8) {
		if (*(const uint64_t *)p != 0) {
			return false;
		}
	}
	while (len > 0 && *p == 0) {
		p++;
		len--;
	}
	return len == 0;
}

static bool take_zeros(struct block_cursor *c, uint64_t len)
{
	struct block_vec part[BLOCK_SLICE];
	bool zero = true;
	unsigned int n;

	while (len > 0) {
		len -= block_cursor_take(c, len, part, &n);
		for (unsigned int i = 0; zero && i < n; i++) {
			zero = is_zero(part[i].base, part[i].len);
		}
	}
	return zero;
}

uint64_t block_cursor_same(struct block_cursor c, uint64_t first, uint64_t step, uint64_t max,
			   bool *zero)
{
	uint64_t done = u64_min(first, max);

	*zero = take_zeros(&c, done);
	while (done < max) {
		uint64_t len = u64_min(step, max - done);

		if (take_zeros(&c, len) != *zero) {
			break;
		}
		done += len;
	}
	return done;
}

void block_vec_clear(const struct block_vec *v, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		memset(v[i].base, 0, v[i].len);
	}
}

void block_vec_copy(const struct block_vec *v, unsigned int n, size_t off, const void *from,
		    size_t len)
{
	const uint8_t *p = from;

	for (unsigned int i = 0; i < n && len > 0; i++) {
		size_t part = off < v[i].len ? u64_min(v[i].len - off, len) : 0;

		memcpy(v[i].base + off * (part > 0), p, part);
		off = part > 0 ? 0 : off - v[i].len;
		p += part;
		len -= part;
	}
}
