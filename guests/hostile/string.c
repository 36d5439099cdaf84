/* SPDX-License-Identifier: BSD-2-Clause */
/* String instructions: ports to and from no memory, and counts that take for ever on devices. */
/* The watchdog ends the long ones: REP is interruptible. */
#include "guests/hostile/hostile.h"
#include "guests/lib/print.h"

static const uint64_t places[] = {
	0xfee00000, 0xfec00000, HOSTILE_HOLE,	    0xff000000,
	0x000a0000, 0xfffffff9, 0x0000800000000000,
};

static const uint64_t counts[] = { 0, 1, 3, 0x10000, 0x7fffffffffffffff, ~0ul };

static uint8_t ram[4096] __attribute__((aligned(4096)));

#define RUN(text)                                                                                  \
	__asm__ volatile(text : "+D"(to), "+S"(from), "+c"(count) : "a"(0x55), "d"(port) : "memory")

static void run(unsigned int form, uint64_t place, uint64_t count)
{
	uint64_t to = place, from = place;
	uint16_t port = form & 1 ? 0xffff : 0x61;

	switch (form) {
	case 0:
		RUN("rep insb");
		break;
	case 1:
		RUN("rep insl");
		break;
	case 2:
		RUN("rep insw");
		break;
	case 3:
		RUN("rep outsb");
		break;
	case 4:
		port = 0x80;
		RUN("rep outsl");
		break;
	case 5:
		RUN("rep stosq");
		break;
	case 6:
		RUN("std; rep stosb; cld");
		break;
	case 7:
		from = (uintptr_t)ram;
		RUN("rep movsl");
		break;
	case 8:
		to = (uintptr_t)ram;
		count &= 0xfff;
		RUN("rep movsb");
		break;
	case 9:
		RUN("rep lodsq");
		break;
	case 10:
		RUN("repne scasb");
		break;
	case 11:
		RUN("repe cmpsw");
		break;
	default:
		to = (uintptr_t)ram + 4093;
		count = 1;
		RUN("insl");
		break;
	}
}

#define FORMS 13u

static void step(unsigned int n)
{
	run(n % FORMS, places[n / FORMS % ARRAY_SIZE(places)],
	    counts[n / FORMS / ARRAY_SIZE(places)]);
}

static void describe(unsigned int n)
{
	print("form %u at %lx count %lx", n % FORMS, places[n / FORMS % ARRAY_SIZE(places)],
	      counts[n / FORMS / ARRAY_SIZE(places)]);
}

/* Ports to and from what is no RAM. */
static bool last(unsigned int n)
{
	return n % FORMS < 5 && n / FORMS / ARRAY_SIZE(places) > 0;
}

const struct hostile_group hostile_string = {
	.name = "string",
	.count = FORMS * ARRAY_SIZE(places) * ARRAY_SIZE(counts),
	.every = 1,
	.step = step,
	.describe = describe,
	.last = last,
	.guarded = true,
};
