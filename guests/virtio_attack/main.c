/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver that attacks its virtio devices, by a list and then at random. After each attack the device */
/* has to work again from its reset on; that nobody else notices is for the test outside to see. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/mboot.h"
#include "guests/lib/mem.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/lib/virtio.h"
#include "guests/virtio_attack/race.h"

#define SIZE	 16u
#define FEATURES (1ul << VIRTIO_F_VERSION_1 | 1ul << VIRTIO_F_INDIRECT_DESC)
#define W	 VIRTQ_DESC_WRITE
#define N	 VIRTQ_DESC_NEXT
#define I	 VIRTQ_DESC_INDIRECT
#define HOLE	 0xd0000000ul /* neither RAM nor a device */
#define VGA	 0xa0000ul

enum outcome {
	BROKEN, /* the device needs a reset */
	WORKS,	/* it does not */
	REFUSED /* nor does it take the driver: no FEATURES_OK */
};

struct attack {
	const char *name;
	void (*run)(void);
	enum outcome outcome;
};

static struct virtio rng;
static uint8_t data[4096] __attribute__((aligned(4096)));
static struct virtio_desc table[64] __attribute__((aligned(16)));

static void desc(unsigned int i, uint64_t addr, uint32_t len, unsigned int flags, uint16_t next)
{
	virtio_desc[i] = (struct virtio_desc){ addr, len, (uint16_t)flags, next };
}

static void go(void)
{
	virtio_offer(&rng, 0);
	virtio_kick(&rng);
}

/* ---- the ring itself ---- */

static void enable_with(unsigned int off, unsigned int size, uint32_t val)
{
	virtio_negotiate(&rng, FEATURES);
	virtio_set(&rng, VIRTIO_COMMON_QUEUE_DESC, 4, (uint32_t)(uintptr_t)virtio_desc);
	virtio_set(&rng, VIRTIO_COMMON_QUEUE_DRIVER, 4, (uint32_t)(uintptr_t)virtio_avail);
	virtio_set(&rng, VIRTIO_COMMON_QUEUE_DEVICE, 4, (uint32_t)(uintptr_t)virtio_used);
	virtio_set(&rng, VIRTIO_COMMON_QUEUE_SIZE, 2, SIZE);
	virtio_set(&rng, off, size, val);
	virtio_set(&rng, VIRTIO_COMMON_QUEUE_ENABLE, 2, 1);
}

static void size_0(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_SIZE, 2, 0);
}

static void size_65536(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_SIZE, 2, 0x10000); /* 16 bits of it arrive */
}

static void size_32768(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_SIZE, 2, 0x8000);
}

static void size_65535(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_SIZE, 2, 0xffff);
}

static void size_changed(void)
{
	virtio_set(&rng, VIRTIO_COMMON_QUEUE_SIZE, 2, 32);
}

static void ring_in_bar(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_DEVICE, 4, (uint32_t)rng.common);
}

static void ring_in_lapic(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_DRIVER, 4, 0xfee00000);
}

static void ring_at_end(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_DESC, 4, (uint32_t)mboot_ram_end() - 16);
}

static void ring_above_all(void)
{
	enable_with(VIRTIO_COMMON_QUEUE_DESC + 4, 4, 0xffffffff);
}

static void index_wild(void)
{
	virtio_avail[1] = 0x8000;
	virtio_kick(&rng);
}

static void head_wild(void)
{
	virtio_offer(&rng, 0xffff);
	virtio_kick(&rng);
}

/* ---- descriptors ---- */

static void next_wild(void)
{
	desc(0, (uintptr_t)data, 16, W | N, 0xfff0);
	go();
}

static void loop_of_one(void)
{
	desc(0, (uintptr_t)data, 16, W | N, 0);
	go();
}

static void loop_of_all(void)
{
	for (unsigned int i = 0; i < SIZE; i++) {
		desc(i, (uintptr_t)data, 16, W | N, (uint16_t)((i + 1) % SIZE));
	}
	go();
}

static void length_0(void)
{
	desc(0, HOLE, 0, W, 0);
	go();
}

static void length_max(void)
{
	desc(0, (uintptr_t)data, 0xffffffff, W, 0);
	go();
}

static void buffer_over_end(void)
{
	desc(0, mboot_ram_end() - 8, 16, W, 0);
	go();
}

static void buffer_in_hole(void)
{
	desc(0, HOLE, 16, W, 0);
	go();
}

static void buffer_into_vga(void)
{
	desc(0, VGA - 8, 16, W, 0);
	go();
}

static void buffer_in_bar(void)
{
	desc(0, rng.common, 16, W, 0);
	go();
}

