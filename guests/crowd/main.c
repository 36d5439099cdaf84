/* SPDX-License-Identifier: BSD-2-Clause */
/* One of many: a ticking timer, and at every few ticks random bytes by virtio, told on the virtio console. */
/* Drives two devices at once, each with a ring of its own; the rest is guests/lib/virtio. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/pit.h"
#include "guests/lib/print.h"
#include "guests/lib/virtio.h"

#define RING	     4u
#define CONSOLE_SEND 1u /* virtio 1.2, "Console Device", "Virtqueues": transmitq of port 0 */

struct device {
	struct virtio v;
	struct virtio_desc desc[RING] __attribute__((aligned(16)));
	volatile uint16_t avail[4 + RING];
	volatile uint16_t used[4 + 4 * RING] __attribute__((aligned(4)));
};

static struct device console, rng;
static volatile uint64_t ticks;

static void on_timer(struct idt_frame *frame)
{
	(void)frame;
	ticks++;
	lapic_eoi();
}

/* Timer ticks of a millisecond: the least of some measurements, as others may have the CPU meanwhile. */
static uint32_t ticks_per_ms(void)
{
	uint32_t least = UINT32_MAX;
	uint64_t tsc;

	for (unsigned int i = 0; i < 4; i++) {
		uint32_t n = lapic_calibrate(PIT_HZ / 1000, &tsc);

		least = n < least ? n : least;
	}
	return least;
}

static void start_timer(unsigned int ms)
{
	uint32_t period;

	lapic_init();
	idt_handle(LAPIC_TIMER_VECTOR, on_timer);
	period = ticks_per_ms() * ms;
	lapic_write(LAPIC_LVT_TIMER, LAPIC_TIMER_VECTOR | LAPIC_LVT_PERIODIC);
	lapic_write(LAPIC_TIMER_ICR, period);
}

static void set_address(const struct virtio *v, unsigned int off, const volatile void *at)
{
	virtio_set(v, off, 4, (uint32_t)(uintptr_t)at);
	virtio_set(v, off + 4, 4, 0);
}

static bool start(struct device *d, unsigned int type, unsigned int queue)
{
	struct virtio *v = &d->v;

	if (!virtio_find(v, type) || !virtio_negotiate(v, 1ul << VIRTIO_F_VERSION_1)) {
		return false;
	}
	v->queue = queue;
	v->size = RING;
	d->avail[0] = 1; /* no interrupts: it is waited for */
	virtio_set(v, VIRTIO_COMMON_QUEUE_SELECT, 2, queue);
	virtio_set(v, VIRTIO_COMMON_QUEUE_SIZE, 2, RING);
	set_address(v, VIRTIO_COMMON_QUEUE_DESC, d->desc);
	set_address(v, VIRTIO_COMMON_QUEUE_DRIVER, d->avail);
	set_address(v, VIRTIO_COMMON_QUEUE_DEVICE, d->used);
	virtio_set(v, VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
	virtio_set(v, VIRTIO_COMMON_STATUS, 1,
		   VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
	return true;
}

/* One buffer through the ring, and back. */
static void pass(struct device *d, void *buf, uint32_t len, uint16_t flags)
{
	d->desc[0] = (struct virtio_desc){ (uintptr_t)buf, len, flags, 0 };
	d->avail[2 + d->v.avail % RING] = 0;
	__asm__ volatile("" ::: "memory");
	d->avail[1] = ++d->v.avail;
	virtio_kick(&d->v);
	while (d->used[1] != d->v.avail) {
		__asm__ volatile("pause");
	}
}

static unsigned int put_number(char *at, uint64_t n, unsigned int base)
{
	char digits[24];
	unsigned int len = 0;

	do {
		digits[len++] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n != 0);
	for (unsigned int i = 0; i < len; i++) {
		at[i] = digits[len - 1 - i];
	}
	return len;
}

static void tell(uint64_t count, uint64_t random)
{
	static char line[80];
	unsigned int len = 0;

	for (const char *s = "tick "; *s != '\0'; s++) {
		line[len++] = *s;
	}
	len += put_number(line + len, count, 10);
	line[len++] = ' ';
	len += put_number(line + len, random, 16);
	line[len++] = '\n';
	pass(&console, line, len, 0);
}

void guest_main(void)
{
	uint64_t every = mboot_number("every", 10);

	if (!start(&rng, VIRTIO_ID_ENTROPY, 0) ||
	    !start(&console, VIRTIO_ID_CONSOLE, CONSOLE_SEND)) {
		print("crowd FAILED: a virtio device is missing\n");
		return;
	}
	start_timer((unsigned int)mboot_number("ms", 10));
	print("crowd\n");
	for (uint64_t next = every;; next += every) {
		uint64_t random = 0;

		while (ticks < next) {
			cpu_wait();
		}
		pass(&rng, &random, sizeof(random), VIRTQ_DESC_WRITE);
		tell(ticks, random);
	}
}
