/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs each form of memory access on the test device's buffer and on RAM, and compares: memory, */
/* registers, flags. The device must be there (testdev = true). */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/print.h"

#define DEVICE	   0xff000000ul
#define AREA	   64u	   /* bytes that a form may touch */
#define FLAGS_MASK 0x8d5ul /* CF PF AF ZF SF OF */
#define PAGE	   4096ul

/* In: rdi = memory, rax, rcx, rdx. Out: the same and the flags. */
struct regs {
	uint64_t rax, rcx, rdx, rsi, rdi, rflags;
};

struct form {
	const char *name;
	void (*run)(struct regs *r);
	uint64_t flags; /* those that are defined behind it */
};

/* One function per form: loads the registers, runs the text, stores them. */
#define FORM(id, text)                                                                             \
	static void form_##id(struct regs *r)                                                      \
	{                                                                                          \
		__asm__ volatile("pushq $2; popfq\n\t" text "\n\tpushfq; popq %0"                  \
				 : "=r"(r->rflags), "+a"(r->rax), "+c"(r->rcx), "+d"(r->rdx),      \
				   "+S"(r->rsi), "+D"(r->rdi)                                      \
				 :                                                                 \
				 : "memory", "cc");                                                \
	}

FORM(mov8_load, "movb (%%rdi), %%al")
FORM(mov16_load, "movw (%%rdi), %%ax")
FORM(mov32_load, "movl (%%rdi), %%eax")
FORM(mov64_load, "movq (%%rdi), %%rax")
FORM(mov8_high, "movb (%%rdi), %%ah")
FORM(mov8_store, "movb %%cl, (%%rdi)")
FORM(mov16_store, "movw %%cx, (%%rdi)")
FORM(mov32_store, "movl %%ecx, (%%rdi)")
FORM(mov64_store, "movq %%rcx, (%%rdi)")
FORM(mov8_imm, "movb $0x5a, 3(%%rdi)")
FORM(mov16_imm, "movw $0x5aa5, 2(%%rdi)")
FORM(mov32_imm, "movl $0x89abcdef, 4(%%rdi)")
FORM(mov64_imm, "movq $-2, 8(%%rdi)")
FORM(movzx8, "movzbl 1(%%rdi), %%eax")
FORM(movzx16, "movzwl 1(%%rdi), %%eax")
FORM(movsx8, "movsbq 1(%%rdi), %%rax")
FORM(movsx16, "movswq 1(%%rdi), %%rax")
FORM(movsxd, "movslq 1(%%rdi), %%rax")
FORM(movnti, "movnti %%rcx, 8(%%rdi)")
FORM(sib, "movl 4(%%rdi,%%rdx,2), %%eax")
FORM(add_to, "addl %%ecx, (%%rdi)")
FORM(add_from, "addl (%%rdi), %%ecx")
FORM(add_imm, "addq $127, (%%rdi)")
FORM(adc_to, "stc; adcl %%ecx, (%%rdi)")
FORM(sbb_to, "stc; sbbl %%ecx, (%%rdi)")
FORM(sub_to, "subw %%cx, (%%rdi)")
FORM(and_to, "andl %%ecx, (%%rdi)")
FORM(and_imm8, "andb $0x0f, (%%rdi)")
FORM(or_to, "orq %%rcx, (%%rdi)")
FORM(or_from, "orl (%%rdi), %%ecx")
FORM(xor_to, "xorb %%cl, (%%rdi)")
FORM(cmp_to, "cmpl %%ecx, (%%rdi)")
FORM(cmp_from, "cmpb (%%rdi), %%cl")
FORM(cmp_imm, "cmpl $0x44332211, (%%rdi)")
FORM(test_reg, "testl %%ecx, (%%rdi)")
FORM(test_imm, "testb $0x80, 7(%%rdi)")
FORM(inc, "incl (%%rdi)")
FORM(dec, "decw (%%rdi)")
FORM(not, "notl (%%rdi)")
FORM(neg, "negl (%%rdi)")
FORM(lock_add, "lock addl %%ecx, (%%rdi)")
FORM(lock_inc, "lock incq (%%rdi)")
FORM(xchg, "xchgl %%ecx, (%%rdi)")
FORM(xadd, "lock xaddl %%ecx, (%%rdi)")
FORM(cmpxchg_hit, "movl (%%rdi), %%eax; lock cmpxchgl %%ecx, (%%rdi)")
FORM(cmpxchg_miss, "lock cmpxchgl %%ecx, (%%rdi)")
FORM(bt, "btl $5, (%%rdi)")
FORM(bts, "lock btsl $9, (%%rdi)")
FORM(btr, "btrl $0, (%%rdi)")
FORM(stosb, "movl $7, %%ecx; rep stosb")
FORM(stosq, "movl $3, %%ecx; rep stosq")
FORM(stos_down, "addq $16, %%rdi; movl $3, %%ecx; std; rep stosl; cld")
FORM(lodsl, "movq %%rdi, %%rsi; lodsl")
FORM(movsb_in, "leaq 32(%%rdi), %%rsi; movl $9, %%ecx; rep movsb")
FORM(movsq_in, "leaq 32(%%rdi), %%rsi; movl $2, %%ecx; rep movsq")
FORM(unaligned, "movq %%rcx, 3(%%rdi); movq 5(%%rdi), %%rax")

#define FLAGS_LOGIC 0x8c5ul /* AF is undefined */
#define ROW(id, flags)                                                                             \
	{                                                                                          \
#id, form_##id, flags                                                              \
	}

