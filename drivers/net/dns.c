/* SPDX-License-Identifier: BSD-2-Clause */
/* A DNS forwarder's memory. Looks at headers and questions only (RFC 1035); the rest passes as it is. */
/* Sends nothing itself. */
#include "drivers/net/dns.h"
#include "drivers/net/wire.h"
#include "hv/base/random.h"
#include "hv/lib/string.h"

enum dns_field { ID = 0, FLAGS = 2, QDCOUNT = 4 };
#define FLAG_ANSWER 0x8000u
#define FLAG_OPCODE 0x7800u
#define LABEL_MAX   63u

/* A pointer has no place in a first question: so there are no loops to follow. */
unsigned int dns_question_len(const uint8_t *msg, size_t len)
{
	size_t at = DNS_LEN;

	if (len < DNS_LEN || len > DNS_MAX || wire_get16(msg + QDCOUNT) != 1) {
		return 0;
	}
	while (at < len && msg[at] != 0) {
		if (msg[at] > LABEL_MAX) {
			return 0;
		}
		at += 1u + msg[at];
	}
	at++;
	if (at - DNS_LEN > DNS_NAME_MAX || at + 4 > len) {
		return 0;
	}
	return (unsigned int)(at + 4 - DNS_LEN);
}

/* A free place, if that client may have one more; a client's repetition gets none: NULL. */
static struct dns_query *place_for(struct dns *d, const struct dns_query *want, uint64_t now)
{
	struct dns_query *free = NULL;
	unsigned int same = 0;

	for (unsigned int i = 0; i < DNS_QUERIES; i++) {
		struct dns_query *q = &d->query[i];

		if (q->owner == NULL) {
			free = q;
			continue;
		}
		if (q->owner != want->owner || q->client != want->client || now >= q->expires) {
			continue;
		}
		if (q->client_port == want->client_port && q->client_id == want->client_id) {
			return NULL;
		}
		same++;
	}
	return same < DNS_QUERIES_PER ? free : NULL;
}

struct dns_query *dns_ask(struct dns *d, void *owner, uint32_t client, uint16_t client_port,
			  uint8_t *msg, size_t len, uint64_t now)
{
	unsigned int question = dns_question_len(msg, len);
	struct dns_query want = { .owner = owner, .client = client, .client_port = client_port };
	struct dns_query *q;

	if (question == 0 || (wire_get16(msg + FLAGS) & (FLAG_ANSWER | FLAG_OPCODE))) {
		return NULL;
	}
	want.client_id = wire_get16(msg + ID);
	want.expires = now + DNS_TIME;
	want.question_len = (uint16_t)question;
	memcpy(want.question, msg + DNS_LEN, question);
	random_bytes(&want.id, sizeof(want.id));
	q = place_for(d, &want, now);
	if (q != NULL) {
		*q = want;
		wire_put16(msg + ID, q->id);
	}
	return q;
}

/* RFC 5452, 9.1: port, identifier and question must be the query's; its case too. */
static bool matches(const struct dns_query *q, uint16_t port, const uint8_t *msg,
		    unsigned int question)
{
	return q->owner != NULL && q->port == port && q->id == wire_get16(msg + ID) &&
	       q->question_len == question && memcmp(q->question, msg + DNS_LEN, question) == 0;
}

struct dns_query *dns_answer(struct dns *d, uint16_t port, uint8_t *msg, size_t len, uint64_t now)
{
	unsigned int question = dns_question_len(msg, len);

	if (question == 0 || !(wire_get16(msg + FLAGS) & FLAG_ANSWER)) {
		return NULL;
	}
	for (unsigned int i = 0; i < DNS_QUERIES; i++) {
		struct dns_query *q = &d->query[i];

		if (matches(q, port, msg, question) && now < q->expires) {
			wire_put16(msg + ID, q->client_id);
			return q;
		}
	}
	return NULL;
}

void dns_end(struct dns_query *q)
{
	*q = (struct dns_query){ 0 };
}

struct dns_query *dns_late(struct dns *d, uint64_t now)
{
	for (unsigned int i = 0; i < DNS_QUERIES; i++) {
		if (d->query[i].owner != NULL && now >= d->query[i].expires) {
			return &d->query[i];
		}
	}
	return NULL;
}

struct dns_query *dns_of(struct dns *d, const void *owner)
{
	for (unsigned int i = 0; i < DNS_QUERIES; i++) {
		if (d->query[i].owner == owner) {
			return &d->query[i];
		}
	}
	return NULL;
}
