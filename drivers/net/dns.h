/* SPDX-License-Identifier: BSD-2-Clause */
/* A DNS forwarder's memory: which query went out under which identifier and port, and to whom the answer */
/* belongs. Keeps no answers. Pure: no lock, no clock. */
#ifndef DRIVERS_NET_DNS_H
#define DRIVERS_NET_DNS_H

#include "hv/lib/types.h"

#define DNS_PORT	53u
#define DNS_LEN		12u   /* RFC 1035, 4.1.1 "Header section format" */
#define DNS_NAME_MAX	255u  /* 2.3.4 */
#define DNS_MAX		1472u /* a message that we pass on: one Ethernet frame */
#define DNS_QUERIES	64u
#define DNS_QUERIES_PER 16u	     /* of one client */
#define DNS_TIME	5000000000ul /* ns that an answer is waited for */

struct dns_query {
	void *owner;	 /* the client's segment; NULL: free */
	uint32_t client; /* its address and port */
	uint16_t client_port;
	uint16_t client_id;
	uint16_t id;	  /* ours, random (RFC 5452, 9.2) */
	uint16_t port;	  /* ours, random, for this query only */
	uint64_t expires; /* ns */
	uint16_t question_len;
	uint8_t question[DNS_NAME_MAX + 4];
};

struct dns {
	struct dns_query query[DNS_QUERIES];
};

/*
 * Length of the one question behind the header: a name without compression, type, class. 0: the message
 * is none, or asks more or less than one thing.
 */
unsigned int dns_question_len(const uint8_t *msg, size_t len);
/*
 * A client's query, to be sent on from port q->port (which the caller sets) with its identifier, which is
 * replaced in msg. NULL: malformed, a repetition of one under way, or too many.
 */
struct dns_query *dns_ask(struct dns *d, void *owner, uint32_t client, uint16_t client_port,
			  uint8_t *msg, size_t len, uint64_t now);
/*
 * An answer to port `port`: the query that it belongs to, the client's identifier put back in msg. NULL:
 * nobody asked that. The caller ends the query.
 */
struct dns_query *dns_answer(struct dns *d, uint16_t port, uint8_t *msg, size_t len, uint64_t now);
void dns_end(struct dns_query *q);
/* One whose time is up, or which belongs to `owner`; NULL: none. The caller ends it. */
struct dns_query *dns_late(struct dns *d, uint64_t now);
struct dns_query *dns_of(struct dns *d, const void *owner);

#endif
