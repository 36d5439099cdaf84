/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt descriptor table and what happens behind it. */
/* Knows no interrupt controller: handlers acknowledge for themselves. */
#include "guests/lib/idt.h"

#include "guests/lib/console.h"
#include "guests/lib/power.h"

#include <stdbool.h>
#include <stddef.h>

#define CODE_SELECTOR  8u
#define GATE_INTERRUPT 0x8e00u
#define STUB_SIZE      16u
#define EXCEPTIONS     32u

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM Vol. 3A, \"64-Bit Mode IDT\"");

extern const char idt_stubs[];
extern const char idt_return[];
int idt_call(void (*fn)(void *arg), void *arg, uint64_t *rsp);
void idt_dispatch(struct idt_frame *f);

static struct gate idt[256];
static idt_handler_t *handlers[256];
static struct {
	bool on;
	uint64_t rsp; /* where idt_call goes on */
	uint64_t vector;
	uint64_t error;
} catching;

void idt_init(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

	for (unsigned int i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)idt_stubs + i * STUB_SIZE;

		idt[i] = (struct gate){ .offset_low = (uint16_t)at,
					.selector = CODE_SELECTOR,
					.type = GATE_INTERRUPT,
					.offset_mid = (uint16_t)(at >> 16),
					.offset_high = (uint32_t)(at >> 32) };
	}
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void idt_set_handler(uint8_t vector, idt_handler_t *fn)
{
	handlers[vector] = fn;
}

static void die(const struct idt_frame *f)
{
	console_printf("unexpected vector %lu error %lx at %lx:%016lx rsp %016lx\n", f->vector,
		       f->error, f->cs, f->rip, f->rsp);
	power_off();
}

void idt_dispatch(struct idt_frame *f)
{
	if (handlers[f->vector] != NULL) {
		handlers[f->vector](f);
		return;
	}
	if (!catching.on || f->vector >= EXCEPTIONS) {
		die(f);
	}
	catching.on = false;
	catching.vector = f->vector;
	catching.error = f->error;
	f->rip = (uint64_t)idt_return;
	f->rsp = catching.rsp;
}

int idt_catch(void (*fn)(void *arg), void *arg, uint64_t *error)
{
	bool raised;

	catching.on = true;
	raised = idt_call(fn, arg, &catching.rsp) != 0;
	catching.on = false;
	if (raised && error != NULL) {
		*error = catching.error;
	}
	return raised ? (int)catching.vector : -1;
}
