/* SPDX-License-Identifier: BSD-2-Clause */
/* The network that tests of the network device play: plays the switch, and both ends of the card. */
/* The device is the real one. */
#include "tests/unit/drivers/virtio/fake_lan.h"
#include "drivers/net/netpkt.h"
#include "tests/unit/fakes/fake_driver.h"
#include "tests/unit/fakes/fake_heap.h"
#include "tests/unit/fakes/fake_page.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fake_lan lan;

int netport_plug(struct netport *p, const char *network)
{
	assert_string_equal(network, "lan");
	p->max_len = 1500 + NETPORT_MTU_TO_LEN;
	lan.port = p;
	lan.plugged++;
	return 0;
}

void netport_unplug(struct netport *p)
{
	assert_non_null(p);
	lan.plugged--;
}

void netport_set_rate(struct netport *p, uint64_t rate, uint64_t now)
{
	(void)p;
	(void)now;
	assert_int_equal(rate, 0);
}

void netport_set_link(struct netport *p, bool up)
{
	p->link = up;
}

void netport_ready(struct netport *p)
{
	assert_ptr_equal(p, lan.port);
	lan.ready++;
}

uint32_t netport_leased(const struct netport *p)
{
	assert_ptr_equal(p, lan.port);
	return 0x0a140002;
}

void netport_set_leased(struct netport *p, uint32_t ip)
{
	assert_ptr_equal(p, lan.port);
	lan.leased = ip;
}

void netport_lose(struct netport *p, enum netport_drop why)
{
	p->stats.drops[why]++;
}

void netport_burst_end(struct netburst *b)
{
	assert_non_null(b);
	lan.bursts++;
}

uint64_t netport_rate_wait(const struct netport *p, uint64_t now)
{
	(void)p;
	return lan.rate_wait > now ? lan.rate_wait : 0;
}

uint64_t netport_send(struct netport *p, const struct netpkt *pkt)
{
	assert_ptr_equal(p, lan.port);
	if (lan.wait != 0 && (memcmp(lan.full, "\0\0\0\0\0\0", 6) == 0 ||
			      memcmp(lan.full, pkt->seg[0].base, 6) == 0)) {
		return lan.wait;
	}
	if (!netpkt_is_sane(pkt)) {
		lan.malformed++;
		return 0;
	}
	lan.sent++;
	lan.last = *pkt;
	assert_int_equal(netpkt_copy(pkt, 0, lan.frame, sizeof(lan.frame)), pkt->len);
	return 0;
}

int lan_start(void **state)
{
	memset(&lan, 0, sizeof(lan));
	fake_nics = 1;
	return fake_pc_start(state);
}

int lan_stop(void **state)
{
	int r = fake_pc_stop(state);

	return lan.plugged == 0 && fake_page_live == 0 && fake_heap_live == 0 ? r : -1;
}

void lan_kick(unsigned int queue)
{
	drv_kick(queue);
	fake_pc_work();
}

void lan_put_frame(uint64_t gpa, uint32_t from, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		fake_ram[gpa + i] = (uint8_t)((from + i) * 2);
	}
}

void lan_put_header(uint64_t gpa, uint8_t flags, uint8_t gso, uint16_t size, uint16_t at,
		    uint16_t off)
{
	memset(&fake_ram[gpa], 0, VIRTIO_NET_HDR);
	fake_ram[gpa] = flags;
	fake_ram[gpa + 1] = gso;
	drv_put16(gpa + VIRTIO_NET_HDR_GSO_SIZE, size);
	drv_put16(gpa + VIRTIO_NET_HDR_CSUM_START, at);
	drv_put16(gpa + VIRTIO_NET_HDR_CSUM_OFFSET, off);
}

void lan_offer_frame(unsigned int q, uint16_t head, uint32_t len)
{
	uint64_t at = DRV_DATA(q) + 0x800ul * head;

	lan_put_header(at, 0, 0, 0, 0, 0);
	lan_put_frame(at + VIRTIO_NET_HDR, 0, len);
	drv_desc(q, head, at, VIRTIO_NET_HDR + len, 0, 0);
	drv_offer(q, head);
}

void lan_offer_room(unsigned int q, uint16_t head, uint32_t len)
{
	drv_desc(q, head, DRV_DATA(q) + 0x800ul * head, len, VIRTQ_DESC_WRITE, 0);
	drv_offer(q, head);
}

bool lan_arrive_as(uint32_t len, uint8_t flags, uint8_t gso, uint16_t more)
{
	static uint8_t frame[NETPKT_LEN_MAX];
	struct netseg seg[2] = { { frame, (uint32_t)u64_min(len, NETPKT_HEAD) },
				 { frame + NETPKT_HEAD,
				   len - (uint32_t)u64_min(len, NETPKT_HEAD) } };
	struct netpkt pkt = { .seg = seg,
			      .len = len,
			      .segs = len > NETPKT_HEAD ? 2 : 1,
			      .flags = flags,
			      .gso = gso,
			      .gso_size = 1448,
			      .csum_start = 34,
			      .csum_offset = 16,
			      .more = more };
	bool taken;

	for (uint32_t i = 0; i < len; i++) {
		frame[i] = (uint8_t)(i * 3);
	}
	frame[46] = 0x80; /* TCP: 32 bytes of header */
	taken = lan.port->ops->receive(lan.port, &pkt);
	lan.port->ops->flush(lan.port);
	fake_pc_work();
	return taken;
}

bool lan_arrive(uint32_t len, uint8_t flags, uint8_t gso, uint16_t more)
{
	return lan_arrive_as(len, (uint8_t)(flags | NETPKT_NOW), gso, more);
}