static void buffer_in_lapic(void)
{
	desc(0, 0xfee00300, 16, W, 0);
	go();
}

static void buffer_wraps(void)
{
	desc(0, 0xfffffffffffffff8, 16, W, 0);
	go();
}

/* The device writes over its own ring while it uses it. */
static void buffer_in_ring(void)
{
	desc(0, (uintptr_t)virtio_desc, sizeof(virtio_desc), W, 0);
	go();
}

static void indirect_nested(void)
{
	table[0] = (struct virtio_desc){ (uintptr_t)table, 16, I, 0 };
	desc(0, (uintptr_t)table, 16, I, 0);
	go();
}

static void indirect_loop(void)
{
	table[0] = (struct virtio_desc){ (uintptr_t)data, 16, W | N, 0 };
	desc(0, (uintptr_t)table, 16, I, 0);
	go();
}

static void indirect_odd(void)
{
	desc(0, (uintptr_t)table, 0xffffffff, I, 0);
	go();
}

static void indirect_in_bar(void)
{
	desc(0, rng.common, 16, I, 0);
	go();
}

/* ---- the transport ---- */

static void storm(void)
{
	for (unsigned int i = 0; i < 1000; i++) {
		virtio_kick(&rng);
	}
}

static void msix_garbage(void)
{
	for (unsigned int off = 0; off < 0x1000; off += 4) {
		mmio_write32(rng.msix + off, 0xffffffff);
	}
	virtio_config_write(rng.slot, 0x40, 0x80000000u);
	desc(0, (uintptr_t)data, 16, W, 0);
	go();
	virtio_config_write(rng.slot, 0x40, 0);
}

/* 4.1.4.9's window: at every place of every BAR that there might be. */
static void window(void)
{
	unsigned int cap = virtio_config_read(rng.slot, 0x34) & 0xfc;

	while (cap && virtio_config_read(rng.slot, cap) >> 24 != VIRTIO_PCI_CAP_PCI) {
		cap = virtio_config_read(rng.slot, cap) >> 8 & 0xfc;
	}
	for (unsigned int bar = 0; bar < 8; bar++) {
		for (uint32_t off = 0; off < 0x10000; off += 0xffc) {
			virtio_config_write(rng.slot, cap + 4, bar);
			virtio_config_write(rng.slot, cap + 8, off);
			virtio_config_write(rng.slot, cap + 12, 1u << off % 4);
			(void)virtio_config_read(rng.slot, cap + 16);
			virtio_config_write(rng.slot, cap + 16, 0xffffffff);
		}
	}
}

static void bar_over_others(void)
{
	static const uint32_t places[] = { 0, 0x100000, 0xfec00000, 0xfee00000, 0xfffff000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		virtio_config_write(rng.slot, 0x10, places[i]);
	}
	virtio_find(&rng, VIRTIO_ID_ENTROPY);
}

static void all_registers(void)
{
	for (unsigned int off = 0; off < 0x4000; off += 2) {
		(void)virtio_get(&rng, off, 2);
		if (off % 4 == 0) {
			virtio_set(&rng, off, 4, 0xffffffff);
			(void)virtio_get(&rng, off, 4);
		}
	}
}

/* ---- drivers of other kinds ---- */

/* One that knows legacy devices only asks for no version 1: 6.1. */
static void legacy(void)
{
	virtio_negotiate(&rng, 1ul << VIRTIO_F_INDIRECT_DESC);
}

/* 3.1.1: one that does not look whether FEATURES_OK stayed. */
static void legacy_goes_on(void)
{
	virtio_start(&rng, 0, SIZE, 0);
}

static void too_many_features(void)
{
	virtio_negotiate(&rng, FEATURES | 1ul << 40);
}

static void all_features(void)
{
	virtio_negotiate(&rng, ~0ul);
}

