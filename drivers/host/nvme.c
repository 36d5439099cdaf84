/* SPDX-License-Identifier: BSD-2-Clause */
/* NVMe controllers: brings one up, and again after it did not answer; its namespaces are disks. */
/* Queues in memory are nvme_queue.c's. "NVM Express Base Specification" 1.4 and "NVM Command Set". */
#include "drivers/host/nvme.h"

#include "arch/clock.h"
#include "arch/paging.h"
#include "drivers/host/host_disk.h"
#include "drivers/host/host_pci.h"
#include "hv/base/heap.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

#define CLASS_NVME 0x010802u
#define BAR_SIZE   0x2000u

/* "Controller Registers" */
#define REG_CAP	   0x00u
#define REG_CC	   0x14u
#define REG_CSTS   0x1cu
#define REG_AQA	   0x24u
#define REG_ASQ	   0x28u
#define REG_ACQ	   0x30u
#define REG_BELLS  0x1000u
#define CC_ON	   0x00460001u /* entries of 16 and 64 bytes, pages of 4 KiB, enabled */
#define CSTS_RDY   0x1u
#define NOBODY	   UINT32_MAX /* what is read where no device answers (any more) */
#define STRIDE_MAX 8u
#define TO_NS	   500000000ul /* unit of CAP.TO */
#define POLL_NS	   1000000ul
#define TRIES	   2u

/* "Admin Command Set", "NVM Command Set" */
enum nvme_admin { ADMIN_CREATE_SQ = 0x01, ADMIN_CREATE_CQ = 0x05, ADMIN_IDENTIFY = 0x06 };
enum nvme_io { IO_FLUSH = 0x00, IO_WRITE = 0x01, IO_READ = 0x02, IO_ZEROES = 0x08, IO_DSM = 0x09 };
#define IO_QUEUE	1u
#define CONTIGUOUS	1u
#define INTERRUPTS	2u
#define IDENTIFY_NS	0u
#define IDENTIFY_SELF	1u
#define IDENTIFY_ACTIVE 2u
#define DSM_DEALLOCATE	4u
#define DSM_RANGE	16u    /* bytes */
#define ZEROES_MAX	65536u /* sectors of one command */
#define NAMESPACES_MAX	8u

/* "Identify Controller data structure": offsets */
#define SELF_SERIAL 4u
#define SELF_MODEL  24u
#define SELF_MDTS   77u
#define SELF_ONCS   520u
#define SELF_VWC    525u
#define ONCS_DSM    0x4u
#define ONCS_ZEROES 0x8u
/* "Identify Namespace data structure" */
#define NS_SIZE	   0u
#define NS_FORMAT  26u
#define NS_FORMATS 128u

struct nvme {
	struct host_pci_dev *pci;
	volatile uint8_t *regs;
	struct nvme_queue admin, io;
	char model[41], serial[21];
	uint32_t transfer_max; /* bytes */
	bool cache, dsm, zeroes;
};

struct nvme_disk {
	struct host_disk disk;
	struct nvme *n;
	uint32_t nsid;
};

static uint32_t get(const struct nvme *n, unsigned int reg)
{
	return *(volatile uint32_t *)(n->regs + reg);
}

static void put(const struct nvme *n, unsigned int reg, uint32_t val)
{
	*(volatile uint32_t *)(n->regs + reg) = val;
}

static void put64(const struct nvme *n, unsigned int reg, uint64_t val)
{
	put(n, reg, (uint32_t)val);
	put(n, reg + 4, (uint32_t)(val >> 32));
}

/* ---- on and off ---- */

static int wait_ready(const struct nvme *n, uint32_t want)
{
	uint64_t limit = TO_NS * ((get(n, REG_CAP) >> 24) + 1);
	uint64_t deadline = clock_now() + clock_ns_to_ticks(limit);

	for (;;) {
		uint32_t status = get(n, REG_CSTS);

		if (status == NOBODY) {
			return -ENODEV;
		}
		if ((status & CSTS_RDY) == want) {
			return 0;
		}
		if (clock_now() > deadline) {
			return -ETIMEDOUT;
		}
		thread_sleep(POLL_NS);
	}
}

