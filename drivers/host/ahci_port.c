/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the registers of one AHCI port and the tables that its controller reads: commands, queued or one */
/* at a time, the interrupt at their end, the port's reset. Knows no disk, only ATA commands. */
#include "drivers/host/ahci.h"

#include "arch/clock.h"
#include "arch/paging.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/thread.h"

/* "Serial ATA AHCI" 1.3.1, "Port Registers" */
enum port_reg {
	PORT_CLB = 0x00 / 4, /* command list, two registers */
	PORT_FB = 0x08 / 4,  /* received FISes, two registers */
	PORT_IS = 0x10 / 4,
	PORT_IE = 0x14 / 4,
	PORT_CMD = 0x18 / 4,
	PORT_TFD = 0x20 / 4,
	PORT_SIG = 0x24 / 4,
	PORT_SSTS = 0x28 / 4,
	PORT_SCTL = 0x2c / 4,
	PORT_SERR = 0x30 / 4,
	PORT_SACT = 0x34 / 4, /* queued commands that did not end */
	PORT_CI = 0x38 / 4,
};

#define CMD_START     0x0001u
#define CMD_SPIN_UP   0x0002u
#define CMD_POWER     0x0004u
#define CMD_FIS	      0x0010u
#define CMD_FIS_RUNS  0x4000u
#define CMD_LIST_RUNS 0x8000u
#define SSTS_DET      0x000fu
#define SSTS_THERE    3u
#define SCTL_RESET    1u
#define SIGNATURE_ATA 0x00000101u
#define IS_DONE	      0x0000002fu /* a FIS of any known kind came, or a descriptor was processed */
#define IS_TASK_FILE  0x40000000u
#define IS_FATAL      0x38000000u /* host bus and interface errors */
#define IS_INTERFACE  0x04000000u /* not fatal */

/* Where in p->lists; "System Memory Structures" */
#define LIST_AT	   0x000u /* 32 command headers */
#define FIS_AT	   0x400u
#define HEADER	   0x20u
#define TABLES_AT  0x800u
#define TABLE	   0x100u /* with an entry for data */
#define PRD	   0x80u  /* where in a table */
#define FIS_WORDS  5u	  /* of 4 bytes: a register FIS */
#define FLAG_WRITE 0x40u
#define MOVED_AT   4u  /* in a header: bytes that were moved */
#define PRD_COUNT  16u /* shift of the number of entries in a header */

#define FIS_REGISTER_TO_DISK 0x27u
#define FIS_IS_COMMAND	     0x80u
#define TAG_SHIFT	     3u /* in the count of a queued command */

#define LINK_NS	 1000000000ul
#define READY_NS 5000000000ul
#define POLL_NS	 1000000ul

_Static_assert(DISK_SLOT_BUFFER == ATA_BUFFER, "one entry of the table");
_Static_assert(TABLES_AT + DISK_SLOTS * TABLE <= PAGE_SIZE, "in p->lists");

/* ---- commands ---- */

static struct ahci_port *port_of(struct disk_slots *s)
{
	return container_of(s, struct ahci_port, slots);
}

/* "Register FIS - Host to Device" */
static void put_fis(uint8_t *fis, const struct ata_command *cmd)
{
	memset(fis, 0, FIS_WORDS * 4);
	fis[0] = FIS_REGISTER_TO_DISK;
	fis[1] = FIS_IS_COMMAND;
	fis[2] = cmd->code;
	fis[3] = cmd->feature;
	fis[4] = (uint8_t)cmd->lba;
	fis[5] = (uint8_t)(cmd->lba >> 8);
	fis[6] = (uint8_t)(cmd->lba >> 16);
	fis[7] = ATA_DEVICE_LBA | (cmd->wide ? 0 : (uint8_t)(cmd->lba >> 24 & 0xf));
	if (cmd->wide) {
		fis[8] = (uint8_t)(cmd->lba >> 24);
		fis[9] = (uint8_t)(cmd->lba >> 32);
		fis[10] = (uint8_t)(cmd->lba >> 40);
	}
	bytes_put_le16(fis + 12, (uint16_t)(cmd->wide ? cmd->count : cmd->count & 0xff));
}

/* "READ FPDMA QUEUED": where others have the count, it has the tag; and the count in the feature. */
static void queue_fis(uint8_t *fis, const struct ata_command *cmd, unsigned int tag)
{
	fis[2] = cmd->code == ATA_READ_DMA_EXT ? ATA_READ_FPDMA_QUEUED : ATA_WRITE_FPDMA_QUEUED;
	fis[3] = (uint8_t)cmd->count;
	fis[11] = (uint8_t)(cmd->count >> 8);
	bytes_put_le16(fis + 12, (uint16_t)(tag << TAG_SHIFT));
}