static const struct attack attacks[] = {
	{ "legacy driver", legacy, REFUSED },
	{ "legacy driver that goes on", legacy_goes_on, BROKEN },
	{ "a feature that was not offered", too_many_features, REFUSED },
	{ "all features", all_features, REFUSED },
	{ "ring size 0", size_0, BROKEN },
	{ "ring size 2^16", size_65536, BROKEN },
	{ "ring size 2^15", size_32768, BROKEN },
	{ "ring size 2^16-1", size_65535, BROKEN },
	{ "ring changed after DRIVER_OK", size_changed, BROKEN },
	{ "ring in its own BAR", ring_in_bar, BROKEN },
	{ "ring in the local APIC", ring_in_lapic, BROKEN },
	{ "ring over the end of RAM", ring_at_end, BROKEN },
	{ "ring above all memory", ring_above_all, BROKEN },
	{ "wild index", index_wild, BROKEN },
	{ "wild head", head_wild, BROKEN },
	{ "wild next", next_wild, BROKEN },
	{ "loop of one", loop_of_one, BROKEN },
	{ "loop of all", loop_of_all, BROKEN },
	{ "length 0", length_0, WORKS },
	{ "length 2^32-1", length_max, BROKEN },
	{ "buffer over the end of RAM", buffer_over_end, BROKEN },
	{ "buffer in a hole", buffer_in_hole, BROKEN },
	{ "buffer into the VGA hole", buffer_into_vga, BROKEN },
	{ "buffer in its own BAR", buffer_in_bar, BROKEN },
	{ "buffer in the local APIC", buffer_in_lapic, BROKEN },
	{ "buffer that wraps", buffer_wraps, BROKEN },
	{ "buffer over its own ring", buffer_in_ring, WORKS },
	{ "indirect within indirect", indirect_nested, BROKEN },
	{ "indirect loop", indirect_loop, BROKEN },
	{ "indirect of odd length", indirect_odd, BROKEN },
	{ "indirect in its own BAR", indirect_in_bar, BROKEN },
	{ "storm of notifications", storm, WORKS },
	{ "garbage in the MSI-X table", msix_garbage, WORKS },
	{ "window onto every BAR", window, BROKEN },
	{ "BAR over RAM and APICs", bar_over_others, WORKS },
	{ "ones in every register", all_registers, BROKEN },
};

static bool is(enum outcome o)
{
	uint8_t status = virtio_status(&rng);

	if (status & VIRTIO_NEEDS_RESET) {
		return o == BROKEN;
	}
	return o == WORKS || (o == REFUSED && !(status & VIRTIO_FEATURES_OK));
}

static bool device_works(void)
{
	virtio_config_write(rng.slot, 0x04, 7);
	virtio_start(&rng, 0, SIZE, FEATURES);
	memset(data, 0, sizeof(data));
	desc(0, (uintptr_t)data, 64, W, 0);
	go();
	for (unsigned int spins = 0; virtio_used[1] == 0 && spins < 100000000; spins++) {
	}
	return virtio_used[1] == 1 && virtio_used[4] == 64 &&
	       !(virtio_status(&rng) & VIRTIO_NEEDS_RESET);
}

/* ---- at random ---- */

static uint64_t seed;

static uint32_t random(uint32_t below)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)(seed >> 33) % below;
}

static uint64_t random_address(void)
{
	switch (random(8)) {
	case 0:
		return mboot_ram_end() - random(64);
	case 1:
		return rng.common + random(0x9000);
	case 2:
		return (uint64_t)random(0x7fffffff) << 20;
	case 3:
		return (uintptr_t)table + 16 * random(8);
	case 4:
		return (uintptr_t)virtio_used;
	default:
		return (uintptr_t)data + random(2048);
	}
}

static void random_kick(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t len = random(4) ? random(256) : random(0x7fffffff);

		desc(random(SIZE), random_address(), len, random(8), (uint16_t)random(SIZE + 1));
		table[random(8)] = (struct virtio_desc){ random_address(), random(256),
							 (uint16_t)random(8), (uint16_t)random(9) };
	}
	virtio_offer(&rng, (uint16_t)random(SIZE + 1));
	virtio_kick(&rng);
	if (virtio_status(&rng) & VIRTIO_NEEDS_RESET) {
		virtio_start(&rng, 0, SIZE, FEATURES);
	}
}

void guest_main(void)
{
	unsigned int failed = 0, rounds = (unsigned int)mboot_number("rounds", 2000);
	unsigned int cpus = (unsigned int)mboot_number("cpus", 1);

	if (cpus > 1 && cpus <= SMP_CPUS) {
		failed = race(cpus, rounds);
		print("virtio_attack %u CPUs, %u rounds, %u failed\n", cpus, rounds, failed);
		return;
	}
	seed = mboot_number("seed", 1);
	if (!virtio_find(&rng, VIRTIO_ID_ENTROPY) || !device_works()) {
		print("no virtio entropy device\n");
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(attacks); i++) {
		bool good;

		device_works();
		attacks[i].run();
		good = is(attacks[i].outcome);
		if (!good || !device_works()) {
			print("failed: %s\n", attacks[i].name);
			failed++;
		}
	}
	for (unsigned int i = 0; i < rounds; i++) {
		random_kick();
	}
	failed += !device_works();
	print("virtio_attack %u attacks, %u rounds, %u failed\n", (unsigned int)ARRAY_SIZE(attacks),
	      rounds, failed);
}
