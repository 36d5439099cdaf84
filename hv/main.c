/* SPDX-License-Identifier: BSD-2-Clause */
/* The order in which the hypervisor comes up, and nothing else. */
/* Everything that has no order registers itself in a linker section. */
#include "arch/clock.h"
#include "arch/cpu.h"
#include "arch/hvm.h"
#include "arch/paging.h"
#include "boot/boot_info.h"
#include "drivers/host/host_pci.h"
#include "drivers/host/uart.h"
#include "hv/base/log.h"
#include "hv/base/page.h"
#include "hv/base/panic.h"
#include "hv/base/stretch.h"
#include "hv/base/trace.h"
#include "hv/crash_test.h"
#include "hv/lib/fmt.h"
#include "hv/mgmt/bootfs.h"
#include "hv/mgmt/console.h"
#include "hv/mgmt/disk.h"
#include "hv/mgmt/loader.h"
#include "hv/mgmt/screen.h"
#include "hv/thread.h"
#include "hv/timer.h"
#include "hv/vm_manager.h"
#include "hv/vm_memory.h"
#include "version.h"

#define COM1	  0x3f8
#define COM1_IRQ  4u
#define COM1_BAUD 115200u
#define WATCH_NS  2000000000ul

/* Lines of the log as a terminal wants them; the console's own sink takes over later. */
static void log_to_uart(const char *text, size_t len)
{
	uart_write(text, len - 1);
	uart_write("\r\n", 2);
}

static void log_memory(const struct boot_info *info)
{
	struct page_stats s;
	char total[16], free[16];

	page_stats(&s);
	log_printf(LOG_INFO, "memory: %s of RAM, %s free; %u boot modules (%s)",
		   fmt_size(total, sizeof(total), s.total), fmt_size(free, sizeof(free), s.free),
		   info->module_count, info->loader);
}

/* What every CPU does before it schedules. */
static void start_cpu(void)
{
	BUG_ON(trace_init_cpu() != 0);
	thread_init_cpu();
	if (hvm != NULL && hvm_cpu_enable() != 0) {
		panic_stop("CPU %u cannot enable %s as the first one did", cpu_id(), hvm->name);
	}
}

/* A CPU that hangs is found by the one before it, within 10 s and this. */
static void watch(struct timer *t)
{
	cpu_watch();
	uart_poll();
	timer_set(t, clock_now() + clock_ns_to_ticks(WATCH_NS));
}

static void start_watch(void)
{
	static struct timer watchdogs[CPU_MAX];
	struct timer *t = &watchdogs[cpu_id()];

	timer_init(t, watch);
	watch(t);
}

static uint32_t scheduling; /* CPUs other than the first that take threads; atomic */

static void other_cpu_main(void)
{
	start_cpu();
	start_watch();
	stretch_reset();
	__atomic_fetch_add(&scheduling, 1, __ATOMIC_RELEASE);
	thread_idle_loop();
}

/* They are up when this returns: a thread may be pinned to any. Nothing else runs yet. */
static unsigned int start_others(void)
{
	unsigned int started = cpu_start_others(other_cpu_main);

	while (__atomic_load_n(&scheduling, __ATOMIC_ACQUIRE) < started) {
		cpu_relax();
	}
	return started;
}

void hv_main(const struct boot_info *info)
{
	cpu_boot_init();
	uart_early_init(COM1, COM1_BAUD);
	panic_set_flush(screen_flush);
	log_set_sink(log_to_uart, LOG_INFO);
	log_printf(LOG_INFO, "Insula %s (%s)", INSULA_VERSION, INSULA_GIT);
	page_init(info);
	paging_init(info);
	log_memory(info);
	BUG_ON(cpu_platform_init(info) != 0);
	clock_set_alarm(timer_alarm);
	uart_start(COM1_IRQ);
	hvm_init(info->cmdline);
	start_cpu();
	log_printf(LOG_INFO, "cpu: %s; %u running", cpu_brand(), start_others() + 1);
	log_printf(LOG_INFO, "clock: TSC at %lu kHz by the %s", clock_hz() / 1000,
		   clock_reference());
	start_watch();
	bootfs_init(info);
	vm_memory_init();
	BUG_ON(vm_manager_start() != 0);
	loader_init();
	disk_init();
	host_pci_start();
	BUG_ON(console_start(info) != 0);
	crash_test_start(info->cmdline);
	stretch_reset();
	thread_idle_loop();
}
