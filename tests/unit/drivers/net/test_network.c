/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks by name: addresses that a VM brings with it from elsewhere, uplinks, ports that lead to VMs. */
/* What switches and gateways do with packets is tested in their own programs. */
/* TEST_SOURCES: drivers/net/ping.c */
/* TEST_SOURCES: drivers/net/natnet.c drivers/net/hostif.c drivers/net/nat.c drivers/net/nat_table.c */
/* TEST_SOURCES: drivers/net/nat_packet.c drivers/net/dhcp.c drivers/net/dhcps.c drivers/net/dhcpc.c */
/* TEST_SOURCES: drivers/net/dns.c drivers/net/ipif.c drivers/net/arp.c drivers/net/ipv4.c */
/* TEST_SOURCES: drivers/net/ipv4_frags.c drivers/net/icmp.c drivers/net/tcp.c drivers/net/netswitch.c */
/* TEST_SOURCES: drivers/net/netport.c drivers/net/netguard.c drivers/net/mactable.c hv/lib/ratelimit.c */
/* TEST_SOURCES: drivers/net/pcap.c drivers/net/netpkt.c drivers/net/frame.c drivers/net/gso.c */
/* TEST_SOURCES: drivers/net/checksum.c hv/lib/string.c tests/unit/fakes/fake_lock.c */
/* TEST_SOURCES: tests/unit/fakes/fake_heap.c tests/unit/fakes/fake_panic_abort.c */
/* TEST_SOURCES: tests/unit/drivers/net/netfake.c */
/* TEST_SOURCES: drivers/net/network.c drivers/net/network_config.c drivers/net/uplink.c hv/lib/fmt.c */
/* TEST_SOURCES: drivers/net/network_forward.c drivers/net/network_subnet.c hv/lib/errno.c */
#include "drivers/net/network.h"
#include "drivers/net/network_forward.h"
#include "drivers/net/uplink.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
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

/* ---- a host NIC: what is beyond it is NIC_PEER, whose server gives the host an address ---- */

#define NIC_MAC	 FAKE_MAC(0x50)
#define NIC_PEER FAKE_MAC(0x60)
#define PEER_IP	 0xc0000201u /* 192.0.2.1 */
#define HOST_IP	 0xc0000205u
static uint32_t host_ip = HOST_IP;

static struct fake_port nic;
static bool promiscuous;
static unsigned int logged;
static uint8_t frame[2048];

void log_printf(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
	logged++;
}

static void set_promiscuous(struct netport *p, bool on)
{
	assert_ptr_equal(p, &nic.p);
	promiscuous = on;
}

static const struct netnic_ops nic_ops = { .driver = "fake", .set_promiscuous = set_promiscuous };

static int create(const char *name, enum network_mode mode, const char *uplink)
{
	struct network_config c;

	network_config_defaults(&c);
	string_copy(c.name, name, sizeof(c.name));
	string_copy(c.uplink, uplink, sizeof(c.uplink));
	c.mode = mode;
	return network_create(&c);
}

static void test_no_uplink(void **state)
{
	const struct uplink_config c = { .uplink = "nic0" };

	(void)state;
	assert_null(uplink_next(NULL));
	assert_int_equal(create("early", NETWORK_BRIDGE, "nic0"), -ENODEV);
	assert_int_equal(create("early", NETWORK_NATNET, "nic0"), -ENODEV);
	assert_null(network_find("early"));
	assert_int_equal(uplink_configure(&c), -ENODEV);
}

static void test_offer(void **state)
{
	(void)state;
	fake_port_init(&nic, "", NIC_MAC);
	nic.p.policy = NETPORT_UPLINK | NETPORT_NEVER_WAIT;
	assert_int_equal(netport_offer(&nic.p, &nic_ops), 0);
	assert_string_equal(nic.p.name, "nic0");
	assert_non_null(uplink_find("nic0"));
	assert_null(uplink_find("nic1"));
	assert_null(uplink_find("nic0")->host);
	assert_false(promiscuous);
}

