/* SPDX-License-Identifier: BSD-2-Clause */
/* Random code: a quarter plain noise, the rest openings that hypervisors care about, with random */
/* tails. No decoder: what a tail makes of an opening is luck, and so is what follows. */
#include "guests/hostile/random_code.h"
#include "guests/lib/cpu.h"
#include "guests/lib/idt.h"
#include "guests/lib/mem.h"
#include "guests/lib/smp.h"

/* SDM Vol. 2D, "Opcode Map". The last number: how many random bytes follow. */
struct opening {
	uint8_t len, bytes[5], tail;
};

static const struct opening openings[] = {
	{ 2, { 0x0f, 0x20 }, 1 },		    /* MOV from CR */
	{ 2, { 0x0f, 0x22 }, 1 },		    /* MOV to CR */
	{ 2, { 0x0f, 0x21 }, 1 },		    /* MOV from DR */
	{ 2, { 0x0f, 0x23 }, 1 },		    /* MOV to DR */
	{ 2, { 0x0f, 0x00 }, 1 },		    /* SLDT, STR, LLDT, LTR, VERR, VERW */
	{ 2, { 0x0f, 0x01 }, 1 },		    /* SGDT ... INVLPG, VMX, SVM */
	{ 2, { 0x0f, 0x06 }, 0 },		    /* CLTS */
	{ 2, { 0x0f, 0x08 }, 0 },		    /* INVD */
	{ 2, { 0x0f, 0x09 }, 0 },		    /* WBINVD */
	{ 2, { 0x0f, 0x30 }, 0 },		    /* WRMSR */
	{ 2, { 0x0f, 0x32 }, 0 },		    /* RDMSR */
	{ 2, { 0x0f, 0x33 }, 0 },		    /* RDPMC */
	{ 2, { 0x0f, 0x31 }, 0 },		    /* RDTSC */
	{ 2, { 0x0f, 0xa2 }, 0 },		    /* CPUID */
	{ 2, { 0x0f, 0xae }, 1 },		    /* FXSAVE ... XSAVE, fences */
	{ 2, { 0x0f, 0xc7 }, 1 },		    /* CMPXCHG8B, VMPTRLD, RDRAND */
	{ 2, { 0x0f, 0x78 }, 1 },		    /* VMREAD */
	{ 2, { 0x0f, 0xa0 }, 0 },		    /* PUSH FS */
	{ 2, { 0x0f, 0x05 }, 0 },		    /* SYSCALL */
	{ 2, { 0x0f, 0x34 }, 0 },		    /* SYSENTER */
	{ 3, { 0x66, 0x0f, 0x38 }, 2 },		    /* INVEPT, INVPCID and others */
	{ 5, { 0xb9, 0x1b, 0x00, 0x00, 0x00 }, 0 }, /* ECX = IA32_APIC_BASE */
	{ 5, { 0xb9, 0x80, 0x00, 0x00, 0xc0 }, 0 }, /* ECX = EFER */
	{ 5, { 0xb9, 0x77, 0x02, 0x00, 0x00 }, 0 }, /* ECX = PAT */
	{ 5, { 0xb9, 0x30, 0x08, 0x00, 0x00 }, 0 }, /* ECX = x2APIC ICR */
	{ 2, { 0xb9, 0x00 }, 3 },		    /* ECX = something */
	{ 1, { 0xb8 }, 4 },			    /* EAX = something */
	{ 2, { 0x66, 0xba }, 2 },		    /* DX = something */
	{ 1, { 0xe4 }, 1 },			    /* IN */
	{ 1, { 0xe6 }, 1 },			    /* OUT */
	{ 1, { 0xec }, 0 },			    /* IN DX */
	{ 1, { 0xed }, 0 },
	{ 1, { 0xee }, 0 }, /* OUT DX */
	{ 1, { 0xef }, 0 },
	{ 1, { 0x6c }, 0 }, /* INS */
	{ 1, { 0x6f }, 0 }, /* OUTS */
	{ 2, { 0xf3, 0x6e }, 0 },
	{ 1, { 0xf4 }, 0 }, /* HLT */
	{ 1, { 0xfa }, 0 }, /* CLI */
	{ 1, { 0xfb }, 0 }, /* STI */
	{ 1, { 0xcd }, 1 }, /* INT */
	{ 1, { 0xcc }, 0 }, /* INT3 */
	{ 1, { 0xf1 }, 0 }, /* INT1 */
	{ 1, { 0xcf }, 0 }, /* IRET */
	{ 1, { 0x9c }, 0 }, /* PUSHF */
	{ 1, { 0x9d }, 0 }, /* POPF */
	{ 1, { 0xea }, 6 }, /* JMP far */
	{ 1, { 0x9a }, 6 }, /* CALL far */
	{ 1, { 0xcb }, 0 }, /* RET far */
	{ 1, { 0x8e }, 1 }, /* MOV to segment */
	{ 1, { 0x8c }, 1 }, /* MOV from segment */
	{ 1, { 0xc4 }, 2 }, /* LES, VEX */
	{ 1, { 0x62 }, 3 }, /* BOUND, EVEX */
	{ 1, { 0x8b }, 2 }, /* MOV load */
	{ 1, { 0x89 }, 2 }, /* MOV store */
	{ 1, { 0x88 }, 1 },
	{ 1, { 0xc7 }, 5 },
	{ 1, { 0x00 }, 1 },	  /* ADD */
	{ 1, { 0x81 }, 5 },	  /* ALU, immediate */
	{ 1, { 0x87 }, 1 },	  /* XCHG */
	{ 1, { 0xf7 }, 5 },	  /* TEST, NOT, NEG, MUL, DIV */
	{ 1, { 0xff }, 1 },	  /* INC, DEC, CALL, JMP, PUSH */
	{ 1, { 0x8f }, 1 },	  /* POP */
	{ 2, { 0x0f, 0xb6 }, 1 }, /* MOVZX */
	{ 2, { 0x0f, 0xab }, 1 }, /* BTS */
	{ 2, { 0x0f, 0xb1 }, 1 }, /* CMPXCHG */
	{ 2, { 0xf0, 0x0f }, 2 }, /* LOCK */
	{ 2, { 0xf3, 0xa4 }, 0 }, /* REP MOVS */
	{ 2, { 0xf3, 0xab }, 0 }, /* REP STOS */
	{ 1, { 0xa4 }, 0 },
	{ 1, { 0xa7 }, 0 },
	{ 1, { 0x66 }, 2 },
	{ 1, { 0x67 }, 2 },
	{ 1, { 0x48 }, 3 }, /* REX.W or DEC */
	{ 1, { 0xd9 }, 1 }, /* x87 */
	{ 1, { 0x0f }, 2 },
};