static uint8_t *header_of(const struct ahci_port *p, unsigned int slot)
{
	return p->lists + LIST_AT + slot * HEADER;
}

static void prepare(const struct ahci_port *p, unsigned int slot, const struct disk_job *j)
{
	uint8_t *header = header_of(p, slot), *table = p->lists + TABLES_AT + slot * TABLE;
	uint32_t flags = FIS_WORDS | (j->bytes != 0 && !j->reads ? FLAG_WRITE : 0);

	put_fis(table, j->command);
	if (!j->alone) {
		queue_fis(table, j->command, slot);
	}
	bytes_put_le64(table + PRD, paging_hpa(p->slots.slot[slot].buffer).v);
	bytes_put_le32(table + PRD + 8, 0);
	bytes_put_le32(table + PRD + 12, j->bytes - 1); /* unused without data */
	bytes_put_le32(header, flags | (j->bytes == 0 ? 0 : 1u) << PRD_COUNT);
	bytes_put_le32(header + MOVED_AT, 0); /* the controller counts what it moved */
	bytes_put_le64(header + 8, paging_hpa(table).v);
}

static void submit(struct disk_slots *s, unsigned int slot, const struct disk_job *j)
{
	struct ahci_port *p = port_of(s);

	prepare(p, slot, j);
	p->alone = j->alone;
	p->expected = j->reads ? j->bytes : 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the tables are in memory before they are read */
	if (!j->alone) {
		p->regs[PORT_SACT] = 1u << slot;
	}
	p->regs[PORT_CI] = 1u << slot;
}

/* ---- start, stop, reset ---- */

/* Polls; only where no interrupt can tell. */
static int wait_bits(const struct ahci_port *p, enum port_reg reg, uint32_t mask, uint32_t want,
		     uint64_t ns)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(ns);

	while ((p->regs[reg] & mask) != want) {
		if (clock_now() > deadline) {
			return -ETIMEDOUT;
		}
		thread_sleep(POLL_NS);
	}
	return 0;
}

static int stop(const struct ahci_port *p)
{
	int err;

	p->regs[PORT_IE] = 0;
	p->regs[PORT_CMD] &= ~CMD_START;
	err = wait_bits(p, PORT_CMD, CMD_LIST_RUNS, 0, LINK_NS);
	p->regs[PORT_CMD] &= ~CMD_FIS;
	return err != 0 ? err : wait_bits(p, PORT_CMD, CMD_FIS_RUNS, 0, LINK_NS);
}

static void put_address(const struct ahci_port *p, enum port_reg reg, uint32_t off)
{
	uint64_t hpa = paging_hpa(p->lists + off).v;

	p->regs[reg] = (uint32_t)hpa;
	p->regs[reg + 1] = (uint32_t)(hpa >> 32);
}

static int go(const struct ahci_port *p)
{
	int err;

	put_address(p, PORT_CLB, LIST_AT);
	put_address(p, PORT_FB, FIS_AT);
	p->regs[PORT_SERR] = UINT32_MAX;
	p->regs[PORT_IS] = UINT32_MAX;
	p->regs[PORT_CMD] |= CMD_FIS;
	err = wait_bits(p, PORT_TFD, ATA_STATUS_BSY | ATA_STATUS_DRQ, 0, READY_NS);
	if (err != 0) {
		return err;
	}
	p->regs[PORT_CMD] |= CMD_START;
	p->regs[PORT_IE] = IS_DONE | IS_TASK_FILE | IS_FATAL | IS_INTERFACE;
	return 0;
}

/*
 * "Port Reset": for a millisecond at least; then the link comes up again. Engines that still run would go
 * on in memory that is the next command's.
 */
static int reset(const struct ahci_port *p)
{
	int err;

	(void)stop(p);
	p->regs[PORT_SCTL] = SCTL_RESET;
	thread_sleep(2 * POLL_NS);
	p->regs[PORT_SCTL] = 0;
	err = wait_bits(p, PORT_SSTS, SSTS_DET, SSTS_THERE, LINK_NS);
	if (err == 0) {
		err = wait_bits(p, PORT_CMD, CMD_FIS_RUNS | CMD_LIST_RUNS, 0, LINK_NS);
	}
	return err == 0 ? go(p) : err;
}

static void off(struct disk_slots *s)
{
	const struct ahci_port *p = port_of(s);

	p->regs[PORT_IE] = 0;
	p->regs[PORT_CMD] &= ~CMD_START;
}