static void test_host_address(void **state)
{
	struct uplink_config c = { .uplink = "nic0",
				   .address = { HOST_IP, 24 },
				   .router = PEER_IP };

	(void)state;
	uplink_set_hostname("a host_1.x");
	assert_int_equal(uplink_configure(&c), 0);
	assert_int_equal(uplink_find("nic0")->host->outside.addr, HOST_IP);
	assert_string_equal(uplink_find("nic0")->host->c.hostname, "a-host-1.x");
	assert_int_equal(uplink_configure(&c), -EBUSY);
	assert_false(promiscuous); /* only for guests */
}

/* Two bridges on one NIC are one segment: guests and the world beyond see each other. */
static void test_bridge(void **state)
{
	uint32_t len;

	(void)state;
	assert_int_equal(create("wire", NETWORK_BRIDGE, "nic0"), 0);
	assert_int_equal(create("wire2", NETWORK_BRIDGE, "nic0"), 0);
	assert_true(promiscuous);
	fake_port_init(&port[0], "a.0", FAKE_MAC(1));
	fake_port_init(&port[1], "b.0", FAKE_MAC(2));
	assert_int_equal(netport_plug(&port[0].p, "wire"), 0);
	assert_int_equal(netport_plug(&port[1].p, "wire2"), 0);
	len = fake_udp(frame, FAKE_MAC(2), FAKE_MAC(1), FAKE_IP(1), FAKE_IP(2), 1, 2, 30);
	fake_send(&port[0], frame, len);
	assert_int_equal(port[1].count, 1);
	len = fake_udp(frame, FAKE_MAC(1), NIC_PEER, FAKE_IP(9), FAKE_IP(1), 1, 2, 30);
	fake_send(&nic, frame, len);
	assert_int_equal(port[0].count, 1);
	fake_port_clear(&nic);
	len = fake_udp(frame, NIC_PEER, FAKE_MAC(1), FAKE_IP(1), FAKE_IP(9), 1, 2, 30);
	fake_send(&port[0], frame, len);
	assert_int_equal(nic.count, 1);
	assert_int_equal(port[1].count, 1); /* not for it */
	netport_unplug(&port[0].p);
	netport_unplug(&port[1].p);
	fake_port_clear(&port[0]);
	fake_port_clear(&port[1]);
	fake_port_clear(&nic);
}

/* ---- forwards ---- */

/* A packet to that port of the host's arrives: does p get it? The guest's address is then in *ip. */
static bool leads_to(struct fake_port *p, uint16_t out_port, uint16_t in_port, uint32_t *ip)
{
	uint32_t len = fake_udp(frame, NIC_MAC, NIC_PEER, PEER_IP, host_ip, 999, out_port, 30);
	bool got = false;

	fake_port_clear(p);
	fake_send(&nic, frame, len);
	for (unsigned int i = 0; i < p->count; i++) {
		const uint8_t *f = p->got[i].data;

		if (wire_get16(f + ETH_TYPE) == ETH_ARP) { /* the gateway looks for it: answer */
			uint32_t asked = wire_get32(f + ETH_LEN + ARP_TPA);

			len = fake_arp(frame, wire_get48(f + ETH_SRC), wire_get48(p->p.mac),
				       ARP_REPLY, wire_get48(p->p.mac), asked,
				       wire_get48(f + ETH_SRC), wire_get32(f + ETH_LEN + ARP_SPA));
			netport_set_leased(&p->p, asked);
			fake_port_clear(p);
			fake_send(p, frame, len);
			i = ~0u;
			continue;
		}
		got = wire_get16(f + 34 + UDP_DPORT) == in_port;
		*ip = wire_get32(f + ETH_LEN + IPV4_DST);
	}
	fake_port_clear(&port[0]);
	fake_port_clear(&port[1]);
	fake_port_clear(&nic);
	return got;
}

static const struct network_forward fwd = { 17, 5000, 50, "web1" };
static const struct network_forward fwd2 = { 17, 5001, 51, "web1" };

static void plug_vm(struct fake_port *p, const char *name, uint64_t mac, const char *net)
{
	fake_port_init(p, name, mac);
	assert_int_equal(netport_plug(&p->p, net), 0);
}

