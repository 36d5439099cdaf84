/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks of the machine's that are virtio block devices: "Virtio" 1.2, 5.2. One queue, four requests under way. */
/* The ring is host_vring's, the transport host_virtio's, waiting and recovery disk_slots'. */
#include "arch/paging.h"
#include "drivers/host/disk_pieces.h"
#include "drivers/host/disk_slots.h"
#include "drivers/host/host_disk.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/host_virtio.h"
#include "drivers/host/host_vring.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define QUEUE	   0u
#define RING	   16u /* entries; slot i has those from 3 i on: header, data, status */
#define PER_SLOT   3u
#define HEAD_SIZE  32u /* of a slot in `heads`: the header, and behind it */
#define STATUS_AT  VIRTIO_BLK_HEADER
#define NO_STATUS  0xffu
#define TRIM_MOST  (64ul * MIB) /* a granularity beyond is none */
#define DISK_MOST  BIT(57)	/* bytes */
#define RANGE_MOST (2 * GIB)
#define WANTED                                                                                     \
	(BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_RO) | BIT(VIRTIO_BLK_F_BLK_SIZE) |          \
	 BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES))

_Static_assert(PER_SLOT *DISK_SLOTS <= RING && RING <= HOST_VRING_MAX, "room for all");
_Static_assert(HEAD_SIZE *DISK_SLOTS <= PAGE_SIZE && STATUS_AT < HEAD_SIZE, "a page of them");

struct blk {
	struct host_virtio v;
	struct disk_slots slots;
	struct host_vring ring;	    /* [slots' lock] */
	uint32_t asked[DISK_SLOTS]; /* [slots' lock] bytes that a read must have brought; 0: none */
	volatile uint8_t *bell;	    /* of the queue */
	uint8_t *heads;		    /* (c) a page: headers and status of the slots */
	struct host_disk disk;
	uint64_t piece_max, discard_max, zeroes_max; /* (c) bytes of one request; 0: not that one */
};

struct command {
	uint32_t type;
	uint64_t sector;
};

static struct blk *blk_of(struct disk_slots *s)
{
	return container_of(s, struct blk, slots);
}

static bool has(const struct blk *b, unsigned int feature)
{
	return (b->v.features & BIT(feature)) != 0;
}

/* ---- one request ---- */

/* 5.2.6 "Device Operation": header, data, status. */
static void submit(struct disk_slots *s, unsigned int slot, const struct disk_job *j)
{
	struct blk *b = blk_of(s);
	const struct command *c = j->command;
	uint8_t *head = b->heads + HEAD_SIZE * slot;
	uint16_t first = (uint16_t)(PER_SLOT * slot), status = (uint16_t)(first + 2);

	bytes_put_le32(head, c->type);
	bytes_put_le32(head + 4, 0);
	bytes_put_le64(head + 8, c->sector);
	head[STATUS_AT] = NO_STATUS;
	b->asked[slot] = j->reads ? j->bytes : 0;
	host_vring_put(&b->ring, first, head, VIRTIO_BLK_HEADER, VIRTQ_DESC_NEXT,
		       j->bytes != 0 ? (uint16_t)(first + 1) : status);
	host_vring_put(&b->ring, (uint16_t)(first + 1), s->slot[slot].buffer, j->bytes,
		       VIRTQ_DESC_NEXT | (j->reads ? VIRTQ_DESC_WRITE : 0), status);
	host_vring_put(&b->ring, status, head + STATUS_AT, 1, VIRTQ_DESC_WRITE, 0);
	host_vring_offer(&b->ring, first);
	host_virtio_kick(b->bell, QUEUE);
}

/* Less came than was asked for: the rest of the buffer is what somebody else read or wrote. */
static void end(struct blk *b, const struct host_vring_end *e)
{
	unsigned int slot = e->head / PER_SLOT;

	if (e->head % PER_SLOT != 0 || slot >= DISK_SLOTS) {
		disk_slots_stop(&b->slots);
		return;
	}
	disk_slots_end(&b->slots, slot,
		       b->heads[HEAD_SIZE * slot + STATUS_AT] == VIRTIO_BLK_S_OK &&
				       e->len > b->asked[slot]
			       ? 0
			       : -EIO);
}

static void on_irq(void *arg)
{
	struct blk *b = arg;
	struct host_vring_end e;
	int got = 0;

	if (!host_virtio_irq(&b->v)) {
		return;
	}
	spin_lock(&b->slots.lock);
	while (!b->slots.stopped && (got = host_vring_collect(&b->ring, &e)) > 0) {
		end(b, &e);
	}
	if (got < 0) {
		disk_slots_stop(&b->slots);
	}
	spin_unlock(&b->slots.lock);
}

/* ---- on and off ---- */

static void off(struct disk_slots *s)
{
	host_virtio_off(&blk_of(s)->v);
}

