/* SPDX-License-Identifier: BSD-2-Clause */
/* Several CPUs at one queue, without any order among them. */
/* That nobody else notices is for the test outside to see. */
#include "guests/virtio_attack/race.h"
#include "guests/lib/cpu.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/lib/virtio.h"

#define SIZE	 16u
#define FEATURES (1ul << VIRTIO_F_VERSION_1 | 1ul << VIRTIO_F_INDIRECT_DESC)
#define BUFFER	 256u

/* One device after the other: what the driver gives it to read or to write. */
static const struct target {
	const char *name;
	unsigned int type, queue;
	uint16_t flags; /* of a good buffer */
} targets[] = {
	{ "entropy device", VIRTIO_ID_ENTROPY, 0, VIRTQ_DESC_WRITE },
	{ "console", VIRTIO_ID_CONSOLE, 1, 0 }, /* 5.3.2: transmitq of port 0 */
};

static const struct target *target;
static struct virtio dev;
static unsigned int rounds;
static uint8_t data[8 * BUFFER] __attribute__((aligned(4096)));
static struct virtio_desc table[8] __attribute__((aligned(16)));
static uint32_t resets[SMP_CPUS];

static uint32_t random(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005ul + 1442695040888963407ul;
	return (uint32_t)(*seed >> 33) % below;
}

/* Mostly good, so that the device is at work on what another CPU is changing. */
static uint64_t address(uint64_t *seed)
{
	switch (random(seed, 32)) {
	case 0:
		return mboot_ram_end() - random(seed, BUFFER);
	case 1:
		return dev.common + random(seed, 0x9000);
	case 2:
		return (uint64_t)random(seed, 0x7fffffff) << 20;
	case 3:
		return (uintptr_t)virtio_desc;
	case 4:
		return (uintptr_t)virtio_used;
	case 5:
		return (uintptr_t)virtio_avail;
	default:
		return (uintptr_t)data + random(seed, sizeof(data) - BUFFER);
	}
}

static struct virtio_desc descriptor(uint64_t *seed)
{
	struct virtio_desc d = { .addr = address(seed),
				 .len = random(seed, BUFFER),
				 .flags = target->flags,
				 .next = (uint16_t)random(seed, SIZE) };

	switch (random(seed, 8)) {
	case 0:
		d.flags = (uint16_t)random(seed, 8);
		break;
	case 1:
		d.flags |= VIRTQ_DESC_NEXT;
		break;
	case 2:
		d = (struct virtio_desc){ (uintptr_t)table, 16 * (1 + random(seed, 8)),
					  VIRTQ_DESC_INDIRECT, 0 };
		break;
	default:
		break;
	}
	return d;
}

static void one_round(unsigned int cpu, uint64_t *seed)
{
	for (unsigned int i = 0; i < 4; i++) {
		virtio_desc[random(seed, SIZE)] = descriptor(seed);
		table[random(seed, 8)] = descriptor(seed);
	}
	virtio_offer(&dev, (uint16_t)random(seed, SIZE + (random(seed, 16) == 0)));
	if (random(seed, 64) == 0) {
		virtio_avail[1] = (uint16_t)random(seed, 0x10000);
	}
	virtio_kick(&dev);
	if (virtio_status(&dev) & VIRTIO_NEEDS_RESET || random(seed, 256) == 0) {
		virtio_start(&dev, target->queue, SIZE, FEATURES);
		resets[cpu]++;
	}
}

static void attack(unsigned int cpu)
{
	uint64_t seed = mboot_number("seed", 1) * 977 + cpu;

	for (unsigned int i = 0; i < rounds; i++) {
		one_round(cpu, &seed);
	}
}

static bool works(void)
{
	virtio_start(&dev, target->queue, SIZE, FEATURES);
	virtio_desc[0] = (struct virtio_desc){ (uintptr_t)data, 64, target->flags, 0 };
	virtio_offer(&dev, 0);
	virtio_kick(&dev);
	for (unsigned int spins = 0; virtio_used[1] == 0 && spins < 100000000; spins++) {
	}
	return virtio_used[1] == 1 && !(virtio_status(&dev) & VIRTIO_NEEDS_RESET);
}

static bool survives(void)
{
	unsigned int sum = 0;

	if (!virtio_find(&dev, target->type) || !works()) {
		print("no virtio %s\n", target->name);
		return false;
	}
	if (!smp_all(attack)) {
		print("failed: a CPU did not come back from the %s\n", target->name);
		return false;
	}
	for (unsigned int i = 0; i < SMP_CPUS; i++) {
		sum += resets[i];
		resets[i] = 0;
	}
	print("race at the %s: started over %u times\n", target->name, sum);
	return works();
}

unsigned int race(unsigned int cpus, unsigned int n)
{
	unsigned int failed = 0;

	rounds = n;
	lapic_init();
	if (!smp_start(cpus)) {
		print("failed: not all of %u CPUs came up\n", cpus);
		return ARRAY_SIZE(targets);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++) {
		target = &targets[i];
		failed += !survives();
	}
	return failed;
}
