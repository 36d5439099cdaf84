/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the registers of one AHCI port and the tables that its controller reads: commands in slot 0, the */
/* interrupt at their end, the port's reset. Knows no disk: what is asked of it comes as an ATA command. */
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
	PORT_CI = 0x38 / 4,
};

#define CMD_START      0x0001u
#define CMD_SPIN_UP    0x0002u
#define CMD_POWER      0x0004u
#define CMD_FIS	       0x0010u
#define CMD_FIS_RUNS   0x4000u
#define CMD_LIST_RUNS  0x8000u
#define SSTS_DET       0x000fu
#define SSTS_THERE     3u
#define SCTL_RESET     1u
#define SIGNATURE_ATA  0x00000101u
#define SIGNATURE_NONE 0xffffffffu
#define IS_DONE	       0x0000003fu /* a FIS of any kind came, or a descriptor was processed */
#define IS_TASK_FILE   0x40000000u
#define IS_FATAL       0x38000000u /* host bus and interface errors */
#define IS_INTERFACE   0x04000000u /* not fatal */

/* Where in p->lists; "System Memory Structures" */
#define LIST_AT	   0x000u /* 32 command headers */
#define FIS_AT	   0x400u
#define TABLE_AT   0x800u
#define PRD_AT	   (TABLE_AT + 0x80u)
#define FIS_WORDS  5u /* of 4 bytes: a register FIS */
#define FLAG_WRITE 0x40u
#define MOVED_AT   4u  /* in a header: bytes that were moved */
#define PRD_COUNT  16u /* shift of the number of entries in a header */

#define FIS_REGISTER_TO_DISK 0x27u
#define FIS_IS_COMMAND	     0x80u

#define LINK_NS	     1000000000ul
#define READY_NS     5000000000ul
#define ANSWER_NS    30000000000ul
#define POLL_NS	     1000000ul
#define TRIES	     2u
#define BUFFER_ORDER 4u

_Static_assert(PAGE_SIZE << BUFFER_ORDER == ATA_BUFFER, "one entry of the table");

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

/* ---- start, stop, reset ---- */

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
static int reset(struct ahci_port *p)
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
	if (err == 0) {
		err = go(p);
	}
	p->down = err != 0;
	return err;
}

void ahci_port_free(struct ahci_port *p)
{
	if (p->lists != NULL && stop(p) != 0) {
		return; /* it may write there yet: the memory is lost */
	}
	if (p->lists != NULL) {
		page_free(p->lists, 0);
	}
	if (p->buffer != NULL) {
		page_free(p->buffer, BUFFER_ORDER);
	}
}

static bool reaches(const struct ahci_port *p, const void *mem)
{
	return mem != NULL && (p->wide || paging_hpa(mem).v < 4 * GIB);
}

/* A drive without a link is not there; one whose signature is another is no disk. */
int ahci_port_start(struct ahci_port *p)
{
	int err;

	mutex_init(&p->busy);
	spin_init(&p->lock, LOCK_DISK);
	p->regs[PORT_CMD] |= CMD_SPIN_UP | CMD_POWER;
	thread_sleep(10 * POLL_NS);
	if ((p->regs[PORT_SSTS] & SSTS_DET) == 0) {
		return -ENODEV;
	}
	p->lists = page_alloc(0);
	p->buffer = page_alloc(BUFFER_ORDER); /* comes cleared: that takes long */
	thread_checkpoint();
	if (!reaches(p, p->lists) || !reaches(p, p->buffer)) {
		return -ENOMEM;
	}
	err = reset(p);
	if (err == 0 && p->regs[PORT_SIG] != SIGNATURE_ATA) {
		err = -ENODEV;
	}
	return err;
}

/* ---- the interrupt ---- */