static int on(struct disk_slots *s)
{
	struct blk *b = blk_of(s);
	uint64_t before = b->v.features;
	int err = host_virtio_begin(&b->v, before != 0 ? before : WANTED);

	if (err == 0 && before != 0 && b->v.features != before) {
		err = -ENODEV; /* another device than the one that was found */
	}
	if (err == 0) {
		host_vring_restart(&b->ring);
		err = host_virtio_queue(&b->v, QUEUE, &b->ring, &b->bell);
	}
	if (err != 0) {
		b->v.features = before;
		host_virtio_off(&b->v);
		return err;
	}
	host_virtio_ready(&b->v);
	return 0;
}

static const struct disk_slots_ops slots_ops = { .submit = submit, .off = off, .on = on };

/* ---- the block device ---- */

static struct blk *blk_of_dev(struct block_dev *d)
{
	return container_of(d, struct blk, disk.dev);
}

static int run(struct blk *b, const struct disk_job *j, uint64_t off_, const char *what)
{
	const char *why;
	int err = disk_slots_run(&b->slots, j, &why);

	if (err != 0) {
		host_disk_failed(&b->disk, what, off_, why);
	}
	return err;
}

static int move(struct block_dev *d, const struct disk_piece *p)
{
	const struct command c = { p->write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
				   p->off / BLOCK_SECTOR };
	const struct disk_job j = {
		.command = &c, .v = p->v, .n = p->n, .bytes = (uint32_t)p->len, .reads = !p->write
	};

	return run(blk_of_dev(d), &j, p->off, p->write ? "write" : "read");
}

static int disk_read(struct block_dev *d, uint64_t off_, const struct block_vec *v, unsigned int n)
{
	return disk_pieces_move(d, off_, v, n, false, blk_of_dev(d)->piece_max, move);
}

static int disk_write(struct block_dev *d, uint64_t off_, const struct block_vec *v, unsigned int n)
{
	return disk_pieces_move(d, off_, v, n, true, blk_of_dev(d)->piece_max, move);
}

/* Without that feature what was answered is safe: 5.2.6.2. */
static int disk_flush(struct block_dev *d)
{
	struct blk *b = blk_of_dev(d);
	const struct command c = { VIRTIO_BLK_T_FLUSH, 0 };
	const struct disk_job j = { .command = &c };

	return has(b, VIRTIO_BLK_F_FLUSH) ? run(b, &j, 0, "flush") : 0;
}

static int range(struct block_dev *d, const struct disk_piece *p, uint32_t type, const char *what)
{
	uint8_t raw[VIRTIO_BLK_RANGE] = { 0 };
	const struct command c = { type, 0 };
	const struct block_vec v = { raw, sizeof(raw) };
	const struct disk_job j = { .command = &c, .v = &v, .n = 1, .bytes = sizeof(raw) };

	bytes_put_le64(raw, p->off / BLOCK_SECTOR);
	bytes_put_le32(raw + 8, (uint32_t)(p->len / BLOCK_SECTOR));
	return run(blk_of_dev(d), &j, p->off, what);
}

static int discard_piece(struct block_dev *d, const struct disk_piece *p)
{
	return range(d, p, VIRTIO_BLK_T_DISCARD, "discard");
}

static int zero_piece(struct block_dev *d, const struct disk_piece *p)
{
	return range(d, p, VIRTIO_BLK_T_WRITE_ZEROES, "write");
}

/* As data, of a device that knows no other way. */
static int zero_data(struct block_dev *d, const struct disk_piece *p)
{
	const struct command c = { VIRTIO_BLK_T_OUT, p->off / BLOCK_SECTOR };
	const struct disk_job j = { .command = &c, .bytes = (uint32_t)p->len };

	return run(blk_of_dev(d), &j, p->off, "write");
}

static int disk_discard(struct block_dev *d, uint64_t off_, uint64_t len)
{
	uint64_t max = blk_of_dev(d)->discard_max;

	return max != 0 ? disk_pieces_range(d, off_, len, max, discard_piece) : 0;
}

static int disk_write_zeroes(struct block_dev *d, uint64_t off_, uint64_t len, bool unmap UNUSED)
{
	const struct blk *b = blk_of_dev(d);

	return b->zeroes_max != 0 ? disk_pieces_range(d, off_, len, b->zeroes_max, zero_piece)
				  : disk_pieces_range(d, off_, len, b->piece_max, zero_data);
}

static const struct block_dev_ops disk_ops = {
	.read = disk_read,
	.write = disk_write,
	.flush = disk_flush,
	.discard = disk_discard,
	.write_zeroes = disk_write_zeroes,
	.close = disk_flush,
};

/* ---- probing ---- */

