/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast a virtio disk lets through who always wants more: some reads under way at any time, each begun */
/* again at its end. TSC ticks from one end to another, so that the start does not count. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"
#include "guests/lib/virtio.h"

#define VECTOR	  0x50u /* of the queue: table entry 1 */
#define DEPTH_MAX 16u
#define LEN_MAX	  65536u
#define BEFORE	  50u /* requests that do not count: what was saved up */

struct request {
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status;
};

static struct virtio disk;
static struct request requests[DEPTH_MAX];
static uint8_t data[DEPTH_MAX][LEN_MAX];
static uint16_t seen;
static unsigned int bad;

static void on_interrupt(struct idt_frame *frame)
{
	(void)frame;
	lapic_eoi();
}

static void begin(unsigned int i, unsigned int len)
{
	struct request *r = &requests[i];
	struct virtio_desc *d = &virtio_desc[3 * i];

	*r = (struct request){ .type = VIRTIO_BLK_T_IN, .status = 0xff };
	d[0] = (struct virtio_desc){ (uintptr_t)r, VIRTIO_BLK_HEADER, VIRTQ_DESC_NEXT,
				     (uint16_t)(3 * i + 1) };
	d[1] = (struct virtio_desc){ (uintptr_t)data[i], len, VIRTQ_DESC_NEXT | VIRTQ_DESC_WRITE,
				     (uint16_t)(3 * i + 2) };
	d[2] = (struct virtio_desc){ (uintptr_t)&r->status, 1, VIRTQ_DESC_WRITE, 0 };
	virtio_offer(&disk, (uint16_t)(3 * i));
}

/* The request whose end is the next; waits for it, halted. */
static unsigned int next_end(void)
{
	unsigned int i;

	cpu_cli();
	while (virtio_used[1] == seen) {
		cpu_wait();
		cpu_cli();
	}
	cpu_sti();
	i = virtio_used[2 + 4 * (seen++ % disk.size)] / 3;
	bad += requests[i].status != VIRTIO_BLK_S_OK;
	return i;
}

/* Ticks that `count` requests take. */
static uint64_t run(unsigned int depth, unsigned int len, unsigned int count)
{
	uint64_t start = 0;

	for (unsigned int i = 0; i < depth; i++) {
		begin(i, len);
	}
	virtio_kick(&disk);
	for (unsigned int n = 0; n < BEFORE + count; n++) {
		unsigned int i = next_end();

		start = n + 1 == BEFORE ? cpu_tsc() : start;
		begin(i, len);
		virtio_kick(&disk);
	}
	return cpu_tsc() - start;
}

void guest_main(void)
{
	unsigned int depth = (unsigned int)mboot_number("depth", 4);
	unsigned int len = (unsigned int)mboot_number("len", 4096);
	unsigned int count = (unsigned int)mboot_number("count", 100);
	uint64_t ticks;

	if (depth > DEPTH_MAX || len > LEN_MAX || !virtio_find(&disk, VIRTIO_ID_BLOCK)) {
		print("no virtio disk, or more than depth=%u len=%u\n", DEPTH_MAX, LEN_MAX);
		return;
	}
	lapic_init();
	idt_handle(VECTOR + 1, on_interrupt);
	virtio_start(&disk, 0, VIRTIO_RING, 1ul << VIRTIO_F_VERSION_1 | 1ul << VIRTIO_BLK_F_FLUSH);
	virtio_msix(&disk, 2, VECTOR);
	ticks = run(depth, len, count);
	print("blk_rate %u requests in %lu ticks, %u bad\n", count, ticks, bad);
}