static int run_admin(struct nvme *n, struct nvme_slot *s, const struct nvme_command *c)
{
	int err = nvme_queue_run(&n->admin, s, c);

	if (err == -ETIMEDOUT) {
		nvme_queue_stop(&n->admin);
	}
	return err;
}

/* "Create I/O Completion Queue", then the submission queue that uses it. */
static int make_io_queue(struct nvme *n)
{
	const uint32_t id = IO_QUEUE | (NVME_DEPTH - 1) << 16;
	const struct nvme_command cq = { .opcode = ADMIN_CREATE_CQ,
					 .prp = paging_hpa(n->io.cq).v,
					 .cdw10 = id,
					 .cdw11 = CONTIGUOUS | INTERRUPTS };
	const struct nvme_command sq = { .opcode = ADMIN_CREATE_SQ,
					 .prp = paging_hpa(n->io.sq).v,
					 .cdw10 = id,
					 .cdw11 = CONTIGUOUS | IO_QUEUE << 16 };
	struct nvme_slot *s = nvme_queue_take(&n->admin);
	int err = run_admin(n, s, &cq);

	if (err == 0) {
		err = run_admin(n, s, &sq);
	}
	nvme_queue_give(s);
	return err;
}

static int turn_on(struct nvme *n)
{
	int err;

	put(n, REG_CC, 0);
	err = wait_ready(n, 0);
	if (err != 0) {
		return err;
	}
	nvme_queue_restart(&n->admin);
	put(n, REG_AQA, (NVME_DEPTH - 1) << 16 | (NVME_DEPTH - 1));
	put64(n, REG_ASQ, paging_hpa(n->admin.sq).v);
	put64(n, REG_ACQ, paging_hpa(n->admin.cq).v);
	put(n, REG_CC, CC_ON);
	return wait_ready(n, CSTS_RDY);
}

/* Off at once, so that it writes no memory any more; everybody who waits gets an error. */
static void turn_off(struct nvme *n)
{
	nvme_queue_stop(&n->io);
	put(n, REG_CC, 0);
}

/*
 * When nobody has a slot any more. The first who comes does it, the others find it done; false: the
 * controller stays off.
 */
static bool recover(struct nvme *n)
{
	bool on;

	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		mutex_lock(&n->io.slots[i].busy);
	}
	if (n->io.stopped && turn_on(n) == 0) {
		nvme_queue_restart(&n->io);
		if (make_io_queue(n) != 0) {
			turn_off(n);
		}
	}
	on = !n->io.stopped;
	for (unsigned int i = 0; i < NVME_SLOTS; i++) {
		mutex_unlock(&n->io.slots[i].busy);
	}
	return on;
}

static void on_irq(void *arg)
{
	struct nvme *n = arg;

	nvme_queue_irq(&n->admin);
	nvme_queue_irq(&n->io);
}

/* ---- the block device ---- */

static struct nvme_disk *disk_of(struct block_dev *d)
{
	return container_of(d, struct nvme_disk, disk.dev);
}

/* A command, and what goes through its slot's buffer. */
struct job {
	struct nvme_command c;
	const char *what; /* is done, for messages */
	uint64_t off;
	const struct block_vec *v; /* data; NULL: zeros, c.bytes of them */
	unsigned int n;
	bool reads;
};

static void fill(struct nvme_slot *s, const struct job *j)
{
	uint8_t *to = s->buffer;

	if (j->v == NULL) {
		memset(to, 0, j->c.bytes);
	}
	for (unsigned int i = 0; i < j->n && !j->reads; i++) {
		memcpy(to, j->v[i].base, j->v[i].len);
		to += j->v[i].len;
	}
}

