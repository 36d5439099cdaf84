/* SPDX-License-Identifier: BSD-2-Clause */
/* NVMe controllers: brings one up, and again after it did not answer; finds its namespaces. */
/* Queues in memory are nvme_queue.c's, disks nvme_disk.c's. "NVM Express Base Specification" 1.4. */
#include "drivers/host/nvme.h"

#include "arch/clock.h"
#include "arch/paging.h"
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

/* "Admin Command Set" */
enum nvme_admin { ADMIN_CREATE_SQ = 0x01, ADMIN_CREATE_CQ = 0x05, ADMIN_IDENTIFY = 0x06 };
#define IO_QUEUE	1u
#define CONTIGUOUS	1u
#define INTERRUPTS	2u
#define IDENTIFY_NS	0u
#define IDENTIFY_SELF	1u
#define IDENTIFY_ACTIVE 2u
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

/* bytes: of the answer, copied to `to`; or 0. */
static int run_admin(struct nvme *n, const struct nvme_command *c, uint8_t *to, uint32_t bytes)
{
	const struct block_vec v = { to, bytes };
	const struct disk_job j = {
		.command = c, .v = &v, .n = bytes != 0, .bytes = bytes, .reads = true
	};
	const char *why;

	return disk_slots_run(&n->admin.slots, &j, &why);
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
	int err = run_admin(n, &cq, NULL, 0);

	return err == 0 ? run_admin(n, &sq, NULL, 0) : err;
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
	disk_slots_go(&n->admin.slots);
	put(n, REG_AQA, (NVME_DEPTH - 1) << 16 | (NVME_DEPTH - 1));
	put64(n, REG_ASQ, paging_hpa(n->admin.sq).v);
	put64(n, REG_ACQ, paging_hpa(n->admin.cq).v);
	put(n, REG_CC, CC_ON);
	return wait_ready(n, CSTS_RDY);
}

static void turn_off(const struct nvme *n)
{
	put(n, REG_CC, 0);
}

/* A controller that does not answer for itself is for who brings it up to deal with. */
static void admin_off(struct disk_slots *s)
{
	turn_off(container_of(s, struct nvme, admin.slots));
}

static int admin_on(struct disk_slots *s UNUSED)
{
	return -ENODEV;
}

static void io_off(struct disk_slots *s)
{
	turn_off(container_of(s, struct nvme, io.slots));
}

static int io_on(struct disk_slots *s)
{
	struct nvme *n = container_of(s, struct nvme, io.slots);
	int err = turn_on(n);

	if (err == 0) {
		nvme_queue_restart(&n->io);
		err = make_io_queue(n);
	}
	if (err != 0) {
		turn_off(n);
	}
	return err;
}

static const struct disk_slots_ops admin_ops = { .submit = nvme_queue_submit,
						 .off = admin_off,
						 .on = admin_on };
static const struct disk_slots_ops io_ops = { .submit = nvme_queue_submit,
					      .off = io_off,
					      .on = io_on };

static void on_irq(void *arg)
{
	struct nvme *n = arg;

	nvme_queue_irq(&n->admin);
	nvme_queue_irq(&n->io);
}

/* ---- probing ---- */

/* Copies a page of what the controller says of itself or of a namespace. */
static int identify(struct nvme *n, uint32_t what, uint32_t nsid, uint8_t *page)
{
	const struct nvme_command c = { .opcode = ADMIN_IDENTIFY, .nsid = nsid, .cdw10 = what };

	return run_admin(n, &c, page, PAGE_SIZE);
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
	n->transfer_max = mdts != 0 && mdts < 4 ? (uint32_t)PAGE_SIZE << mdts : DISK_SLOT_BUFFER;
	n->cache = (page[SELF_VWC] & 1) != 0;
	n->dsm = (oncs & ONCS_DSM) != 0;
	n->zeroes = (oncs & ONCS_ZEROES) != 0;
}

/* With sectors of 512 bytes, without metadata; others are told of and left alone. */
static void add_disk(struct nvme *n, uint32_t nsid, const uint8_t *page)
{
	uint64_t sectors = bytes_get_le64(page + NS_SIZE);
	uint32_t format = bytes_get_le32(page + NS_FORMATS + 4 * (page[NS_FORMAT] & 15));

	if (format >> 16 != 9 || (format & 0xffff) != 0 || sectors == 0 || sectors > BIT(48)) {
		log_printf(LOG_HOST, "nvme: %s: namespace %u is not usable: its sectors", n->model,
			   nsid);
		return;
	}
	nvme_disk_add(n, nsid, sectors);
}

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
	err = nvme_queue_init(&n->admin, &admin_ops);
	return err == 0 ? nvme_queue_init(&n->io, &io_ops) : err;
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
		spin_lock(&n->io.slots.lock);
		disk_slots_stop(&n->io.slots);
		spin_unlock(&n->io.slots.lock);
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
