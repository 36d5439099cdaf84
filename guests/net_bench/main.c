/* SPDX-License-Identifier: BSD-2-Clause */
/* Benchmark: a stream of packets between two guests. One sends as fast as its ring takes packets, the other */
/* says how many TSC ticks passed between the first and the last; or one floods a network, for ever. */
#include "guests/lib/cpu.h"
#include "guests/lib/guest.h"
#include "guests/lib/idt.h"
#include "guests/lib/lapic.h"
#include "guests/lib/mboot.h"
#include "guests/lib/mem.h"
#include "guests/lib/print.h"
#include "guests/lib/virtio.h"

#define VECTOR 0x50u /* of the queue: table entry 1 */
#define FEATURES                                                                                   \
	(1ul << VIRTIO_F_VERSION_1 | 1ul << VIRTIO_F_EVENT_IDX | 1ul << VIRTIO_NET_F_MRG_RXBUF |   \
	 1ul << VIRTIO_NET_F_CSUM | 1ul << VIRTIO_NET_F_GUEST_CSUM |                               \
	 1ul << VIRTIO_NET_F_HOST_TSO4 | 1ul << VIRTIO_NET_F_GUEST_TSO4 |                          \
	 1ul << VIRTIO_NET_F_GUEST_ECN)
#define RING	 256u
#define BUFFER	 2048u
#define SEG_LEN	 (54u + 65160u) /* Ethernet, IPv4 and TCP headers, 45 segments of 1448 bytes */
#define SEG_SIZE 1448u
#define LAST	 0xa5u /* first byte of the payload of a stream's last packet, */
#define FLOOD	 0x5au /* and of what belongs to no stream */
#define PAYLOAD	 54u

static struct virtio nic;
static uint8_t packet[VIRTIO_NET_HDR + SEG_LEN] __attribute__((aligned(4096)));
static uint8_t last[VIRTIO_NET_HDR + 64];
static uint8_t broadcast[VIRTIO_NET_HDR + 64];
static uint8_t buffers[RING][BUFFER] __attribute__((aligned(4096)));

