/* SPDX-License-Identifier: BSD-2-Clause */
/* What plugs into a switch: a guest's NIC, a host NIC, an endpoint of the hypervisor's; and the packets */
/* that they exchange. The one header of this folder that drivers elsewhere see. No clock: senders say when. */
#ifndef DRIVERS_NET_NETPORT_H
#define DRIVERS_NET_NETPORT_H

#include "drivers/net/netguard.h"
#include "hv/lib/ratelimit.h"
#include "hv/lib/types.h"

struct netport;
struct netswitch;
struct pcap;

/* ---- packets ---- */

/*
 * The first segment is the head: exactly the first NETPKT_HEAD bytes of a frame, or all of a shorter one.
 * Every header up to TCP's options, and an ICMP error's quotation, fit. It lies in memory that nobody
 * changes meanwhile, never in a guest's. Segments behind may be guest memory, mapped in the calling
 * thread's address space only: their bytes can change under the reader, and decide nothing.
 */
#define NETPKT_HEAD	160u
#define NETPKT_SEGS_MAX 64u /* received; sent one less: put more together first */
#define NETPKT_LEN_MAX	(14u + 4 + 40 + 65535) /* tagged Ethernet around the longest IPv6 packet */
#define NETPKT_GSO_MIN	48u		       /* shorter payloads per segment are refused */

struct netseg {
	const uint8_t *base;
	uint32_t len;
};

/* Virtio 1.2, 5.1.6 "Device Operation", speaks of the same five things in its header. */
enum netpkt_flags {
	NETPKT_CSUM_PARTIAL =
		1, /* the field at csum_start + csum_offset holds the pseudo header's sum;
				    the rest, from csum_start to the end, is still to be added */
	NETPKT_CSUM_VALID = 2, /* the TCP or UDP checksum is known to be right */
	NETPKT_ECN = 4,	       /* of a GSO packet: CWR is set, for the first segment only */
	NETPKT_CUT = 8,	       /* given to a receiver: cut from a GSO packet, and not its first */
	NETPKT_NOW = 16,       /* given to a receiver: nobody will wait if it has no room */
};
enum netpkt_gso {
	NETPKT_GSO_NONE,
	NETPKT_GSO_TCP4, /* one TCP segment longer than fits: to be cut every gso_size bytes of */
	NETPKT_GSO_TCP6, /* payload; always NETPKT_CSUM_PARTIAL too */
};

/*
 * Receivers of packets that are sent one right behind the other: they are told to pass on what they got when
 * the sender says that this was all, netport_burst_end(), or when there are more than fit in here.
 */
#define NETBURST_PORTS 4u
struct netburst {
	struct netport *to[NETBURST_PORTS];
	unsigned int count;
};

/* A frame without FCS. Belongs to the sender and is valid during the call only. */
struct netpkt {
	const struct netseg *seg;
	struct netburst *burst; /* NULL: it comes alone */
	uint64_t time;		/* ns since power-on, never going back */
	uint32_t len;		/* of all segments together */
	uint16_t segs;
	uint8_t flags; /* enum netpkt_flags */
	uint8_t gso;   /* enum netpkt_gso */
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
	uint16_t more; /* segments of the same GSO packet that follow at once; see receive */
};

/* ---- ports ---- */

enum netport_offload {			 /* what a port takes without help */
		       NETPORT_CSUM = 1, /* NETPKT_CSUM_PARTIAL; the gso kinds below need it */
		       NETPORT_TCP4 = 2,
		       NETPORT_TCP6 = 4,
};

enum netport_policy {
	NETPORT_ISOLATED = 1, /* exchanges nothing with other isolated ports */
	NETPORT_UPLINK = 2,   /* leads elsewhere: many addresses; its DHCP servers are believed */
	NETPORT_TAGGED = 4,   /* may send frames with VLAN tags */
	NETPORT_NEVER_WAIT =
		8, /* netport_send never asks it to wait: a full receiver loses the packet */
	NETPORT_SPOOFS = 16, /* netport_plug() leaves it unguarded */
};

