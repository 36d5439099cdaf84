/* SPDX-License-Identifier: BSD-2-Clause */
/* Types of requests as a table; data moves in slices, straight between guest memory and the disk. */
/* Everything is a copy that virtq made, but for the data, which the driver may change meanwhile. */
#include "drivers/virtio/virtio_blk_request.h"

#include "hv/base/heap.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"
#include "hv/vdev.h"

#define SLICE  (64ul * KIB) /* bytes between checkpoints of ours; what is below has its own */
#define BOUNCE PAGE_SIZE

/* The data in the chain from some byte on. */
struct place {
	const struct virtq_seg *seg; /* the piece, */
	uint64_t skip;		     /* what of it is behind us, */
	uint64_t off;		     /* and of the readable or writable part */
};

struct transfer {
	struct virtio_blk_request *r;
	const struct virtio_blk_target *t;
	bool write; /* to the disk */
	uint64_t disk_off;
	uint64_t left;
	struct place at;
};

static bool given_up(void)
{
	thread_checkpoint();
	return vdev_is_ending();
}

/* ---- data ---- */

static void move_on(struct place *p, uint64_t len)
{
	p->off += len;
	len += p->skip;
	while (len > 0 && len >= p->seg->len) {
		len -= p->seg->len;
		p->seg++;
	}
	p->skip = len;
}

/* Whole sectors in a row, as many as fit; 0 if the next sector is split over pieces. */
static uint64_t take_slice(const struct transfer *x, struct block_vec *v, unsigned int *n)
{
	uint64_t max = u64_min(x->left, SLICE), sum = 0, skip = x->at.skip;
	const struct virtq_seg *seg = x->at.seg;

	for (*n = 0; *n < BLOCK_SLICE && sum < max; (*n)++) {
		uint64_t len = u64_min(seg->len - skip, max - sum);
		uint64_t whole = ALIGN_DOWN(len, (uint64_t)BLOCK_SECTOR);

		if (whole == 0) {
			break;
		}
		v[*n] = (struct block_vec){ seg->base + skip, whole };
		sum += whole;
		if (skip + whole < seg->len) {
			(*n)++;
			break;
		}
		seg++;
		skip = 0;
	}
	return sum;
}

static int rw(const struct transfer *x, const struct block_vec *v, unsigned int n)
{
	return (x->write ? block_write : block_read)(x->t->dev, x->disk_off, v, n);
}

/* Some sectors by way of a page: 2.7.4, a driver may split its buffers anywhere. */
static int bounce(struct transfer *x, uint64_t *len)
{
	struct virtio_blk_request *r = x->r;
	struct block_vec v = { .len = u64_min(x->left, BOUNCE) };
	int err;

	r->bounce = r->bounce != NULL ? r->bounce : heap_alloc(BOUNCE);
	if (r->bounce == NULL) {
		return -ENOMEM;
	}
	v.base = r->bounce;
	*len = v.len;
	if (x->write) {
		virtq_read(&r->chain, x->at.off, r->bounce, v.len);
	}
	err = rw(x, &v, 1);
	if (err == 0 && !x->write) {
		virtq_write(&r->chain, x->at.off, r->bounce, v.len);
	}
	return err;
}

/* -EAGAIN: the VM ends. */
static int move_data(struct transfer *x)
{
	int err = 0;

	while (err == 0 && x->left > 0) {
		struct block_vec v[BLOCK_SLICE];
		unsigned int n;
		uint64_t len = take_slice(x, v, &n);

		err = len > 0 ? rw(x, v, n) : bounce(x, &len);
		if (err == 0) {
			move_on(&x->at, len);
			x->disk_off += len;
			x->left -= len;
		}
		if (err == 0 && x->left > 0 && given_up()) {
			err = -EAGAIN;
		}
	}
	return err;
}

/* ---- the types ---- */

struct request_head {
	uint32_t type;
	uint64_t sector;
};

