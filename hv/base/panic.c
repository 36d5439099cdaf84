/* SPDX-License-Identifier: BSD-2-Clause */
/* The last report: message, backtrace with names, the executing CPU's last trace records. */
/* Calls nothing that could wait. */
#include "hv/base/panic.h"

#include "arch/cpu.h"
#include "hv/base/lock.h"
#include "hv/base/log.h"
#include "hv/base/symtab.h"
#include "hv/base/trace.h"

#define FRAMES_MAX 24u
#define RECORDS	   8u

extern char image_text_start[], image_text_end[];

/* The compiler's stack protector: gcc manual, "-fstack-protector". */
extern uint64_t __stack_chk_guard;
void __stack_chk_fail(void) NORETURN;
uint64_t __stack_chk_guard = 0x7a11ed0ff5e7000dul;

void __stack_chk_fail(void)
{
	panic_stop("stack smashed");
}

static bool in_text(uint64_t addr)
{
	return addr >= (uint64_t)image_text_start && addr < (uint64_t)image_text_end;
}

/* A frame pointer is believed while it is canonical, aligned and grows. */
static bool plausible(uint64_t rbp, uint64_t last)
{
	return rbp > last && rbp % 8 == 0 && rbp >= 0xffff800000000000ul;
}

/*
 * A return address is looked for at its call: behind one that does not return, another function may
 * begin at once.
 */
static void print_frame(uint64_t rip, bool returns)
{
	struct symtab_hit hit = { "?", 0 };

	symtab_lookup(rip - returns, &hit);
	log_printf(LOG_BUG, "  %016lx %s+0x%lx", rip, hit.name, hit.offset + returns);
}

void panic_backtrace(uint64_t rip, uint64_t rbp)
{
	uint64_t last = 0;

	for (unsigned int i = 0; i < FRAMES_MAX && in_text(rip); i++) {
		print_frame(rip, i > 0);
		if (!plausible(rbp, last)) {
			break;
		}
		last = rbp;
		rip = ((const uint64_t *)rbp)[1];
		rbp = ((const uint64_t *)rbp)[0];
	}
}

static void print_trace(void)
{
	const struct trace_ring *ring = &trace_rings[cpu_id()];

	for (uint32_t i = RECORDS; ring->rec != NULL && i > 0; i--) {
		const struct trace_record *r = &ring->rec[(ring->next - i) & (TRACE_RECORDS - 1)];

		log_printf(LOG_BUG, "  trace tsc %lu kind %u code %u vcpu %x a %lx b %x", r->tsc,
			   r->kind, r->code, r->vcpu, r->a, r->b);
	}
}

static void (*flush)(void);

void panic_set_flush(void (*fn)(void))
{
	flush = fn;
}

static void flush_console(void)
{
	if (flush != NULL) {
		flush();
	}
}

void panic_stop(const char *fmt, ...)
{
	static uint32_t once;
	va_list ap;

	if (__atomic_exchange_n(&once, 1, __ATOMIC_SEQ_CST)) {
		cpu_halt();
	}
	spin_bypass_all();
	cpu_stop_others();
	flush_console();
	log_printf(LOG_BUG, "PANIC on CPU %u:", cpu_id());
	va_start(ap, fmt);
	log_vprintf(LOG_BUG, fmt, ap);
	va_end(ap);
	panic_backtrace((uint64_t)panic_stop, (uint64_t)__builtin_frame_address(0));
	print_trace();
	log_printf(LOG_BUG, "stopped: reset the machine");
	flush_console();
	cpu_halt();
}
