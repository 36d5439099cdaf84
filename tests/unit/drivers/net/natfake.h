/* SPDX-License-Identifier: BSD-2-Clause */
/* Two private segments with the same addresses behind one host address, with guests, and two servers and a */
/* stranger outside: all of drivers/net around ports that remember. */
#ifndef TESTS_UNIT_DRIVERS_NET_NATFAKE_H
#define TESTS_UNIT_DRIVERS_NET_NATFAKE_H

#include "drivers/net/icmp.h"
#include "drivers/net/natnet.h"
#include "tests/unit/drivers/net/netfake.h"

#define SECOND	 1000000000ul
#define GW	 FAKE_MAC(0x100) /* both gateways' MAC address */
#define HOST	 FAKE_MAC(0x200)
#define HOST_IP	 FAKE_IP(100)	     /* 10.0.0.100 */
#define IN_IP(n) (0x0a140000u + (n)) /* 10.20.0.n */
#define GW_IP	 IN_IP(1)
#define NAT_MOST 200u /* connections of one guest */

struct station {
	struct fake_port f;
	uint64_t mac, hop; /* its own, and where its packets go */
	uint32_t ip;
};

enum { A1, A2, B1, S1, S2, STATIONS }; /* guests of A, of B; servers, S1 is the router too */

extern struct station st[STATIONS];
extern struct hostif host;
extern struct natnet net_a, net_b;
extern struct netswitch sw_a, sw_b, sw_out;
extern uint8_t nf_frame[NETPKT_LEN_MAX];

/* Setup and teardown of each test; teardown fails if memory is left. */
int natfake_setup(void **state);
int natfake_teardown(void **state);
/* Everybody asks the gateways for their address, so that they are known; forgets what was received. */
void natfake_greet(void);
void natfake_clear(void);
/* Lets time pass, with a tick a second and a greeting at the end. */
void natfake_pass(uint64_t seconds);

/* Sends; the frame stays in nf_frame. */
void nf_udp(unsigned int from, uint32_t dst, uint16_t sport, uint16_t dport, uint32_t len);
void nf_tcp(unsigned int from, uint32_t dst, uint16_t sport, uint16_t dport, uint8_t flags);
void nf_echo(unsigned int from, uint32_t dst, uint8_t type, uint16_t id);
/* An error about what station `about` received as its n-th frame, sent by `from`. */
void nf_error(unsigned int from, unsigned int about, unsigned int n, uint8_t type, uint8_t code);

/* The n-th frame that a station got: all checksums are right. */
const uint8_t *nf_got(unsigned int i, unsigned int n);
/* How many; and forgets them. */
unsigned int nf_count(unsigned int i);
uint32_t nf_src(const uint8_t *f);
uint32_t nf_dst(const uint8_t *f);
uint16_t nf_sport(const uint8_t *f);
uint16_t nf_dport(const uint8_t *f);
/* For ICMP queries. */
uint16_t nf_id(const uint8_t *f);

/* The cases of natnet_cases.c; as cmocka_run_group_tests. */
int natnet_cases(void);

#endif