/* In a slot of its own. *again: it was not the command's fault, and the controller is on again. */
static int attempt(struct nvme_disk *d, const struct job *j, bool *again)
{
	struct nvme_slot *s = nvme_queue_take(&d->n->io);
	int err;

	fill(s, j);
	err = nvme_queue_run(&d->n->io, s, &j->c);
	if (err == 0 && j->reads) {
		block_vec_copy(j->v, j->n, 0, s->buffer, j->c.bytes);
	}
	if (err == -ETIMEDOUT) {
		turn_off(d->n);
	}
	nvme_queue_give(s);
	*again = (err == -ETIMEDOUT || err == -ENODEV) && recover(d->n);
	return err;
}

/* Again once if it was not answered, or another one was not and the controller was reset for that. */
static int run(struct nvme_disk *d, struct job *j)
{
	bool again = true;
	int err = 0;

	j->c.nsid = d->nsid;
	for (unsigned int i = 0; i < TRIES && again; i++) {
		err = attempt(d, j, &again);
	}
	if (err != 0) {
		host_disk_failed(&d->disk, j->what, j->off,
				 err == -EIO ? "the disk reports an error"
					     : "the disk does not answer");
	}
	return err == 0 ? 0 : -EIO;
}

static int move(struct nvme_disk *d, uint64_t off, const struct block_vec *v, unsigned int n,
		uint32_t bytes, bool write)
{
	uint64_t lba = off / BLOCK_SECTOR;
	struct job j = {
		.c = { .opcode = write ? IO_WRITE : IO_READ,
		       .bytes = bytes,
		       .cdw10 = (uint32_t)lba,
		       .cdw11 = (uint32_t)(lba >> 32),
		       .cdw12 = bytes / BLOCK_SECTOR - 1 },
		.what = write ? "write" : "read",
		.off = off,
		.v = v,
		.n = n,
		.reads = !write,
	};

	return run(d, &j);
}

static int transfer(struct block_dev *dev, uint64_t off, const struct block_vec *v, unsigned int n,
		    bool write)
{
	struct nvme_disk *d = disk_of(dev);
	struct block_cursor cursor = { .v = v, .n = n };
	uint64_t left = block_vec_bytes(v, n);
	int err = 0;

	while (err == 0 && left > 0) {
		struct block_vec part[BLOCK_SLICE];
		unsigned int count;
		uint64_t got =
			block_cursor_take(&cursor, u64_min(left, d->n->transfer_max), part, &count);

		err = move(d, off, part, count, (uint32_t)got, write);
		off += got;
		left -= got;
		thread_checkpoint();
	}
	return err;
}

static int disk_read(struct block_dev *dev, uint64_t off, const struct block_vec *v, unsigned int n)
{
	return transfer(dev, off, v, n, false);
}

static int disk_write(struct block_dev *dev, uint64_t off, const struct block_vec *v,
		      unsigned int n)
{
	return transfer(dev, off, v, n, true);
}

static int disk_flush(struct block_dev *dev)
{
	struct nvme_disk *d = disk_of(dev);
	struct job j = { .c = { .opcode = IO_FLUSH }, .what = "flush" };

	return d->n->cache ? run(d, &j) : 0;
}

static int trim(struct nvme_disk *d, uint64_t lba, uint32_t sectors)
{
	uint8_t range[DSM_RANGE] = { 0 };
	const struct block_vec v = { range, sizeof(range) };
	struct job j = {
		.c = { .opcode = IO_DSM, .bytes = DSM_RANGE, .cdw11 = DSM_DEALLOCATE },
		.what = "discard",
		.off = lba * BLOCK_SECTOR,
		.v = &v,
		.n = 1,
	};

	bytes_put_le32(range + 4, sectors);
	bytes_put_le64(range + 8, lba);
	return run(d, &j);
}