static void on_interrupt(struct idt_frame *frame)
{
	(void)frame;
	lapic_eoi();
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void fence(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

/* Is a notification wanted by the device, whose wish lies behind the used ring? (2.7.10) */
static void kick_if_wanted(uint16_t before)
{
	uint16_t event;

	fence();
	event = virtio_used[2 + 4 * nic.size];
	if ((uint16_t)(nic.avail - event - 1) < (uint16_t)(nic.avail - before)) {
		virtio_kick(&nic);
	}
}

/* Sleeps until the device's index is past `seen` by at least `n`. */
static void wait_used(uint16_t seen, uint16_t n)
{
	virtio_avail[2 + nic.size] = (uint16_t)(seen + n - 1);
	fence();
	while ((uint16_t)(virtio_used[1] - seen) < n) {
		cpu_wait();
	}
}

/* ---- sending ---- */

/* RFC 791, RFC 9293: as much of the headers as a switch looks at. */
static void make_packet(uint8_t *p, unsigned int len)
{
	uint8_t *frame = p + VIRTIO_NET_HDR;

	memset(p, 0, VIRTIO_NET_HDR + PAYLOAD);
	memcpy(frame, "\x52\x54\0\0\0\2\x52\x54\0\0\0\1\x08\0\x45", 15);
	frame[5] = (uint8_t)mboot_number("to", 2);
	frame[11] = (uint8_t)mboot_number("from", 1);
	put16(frame + 16, len - 14);
	memcpy(frame + 20, "\x40\0\x40\x06", 4);
	memcpy(frame + 26, "\x0a\0\0\1\x0a\0\0\2", 8);
	frame[46] = 0x50;
	if (len > 1514) {
		p[VIRTIO_NET_HDR_FLAGS] = VIRTIO_NET_NEEDS_CSUM;
		p[VIRTIO_NET_HDR_GSO_TYPE] = VIRTIO_NET_GSO_TCP4;
		p[VIRTIO_NET_HDR_LEN] = PAYLOAD;
		p[VIRTIO_NET_HDR_GSO_SIZE] = SEG_SIZE & 0xff;
		p[VIRTIO_NET_HDR_GSO_SIZE + 1] = SEG_SIZE >> 8;
		p[VIRTIO_NET_HDR_CSUM_START] = 34;
		p[VIRTIO_NET_HDR_CSUM_OFFSET] = 16;
	}
}

static void offer_packet(uint8_t *p, unsigned int len)
{
	uint16_t i = nic.avail % RING;

	if ((uint16_t)(nic.avail - virtio_used[1]) == RING) {
		wait_used(virtio_used[1], RING / 2);
	}
	virtio_desc[i] = (struct virtio_desc){ (uintptr_t)p, VIRTIO_NET_HDR + len, 0, 0 };
	virtio_offer(&nic, i);
}

static void send_one(uint8_t *p, unsigned int len)
{
	uint16_t before = nic.avail;

	offer_packet(p, len);
	kick_if_wanted(before);
}

static void start_sending(void)
{
	virtio_start(&nic, 1, RING, FEATURES);
	virtio_msix(&nic, 2, VECTOR);
}

static void send(unsigned int len, uint64_t count)
{
	uint64_t begin;

	make_packet(packet, len);
	make_packet(last, 64);
	last[VIRTIO_NET_HDR + PAYLOAD] = LAST;
	start_sending();
	begin = cpu_tsc();
	for (uint64_t i = 0; i < count; i++) {
		send_one(packet, len);
	}
	send_one(last, 64);
	wait_used(virtio_used[1], (uint16_t)(nic.avail - virtio_used[1]));
	print("net_bench sent=%lu ticks=%lu\n", count, cpu_tsc() - begin);
}

/* The shortest packets, to one machine and to all in turn. */
static void flood(void)
{
	make_packet(packet, 64);
	packet[VIRTIO_NET_HDR + PAYLOAD] = FLOOD;
	memcpy(broadcast, packet, sizeof(broadcast));
	memset(broadcast + VIRTIO_NET_HDR, 0xff, 6);
	start_sending();
	for (;;) {
		send_one(packet, 64);
		send_one(broadcast, 64);
	}
}

/* ---- receiving ---- */

static void offer_buffer(uint16_t i)
{
	virtio_desc[i] = (struct virtio_desc){ (uintptr_t)buffers[i], BUFFER, VIRTQ_DESC_WRITE, 0 };
	virtio_offer(&nic, i);
}

struct stream {
	uint64_t first, newest;
	unsigned int packets, buffers;
	bool ended;
};

static void note_packet(struct stream *s, uint8_t kind, unsigned int report)
{
	s->newest = cpu_tsc();
	if (kind == LAST) {
		s->ended = true;
		return;
	}
	if (s->packets++ == 0) {
		s->first = s->newest;
	}
	if (report != 0 && s->packets % report == 0) {
		print("net_bench %u at %lu\n", s->packets, s->newest);
	}
}

/* The used ring's entry of a packet's first buffer tells where it begins, its header how many there are. */
static uint16_t take_packet(struct stream *s, uint16_t seen, unsigned int report)
{
	uint16_t i = virtio_used[2 + 4 * (seen % RING)];
	unsigned int count = buffers[i][VIRTIO_NET_HDR_BUFFERS];

	if (buffers[i][VIRTIO_NET_HDR + PAYLOAD] != FLOOD) {
		note_packet(s, buffers[i][VIRTIO_NET_HDR + PAYLOAD], report);
	}
	for (unsigned int k = 0; k < count; k++) {
		offer_buffer(virtio_used[2 + 4 * ((seen + k) % RING)]);
	}
	s->buffers += count;
	return (uint16_t)(seen + count);
}

static void receive(void)
{
	unsigned int report = (unsigned int)mboot_number("report", 0);
	struct stream s = { 0 };
	uint16_t seen = 0, offered = 0;

	virtio_start(&nic, 0, RING, FEATURES);
	virtio_msix(&nic, 2, VECTOR);
	for (uint16_t i = 0; i < RING; i++) {
		offer_buffer(i);
	}
	virtio_kick(&nic);
	offered = nic.avail;
	print("net_bench ready\n");
	while (!s.ended) {
		wait_used(seen, 1);
		while (!s.ended && virtio_used[1] != seen) {
			seen = take_packet(&s, seen, report);
		}
		if ((uint16_t)(nic.avail - offered) >= RING / 4) {
			kick_if_wanted(offered);
			offered = nic.avail;
		}
	}
	print("net_bench received=%u ticks=%lu buffers=%u\n", s.packets, s.newest - s.first,
	      s.buffers);
	while (mboot_has("stay")) {
		cpu_wait();
	}
}

void guest_main(void)
{
	unsigned int len = (unsigned int)mboot_number("send", 0);

	if (!virtio_find(&nic, VIRTIO_ID_NET)) {
		print("no virtio network card\n");
		return;
	}
	lapic_init();
	idt_handle(VECTOR + 1, on_interrupt);
	if (mboot_has("flood")) {
		flood();
	} else if (len != 0) {
		send(len < SEG_LEN ? len : SEG_LEN, mboot_number("count", 1000));
	} else {
		receive();
	}
}
