/* SPDX-License-Identifier: BSD-2-Clause */
/* Once a second: time-outs of switches, leases, connections, ARP. */
/* Packets go their way on the threads of those who send them. */
#include "hv/mgmt/net_thread.h"
#include "arch/clock.h"
#include "drivers/net/network.h"
#include "hv/thread.h"

#define TICK_NS 1000000000ul

static void body(void *arg UNUSED)
{
	for (;;) {
		thread_sleep(TICK_NS);
		network_tick(clock_ticks_to_ns(clock_now()));
	}
}

int net_thread_start(void)
{
	const struct thread_params p = { .name = "net", .body = body };
	struct thread *t;

	return thread_create(&t, &p);
}