static int disk_discard(struct block_dev *dev, uint64_t off, uint64_t len)
{
	struct nvme_disk *d = disk_of(dev);
	uint64_t lba = off / BLOCK_SECTOR, left = d->n->dsm ? len / BLOCK_SECTOR : 0;
	int err = 0;

	while (err == 0 && left > 0) {
		uint32_t part = (uint32_t)u64_min(left, UINT32_MAX);

		err = trim(d, lba, part);
		lba += part;
		left -= part;
	}
	return err;
}

/* By the disk, or as data. */
static int zero_part(struct nvme_disk *d, uint64_t off, uint32_t bytes)
{
	uint64_t lba = off / BLOCK_SECTOR;
	struct job j = {
		.c = { .opcode = d->n->zeroes ? IO_ZEROES : IO_WRITE,
		       .bytes = d->n->zeroes ? 0 : bytes,
		       .cdw10 = (uint32_t)lba,
		       .cdw11 = (uint32_t)(lba >> 32),
		       .cdw12 = bytes / BLOCK_SECTOR - 1 },
		.what = "write",
		.off = off,
	};

	return run(d, &j);
}

static int disk_write_zeroes(struct block_dev *dev, uint64_t off, uint64_t len, bool unmap UNUSED)
{
	struct nvme_disk *d = disk_of(dev);
	uint64_t max = d->n->zeroes ? (uint64_t)ZEROES_MAX * BLOCK_SECTOR : d->n->transfer_max;
	int err = 0;

	while (err == 0 && len > 0) {
		uint64_t part = u64_min(len, max);

		err = zero_part(d, off, (uint32_t)part);
		off += part;
		len -= part;
		thread_checkpoint();
	}
	return err;
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

/* Copies a page of what the controller says of itself or of a namespace. */
static int identify(struct nvme *n, uint32_t what, uint32_t nsid, uint8_t *page)
{
	struct nvme_slot *s = nvme_queue_take(&n->admin);
	const struct nvme_command c = {
		.opcode = ADMIN_IDENTIFY, .nsid = nsid, .bytes = PAGE_SIZE, .cdw10 = what
	};
	int err = run_admin(n, s, &c);

	memcpy(page, s->buffer, PAGE_SIZE);
	nvme_queue_give(s);
	return err;
}

static void copy_text(char *to, const uint8_t *from, unsigned int len)
{
	unsigned int end = 0;

	for (unsigned int i = 0; i < len; i++) {
		to[i] = from[i] > ' ' && from[i] < 0x7f ? (char)from[i] : ' ';
		end = to[i] != ' ' ? i + 1 : end;
	}
	to[end] = '\0';
}

static void read_self(struct nvme *n, const uint8_t *page)
{
	uint16_t oncs = bytes_get_le16(page + SELF_ONCS);
	uint8_t mdts = page[SELF_MDTS];

	copy_text(n->model, page + SELF_MODEL, sizeof(n->model) - 1);
	copy_text(n->serial, page + SELF_SERIAL, sizeof(n->serial) - 1);
	n->transfer_max = mdts != 0 && mdts < 4 ? (uint32_t)PAGE_SIZE << mdts : NVME_BUFFER;
	n->cache = (page[SELF_VWC] & 1) != 0;
	n->dsm = (oncs & ONCS_DSM) != 0;
	n->zeroes = (oncs & ONCS_ZEROES) != 0;
}

/* With sectors of 512 bytes, without metadata; others are told of and left alone. */
static void add_disk(struct nvme *n, uint32_t nsid, const uint8_t *page)
{
	uint64_t sectors = bytes_get_le64(page + NS_SIZE);
	uint32_t format = bytes_get_le32(page + NS_FORMATS + 4 * (page[NS_FORMAT] & 15));
	struct nvme_disk *d;

	if (format >> 16 != 9 || (format & 0xffff) != 0 || sectors == 0 || sectors > BIT(48)) {
		log_printf(LOG_HOST, "nvme: %s: namespace %u is not usable: its sectors", n->model,
			   nsid);
		return;
	}
	d = heap_alloc(sizeof(*d));
	if (d == NULL) {
		return;
	}
	d->n = n;
	d->nsid = nsid;
	memcpy(d->disk.model, n->model, sizeof(n->model));
	memcpy(d->disk.serial, n->serial, sizeof(n->serial));
	d->disk.pci = n->pci;
	d->disk.trims = n->dsm;
	d->disk.dev = (struct block_dev){
		.ops = &disk_ops,
		.size = sectors * BLOCK_SECTOR,
		.granularity = PAGE_SIZE,
	};
	host_disk_add(&d->disk, "nvme");
}

_Static_assert(sizeof(((struct nvme *)0)->model) == sizeof(((struct host_disk *)0)->model),
	       "copied");
_Static_assert(sizeof(((struct nvme *)0)->serial) == sizeof(((struct host_disk *)0)->serial),
	       "copied");

static int find_disks(struct nvme *n, uint8_t *page)
{
	uint32_t ids[NAMESPACES_MAX];
	int err = identify(n, IDENTIFY_SELF, 0, page);

	if (err == 0) {
		read_self(n, page);
		err = identify(n, IDENTIFY_ACTIVE, 0, page);
	}
	if (err == 0) {
		err = make_io_queue(n);
	}
	for (unsigned int i = 0; i < NAMESPACES_MAX; i++) {
		ids[i] = bytes_get_le32(page + 4 * (size_t)i);
	}
	for (unsigned int i = 0; err == 0 && i < NAMESPACES_MAX && ids[i] != 0; i++) {
		err = identify(n, IDENTIFY_NS, ids[i], page);
		if (err == 0) {
			add_disk(n, ids[i], page);
		}
	}
	return err;
}

static int set_up(struct nvme *n)
{
	unsigned int stride = get(n, REG_CAP + 4) & 15;
	volatile uint32_t *bells = (volatile uint32_t *)(n->regs + REG_BELLS);
	int err;

	if (stride > STRIDE_MAX) {
		return -ENOTSUP;
	}
	n->admin.sq_bell = bells;
	n->admin.cq_bell = bells + ((size_t)1 << stride);
	n->io.sq_bell = bells + ((size_t)2 << stride);
	n->io.cq_bell = bells + ((size_t)3 << stride);
	err = nvme_queue_init(&n->admin);
	return err == 0 ? nvme_queue_init(&n->io) : err;
}

static int start(struct nvme *n)
{
	uint8_t *page = page_alloc(0);
	int err = page != NULL ? turn_on(n) : -ENOMEM;

	if (err == 0) {
		err = find_disks(n, page);
	}
	if (page != NULL) {
		page_free(page, 0);
	}
	return err;
}

static int nvme_probe(struct host_pci_dev *pci)
{
	struct nvme *n = heap_alloc(sizeof(*n));
	int err = -ENOMEM;

	if (n == NULL) {
		return err;
	}
	n->pci = pci;
	n->regs = host_pci_bar_map(pci, 0, BAR_SIZE);
	err = n->regs != NULL ? set_up(n) : -ENODEV;
	if (err != 0) {
		nvme_queue_free(&n->admin);
		nvme_queue_free(&n->io);
		heap_free(n);
		return err;
	}
	host_pci_enable(pci);
	err = host_pci_irq_request(pci, on_irq, n); /* which may call it from now on: n stays */
	if (err == 0) {
		err = start(n);
	}
	if (err != 0) {
		turn_off(n);
	}
	return err;
}

static bool nvme_match(const struct host_pci_dev *pci)
{
	return pci->class == CLASS_NVME;
}

static const struct host_pci_driver nvme_driver = {
	.name = "nvme",
	.match = nvme_match,
	.probe = nvme_probe,
};
HOST_PCI_REGISTER(nvme_driver);
