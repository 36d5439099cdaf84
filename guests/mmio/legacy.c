/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs MMIO forms in 32-bit protected mode, in 16-bit protected mode and in real mode. */
/* The device is out of reach of 16-bit offsets, so DS and ES have its base. */
#include "guests/mmio/legacy.h"
#include "guests/lib/cpu.h"
#include "guests/lib/mem.h"
#include "guests/lib/mode.h"
#include "guests/lib/print.h"
#include "guests/lib/start.h"
#include "guests/mmio/area.h"

#define CODE_AT	 0xc000u
#define STACK_AT 0x7400u
#define CR0_PE	 0x11u /* and ET */
#define CR0_REAL 0x10u

struct legacy_form {
	const char *name;
	const uint8_t *code, *end;
	uint32_t mode, flags;
};

extern const struct legacy_form legacy_forms[], legacy_forms_end[];

struct legacy_mode {
	const char *name;
	uint32_t bits; /* of the forms it runs */
	bool segment;  /* DS and ES have the area's base, and offsets are small */
	struct mode_job start;
};

static const struct legacy_mode modes[] = {
	{ "protected 32",
	  32,
	  false,
	  { .kind = MODE_KIND_PROTECTED, .cr0 = CR0_PE, .cs = SEL_CODE32, .ss = SEL_DATA } },
	{ "protected 32, segments",
	  32,
	  true,
	  { .kind = MODE_KIND_PROTECTED, .cr0 = CR0_PE, .cs = SEL_CODE32, .ss = SEL_DATA } },
	{ "protected 16",
	  16,
	  true,
	  { .kind = MODE_KIND_PROTECTED, .cr0 = CR0_PE, .cs = SEL_CODE16_REAL, .ss = SEL_DATA16 } },
	{ "real", 16, true, { .kind = MODE_KIND_UNREAL, .cr0 = CR0_REAL, .cs = 0, .ss = 0 } },
};

/* A writable data segment of 64 KiB. */
static uint64_t segment_at(uint64_t base)
{
	return 0x000093000000ffff | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
}

static void place_code(const struct legacy_form *f)
{
	uintptr_t at = CODE_AT;

	__asm__("" : "+r"(at));
	memcpy((void *)at, f->code, (size_t)(f->end - f->code));
}

/* Addresses become offsets, so that both runs can be compared. */
static struct mode_job run(const struct legacy_mode *m, const struct legacy_form *f, uint64_t base,
			   uint32_t offset)
{
	struct mode_job job = m->start;
	uint32_t at = m->segment ? offset : (uint32_t)base + offset;

	area_fill(base + offset);
	start_gdt[SEL_SPARE / 8] = segment_at(base);
	job.eax = 0x55667788;
	job.ecx = 0x40302010;
	job.edx = 2;
	job.ebx = 0x0badcafe;
	job.ebp = 0x12345678;
	job.esi = at;
	job.edi = at;
	job.esp = STACK_AT;
	job.eip = CODE_AT;
	job.eflags = 2;
	job.ds = m->segment ? SEL_SPARE : SEL_DATA;
	job.es = job.ds;
	place_code(f);
	mode_run(&job);
	job.esi -= at;
	job.edi -= at;
	job.eflags &= f->flags;
	return job;
}

static bool same(const struct mode_job *a, const struct mode_job *b)
{
	return a->eax == b->eax && a->ecx == b->ecx && a->edx == b->edx && a->ebx == b->ebx &&
	       a->ebp == b->ebp && a->esi == b->esi && a->edi == b->edi && a->esp == b->esp &&
	       a->eflags == b->eflags && a->vector == b->vector && a->eip == b->eip;
}

static void show(const char *what, const struct mode_job *j)
{
	print("  %s eax %08x ecx %08x edx %08x esi %08x edi %08x esp %08x flags %x vector %x eip %x\n",
	      what, j->eax, j->ecx, j->edx, j->esi, j->edi, j->esp, j->eflags, j->vector, j->eip);
}

/* True if the form does the same on both, and ends as it should. */
static bool test(const struct legacy_mode *m, const struct legacy_form *f, uint64_t device,
		 uint64_t ram, uint32_t offset)
{
	struct mode_job want = run(m, f, ram, offset);
	struct mode_job got = run(m, f, device, offset);
	bool good = area_same(device + offset, ram + offset) && same(&got, &want);

	if (!good || want.vector != MODE_VECTOR_DONE) {
		print("failed: %s at offset %x, %s\n", f->name, offset, m->name);
		show("got ", &got);
		show("want", &want);
		return false;
	}
	return true;
}

unsigned int legacy_test(uint64_t device, uint64_t ram, uint32_t offset, unsigned int *ran)
{
	const struct legacy_form *f;
	unsigned int i, failed = 0;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (f = legacy_forms; f < legacy_forms_end; f++) {
			if (f->mode == modes[i].bits) {
				failed += !test(&modes[i], f, device, ram, offset);
				(*ran)++;
			}
		}
	}
	return failed;
}
