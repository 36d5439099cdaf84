/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the registers of one IDE channel: commands, bus-master DMA, its interrupt, its reset. */
/* Knows no disk: what is asked of it comes as an ATA command. */
#include "drivers/host/ide.h"

#include "arch/clock.h"
#include "arch/paging.h"
#include "arch/pio.h"
#include "hv/base/page.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

/* The command block, "ATA/ATAPI-7 Volume 2", "Device register descriptions" */
enum ide_reg { REG_DATA, REG_ERROR, REG_COUNT, REG_LOW, REG_MID, REG_HIGH, REG_DEVICE, REG_STATUS };
#define REG_FEATURE REG_ERROR
#define REG_COMMAND REG_STATUS

#define CONTROL_NO_IRQ 0x02u
#define CONTROL_RESET  0x04u
#define DEVICE_ALWAYS  0xa0u /* obsolete bits, which old drives want set */
#define DEVICE_SECOND  0x10u
#define ERROR_CRC      0x80u /* the cable's fault */
#define FLOATING       0xffu

/* "Programming Interface for Bus Master IDE Controller" 1.0 */
#define BM_COMMAND   0u
#define BM_STATUS    2u
#define BM_TABLE     4u
#define BM_START     0x01u
#define BM_TO_MEMORY 0x08u
#define BM_ACTIVE    0x01u /* there is room left in the table's memory */
#define BM_ERROR     0x02u
#define BM_INTERRUPT 0x04u
#define BM_DRIVES    0x60u /* which can do DMA: the firmware's, kept */
#define PRD_LAST     0x80000000u

#define READY_NS     5000000000ul  /* until a drive takes a command, also after a reset */
#define ANSWER_NS    30000000000ul /* until it ends: a disk may have to spin up first */
#define POLL_NS	     1000000ul
#define RESET_NS     1000000ul
#define TRIES	     2u
#define DMA_BELOW    (4 * GIB)
#define BUFFER_ORDER 4u

_Static_assert(PAGE_SIZE << BUFFER_ORDER == ATA_BUFFER, "aligned to its size: one table entry");

static uint8_t get(const struct ide_channel *ch, enum ide_reg reg)
{
	return pio_in8((uint16_t)(ch->command + reg));
}

static void put(const struct ide_channel *ch, enum ide_reg reg, uint64_t val)
{
	pio_out8((uint16_t)(ch->command + reg), (uint8_t)val);
}

static uint8_t bm_get(const struct ide_channel *ch, unsigned int reg)
{
	return pio_in8((uint16_t)(ch->bm + reg));
}

static void bm_put(const struct ide_channel *ch, unsigned int reg, unsigned int val)
{
	pio_out8((uint16_t)(ch->bm + reg), (uint8_t)val);
}

static void *dma_alloc(unsigned int order)
{
	void *p = page_alloc(order);

	if (p != NULL && paging_hpa(p).v >= DMA_BELOW) { /* registers have 32 bits */
		page_free(p, order);
		p = NULL;
	}
	return p;
}

int ide_channel_init(struct ide_channel *ch)
{
	mutex_init(&ch->busy);
	spin_init(&ch->lock, LOCK_DISK);
	thread_checkpoint(); /* memory comes cleared: that takes long */
	ch->buffer = dma_alloc(BUFFER_ORDER);
	thread_checkpoint();
	ch->prd = dma_alloc(0);
	return ch->buffer != NULL && ch->prd != NULL ? 0 : -ENOMEM;
}

void ide_channel_free(struct ide_channel *ch)
{
	if (ch->buffer != NULL) {
		page_free(ch->buffer, BUFFER_ORDER);
	}
	if (ch->prd != NULL) {
		page_free(ch->prd, 0);
	}
}

/* ---- the interrupt ---- */

/* The bus master notes the drive's interrupt also for commands without DMA. */
void ide_channel_irq(void *arg)
{
	struct ide_channel *ch = arg;

	spin_lock(&ch->lock);
	uint8_t bm_status = bm_get(ch, BM_STATUS);

	if ((bm_status & BM_INTERRUPT) != 0) {
		bm_put(ch, BM_COMMAND, 0);
		ch->status = get(ch, REG_STATUS); /* acknowledges */
		ch->error = get(ch, REG_ERROR);
		ch->bm_status = bm_status;
		bm_put(ch, BM_STATUS, (bm_status & BM_DRIVES) | BM_INTERRUPT | BM_ERROR);
		if (ch->waiter != NULL && (ch->status & ATA_STATUS_BSY) == 0) {
			ch->done = true;
			thread_unpark(ch->waiter);
		}
	}
	spin_unlock(&ch->lock);
}