/*
 * Segments that are made in software of one packet, and that a receiver must have room for: 64 KiB for
 * an MTU of 576 need some 120.
 */
#define GSO_CUT_MAX 126u

/*
 * Called on whatever thread sends or makes room (resume: perhaps with another VM's lock of its devices held),
 * and from within the port's own netport_send. So: no sleep, no LOCK_DEVICES. One lock of rank LOCK_NET_PORT
 * is the port's own. What receive does is done with interrupts masked: at most 15,000 instructions.
 */
struct netport_ops {
	/*
	 * Copies pkt out and returns true. False: no room; pkt is then lost or offered again, and the
	 * port owes a netport_ready(). With pkt->more, false unless all of those fit too: they follow
	 * with NETPKT_CUT, others' packets perhaps in between, and room is kept for them. pkt needs no
	 * more than the port's offload, and is no longer than its max_len unless it is GSO.
	 */
	bool (*receive)(struct netport *p, const struct netpkt *pkt);
	/* A netport_send that had to wait may go on. NULL for NETPORT_NEVER_WAIT. Wakes someone, no more. */
	void (*resume)(struct netport *p);
	/* NULL or: p->link has changed. */
	void (*link_changed)(struct netport *p);
	/* NULL or: after one or more packets were taken: nothing follows at once. Wakes someone. */
	void (*flush)(struct netport *p);
};

/* Why packets are lost; netport_drop_name() has the words. */
enum netport_drop {
	NETPORT_DROP_MALFORMED, /* sent: too short, too long, offload that makes no sense */
	NETPORT_DROP_SPOOFED, /* sent: an address that is not the port's, an answer only servers give */
	NETPORT_DROP_FILTERED, /* sent: nobody may get it: isolation, tags, reserved addresses, GSO for all */
	NETPORT_DROP_LINK,     /* sent to or from a port whose link is down */
	NETPORT_DROP_FULL,     /* received: no room */
	NETPORT_DROP_RATE,     /* received: over the port's rate */
	NETPORT_DROP_TOO_LONG, /* received: longer than the port's max_len, or cut small without help */
	NETPORT_DROP_CROWDED, /* sent: too many others wait for receivers that are full */
	NETPORT_DROPS,
};
const char *netport_drop_name(enum netport_drop why);

/*
 * Sent and received as the port's owner sees it; what was sent may have been dropped behind that. A GSO
 * packet counts once. Written with relaxed atomics; read at any time.
 */
struct netport_stats {
	uint64_t sent, sent_bytes;
	uint64_t received, received_bytes;
	uint64_t waits; /* sends that were told to wait */
	uint64_t drops[NETPORT_DROPS];
};

#define NETPORT_NAME	   40u
#define NETPORT_MTU_TO_LEN 14u /* max_len of a port without tags, less its MTU */

struct netport {
	const struct netport_ops *ops; /* (c) */
	char name[NETPORT_NAME];       /* (c) "web1.0", "nic0", "gateway" */
	uint8_t mac[6];		       /* (c) what is behind it; not looked at for NETPORT_UPLINK */
	uint32_t offload;	    /* enum netport_offload; the owner may change it at any time */
	uint32_t max_len;	    /* longest frame; 14 or 18 more than the MTU */
	uint32_t policy;	    /* (c) enum netport_policy */
	bool link;		    /* netport_set_link() */
	struct ratelimit send_rate; /* [switch] what the owner may send: it waits */
	struct ratelimit receive_rate; /* [switch] what it gets: senders wait, or lose packets */
	struct netguard guard;	       /* [switch] addresses it may use */
	struct netport_stats stats;

	/* The switch's own. */
	struct netswitch *sw; /* NULL while it is in none */
	uint16_t index;	      /* in sw */
	uint32_t users;	      /* calls into ops under way, atomic */
	bool waits;	      /* a send of its was told to wait; atomic */
	bool waited_for;      /* because of this port; atomic */
	uint64_t full_since;  /* ns; 0: had room last time; atomic */
	struct pcap *capture; /* [switch] NULL or: what records its packets */
};