/* The bytes of sectors that lie on the disk: *off. */
static bool on_disk(const struct virtio_blk_target *t, uint64_t sector, uint64_t bytes,
		    uint64_t *off)
{
	uint64_t sectors = t->dev->size / BLOCK_SECTOR;

	*off = sector * BLOCK_SECTOR;
	return sector <= sectors && bytes <= (sectors - sector) * BLOCK_SECTOR;
}

static int transfer(struct virtio_blk_request *r, const struct virtio_blk_target *t,
		    const struct request_head *h, bool write)
{
	const struct virtq_chain *c = &r->chain;
	struct transfer x = {
		.r = r,
		.t = t,
		.write = write,
		.left = write ? c->read_len - VIRTIO_BLK_HEADER : c->write_len - 1,
		.at = { .seg = write ? c->seg : c->seg + c->readable },
	};

	if (x.left % BLOCK_SECTOR || !on_disk(t, h->sector, x.left, &x.disk_off)) {
		return -EINVAL;
	}
	r->bytes = x.left;
	if (write) {
		move_on(&x.at, VIRTIO_BLK_HEADER);
	}
	return move_data(&x);
}

static int read_data(struct virtio_blk_request *r, const struct virtio_blk_target *t,
		     const struct request_head *h)
{
	int err = transfer(r, t, h, false);

	r->len = err == 0 ? (uint32_t)(r->chain.write_len - 1) : 0;
	return err;
}

/* 5.2.6.2: without VIRTIO_BLK_F_FLUSH what is completed is safe. */
static int settle(const struct virtio_blk_target *t)
{
	return t->features & BIT(VIRTIO_BLK_F_FLUSH) ? 0 : block_flush(t->dev);
}

static int write_data(struct virtio_blk_request *r, const struct virtio_blk_target *t,
		      const struct request_head *h)
{
	int err = transfer(r, t, h, true);

	return err != 0 ? err : settle(t);
}

static int flush(struct virtio_blk_request *r UNUSED, const struct virtio_blk_target *t,
		 const struct request_head *h UNUSED)
{
	return block_flush(t->dev);
}

static int get_id(struct virtio_blk_request *r, const struct virtio_blk_target *t,
		  const struct request_head *h UNUSED)
{
	r->len = (uint32_t)u64_min(sizeof(t->id), r->chain.write_len - 1);
	virtq_write(&r->chain, 0, t->id, r->len);
	return 0;
}

/* 5.2.6.2: flags that there are not, and unmap in a discard, are not supported. */
static int range(struct virtio_blk_request *r, const struct virtio_blk_target *t,
		 const uint8_t *raw, bool zeroes)
{
	uint64_t sectors = bytes_get_le32(raw + 8), off;
	uint32_t flags = bytes_get_le32(raw + 12);

	if (flags & ~(zeroes ? VIRTIO_BLK_RANGE_UNMAP : 0u)) {
		return -ENOTSUP;
	}
	if (sectors > VIRTIO_BLK_RANGE_MAX ||
	    !on_disk(t, bytes_get_le64(raw), sectors * BLOCK_SECTOR, &off)) {
		return -EINVAL;
	}
	r->bytes += sectors * BLOCK_SECTOR;
	r->zeroed += zeroes ? sectors * BLOCK_SECTOR : 0;
	return zeroes ? block_write_zeroes(t->dev, off, sectors * BLOCK_SECTOR, flags != 0)
		      : block_discard(t->dev, off, sectors * BLOCK_SECTOR);
}