void ahci_port_irq(struct ahci_port *p)
{
	uint32_t cause;

	spin_lock(&p->lock);
	cause = p->regs[PORT_IS];
	p->regs[PORT_IS] = cause;
	if (p->waiter != NULL) {
		p->cause |= cause;
		p->task_file = p->regs[PORT_TFD];
		if ((p->regs[PORT_CI] & 1) == 0 || (cause & (IS_TASK_FILE | IS_FATAL)) != 0) {
			p->done = true;
			thread_unpark(p->waiter);
		}
	}
	spin_unlock(&p->lock);
}

/* ---- commands ---- */

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

static void prepare(const struct ahci_port *p, const struct ata_command *cmd, enum ata_dma dma,
		    uint32_t bytes)
{
	uint8_t *header = p->lists + LIST_AT, *prd = p->lists + PRD_AT;
	uint32_t flags = FIS_WORDS | (dma == ATA_TO_DISK ? FLAG_WRITE : 0);

	put_fis(p->lists + TABLE_AT, cmd);
	bytes_put_le64(prd, paging_hpa(p->buffer).v);
	bytes_put_le32(prd + 8, 0);
	bytes_put_le32(prd + 12, bytes - 1); /* unused without data */
	bytes_put_le32(header, flags | (dma == ATA_NO_DATA ? 0 : 1u) << PRD_COUNT);
	bytes_put_le32(header + MOVED_AT, 0); /* the controller counts what it moved */
	bytes_put_le64(header + 8, paging_hpa(p->lists + TABLE_AT).v);
}

static void start(struct ahci_port *p)
{
	spin_lock(&p->lock);
	p->done = false;
	p->cause = 0;
	p->waiter = thread_current();
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the tables are in memory before they are read */
	p->regs[PORT_CI] = 1;
	spin_unlock(&p->lock);
}

static int finish(struct ahci_port *p)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(ANSWER_NS);
	bool done = false;

	while (!done) {
		spin_lock(&p->lock);
		done = p->done || clock_now() >= deadline;
		p->waiter = done ? NULL : p->waiter;
		spin_unlock(&p->lock);
		if (!done) {
			thread_park_until(deadline);
		}
	}
	return p->done ? 0 : -ETIMEDOUT;
}

/* Less came than asked for: the rest of the buffer is what somebody else read or wrote. */
static bool is_short(const struct ahci_port *p, enum ata_dma dma, uint32_t bytes)
{
	return dma == ATA_FROM_DISK && bytes_get_le32(p->lists + LIST_AT + MOVED_AT) < bytes;
}

/* What came of it, in words; NULL: all is well. *again: another try may help. */
static const char *verdict(const struct ahci_port *p, enum ata_dma dma, uint32_t bytes, bool *again)
{
	bool fatal = (p->cause & IS_FATAL) != 0;
	const char *why = fatal					? "the link or DMA failed"
			  : (p->task_file & ATA_STATUS_DF) != 0 ? "device fault"
			  : (p->cause & IS_TASK_FILE) != 0 || (p->task_file & ATA_STATUS_ERR) != 0
				  ? "the disk reports an error"
				  : NULL;

	*again = fatal || why == NULL;
	return why == NULL && is_short(p, dma, bytes) ? "the disk gave too little" : why;
}

static const char *attempt(struct ahci_port *p, const struct ata_command *cmd, enum ata_dma dma,
			   uint32_t bytes, bool *again)
{
	*again = true;
	prepare(p, cmd, dma, bytes);
	start(p);
	return finish(p) != 0 ? "the disk does not answer" : verdict(p, dma, bytes, again);
}

int ahci_port_run(struct ahci_port *p, const struct ata_command *cmd, enum ata_dma dma,
		  uint32_t bytes, const char **why)
{
	bool again = true;

	*why = "the disk is not ready";
	if (p->down && reset(p) != 0) {
		return -EIO;
	}
	for (unsigned int i = 0; i < TRIES && again; i++) {
		*why = attempt(p, cmd, dma, bytes, &again);
		if (*why == NULL) {
			return 0;
		}
		if (reset(p) != 0) { /* after any error the port has stopped: "Error Recovery" */
			break;
		}
	}
	return -EIO;
}