/* ---- waiting ---- */

/* Until all of `mask` is clear in the status; sleeps meanwhile. */
static int wait_clear(const struct ide_channel *ch, uint8_t mask)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(READY_NS);

	while ((pio_in8(ch->control) & mask) != 0) {
		if (clock_now() > deadline) {
			return -ETIMEDOUT;
		}
		thread_sleep(POLL_NS);
	}
	return 0;
}

/* The status is valid 400 ns later: four reads of it take as long. */
static void settle(const struct ide_channel *ch)
{
	for (unsigned int i = 0; i < 4; i++) {
		(void)pio_in8(ch->control);
	}
}

static int select_drive(const struct ide_channel *ch, unsigned int drive, uint8_t bits)
{
	int err = wait_clear(ch, ATA_STATUS_BSY | ATA_STATUS_DRQ);

	if (err == 0) {
		put(ch, REG_DEVICE, DEVICE_ALWAYS | bits | (drive != 0 ? DEVICE_SECOND : 0));
		settle(ch);
		err = wait_clear(ch, ATA_STATUS_BSY | ATA_STATUS_DRQ);
	}
	return err;
}

int ide_channel_reset(struct ide_channel *ch)
{
	bm_put(ch, BM_COMMAND, 0);
	pio_out8(ch->control, CONTROL_RESET | CONTROL_NO_IRQ);
	thread_sleep(RESET_NS);
	pio_out8(ch->control, CONTROL_NO_IRQ);
	thread_sleep(2 * RESET_NS);
	int err = wait_clear(ch, ATA_STATUS_BSY);

	(void)get(ch, REG_STATUS);
	bm_put(ch, BM_STATUS, (bm_get(ch, BM_STATUS) & BM_DRIVES) | BM_INTERRUPT | BM_ERROR);
	pio_out8(ch->control, 0);
	return err;
}

/* ---- who is there ---- */

bool ide_channel_identify(struct ide_channel *ch, unsigned int drive,
			  uint8_t raw[ATA_IDENTIFY_SIZE])
{
	bool there = false;

	if (get(ch, REG_STATUS) == FLOATING || select_drive(ch, drive, 0) != 0) {
		return false;
	}
	pio_out8(ch->control, CONTROL_NO_IRQ);
	put(ch, REG_COMMAND, ATA_IDENTIFY_DEVICE);
	settle(ch);
	/* Nobody answers with a status of 0, a CD drive with an error. */
	if (get(ch, REG_STATUS) != 0 && wait_clear(ch, ATA_STATUS_BSY) == 0) {
		there = (get(ch, REG_STATUS) & (ATA_STATUS_DRQ | ATA_STATUS_ERR)) == ATA_STATUS_DRQ;
	}
	for (unsigned int i = 0; there && i < ATA_IDENTIFY_SIZE; i += 2) {
		bytes_put_le16(raw + i, pio_in16(ch->command));
	}
	(void)get(ch, REG_STATUS);
	bm_put(ch, BM_STATUS, (bm_get(ch, BM_STATUS) & BM_DRIVES) | BM_INTERRUPT);
	pio_out8(ch->control, 0);
	return there;
}

/* ---- commands ---- */

/* Each register of a 48-bit command is a queue of two: what is written first is the upper half. */
static void put_address(const struct ide_channel *ch, const struct ata_command *cmd)
{
	if (cmd->wide) {
		put(ch, REG_FEATURE, 0);
		put(ch, REG_COUNT, cmd->count >> 8);
		put(ch, REG_LOW, cmd->lba >> 24);
		put(ch, REG_MID, cmd->lba >> 32);
		put(ch, REG_HIGH, cmd->lba >> 40);
	}
	put(ch, REG_FEATURE, cmd->feature);
	put(ch, REG_COUNT, cmd->count);
	put(ch, REG_LOW, cmd->lba);
	put(ch, REG_MID, cmd->lba >> 8);
	put(ch, REG_HIGH, cmd->lba >> 16);
}

