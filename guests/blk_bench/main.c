/* SPDX-License-Identifier: BSD-2-Clause */
/* Benchmark: TSC ticks of a read from the first virtio disk, from the notification to the interrupt, at */
/* depth 1 and 32: what the hypervisor adds to a driver of no cost. 4 KiB anywhere, 64 KiB in a row. Or of */
/* writes: the first into each cluster, and the same again. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/mem.h"
#include "guests/lib/print.h"
#include "guests/lib/virtio.h"

#define VECTOR	  0x50u /* of the queue: table entry 1 */
#define FEATURES  (1ul << VIRTIO_F_VERSION_1 | 1ul << VIRTIO_F_EVENT_IDX | 1ul << VIRTIO_BLK_F_FLUSH)
#define DEPTH_MAX 32u
#define LEN_MAX	  65536u
#define CLUSTER	  65536u

struct request {
	uint32_t type, reserved;
	uint64_t sector;
	uint8_t status;
};

static struct virtio disk;
static struct request requests[DEPTH_MAX];
static uint8_t data[DEPTH_MAX][LEN_MAX];
static volatile unsigned int interrupts;
static uint64_t sectors;
static uint64_t next_sector;
static uint32_t seed = 1;
static unsigned int bad;

static void on_interrupt(struct idt_frame *frame)
{
	(void)frame;
	interrupts++;
	lapic_eoi();
}

static uint64_t pick(unsigned int len, bool anywhere)
{
	uint64_t places = sectors * VIRTIO_BLK_SECTOR / len;

	seed = seed * 1103515245u + 12345u;
	next_sector++;
	return (anywhere ? (seed >> 8) % places : next_sector % places) * (len / VIRTIO_BLK_SECTOR);
}

static void prepare(unsigned int i, unsigned int len, uint64_t sector, bool write)
{
	struct request *r = &requests[i];
	struct virtio_desc *d = &virtio_desc[3 * i];

	*r = (struct request){ .type = write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN,
			       .sector = sector,
			       .status = 0xff };
	d[0] = (struct virtio_desc){ (uintptr_t)r, VIRTIO_BLK_HEADER, VIRTQ_DESC_NEXT,
				     (uint16_t)(3 * i + 1) };
	d[1] = (struct virtio_desc){ (uintptr_t)data[i], len,
				     VIRTQ_DESC_NEXT | (write ? 0 : VIRTQ_DESC_WRITE),
				     (uint16_t)(3 * i + 2) };
	d[2] = (struct virtio_desc){ (uintptr_t)&r->status, 1, VIRTQ_DESC_WRITE, 0 };
	virtio_offer(&disk, (uint16_t)(3 * i));
}

/* One interrupt for the next `depth` requests. */
static void one_interrupt(unsigned int depth)
{
	virtio_avail[2 + disk.size] = (uint16_t)(disk.avail + depth - 1); /* used_event */
}

/* Ticks of `depth` prepared requests in one notification, up to their interrupt. */
static uint64_t run(unsigned int depth)
{
	unsigned int before = interrupts;
	uint64_t start = cpu_tsc();

	virtio_kick(&disk);
	while (interrupts == before) {
	}
	start = cpu_tsc() - start;
	for (unsigned int i = 0; i < depth; i++) {
		bad += requests[i].status != VIRTIO_BLK_S_OK;
	}
	return start;
}

static uint64_t one_round(unsigned int depth, unsigned int len, bool anywhere)
{
	one_interrupt(depth);
	for (unsigned int i = 0; i < depth; i++) {
		prepare(i, len, pick(len, anywhere), false);
	}
	return run(depth);
}

/* `len` bytes at the start of each of so many clusters. */
static void bench_writes(const char *name, unsigned int len, unsigned int clusters)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < clusters; i++) {
		one_interrupt(1);
		prepare(0, len, (uint64_t)i * (CLUSTER / VIRTIO_BLK_SECTOR), true);
		sum += run(1);
	}
	print("blk.%s mean=%lu\n", name, sum / clusters);
}

static void bench_all_writes(unsigned int clusters)
{
	memset(data, 0x5a, sizeof(data));
	if (mboot_has("fill")) {
		bench_writes("fill64k", CLUSTER, clusters);
	} else {
		bench_writes("first4k", 4096, clusters);
		bench_writes("rewrite4k", 4096, clusters);
	}
}

static void bench(const char *name, unsigned int depth, unsigned int len, bool anywhere,
		  unsigned int rounds)
{
	uint64_t least = UINT64_MAX, sum = 0;

	for (unsigned int i = 0; i < rounds; i++) {
		uint64_t ticks = one_round(depth, len, anywhere);

		least = ticks < least ? ticks : least;
		sum += ticks;
	}
	print("blk.%s min=%lu mean=%lu\n", name, least / depth, sum / rounds / depth);
}

static void bench_reads(unsigned int rounds)
{
	if (mboot_has("deep")) {
		bench("read4k", DEPTH_MAX, 4096, true, rounds);
		return;
	}
	bench("read4k.d1", 1, 4096, true, rounds);
	bench("read4k", DEPTH_MAX, 4096, true, rounds);
	bench("read64k.d1", 1, LEN_MAX, false, rounds);
	bench("read64k", DEPTH_MAX, LEN_MAX, false, rounds);
}

void guest_main(void)
{
	unsigned int rounds = (unsigned int)mboot_number("rounds", 50);
	unsigned int clusters = (unsigned int)mboot_number("clusters", 0);

	if (!virtio_find(&disk, VIRTIO_ID_BLOCK)) {
		print("no virtio disk\n");
		return;
	}
	lapic_init();
	idt_handle(VECTOR + 1, on_interrupt);
	virtio_start(&disk, 0, VIRTIO_RING, FEATURES);
	virtio_msix(&disk, 2, VECTOR);
	sectors = mboot_number("sectors", 65536);
	cpu_sti();
	if (clusters != 0) {
		bench_all_writes(clusters);
	} else {
		bench_reads(rounds);
	}
	print("blk_bench done, %u bad\n", bad);
}
