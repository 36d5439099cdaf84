/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks by name: the addresses that a VM brings with it from elsewhere. */
/* What switches and gateways do with packets is tested in their own programs. */
/* TEST_SOURCES: drivers/net/natnet.c drivers/net/hostif.c drivers/net/nat.c drivers/net/nat_table.c */
/* TEST_SOURCES: drivers/net/nat_packet.c drivers/net/dhcp.c drivers/net/dhcps.c drivers/net/dhcpc.c */
/* TEST_SOURCES: drivers/net/dns.c drivers/net/ipif.c drivers/net/arp.c drivers/net/ipv4.c */
/* TEST_SOURCES: drivers/net/ipv4_frags.c drivers/net/icmp.c drivers/net/tcp.c drivers/net/netswitch.c */
/* TEST_SOURCES: drivers/net/netport.c drivers/net/netguard.c drivers/net/mactable.c drivers/net/ratelimit.c */
/* TEST_SOURCES: drivers/net/pcap.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* TEST_SOURCES: drivers/net/checksum.c hv/lib/string.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/net/netfake.c */
/* TEST_SOURCES: drivers/net/network.c drivers/net/network_config.c drivers/net/uplink.c hv/lib/fmt.c */
#include "drivers/net/network.h"
#include "hv/lib/string.h"
#include "tests/unit/drivers/net/netfake.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The gateway of natnet's default subnet is 10.0.3.1. */
#define SUBNET	0x0a000300u
#define GATEWAY (SUBNET + 1)

static struct fake_port port[2];

static int setup(void **state)
{
	struct network_config c;

	(void)state;
	network_config_defaults(&c);
	string_copy(c.name, "lan", sizeof(c.name));
	c.mode = NETWORK_NATNET;
	return network_create(&c);
}

static void plug(unsigned int i)
{
	fake_port_init(&port[i], "port", FAKE_MAC(i + 1));
	assert_int_equal(netport_plug(&port[i].p, "lan"), 0);
}

static void test_address_from_elsewhere(void **state)
{
	static const uint32_t not_its[] = { 0,	       SUBNET, GATEWAY, SUBNET + 255, GATEWAY + 256,
					    0xffffffff };

	(void)state;
	plug(0);
	for (unsigned int i = 0; i < ARRAY_SIZE(not_its); i++) {
		netport_set_leased(&port[0].p, not_its[i]);
		assert_int_equal(netport_leased(&port[0].p), 0);
	}
	netport_set_leased(&port[0].p, SUBNET + 2);
	assert_int_equal(netport_leased(&port[0].p), SUBNET + 2);
	plug(1);
	netport_set_leased(&port[1].p, SUBNET + 2); /* somebody has it */
	assert_int_equal(netport_leased(&port[1].p), 0);
	netport_set_leased(&port[1].p, SUBNET + 254);
	assert_int_equal(netport_leased(&port[1].p), SUBNET + 254);
	netport_unplug(&port[0].p);
	netport_unplug(&port[1].p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_from_elsewhere),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