static void prepare_dma(const struct ide_channel *ch, enum ata_dma dma, uint32_t bytes)
{
	ch->prd[0] = (uint32_t)paging_hpa(ch->buffer).v;
	ch->prd[1] = (bytes & 0xffff) | PRD_LAST; /* 64 KiB are written as 0 */
	pio_out32((uint16_t)(ch->bm + BM_TABLE), (uint32_t)paging_hpa(ch->prd).v);
	bm_put(ch, BM_COMMAND, dma == ATA_FROM_DISK ? BM_TO_MEMORY : 0);
}

static int start(struct ide_channel *ch, unsigned int drive, const struct ata_command *cmd,
		 enum ata_dma dma, uint32_t bytes)
{
	uint8_t top = cmd->wide ? 0 : (uint8_t)(cmd->lba >> 24 & 0xf);
	int err = select_drive(ch, drive, (uint8_t)(ATA_DEVICE_LBA | top));

	if (err != 0) {
		return err;
	}
	if (dma != ATA_NO_DATA) {
		prepare_dma(ch, dma, bytes);
	}
	bm_put(ch, BM_STATUS, (bm_get(ch, BM_STATUS) & BM_DRIVES) | BM_INTERRUPT | BM_ERROR);
	spin_lock(&ch->lock);
	ch->done = false;
	ch->waiter = thread_current();
	put_address(ch, cmd);
	put(ch, REG_COMMAND, cmd->code);
	if (dma != ATA_NO_DATA) {
		bm_put(ch, BM_COMMAND, (dma == ATA_FROM_DISK ? BM_TO_MEMORY : 0) | BM_START);
	}
	spin_unlock(&ch->lock);
	return 0;
}

static bool is_done(struct ide_channel *ch)
{
	bool done;

	spin_lock(&ch->lock);
	done = ch->done;
	spin_unlock(&ch->lock);
	return done;
}

static int finish(struct ide_channel *ch)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(ANSWER_NS);
	bool done;

	while (!(done = is_done(ch)) && clock_now() < deadline) {
		thread_park_until(deadline);
	}
	spin_lock(&ch->lock);
	done = ch->done;
	ch->waiter = NULL;
	spin_unlock(&ch->lock);
	return done ? 0 : -ETIMEDOUT;
}

/*
 * What came of it, in words; NULL: all is well. *again: another try may help. A master that still waits for
 * data was given less than asked for: the rest of the buffer is what somebody else read or wrote.
 */
static const char *verdict(const struct ide_channel *ch, enum ata_dma dma, bool *again)
{
	bool part = dma == ATA_FROM_DISK && (ch->bm_status & BM_ACTIVE) != 0;
	bool failed = (ch->status & (ATA_STATUS_DF | ATA_STATUS_ERR)) != 0;

	*again = (ch->bm_status & BM_ERROR) != 0 || (part && !failed) ||
		 ((ch->status & ATA_STATUS_ERR) != 0 && (ch->error & ERROR_CRC) != 0);
	return (ch->status & ATA_STATUS_DF) != 0    ? "device fault"
	       : (ch->status & ATA_STATUS_ERR) != 0 ? "the disk reports an error"
	       : (ch->bm_status & BM_ERROR) != 0    ? "DMA was aborted"
	       : part				    ? "the disk gave too little"
						    : NULL;
}

static const char *attempt(struct ide_channel *ch, unsigned int drive,
			   const struct ata_command *cmd, enum ata_dma dma, uint32_t bytes,
			   bool *again)
{
	*again = true;
	if (start(ch, drive, cmd, dma, bytes) != 0) {
		return "the disk is not ready";
	}
	return finish(ch) != 0 ? "the disk does not answer" : verdict(ch, dma, again);
}

/* Reset after the last try, too: what may still be under way must not reach the buffer of the next one. */
int ide_channel_run(struct ide_channel *ch, unsigned int drive, const struct ata_command *cmd,
		    enum ata_dma dma, uint32_t bytes, const char **why)
{
	bool again = true;

	*why = NULL;
	for (unsigned int i = 0; i < TRIES && again; i++) {
		*why = attempt(ch, drive, cmd, dma, bytes, &again);
		if (*why == NULL) {
			return 0;
		}
		if (again && ide_channel_reset(ch) != 0) {
			break;
		}
	}
	return -EIO;
}