static void read_serial(struct blk *b)
{
	uint8_t id[VIRTIO_BLK_ID_BYTES] = { 0 };
	const struct block_vec v = { id, sizeof(id) };
	const struct command c = { VIRTIO_BLK_T_GET_ID, 0 };
	const struct disk_job j = {
		.command = &c, .v = &v, .n = 1, .bytes = VIRTIO_BLK_ID_BYTES, .reads = true
	};
	const char *why;

	if (disk_slots_run(&b->slots, &j, &why) != 0) {
		return; /* a device need not know that request */
	}
	for (unsigned int i = 0; i < VIRTIO_BLK_ID_BYTES && id[i] != 0; i++) {
		b->disk.serial[i] = id[i] >= ' ' && id[i] < 0x7f ? (char)id[i] : '?';
	}
}

_Static_assert(sizeof(((struct host_disk *)0)->serial) > VIRTIO_BLK_ID_BYTES, "and a zero");

/* Sectors of a configuration field as bytes of one request; 0 without the feature. */
static uint64_t range_max(const struct blk *b, unsigned int feature, unsigned int field)
{
	return has(b, feature)
		       ? u64_min(host_virtio_config(&b->v, field, 4) * (uint64_t)BLOCK_SECTOR,
				 RANGE_MOST)
		       : 0;
}

static uint32_t granularity(const struct blk *b)
{
	uint64_t align =
		host_virtio_config(&b->v, VIRTIO_BLK_DISCARD_ALIGN, 4) * (uint64_t)BLOCK_SECTOR;

	return align != 0 && align <= TRIM_MOST ? (uint32_t)align : BLOCK_SECTOR;
}

/* 5.2.4: capacity counts 512 bytes whatever a block is; smaller requests than a block are not allowed. */
static int read_limits(struct blk *b)
{
	uint64_t sectors = host_virtio_config64(&b->v, VIRTIO_BLK_CAPACITY);
	uint32_t most = has(b, VIRTIO_BLK_F_SIZE_MAX)
				? host_virtio_config(&b->v, VIRTIO_BLK_SIZE_MAX, 4)
				: (uint32_t)DISK_SLOT_BUFFER;
	uint32_t block = has(b, VIRTIO_BLK_F_BLK_SIZE)
				 ? host_virtio_config(&b->v, VIRTIO_BLK_BLK_SIZE, 4)
				 : BLOCK_SECTOR;

	b->piece_max = ALIGN_DOWN(u64_min(most, DISK_SLOT_BUFFER), (uint64_t)BLOCK_SECTOR);
	b->discard_max = range_max(b, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_MAX_DISCARD);
	b->zeroes_max = range_max(b, VIRTIO_BLK_F_WRITE_ZEROES, VIRTIO_BLK_MAX_ZEROES);
	if (sectors == 0 || sectors > DISK_MOST / BLOCK_SECTOR || block != BLOCK_SECTOR ||
	    b->piece_max == 0) {
		log_printf(LOG_HOST, "virtio: a disk is not usable: its size, or its sectors");
		return -ENOTSUP;
	}
	b->disk.dev = (struct block_dev){
		.ops = &disk_ops,
		.size = sectors * BLOCK_SECTOR,
		.granularity = granularity(b),
		.readonly = has(b, VIRTIO_BLK_F_RO),
	};
	return 0;
}

static int start(struct blk *b)
{
	int err = on(&b->slots);

	if (err == 0) {
		err = read_limits(b);
	}
	if (err != 0) {
		host_virtio_off(&b->v);
		return err;
	}
	string_copy(b->disk.model, "virtio disk", sizeof(b->disk.model));
	b->disk.pci = b->v.pci;
	b->disk.trims = b->discard_max != 0;
	read_serial(b);
	host_disk_add(&b->disk, "virtio");
	return 0;
}

static int set_up(struct blk *b, struct host_pci_dev *pci)
{
	int err = host_virtio_find(&b->v, pci);

	if (err == 0) {
		err = disk_slots_init(&b->slots, &slots_ops);
	}
	if (err == 0) {
		err = host_vring_init(&b->ring, RING);
	}
	if (err == 0) {
		b->heads = page_alloc(0);
		err = b->heads != NULL ? 0 : -ENOMEM;
	}
	return err;
}

static int blk_probe(struct host_pci_dev *pci)
{
	struct blk *b = heap_alloc(sizeof(*b));
	int err = -ENOMEM;

	if (b == NULL) {
		return err;
	}
	err = set_up(b, pci);
	if (err != 0) {
		disk_slots_free(&b->slots);
		host_vring_free(&b->ring);
		heap_free(b);
		return err;
	}
	host_pci_enable(pci);
	err = host_pci_irq_request(pci, on_irq, b); /* which may call it from now on: b stays */
	return err == 0 ? start(b) : err;
}

static bool blk_match(const struct host_pci_dev *pci)
{
	return pci->vendor == VIRTIO_PCI_VENDOR &&
	       (pci->device == VIRTIO_PCI_DEVICE + VIRTIO_ID_BLOCK ||
		pci->device == VIRTIO_PCI_BLOCK);
}

static const struct host_pci_driver virtio_blk_driver = {
	.name = "virtio-blk",
	.match = blk_match,
	.probe = blk_probe,
};
HOST_PCI_REGISTER(virtio_blk_driver);