/* It comes with its VM and goes with it; names that only begin so are others'. */
static void test_forward_comes_and_goes(void **state)
{
	const struct network_forward same = { 17, 5009, 50, "web1" };
	const struct network *net;
	uint32_t ip = 0, again = 0;

	(void)state;
	assert_int_equal(create("dmz", NETWORK_NATNET, "nic0"), 0);
	net = network_find("dmz");
	assert_int_equal(network_forward_add(net, &fwd), 0);
	assert_int_equal(network_forward_add(net, &fwd), -EEXIST);
	assert_int_equal(network_forward_add(net, &same), -EBUSY); /* as in a configuration */
	plug_vm(&port[1], "web1.x.0", FAKE_MAC(2), "dmz");
	assert_false(leads_to(&port[1], 5000, 50, &ip));
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "dmz");
	assert_true(leads_to(&port[0], 5000, 50, &ip));
	assert_int_equal(ip, SUBNET + 2);
	netport_unplug(&port[0].p);
	fake_port_clear(&port[0]);
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "dmz");
	assert_true(leads_to(&port[0], 5000, 50, &again));
	assert_int_equal(network_forward_add(net, &fwd2), 0); /* while it is plugged in */
	assert_true(leads_to(&port[0], 5001, 51, &again));
	assert_int_equal(again, ip);
	assert_int_equal(network_forward_remove(net, 17, 5000), 0);
	assert_int_equal(network_forward_remove(net, 17, 5000), -ENOENT);
	assert_true(leads_to(&port[0], 5001, 51, &ip));
	assert_int_equal(network_forward_remove(net, 17, 5001), 0);
	netport_unplug(&port[0].p);
	netport_unplug(&port[1].p);
	assert_int_equal(logged, 0);
}

/* A restored VM goes on with the address that it had elsewhere. */
static void test_forward_moves(void **state)
{
	const struct network *net = network_find("dmz");
	const struct network_forward f = { 17, 5002, 52, "web1" };
	uint32_t ip = 0;

	(void)state;
	assert_int_equal(network_forward_add(net, &f), 0);
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "dmz");
	netport_set_leased(&port[0].p, SUBNET + 77);
	network_tick(fake_time);
	assert_true(leads_to(&port[0], 5002, 52, &ip));
	assert_int_equal(ip, SUBNET + 77);
	assert_int_equal(network_forward_remove(net, 17, 5002), 0);
	netport_unplug(&port[0].p);
}

/* In mode nat each NIC has a segment of its own: two VMs' addresses are the same, their ports are not. */
static void test_forward_nat(void **state)
{
	const struct network_forward f = { 17, 6000, 60, "web1" }, g = { 17, 6001, 60, "web2" };
	uint32_t ip = 0;

	(void)state;
	assert_int_equal(create("own", NETWORK_NAT, "nic0"), 0);
	assert_int_equal(network_forward_add(network_find("own"), &f), 0);
	assert_int_equal(network_forward_add(network_find("own"), &g), 0);
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "own");
	plug_vm(&port[1], "web2.0", FAKE_MAC(2), "own");
	assert_true(leads_to(&port[0], 6000, 60, &ip));
	assert_int_equal(ip, 0x0a000202);
	assert_true(leads_to(&port[1], 6001, 60, &ip));
	assert_int_equal(ip, 0x0a000202);
	netport_unplug(&port[0].p);
	assert_true(leads_to(&port[1], 6001, 60, &ip));
	netport_unplug(&port[1].p);
	assert_int_equal(network_forward_remove(network_find("own"), 17, 6000), 0);
	assert_int_equal(network_forward_remove(network_find("own"), 17, 6001), 0);
}

/* A port that another network has, or a VM's that another port leads to: the command says so, and takes nothing. */
static void test_forward_taken(void **state)
{
	const struct network_forward f = { 17, 7000, 70, "web1" }, g = { 17, 7000, 70, "web2" },
				     again = { 17, 7001, 70, "web1" };
	const struct network *dmz = network_find("dmz"), *own = network_find("own");

	(void)state;
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "dmz");
	plug_vm(&port[1], "web2.0", FAKE_MAC(2), "own");
	assert_int_equal(network_forward_add(dmz, &f), 0);
	assert_int_equal(network_forward_add(own, &g), -EEXIST);
	netport_unplug(&port[0].p);
	assert_int_equal(network_forward_add(own, &g), -EEXIST); /* while web1 is off, too */
	assert_int_equal(own->c.forwards, 0);
	assert_int_equal(network_forward_add(dmz, &again), -EBUSY);
	assert_int_equal(network_forward_remove(dmz, 17, 7000), 0);
	assert_int_equal(network_forward_add(network_find("lan"), &f), -EINVAL);
	assert_int_equal(network_forward_add(network_find("wire"), &f), -EINVAL);
	netport_unplug(&port[1].p);
}

