/* SPDX-License-Identifier: BSD-2-Clause */
/* What busybox' ip does not know about a guest's network card: offload off, a lossy line (netem), a */
/* route without early retransmission. Sends no packets. */
#include <arpa/inet.h>
#include <err.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr head;
	union {
		struct tcmsg tc;
		struct rtmsg route;
		struct ifinfomsg link;
	};
	uint8_t rest[256];
};

static void *add(struct request *r, unsigned short type, const void *data, size_t size)
{
	struct rtattr *a = (struct rtattr *)((uint8_t *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(size);
	memcpy(RTA_DATA(a), data, size);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void end_of(struct request *r, struct rtattr *outer)
{
	outer->rta_len = (unsigned short)((uint8_t *)r + r->head.nlmsg_len - (uint8_t *)outer);
}

static void tell(struct request *r)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		uint8_t rest[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	r->head.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (fd < 0 || send(fd, r, r->head.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0) {
		err(1, "netlink");
	}
	if (answer.error.error != 0) {
		errx(1, "refused: %s", strerror(-answer.error.error));
	}
	close(fd);
}

static void offload(const char *nic, uint32_t what)
{
	struct ethtool_value value = { .cmd = what, .data = 0 };
	struct ifreq r = { .ifr_data = (char *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(r.ifr_name, nic, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCETHTOOL, &r) != 0) {
		err(1, "ethtool %u", what);
	}
	close(fd);
}

/* TCP hands on one packet at a time: else the queue (netem) has a few large ones, cut only behind it. */
static void cut_early(const char *nic)
{
	struct request r = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)), .nlmsg_type = RTM_SETLINK },
		.link = { .ifi_index = (int)if_nametoindex(nic) },
	};
	uint32_t most = 1;

	add(&r, IFLA_GSO_MAX_SEGS, &most, sizeof(most));
	tell(&r);
}

/* Packets leave as they would without help of the card: cut, and with their checksums. */
static void plain(const char *nic)
{
	offload(nic, ETHTOOL_STSO);
	offload(nic, ETHTOOL_SGSO);
	offload(nic, ETHTOOL_STXCSUM);
	cut_early(nic);
}

static uint32_t percent(unsigned int n)
{
	return (uint32_t)((uint64_t)UINT32_MAX * n / 100);
}

/* About the queue of all that leaves. */
static struct request about_queue(const char *nic, unsigned short what)
{
	return (struct request){
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)), .nlmsg_type = what },
		.tc = { .tcm_ifindex = (int)if_nametoindex(nic), .tcm_parent = TC_H_ROOT },
	};
}

/* What leaves: 5 % is lost, 5 % comes twice, 5 % overtakes the rest, which takes 2 ms. */
static void lossy(const char *nic)
{
	struct request r = about_queue(nic, RTM_NEWQDISC);
	struct tc_netem_qopt q = {
		.limit = 1000, .loss = percent(5), .duplicate = percent(5), .gap = 1
	};
	struct tc_netem_reorder reorder = { .probability = percent(5) };
	int64_t delay = 2000000;
	struct rtattr *options;

	r.head.nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	add(&r, TCA_KIND, "netem", sizeof("netem"));
	options = add(&r, TCA_OPTIONS, &q, sizeof(q));
	add(&r, TCA_NETEM_REORDER, &reorder, sizeof(reorder));
	add(&r, TCA_NETEM_LATENCY64, &delay, sizeof(delay));
	end_of(&r, options);
	tell(&r);
}

static void lossless(const char *nic)
{
	struct request r = about_queue(nic, RTM_DELQDISC);

	tell(&r);
}

/* To address (by a router, or "-") nothing is sent again within a minute, however long an answer takes: */
/* what is sent again all the same was lost. */
static void patient(const char *nic, const char *address, const char *router)
{
	struct request r = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.route)),
			  .nlmsg_type = RTM_NEWROUTE,
			  .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE },
		.route = { .rtm_family = AF_INET,
			   .rtm_dst_len = 32,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_type = RTN_UNICAST,
			   .rtm_scope =
				   strcmp(router, "-") == 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE },
	};
	uint32_t index = if_nametoindex(nic), least = 60000, lock = 1u << RTAX_RTO_MIN;
	uint8_t ip[4];
	struct rtattr *metrics;

	inet_pton(AF_INET, address, ip);
	add(&r, RTA_DST, ip, sizeof(ip));
	add(&r, RTA_OIF, &index, sizeof(index));
	if (inet_pton(AF_INET, router, ip) == 1) {
		add(&r, RTA_GATEWAY, ip, sizeof(ip));
	}
	metrics = add(&r, RTA_METRICS, "", 0);
	add(&r, RTAX_LOCK, &lock, sizeof(lock));
	add(&r, RTAX_RTO_MIN, &least, sizeof(least));
	end_of(&r, metrics);
	tell(&r);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "plain") == 0) {
		plain(argv[2]);
	} else if (argc == 3 && strcmp(argv[1], "lossy") == 0) {
		lossy(argv[2]);
	} else if (argc == 3 && strcmp(argv[1], "lossless") == 0) {
		lossless(argv[2]);
	} else if (argc == 5 && strcmp(argv[1], "patient") == 0) {
		patient(argv[2], argv[3], argv[4]);
	} else {
		errx(2, "plain NIC | lossy NIC | lossless NIC | patient NIC ADDRESS ROUTER|-");
	}
	return 0;
}