#define NOISE_MAX 8u
#define LONGEST	  16u

static uint64_t states[SMP_CPUS]; /* each CPU has its own */

void random_code_seed(uint64_t seed)
{
	states[idt_cpu()] = seed * 0x9e3779b97f4a7c15 + 0x1234567;
}

/* xorshift64*, Marsaglia 2003 and Vigna 2016. */
uint64_t random_code_next(void)
{
	uint64_t *state = &states[idt_cpu()];

	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

static size_t put_noise(uint8_t *to, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		to[i] = (uint8_t)(random_code_next() >> 32);
	}
	return count;
}

static size_t put_one(uint8_t *to)
{
	uint64_t r = random_code_next() >> 8;
	const struct opening *o = &openings[r / 4 % ARRAY_SIZE(openings)];

	if (r % 4 == 0) {
		return put_noise(to, 1 + r / 4 % NOISE_MAX);
	}
	memcpy(to, o->bytes, o->len);
	return o->len + put_noise(to + o->len, o->tail);
}

void random_code_fill(uint8_t *to, size_t size)
{
	size_t at = 0;

	while (at < size - LONGEST) {
		at += put_one(to + at);
	}
	memset(to + at, 0x90, size - 2 - at);
	to[size - 2] = 0xcd;
	to[size - 1] = 0x30;
}