static const struct form forms[] = {
	ROW(mov8_load, FLAGS_MASK),
	ROW(mov16_load, FLAGS_MASK),
	ROW(mov32_load, FLAGS_MASK),
	ROW(mov64_load, FLAGS_MASK),
	ROW(mov8_high, FLAGS_MASK),
	ROW(mov8_store, FLAGS_MASK),
	ROW(mov16_store, FLAGS_MASK),
	ROW(mov32_store, FLAGS_MASK),
	ROW(mov64_store, FLAGS_MASK),
	ROW(mov8_imm, FLAGS_MASK),
	ROW(mov16_imm, FLAGS_MASK),
	ROW(mov32_imm, FLAGS_MASK),
	ROW(mov64_imm, FLAGS_MASK),
	ROW(movzx8, FLAGS_MASK),
	ROW(movzx16, FLAGS_MASK),
	ROW(movsx8, FLAGS_MASK),
	ROW(movsx16, FLAGS_MASK),
	ROW(movsxd, FLAGS_MASK),
	ROW(movnti, FLAGS_MASK),
	ROW(sib, FLAGS_MASK),
	ROW(add_to, FLAGS_MASK),
	ROW(add_from, FLAGS_MASK),
	ROW(add_imm, FLAGS_MASK),
	ROW(adc_to, FLAGS_MASK),
	ROW(sbb_to, FLAGS_MASK),
	ROW(sub_to, FLAGS_MASK),
	ROW(and_to, FLAGS_LOGIC),
	ROW(and_imm8, FLAGS_LOGIC),
	ROW(or_to, FLAGS_LOGIC),
	ROW(or_from, FLAGS_LOGIC),
	ROW(xor_to, FLAGS_LOGIC),
	ROW(cmp_to, FLAGS_MASK),
	ROW(cmp_from, FLAGS_MASK),
	ROW(cmp_imm, FLAGS_MASK),
	ROW(test_reg, FLAGS_LOGIC),
	ROW(test_imm, FLAGS_LOGIC),
	ROW(inc, FLAGS_MASK),
	ROW(dec, FLAGS_MASK),
	ROW(not, FLAGS_MASK),
	ROW(neg, FLAGS_MASK),
	ROW(lock_add, FLAGS_MASK),
	ROW(lock_inc, FLAGS_MASK),
	ROW(xchg, FLAGS_MASK),
	ROW(xadd, FLAGS_MASK),
	ROW(cmpxchg_hit, FLAGS_MASK),
	ROW(cmpxchg_miss, FLAGS_MASK),
	ROW(bt, 1),
	ROW(bts, 1),
	ROW(btr, 1),
	ROW(stosb, FLAGS_MASK),
	ROW(stosq, FLAGS_MASK),
	ROW(stos_down, FLAGS_MASK),
	ROW(lodsl, FLAGS_MASK),
	ROW(movsb_in, FLAGS_MASK),
	ROW(movsq_in, FLAGS_MASK),
	ROW(unaligned, FLAGS_MASK),
};

static uint8_t ram[2 * PAGE] __attribute__((aligned(4096)));

static void fill(volatile uint8_t *p)
{
	for (unsigned int i = 0; i < AREA; i++) {
		p[i] = (uint8_t)(0x11 * (i + 1) + (i >> 4));
	}
}

/* Addresses become offsets, so that both runs can be compared. */
static struct regs run(const struct form *f, uint64_t base)
{
	struct regs r = { 0x1122334455667788, 0x8070605040302010, 2, base, base, 0 };

	fill((volatile uint8_t *)base);
	f->run(&r);
	r.rsi -= base;
	r.rdi -= base;
	r.rflags &= f->flags;
	return r;
}

static bool same_memory(uint64_t a, uint64_t b)
{
	const volatile uint8_t *p = (const volatile uint8_t *)a;
	const volatile uint8_t *q = (const volatile uint8_t *)b;

	for (unsigned int i = 0; i < AREA; i++) {
		if (p[i] != q[i]) {
			print("  byte %u: %02x, RAM has %02x\n", i, p[i], q[i]);
			return false;
		}
	}
	return true;
}

static bool same_regs(const struct regs *a, const struct regs *b)
{
	bool same = a->rax == b->rax && a->rcx == b->rcx && a->rdx == b->rdx && a->rsi == b->rsi &&
		    a->rdi == b->rdi && a->rflags == b->rflags;

	if (!same) {
		print("  rax %lx rcx %lx rdx %lx rsi %lx rdi %lx flags %lx\n", a->rax, a->rcx,
		      a->rdx, a->rsi, a->rdi, a->rflags);
		print("  RAM %lx     %lx     %lx     %lx     %lx       %lx\n", b->rax, b->rcx,
		      b->rdx, b->rsi, b->rdi, b->rflags);
	}
	return same;
}

/* offset: in the page; near its end an access crosses into the next. */
static unsigned int test_at(uint64_t offset)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct regs want = run(&forms[i], (uint64_t)ram + offset);
		struct regs got = run(&forms[i], DEVICE + offset);
		bool memory = same_memory(DEVICE + offset, (uint64_t)ram + offset);

		if (!same_regs(&got, &want) || !memory) {
			print("failed: %s at offset %lx\n", forms[i].name, offset);
			failed++;
		}
	}
	return failed;
}

void guest_main(void)
{
	unsigned int failed;

	failed = test_at(0) + test_at(PAGE - 2) + test_at(PAGE - 37);
	print("mmio %u forms, %u failed\n", 3 * (unsigned int)(sizeof(forms) / sizeof(forms[0])),
	      failed);
}