/* One that cannot be opened, since the host itself uses its port, is no obstacle to others. */
static void test_forward_beside_one_that_is_not_open(void **state)
{
	const struct network_forward g = { 17, 7000, 70, "web2" }, h = { 17, 7001, 71, "web2" },
				     other = { 17, 7002, 72, "gone" };
	const struct network *own = network_find("own");
	struct nat *nat = &own->uplink->host->nat;
	uint16_t used;
	uint32_t ip;

	(void)state;
	assert_int_equal(network_forward_add(own, &g), 0);
	assert_int_equal(nat_host_port(nat, 17, 7000, &used), 0);
	plug_vm(&port[1], "web2.0", FAKE_MAC(2), "own");
	assert_true(logged > 0);
	assert_int_equal(network_forward_add(own, &other), 0);
	assert_int_equal(network_forward_add(own, &h), 0);
	assert_true(leads_to(&port[1], 7001, 71, &ip));
	assert_int_equal(network_forward_remove(own, 17, 7000), 0);
	assert_int_equal(network_forward_remove(own, 17, 7001), 0);
	assert_int_equal(network_forward_remove(own, 17, 7002), 0);
	netport_unplug(&port[1].p);
	nat_host_port_free(nat, 17, 7000);
}

static struct netport *held;

/* What network_forward_add does with a port that it holds. */
static void open_late(void)
{
	on_yield = NULL;
	network_forward_plug(container_of(held->sw, struct network_segment, sw), held);
	netswitch_release_port(held);
}

/* One that is opened while its VM's NIC is on its way out does not stay. */
static void test_forward_to_a_leaving_nic(void **state)
{
	const struct network *own = network_find("own");

	(void)state;
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "own");
	held = netswitch_hold_port(port[0].p.sw, "web1.0");
	assert_ptr_equal(held, &port[0].p);
	((struct network *)own)->c.forward[0] = fwd;
	((struct network *)own)->c.forwards = 1;
	on_yield = open_late;
	netport_unplug(&port[0].p);
	assert_null(on_yield);
	assert_null(own->open[0].segment);
	assert_int_equal(network_forward_remove(own, 17, 5000), 0);
}

/* ---- RFC 4787, REQ-7: the host's network has the addresses that a private segment has ---- */

#define NAT_SUBNET   0x0a000200u /* 10.0.2.0/24 */
#define NAT_INSTEAD  0xac1f0200u /* 172.31.2.0/24 */
#define COLLIDING_IP (NAT_SUBNET + 5)

static const struct network_forward home = { 17, 8000, 80, "web1" };

/* As DHCP would: the host, and what is beyond its NIC. */
static void move_host(uint32_t ip)
{
	struct hostif *h = uplink_find("nic0")->host;

	host_ip = ip;
	ipif_set_address(&h->outside, ip, 0xffffff00, (ip & 0xffffff00) + 1);
	logged = 0;
	network_tick(fake_time);
}

static int setup_home(void **state)
{
	(void)state;
	return network_forward_add(network_find("own"), &home);
}

static int teardown_home(void **state)
{
	(void)state;
	move_host(HOST_IP);
	return network_forward_remove(network_find("own"), 17, 8000);
}

static struct natnet *gateway_of(const struct fake_port *p)
{
	return container_of(p->p.sw, struct network_segment, sw)->gateway;
}