/*
 * Sends pkt from port p. 0: done, whatever became of it. Else nothing was done: send it again when
 * ops->resume was called or at the time returned (ns), whichever comes first; packets to other
 * addresses need not wait for that, unless netport_rate_wait() says so. Any thread, also several at a
 * time, no spinlock held: others get their turn between receivers and between segments that are cut.
 * About 150 instructions besides the receivers'.
 */
uint64_t netport_send(struct netport *p, const struct netpkt *pkt);
/*
 * Those who got packets of this burst may pass them on. Soon after they were sent, and before any sleep:
 * receivers stay until then. As netport_send.
 */
void netport_burst_end(struct netburst *b);
/* 0, or until when (ns) all that p sends has to wait for its own rate. */
uint64_t netport_rate_wait(const struct netport *p, uint64_t now);
/* Port p, which refused a packet, has room again. As netport_send, but LOCK_DEVICES may be held. */
void netport_ready(struct netport *p);
/* What the owner lost before it could send it, or after it had received it. */
void netport_lose(struct netport *p, enum netport_drop why);
/* Cable in or out, by the administrator or a host NIC. Calls ops->link_changed if that is news. */
void netport_set_link(struct netport *p, bool up);

/* ---- host NICs ---- */

struct netnic_stats {
	uint64_t missed;     /* frames that came faster than they were taken */
	uint64_t errors;     /* frames that came damaged */
	uint64_t interrupts; /* that the NIC made */
};

/* What a host NIC does besides being a port. Thread context, no lock held. */
struct netnic_ops {
	const char *driver;
	/* Receives what is for others too: guests are bridged to it. */
	void (*set_promiscuous)(struct netport *p, bool on);
	void (*stats)(struct netport *p, struct netnic_stats *s);
	unsigned int (*speed)(struct netport *p); /* Mbit/s; 0: there is no wire */
};

/*
 * A host NIC, all of p filled in but name and max_len, becomes the next of nic0, nic1, ... and is plugged
 * into a switch of its own: it may send from now on. It stays. -ENOMEM. Thread context, no lock held.
 */
int netport_offer(struct netport *p, const struct netnic_ops *ops);

/* ---- networks by name, which the configuration has made ---- */

/*
 * Attaches p, all filled in but guard and max_len, to that network: it has the network's MTU from then
 * on, and the network's guard unless p->policy has NETPORT_SPOOFS. -ENOENT: no such network, -ENOSPC,
 * -EEXIST: another port has its MAC address; -ENOMEM. Thread context, no lock held.
 */
int netport_plug(struct netport *p, const char *network);
/* As netswitch_detach. */
void netport_unplug(struct netport *p);
/* Bytes per second that it may send, and receive; 0: no limit. */
void netport_set_rate(struct netport *p, uint64_t rate, uint64_t now);
/* The address that its network's DHCP server has given it; 0: none that its guard has seen. */
uint32_t netport_leased(const struct netport *p);
/* A VM goes on elsewhere: p had that address. Ignored if p may not have it here. */
void netport_set_leased(struct netport *p, uint32_t ip);

/* ---- packets, for those who make and take them ---- */

/* Copies from byte off of the frame on; bytes that there were. */
size_t netpkt_copy(const struct netpkt *pkt, size_t off, void *buf, size_t len);
/* Bytes that pkt takes on a wire without segmentation offload (and without preamble, FCS and gap). */
uint32_t netpkt_wire_len(const struct netpkt *pkt);
/*
 * For a NIC that cuts GSO packets itself, and sums each header and segment: head is the packet's, as long
 * as its headers, without lengths, and with the pseudo header's sum without the length in place of TCP's.
 */
struct netpkt_cut {
	uint16_t l3, l4; /* where IP begins, and TCP */
	uint16_t sum;	 /* of IPv4's header, from l3 on */
	uint16_t header; /* bytes of head */
	uint8_t head[NETPKT_HEAD];
};
void netpkt_prepare_cut(const struct netpkt *pkt, struct netpkt_cut *cut);
/* A number that both directions of a TCP or UDP flow share, for choosing queues. */
uint32_t netpkt_flow(const struct netpkt *pkt);

#endif