static int ranges(struct virtio_blk_request *r, const struct virtio_blk_target *t, bool zeroes)
{
	uint64_t bytes = r->chain.read_len - VIRTIO_BLK_HEADER;
	int err = 0;

	if (bytes == 0 || bytes % VIRTIO_BLK_RANGE ||
	    bytes > VIRTIO_BLK_RANGES_MAX * VIRTIO_BLK_RANGE) {
		return -EINVAL;
	}
	for (uint64_t at = 0; err == 0 && at < bytes; at += VIRTIO_BLK_RANGE) {
		uint8_t raw[VIRTIO_BLK_RANGE];

		virtq_read(&r->chain, VIRTIO_BLK_HEADER + at, raw, sizeof(raw));
		err = range(r, t, raw, zeroes);
		if (err == 0 && given_up()) {
			err = -EAGAIN;
		}
	}
	return err;
}

static int discard(struct virtio_blk_request *r, const struct virtio_blk_target *t,
		   const struct request_head *h UNUSED)
{
	return ranges(r, t, false);
}

static int write_zeroes(struct virtio_blk_request *r, const struct virtio_blk_target *t,
			const struct request_head *h UNUSED)
{
	int err = ranges(r, t, true);

	return err != 0 ? err : settle(t);
}

static const struct request_type {
	uint32_t type;
	int (*run)(struct virtio_blk_request *r, const struct virtio_blk_target *t,
		   const struct request_head *h);
	uint64_t needs; /* features */
	bool counted;
	enum vm_disk_op op;
} types[] = {
	{ VIRTIO_BLK_T_IN, read_data, 0, true, VM_DISK_READ },
	{ VIRTIO_BLK_T_OUT, write_data, 0, true, VM_DISK_WRITE },
	{ VIRTIO_BLK_T_FLUSH, flush, BIT(VIRTIO_BLK_F_FLUSH), true, VM_DISK_FLUSH },
	{ VIRTIO_BLK_T_GET_ID, get_id, 0, false, VM_DISK_READ },
	{ VIRTIO_BLK_T_DISCARD, discard, BIT(VIRTIO_BLK_F_DISCARD), true, VM_DISK_DISCARD },
	{ VIRTIO_BLK_T_WRITE_ZEROES, write_zeroes, BIT(VIRTIO_BLK_F_WRITE_ZEROES), true,
	  VM_DISK_DISCARD },
};

static const struct request_type *find(uint32_t type)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].type == type) {
			return &types[i];
		}
	}
	return NULL;
}

/* ---- the whole ---- */

bool virtio_blk_request_is_whole(const struct virtio_blk_request *r)
{
	return r->chain.read_len >= VIRTIO_BLK_HEADER && r->chain.write_len >= 1;
}

/* The guest's mistakes, and those of nobody, are no errors of the disk. */
static bool is_disks(int err)
{
	return err != 0 && err != -EINVAL && err != -EROFS && err != -ENOTSUP;
}

static int run(struct virtio_blk_request *r, const struct virtio_blk_target *t)
{
	uint8_t raw[VIRTIO_BLK_HEADER];
	const struct request_type *type;
	struct request_head h;

	virtq_read(&r->chain, 0, raw, sizeof(raw));
	h = (struct request_head){ bytes_get_le32(raw), bytes_get_le64(raw + 8) };
	type = find(h.type);
	if (type == NULL || (t->features & type->needs) != type->needs) {
		return -ENOTSUP;
	}
	r->op = type->op;
	r->counted = type->counted;
	return type->run(r, t, &h);
}

bool virtio_blk_request_run(struct virtio_blk_request *r, const struct virtio_blk_target *t)
{
	int err;

	r->bytes = 0;
	r->zeroed = 0;
	r->len = 0;
	r->counted = false;
	err = run(r, t);
	if (err == -EAGAIN) {
		return false;
	}
	r->err = is_disks(err) ? err : 0;
	r->status = (uint8_t)(err == 0		? VIRTIO_BLK_S_OK
			      : err == -ENOTSUP ? VIRTIO_BLK_S_UNSUPP
						: VIRTIO_BLK_S_IOERR);
	virtq_write(&r->chain, r->chain.write_len - 1, &r->status, 1);
	if (r->len == r->chain.write_len - 1) {
		r->len++; /* the status is the byte behind what was filled */
	}
	return true;
}
