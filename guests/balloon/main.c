/* SPDX-License-Identifier: BSD-2-Clause */
/* A balloon's driver that is told by nobody: gives away what is no RAM, the same twice, whole chunks that it */
/* then touches or takes back; "ring": also a ring that the device uses; "race": with several CPUs, race.c. */
#include "guests/balloon/balloon.h"
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"
#include "guests/lib/virtio.h"

#define RING_AT	 0xc00000ul /* and these */
#define AT_ONCE	 256u
#define FEATURES (1ul << VIRTIO_F_VERSION_1)
#define COM1	 0x3f8u
#define COM1_LSR (COM1 + 5)
#define LSR_DATA 0x01u
#define CR2_MARK 0x123456789000ul

static struct virtio balloon;
static uint32_t numbers[AT_ONCE];
static unsigned int checks, failed;

void balloon_check(bool ok, const char *what)
{
	checks++;
	if (!ok) {
		failed++;
		print("balloon FAILED: %s\n", what);
	}
}

void balloon_begin(enum balloon_queue queue)
{
	virtio_start(&balloon, queue, 16, FEATURES);
}

static void send(unsigned int count)
{
	virtio_desc[0] = (struct virtio_desc){ (uintptr_t)numbers, 4 * count, 0, 0 };
	virtio_offer(&balloon, 0);
	virtio_kick(&balloon);
	while (virtio_used[1] != balloon.avail) {
	}
}

void balloon_send_chunk(uint64_t at)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		numbers[i % AT_ONCE] = (uint32_t)(at / PAGE + i);
		if (i % AT_ONCE == AT_ONCE - 1) {
			send(AT_ONCE);
		}
	}
}

/* Beyond all memory, behind RAM, the VGA hole, a BAR, the local APIC: nothing happens. */
static void give_odd(void)
{
	static const uint32_t odd[] = {
		0xffffffff, 0x100000, 0xa0, 0xbf, 0xe0000, 0xfee00, 0xfec00
	};

	for (unsigned int i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		numbers[i] = odd[i];
	}
	numbers[7] = (uint32_t)(mboot_ram_end() / PAGE);
	send(8);
	balloon_check(virtio_status(&balloon) == 15, "the device lives");
}

static void fill(uint64_t at)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		*(volatile uint64_t *)balloon_word(at, i, 0) = 0x1111111111111111ul * (i % 15 + 1);
	}
}

/* Each page is zero once and then keeps what is written. */
static void touch(uint64_t at)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < PAGES; i++) {
		volatile uint64_t *p = balloon_word(at, i, 0);

		wrong += *p != 0 || p[511] != 0;
		*p = i + 1;
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		wrong += *(volatile uint64_t *)balloon_word(at, i, 0) != i + 1;
	}
	balloon_check(wrong == 0, "pages come back zeroed and stay");
}

/* Somebody says on COM1 that the VM has memory for the ring again. */
static void await_memory(void)
{
	print("balloon waits\n");
	while (!(pio_in8(COM1_LSR) & LSR_DATA)) {
	}
	(void)pio_in8(COM1);
}

/* The device meets its ring's page where there is none: what that leaves in the CPU is not ours to see. */
static void meet_ring(void)
{
	cpu_write_cr2(CR2_MARK);
	virtio_kick(&balloon);
	balloon_check(cpu_read_cr2() == CR2_MARK, "CR2 is as it was");
	balloon_check(virtio_status(&balloon) == 15, "the device lives without its ring");
}

/* The other queue's ring is in a chunk that goes: the device looks for a buffer there. */
static void give_ring(void)
{
	virtio_negotiate(&balloon, FEATURES);
	virtio_queue(&balloon, INFLATE, 16);
	virtio_set(&balloon, VIRTIO_COMMON_QUEUE_SELECT, 2, DEFLATE);
	virtio_set(&balloon, VIRTIO_COMMON_QUEUE_SIZE, 2, 16);
	virtio_set(&balloon, VIRTIO_COMMON_QUEUE_DESC, 4, RING_AT);
	virtio_set(&balloon, VIRTIO_COMMON_QUEUE_DRIVER, 4, RING_AT + PAGE);
	virtio_set(&balloon, VIRTIO_COMMON_QUEUE_DEVICE, 4, RING_AT + 2 * PAGE);
	virtio_set(&balloon, VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
	virtio_set(&balloon, VIRTIO_COMMON_STATUS, 1, 15);
	balloon_send_chunk(RING_AT);
	print("balloon gives its ring\n");
	balloon.queue = DEFLATE;
	if (mboot_has("back")) {
		await_memory();
		meet_ring();
		return;
	}
	for (unsigned int i = 0; i < 1000; i++) {
		virtio_kick(&balloon);
	}
}

void guest_main(void)
{
	if (!virtio_find(&balloon, VIRTIO_ID_BALLOON)) {
		print("no balloon\n");
		return;
	}
	balloon_begin(INFLATE);
	if (mboot_has("race")) {
		balloon_race((unsigned int)mboot_number("cpus", 4),
			     (unsigned int)mboot_number("rounds", 2));
		print("balloon %u checks, %u failed\n", checks, failed);
		return;
	}
	give_odd();
	for (unsigned int i = 0; i < 3; i++) {
		fill(CHUNK);
		balloon_send_chunk(CHUNK);
		balloon_send_chunk(CHUNK); /* once is enough */
		touch(CHUNK);
	}
	fill(CHUNK);
	balloon_send_chunk(CHUNK);
	balloon_begin(DEFLATE);
	balloon_send_chunk(CHUNK);
	touch(CHUNK);
	if (mboot_has("ring")) {
		give_ring();
	}
	print("balloon %u checks, %u failed\n", checks, failed);
}