static int on(struct disk_slots *s)
{
	return reset(port_of(s));
}

static const struct disk_slots_ops slots_ops = { .submit = submit, .off = off, .on = on };

void ahci_port_free(struct ahci_port *p)
{
	if (p->lists != NULL && stop(p) != 0) {
		return; /* it may write there yet: the memory is lost */
	}
	if (p->lists != NULL) {
		page_free(p->lists, 0);
	}
	disk_slots_free(&p->slots);
}

static bool reaches(const struct ahci_port *p, const void *mem)
{
	return mem != NULL && (p->wide || paging_hpa(mem).v < 4 * GIB);
}

static int alloc(struct ahci_port *p)
{
	int err = disk_slots_init(&p->slots, &slots_ops);

	p->lists = page_alloc(0);
	for (unsigned int i = 0; err == 0 && i < DISK_SLOTS; i++) {
		err = reaches(p, p->slots.slot[i].buffer) ? 0 : -ENOMEM;
	}
	return reaches(p, p->lists) ? err : -ENOMEM;
}

/* A drive without a link is not there; one whose signature is another is no disk. */
int ahci_port_start(struct ahci_port *p)
{
	int err;

	p->regs[PORT_CMD] |= CMD_SPIN_UP | CMD_POWER;
	thread_sleep(10 * POLL_NS);
	if ((p->regs[PORT_SSTS] & SSTS_DET) == 0) {
		return -ENODEV;
	}
	err = alloc(p);
	if (err == 0) {
		err = reset(p);
	}
	if (err == 0 && p->regs[PORT_SIG] != SIGNATURE_ATA) {
		err = -ENODEV;
	}
	return err;
}

/* ---- what is asked ---- */

static bool is_queueable(const struct ata_command *cmd)
{
	return cmd->code == ATA_READ_DMA_EXT || cmd->code == ATA_WRITE_DMA_EXT;
}

/* An error ends the whole queue, "Software Error Recovery": alone, each learns what its own is. */
static int run_queued(struct ahci_port *p, const struct disk_job *j, const struct disk_job *alone)
{
	int first = disk_slots_try(&p->slots, j);
	int err = first == 0 || first == -ENODEV ? first : disk_slots_try(&p->slots, alone);

	if (first == -ETIMEDOUT && err == 0) {
		__atomic_fetch_add(&p->unqueued, 1, __ATOMIC_RELAXED);
	}
	return err;
}

int ahci_port_run(struct ahci_port *p, const struct disk_job *j, bool queued, const char **why)
{
	struct disk_job alone = *j;
	int err;

	alone.alone = true;
	if (!queued || !is_queueable(j->command)) {
		return disk_slots_run(&p->slots, &alone, why);
	}
	err = run_queued(p, j, &alone);
	*why = disk_slots_why(err);
	return err == 0 ? 0 : -EIO;
}

/* ---- the interrupt ---- */

/*
 * Of a command that was not queued. Less came than asked for: the rest of the buffer is what somebody
 * else read or wrote; of queued ones controllers do not count it.
 */
static int verdict(const struct ahci_port *p)
{
	return (p->regs[PORT_TFD] & (ATA_STATUS_ERR | ATA_STATUS_DF)) != 0 ? -EIO
	       : bytes_get_le32(header_of(p, 0) + MOVED_AT) < p->expected  ? -EPROTO
									   : 0;
}

/* The port stops with any error; a broken link is no error of the disk's. */
static void fail(struct ahci_port *p, uint32_t cause)
{
	if (p->alone && (cause & IS_FATAL) == 0) {
		disk_slots_end(&p->slots, 0, -EIO);
	}
	disk_slots_stop(&p->slots);
}

static void end_commands(struct ahci_port *p)
{
	uint32_t busy = p->regs[PORT_CI] | p->regs[PORT_SACT];

	for (unsigned int i = 0; i < DISK_SLOTS; i++) {
		if ((busy >> i & 1) == 0) {
			disk_slots_end(&p->slots, i, p->alone ? verdict(p) : 0);
		}
	}
}

void ahci_port_irq(struct ahci_port *p)
{
	uint32_t cause;

	spin_lock(&p->slots.lock);
	cause = p->regs[PORT_IS];
	p->regs[PORT_IS] = cause;
	if (!p->slots.stopped && (cause & (IS_TASK_FILE | IS_FATAL)) != 0) {
		fail(p, cause);
	} else if (!p->slots.stopped) {
		end_commands(p);
	}
	spin_unlock(&p->slots.lock);
}
