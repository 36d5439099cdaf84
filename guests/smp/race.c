/* SPDX-License-Identifier: BSD-2-Clause */
/* All CPUs at once on one lock, one counter, one time stamp, one device. */
/* A lost update, a time that runs backwards or a CPU that starves fails. */
#include "guests/lib/cpu.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/smp/check.h"

static volatile uint32_t lock;
static volatile uint64_t shared; /* under the lock */
static uint64_t atomic_sum;
static volatile uint32_t backwards;

static void take(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE)) {
		while (lock) {
			__asm__ volatile("pause");
		}
	}
}

static void give(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void count(unsigned int cpu)
{
	for (unsigned int i = 0; i < check_rounds; i++) {
		take();
		shared = shared + cpu + 1;
		give();
		__atomic_add_fetch(&atomic_sum, cpu + 1, __ATOMIC_RELAXED);
	}
}

static bool spin_lock(void)
{
	uint64_t sum = (uint64_t)check_rounds * check_cpus * (check_cpus + 1) / 2;

	shared = 0;
	atomic_sum = 0;
	return smp_all(count) && shared == sum && atomic_sum == sum;
}

/* Whoever has the lock reads the time: it never is earlier than who had it before read. */
static void read_time(unsigned int cpu)
{
	(void)cpu;
	for (unsigned int i = 0; i < check_rounds; i++) {
		uint64_t now;

		take();
		__asm__ volatile("mfence; lfence" ::: "memory");
		now = cpu_tsc();
		if (now < shared) {
			backwards = backwards + 1;
		}
		shared = now;
		give();
	}
}

static bool tsc_order(void)
{
	shared = 0;
	return smp_all(read_time) && backwards == 0;
}

/* Turns: a CPU goes on when the one before it has. */
static volatile uint32_t turn;

static void take_turns(unsigned int cpu)
{
	for (unsigned int i = 0; i < check_rounds / 20; i++) {
		while (turn % check_cpus != cpu) {
			__asm__ volatile("pause");
		}
		turn = turn + 1;
	}
}

static bool turns(void)
{
	turn = 0;
	return smp_all(take_turns) && turn == check_rounds / 20 * check_cpus;
}

/* The index and data registers of the RTC, as a pair under a lock; and the PIC without one. */
static volatile uint32_t wrong;

static void use_devices(unsigned int cpu)
{
	uint8_t index = (uint8_t)(0x50 + cpu);

	for (unsigned int i = 0; i < check_rounds / 20; i++) {
		take();
		pio_out8(0x70, index);
		pio_out8(0x71, (uint8_t)(i + cpu));
		pio_out8(0x70, index);
		wrong = wrong + (pio_in8(0x71) != (uint8_t)(i + cpu));
		give();
		pio_out8(0xa1, 0xff);
		wrong = wrong + (pio_in8(0xa1) != 0xff);
	}
}

static bool devices(void)
{
	wrong = 0;
	return smp_all(use_devices) && wrong == 0;
}

static const struct check rows[] = {
	{ "spin_lock", spin_lock },
	{ "tsc_order", tsc_order },
	{ "turns", turns },
	{ "devices", devices },
};

const struct check_table check_race = { ARRAY_SIZE(rows), rows };