/* Known beforehand, it is kept clear of from the first; the guest reaches its neighbours there. */
static void test_rfc4787_req7_known(void **state)
{
	uint32_t ip = 0, len;

	(void)state;
	move_host(COLLIDING_IP);
	assert_int_equal(network_subnet(network_find("own")).addr, NAT_INSTEAD);
	assert_int_equal(network_subnet(network_find("dmz")).addr, SUBNET); /* is another */
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "own");
	assert_true(leads_to(&port[0], 8000, 80, &ip));
	assert_int_equal(ip, NAT_INSTEAD + 2);
	len = fake_udp(frame, wire_get48(gateway_of(&port[0])->inside.port.mac), FAKE_MAC(1), ip,
		       NAT_SUBNET + 77, 1, 2, 30);
	fake_send(&port[0], frame, len);
	assert_int_equal(nic.count, 1);
	assert_int_equal(wire_get16(nic.got[0].data + ETH_TYPE), ETH_ARP);
	assert_int_equal(wire_get32(nic.got[0].data + ETH_LEN + ARP_TPA), NAT_SUBNET + 77);
	fake_port_clear(&nic);
	netport_unplug(&port[0].p);
	assert_int_equal(logged, 0);
}

/* Learnt while a VM runs that has no address yet: the forward moves, too. */
static void test_rfc4787_req7_learnt(void **state)
{
	uint32_t ip = 0;

	(void)state;
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "own");
	assert_int_equal(gateway_of(&port[0])->inside.addr, NAT_SUBNET + 1);
	move_host(COLLIDING_IP);
	assert_int_equal(logged, 1);
	assert_int_equal(gateway_of(&port[0])->inside.addr, NAT_INSTEAD + 1);
	assert_true(leads_to(&port[0], 8000, 80, &ip));
	assert_int_equal(ip, NAT_INSTEAD + 2);
	network_tick(fake_time);
	assert_int_equal(logged, 1);
	netport_unplug(&port[0].p);
}

/* An address that a guest has stays, and so does a subnet that was configured: the log says so, once. */
static void test_rfc4787_req7_in_use(void **state)
{
	struct network_config c;
	struct dhcps_lease *l;

	(void)state;
	plug_vm(&port[0], "web1.0", FAKE_MAC(1), "own");
	l = &gateway_of(&port[0])->dhcp.lease[7];
	l->state = DHCPS_BOUND;
	l->expires = fake_time + 1;
	move_host(COLLIDING_IP);
	network_tick(fake_time);
	assert_int_equal(gateway_of(&port[0])->inside.addr, NAT_SUBNET + 1);
	assert_int_equal(logged, 1);
	l->state = DHCPS_FREE;
	netport_set_leased(&port[0].p, NAT_SUBNET + 2); /* a restored VM's */
	network_tick(fake_time);
	assert_int_equal(gateway_of(&port[0])->inside.addr, NAT_SUBNET + 1);
	port[0].p.guard.leased = 0;
	network_tick(fake_time);
	assert_int_equal(gateway_of(&port[0])->inside.addr, NAT_INSTEAD + 1);
	netport_unplug(&port[0].p);
	network_config_defaults(&c);
	string_copy(c.name, "fixed", sizeof(c.name));
	string_copy(c.uplink, "nic0", sizeof(c.uplink));
	c.mode = NETWORK_NATNET;
	c.subnet = (struct network_subnet){ NAT_SUBNET, 23 };
	assert_int_equal(network_create(&c), 0);
	logged = 0;
	network_tick(fake_time);
	network_tick(fake_time);
	assert_int_equal(logged, 1);
	assert_int_equal(network_subnet(network_find("fixed")).addr, NAT_SUBNET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_from_elsewhere),
		cmocka_unit_test(test_no_uplink),
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_host_address),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_forward_comes_and_goes),
		cmocka_unit_test(test_forward_moves),
		cmocka_unit_test(test_forward_nat),
		cmocka_unit_test(test_forward_taken),
		cmocka_unit_test(test_forward_beside_one_that_is_not_open),
		cmocka_unit_test(test_forward_to_a_leaving_nic),
		cmocka_unit_test_setup_teardown(test_rfc4787_req7_known, setup_home, teardown_home),
		cmocka_unit_test_setup_teardown(test_rfc4787_req7_learnt, setup_home,
						teardown_home),
		cmocka_unit_test_setup_teardown(test_rfc4787_req7_in_use, setup_home,
						teardown_home),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
