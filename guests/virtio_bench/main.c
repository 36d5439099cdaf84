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
#define BATCH	 8u    /* buffers that one timed notification is for: some devices offer no more */
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

/* Ticks of so many rounds: the least, and all together. */
struct times {
	uint64_t min, sum;
	unsigned int rounds;
};

static const struct times none = { .min = UINT64_MAX };

static unsigned int min(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static void add_time(struct times *t, uint64_t ticks)
{
	t->min = ticks < t->min ? ticks : t->min;
	t->sum += ticks;
	t->rounds++;
}

/* used_event: interrupt me after that many completions in all. */
static void want_interrupt_at(uint16_t n)
{
	virtio_avail[2 + rng.size] = (uint16_t)(n - 1);
}

/* From a notification until all that is available has been used: at once, or by another thread. */
static uint64_t time_kick(void)
{
	uint64_t before = cpu_tsc();

	virtio_kick(&rng);
	while (virtio_used[1] != rng.avail) {
	}
	return cpu_tsc() - before;
}

/* Nothing available: the bare way to the device and back. */
static struct times bench_notify(unsigned int rounds)
{
	struct times notify = none;

	for (unsigned int i = 0; i < rounds; i++) {
		add_time(&notify, time_kick());
	}
	return notify;
}

static void offer(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		virtio_offer(&rng, (uint16_t)i);
	}
}

/* A batch in one notification; no interrupt. */
static struct times bench_batch(unsigned int rounds, unsigned int batch)
{
	struct times times = none;

	for (unsigned int i = 0; i < rounds; i++) {
		want_interrupt_at((uint16_t)(rng.avail + 0x8000));
		offer(batch);
		add_time(&times, time_kick());
	}
	return times;
}

/* One buffer with an interrupt, taken at once. */
static struct times bench_interrupt(unsigned int rounds)
{
	struct times times = none;

	cpu_sti();
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int before = interrupts;
		uint64_t start;

		want_interrupt_at((uint16_t)(rng.avail + 1));
		offer(1);
		start = cpu_tsc();
		virtio_kick(&rng);
		while (interrupts == before) {
		}
		add_time(&times, cpu_tsc() - start);
	}
	cpu_cli();
	return times;
}

/* What `more` takes beyond `less`, by buffer. */
static void report(const char *name, struct times more, struct times less, unsigned int buffers)
{
	int64_t least = (int64_t)(more.min - less.min), all = (int64_t)(more.sum - less.sum);

	print("virtq.%s min=%ld mean=%ld\n", name, least / buffers, all / more.rounds / buffers);
}

static void bench(unsigned int rounds)
{
	unsigned int batch = min(BATCH, rng.size);
	struct times notify = bench_notify(rounds);

	report("notify", notify, (struct times){ 0 }, 1);
	report("complete", bench_batch(rounds, batch), notify, batch);
	report("interrupt", bench_interrupt(rounds), bench_batch(rounds, 1), 1);
	print("virtio_bench done\n");
}

/* A driver that keeps the queue full and wants one interrupt when all is done. */
static unsigned int run_load(unsigned int buffers)
{
	unsigned int kicks = 0;

	cpu_sti();
	for (unsigned int done = 0; done < buffers; done += rng.size) {
		unsigned int before = interrupts;

		want_interrupt_at((uint16_t)(rng.avail + rng.size));
		offer(rng.size);
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
	unsigned int ring = (unsigned int)mboot_number("ring", VIRTIO_RING);
	unsigned int rounds = (unsigned int)mboot_number("rounds", 200);
	unsigned int buffers = (unsigned int)mboot_number("buffers", 0);

	if (!virtio_find(&rng, VIRTIO_ID_ENTROPY)) {
		print("no virtio entropy device\n");
		return;
	}
	lapic_init();
	idt_handle(VECTOR + 1, on_interrupt);
	virtio_start(&rng, 0, min(ring, virtio_queue_max(&rng, 0)), FEATURES);
	virtio_msix(&rng, 2, VECTOR);
	for (unsigned int i = 0; i < rng.size; i++) {
		virtio_desc[i] = (struct virtio_desc){ (uintptr_t)&byte, 1, VIRTQ_DESC_WRITE, 0 };
	}
	if (buffers) {
		print("load %u buffers, ring of %u, %u notifications\n", buffers, rng.size,
		      run_load(buffers));
		return;
	}
	bench(rounds);
}
