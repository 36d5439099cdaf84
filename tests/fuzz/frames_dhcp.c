/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages of clients and servers, from the bytes of a fuzz input. */
/* What else there is on a wire is frames.c's. */
#include "tests/fuzz/frames_dhcp.h"
#include "tests/fuzz/frames.h"

#include <string.h>

static uint32_t offered; /* the address that a server has named last */

void frames_dhcp_begin(void)
{
	offered = 0;
}

void frames_dhcp_keep(const uint8_t *frame, uint32_t len)
{
	struct dhcp_msg m;

	if (len > UDP_DATA && dhcp_parse(frame + UDP_DATA, len - UDP_DATA, &m) && m.yiaddr != 0) {
		offered = m.yiaddr;
	}
}

/* What a server might say of itself; 0: nothing. */
static void put_some(struct dhcp_out *o)
{
	static const uint8_t options[] = { DHCP_OPT_MASK, DHCP_OPT_ROUTER, DHCP_OPT_DNS };
	static const uint32_t seconds[] = { 0, 10, 60, 600, 3600, ~0u };

	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
		uint32_t n = frames_take(1);

		dhcp_put32(o, options[i], n < 0x80 ? 0xffffff00 : n < 0xc0 ? 0 : frames_pick_ip());
	}
	for (unsigned int i = 0; i < 3; i++) {
		static const uint8_t times[] = { DHCP_OPT_LEASE, DHCP_OPT_T1, DHCP_OPT_T2 };

		dhcp_put32(o, times[i], seconds[frames_take(1) % ARRAY_SIZE(seconds)]);
	}
}

/* Any options, of any length; some say that there are more in other fields. */
static void put_any(struct dhcp_out *o)
{
	uint8_t data[16];

	for (unsigned int n = frames_take(1) % 6; n > 0; n--) {
		uint8_t option = (uint8_t)frames_take(1), len = (uint8_t)(frames_take(1) % 17);

		for (unsigned int i = 0; i < len; i++) {
			data[i] = (uint8_t)frames_take(1);
		}
		dhcp_put(o, option, data, len);
	}
}

static uint32_t put(uint8_t *frame, struct dhcp_out *o, uint64_t dst, uint64_t src, uint32_t dst_ip,
		    uint32_t src_ip)
{
	bool reply = o->buf[DHCP_OP] == DHCP_OP_REPLY;

	put_any(o);
	dhcp_end(o);
	memcpy(frame + UDP_DATA, o->buf, o->len);
	ipv4_build_udp(frame, src_ip, dst_ip, reply ? DHCP_SERVER_PORT : DHCP_CLIENT_PORT,
		       reply ? DHCP_CLIENT_PORT : DHCP_SERVER_PORT, o->len);
	fake_eth(frame, dst, src, ETH_IPV4);
	return UDP_DATA + o->len;
}

/* A server's answer to the host, mostly the one that it waits for; from guests: to each other. */
uint32_t frames_dhcp_answer(uint8_t *frame, const struct station *s)
{
	const uint8_t next = host.dhcpc.state == DHCPC_SELECTING ? DHCP_OFFER : DHCP_ACK;
	const uint8_t types[] = { next, next, DHCP_ACK, DHCP_NAK };
	uint32_t n = frames_take(1), who = frames_take(1);
	struct dhcp_msg m = { .op = DHCP_OP_REPLY,
			      .type = who < 0xf8 ? types[n % 4] : (uint8_t)n,
			      .xid = host.dhcpc.xid,
			      .yiaddr = n & 8 ? frames_pick_ip() : HOST_IP,
			      .chaddr = s->hop == HOST && who < 0xe0 ? HOST
								     : st[who % STATIONS].mac };
	struct dhcp_out o;

	dhcp_begin(&o, &m);
	dhcp_put32(&o, DHCP_OPT_SERVER, n & 16 ? frames_pick_ip() : FAKE_IP(1));
	put_some(&o);
	return put(frame, &o, m.chaddr, s->mac, n & 32 ? m.yiaddr : IPV4_BROADCAST, s->ip);
}

/* A client's message about the address that was offered last, or any; some come through a relay. */
uint32_t frames_dhcp_request(uint8_t *frame, const struct station *s)
{
	uint32_t n = frames_take(1), who = frames_take(1);
	uint64_t mac = who < 0xc0 ? s->mac : FAKE_MAC(0x2000 + who);
	uint32_t ip = n & 16 ? frames_pick_ip() : offered;
	struct dhcp_msg m = { .op = DHCP_OP_REQUEST,
			      .type = (uint8_t)(who % 9),
			      .xid = who,
			      .flags = (uint16_t)(n & 32 ? DHCP_FLAG_BROADCAST : 0),
			      .ciaddr = n & 64 ? ip : 0,
			      .giaddr = who == 0xff ? GW_IP : 0,
			      .chaddr = who == 0xfe ? GW : mac };
	struct dhcp_out o;

	dhcp_begin(&o, &m);
	dhcp_put32(&o, DHCP_OPT_REQUESTED, n & 64 ? 0 : ip);
	dhcp_put32(&o, DHCP_OPT_SERVER, n & 128 ? 0 : n & 8 ? GW_IP : frames_pick_ip());
	return put(frame, &o, n & 64 ? s->hop : ETH_BROADCAST, mac, n & 64 ? GW_IP : IPV4_BROADCAST,
		   m.ciaddr);
}
