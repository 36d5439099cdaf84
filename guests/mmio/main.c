/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs each form of memory access on the test device's buffer and on RAM, and compares: memory, */
/* registers, flags. The device must be there (testdev = true). */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/mboot.h"
#include "guests/lib/print.h"
#include "guests/mmio/area.h"
#include "guests/mmio/legacy.h"

#define DEVICE	   0xff000000ul
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

#define TEST_PORT 0xe0
#define SEGMENT	  65536

/* With "ram" among the arguments the second of these plays the device: a test of this guest. */
static uint8_t ram[2][SEGMENT] __attribute__((aligned(SEGMENT)));

/* Addresses become offsets, so that both runs can be compared. */
static struct regs run(const struct form *f, uint64_t base)
{
	struct regs r = { 0x1122334455667788, 0x8070605040302010, 2, base, base, 0 };

	area_fill(base);
	f->run(&r);
	r.rsi -= base;
	r.rdi -= base;
	r.rflags &= f->flags;
	return r;
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
static unsigned int test_at(uint64_t device, uint64_t offset, unsigned int *ran)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct regs want = run(&forms[i], (uint64_t)ram[0] + offset);
		struct regs got = run(&forms[i], device + offset);
		bool memory = area_same(device + offset, (uint64_t)ram[0] + offset);

		(*ran)++;
		if (!same_regs(&got, &want) || !memory) {
			print("failed: %s at offset %lx\n", forms[i].name, offset);
			failed++;
		}
	}
	return failed;
}

/* The latch in every size; the neighbouring bytes must stay. */
static unsigned int test_latch(void)
{
	bool good;

	pio_out32(TEST_PORT, 0x12345678);
	good = pio_in32(TEST_PORT) == 0x12345678 && pio_in16(TEST_PORT) == 0x5678 &&
	       pio_in16(TEST_PORT + 2) == 0x1234 && pio_in8(TEST_PORT + 1) == 0x56;
	pio_out8(TEST_PORT + 3, 0xab);
	pio_out16(TEST_PORT + 1, 0xcdef);
	good = good && pio_in32(TEST_PORT) == 0xabcdef78;
	if (!good) {
		print("failed: the latch reads %08x\n", pio_in32(TEST_PORT));
	}
	return !good;
}

void guest_main(void)
{
	static const uint32_t offsets[] = { 0x10, PAGE - 2, PAGE - 37, SEGMENT - AREA_SIZE };
	bool self_test = mboot_has("ram");
	uint64_t device = self_test ? (uint64_t)ram[1] : DEVICE;
	unsigned int i, ran = 0, failed = self_test ? 0 : test_latch();

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		failed += test_at(device, offsets[i], &ran);
		failed += legacy_test(device, (uint64_t)ram[0], offsets[i], &ran);
		print("mmio offset %x\n", offsets[i]);
	}
	print("mmio %u forms, %u failed\n", ran, failed);
}
