/* SPDX-License-Identifier: BSD-2-Clause */
/* Benchmark: TSC ticks of one notification, of one completed buffer, of an interrupt by MSI-X. */
/* The entropy device serves it: buffers of one byte, so that the ring is what is measured. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"
#include "guests/lib/virtio.h"

#define VECTOR	 0x50u /* of the queue: table entry 1 */
#define BATCH	 32u   /* buffers that one timed notification is for */
#define FEATURES (1ul << VIRTIO_F_VERSION_1 | 1ul << VIRTIO_F_EVENT_IDX)

static struct virtio rng;
static uint8_t byte;
static volatile unsigned int interrupts;

static void on_interrupt(struct idt_frame *frame)
{
	(void)frame;
	interrupts++;
	lapic_eoi();
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* used_event: interrupt me after that many completions in all. */
static void want_interrupt_at(uint16_t n)
{
	virtio_avail[2 + rng.size] = (uint16_t)(n - 1);
}

static uint64_t time_kick(void)
{
	uint64_t before = cpu_tsc();

	virtio_kick(&rng);
	return cpu_tsc() - before;
}

/* Nothing available: the bare way to the device and back. */
static uint64_t bench_notify(unsigned int rounds)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < rounds; i++) {
		best = min(best, time_kick());
	}
	return best;
}

static void offer(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		virtio_offer(&rng, (uint16_t)i);
	}
}

/* A batch in one notification, less the notification, by buffer; no interrupt. */
static uint64_t bench_complete(unsigned int rounds, uint64_t notify)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < rounds; i++) {
		want_interrupt_at((uint16_t)(rng.avail + 0x8000));
		offer(BATCH);
		best = min(best, time_kick());
	}
	return (best - notify) / BATCH;
}

/* One buffer with an interrupt, taken at once, less one without. */
static uint64_t bench_interrupt(unsigned int rounds)
{
	uint64_t with = UINT64_MAX, without = UINT64_MAX;

	cpu_sti();
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int before = interrupts;
		uint64_t start;

		want_interrupt_at((uint16_t)(rng.avail + 0x8000));
		offer(1);
		without = min(without, time_kick());
		want_interrupt_at((uint16_t)(rng.avail + 1));
		offer(1);
		start = cpu_tsc();
		virtio_kick(&rng);
		while (interrupts == before) {
		}
		with = min(with, cpu_tsc() - start);
	}
	cpu_cli();
	return with - without;
}

/* A driver that keeps the queue full and wants one interrupt when all is done. */
static unsigned int run_load(unsigned int buffers)
{
	unsigned int kicks = 0;

	cpu_sti();
	for (unsigned int done = 0; done < buffers; done += VIRTIO_RING) {
		unsigned int before = interrupts;

		want_interrupt_at((uint16_t)(rng.avail + VIRTIO_RING));
		offer(VIRTIO_RING);
		virtio_kick(&rng);
		kicks++;
		while (interrupts == before) {
		}
	}
	cpu_cli();
	return kicks;
}

void guest_main(void)
{
	unsigned int rounds = (unsigned int)mboot_number("rounds", 200);
	unsigned int buffers = (unsigned int)mboot_number("buffers", 0);
	uint64_t notify;

	if (!virtio_find(&rng, VIRTIO_ID_ENTROPY)) {
		print("no virtio entropy device\n");
		return;
	}
	lapic_init();
	idt_handle(VECTOR + 1, on_interrupt);
	virtio_start(&rng, 0, VIRTIO_RING, FEATURES);
	virtio_msix(&rng, 2, VECTOR);
	for (unsigned int i = 0; i < VIRTIO_RING; i++) {
		virtio_desc[i] = (struct virtio_desc){ (uintptr_t)&byte, 1, VIRTQ_DESC_WRITE, 0 };
	}
	if (buffers) {
		print("load %u buffers, %u notifications\n", buffers, run_load(buffers));
		return;
	}
	notify = bench_notify(rounds);
	print("virtq.notify min=%lu\n", notify);
	print("virtq.complete min=%lu\n", bench_complete(rounds, notify));
	print("virtq.interrupt min=%lu\n", bench_interrupt(rounds));
	print("virtio_bench done\n");
}
