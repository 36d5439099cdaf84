/* SPDX-License-Identifier: BSD-2-Clause */
/* DHCP messages taken apart and built. */
/* What to answer is dhcps.c's, what to ask dhcpc.c's. */
#include "drivers/net/dhcp.h"
#include "drivers/net/wire.h"
#include "hv/lib/string.h"

#define OVERLOAD_FILE  1u
#define OVERLOAD_SNAME 2u

struct scan {
	struct dhcp_msg *m;
	uint8_t overload;
};

/* Options that are one address or number; longer ones (routers) begin with theirs. */
static const struct {
	uint8_t option;
	uint8_t offset;
} numbers[] = {
#define NUMBER(o, field)                                                                           \
	{                                                                                          \
		DHCP_OPT_##o, offsetof(struct dhcp_msg, field)                                     \
	}
	NUMBER(MASK, mask),   NUMBER(ROUTER, router), NUMBER(DNS, dns),
	NUMBER(LEASE, lease), NUMBER(SERVER, server), NUMBER(REQUESTED, requested),
	NUMBER(T1, t1),	      NUMBER(T2, t2),
#undef NUMBER
};

static bool is_name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.';
}

/* It ends up on the console: a name with anything else in it is none. */
static void take_name(struct dhcp_msg *m, const uint8_t *data, uint8_t len)
{
	uint8_t n = (uint8_t)u64_min(len, DHCP_NAME - 1);

	for (unsigned int i = 0; i < n; i++) {
		if (!is_name_char(data[i])) {
			return;
		}
	}
	memcpy(m->hostname, data, n);
	m->hostname[n] = '\0';
}

static void take_option(struct scan *s, uint8_t option, const uint8_t *data, uint8_t len)
{
	if (option == DHCP_OPT_TYPE && len == 1) {
		s->m->type = data[0];
	} else if (option == DHCP_OPT_OVERLOAD && len == 1) {
		s->overload = data[0];
	} else if (option == DHCP_OPT_HOSTNAME) {
		take_name(s->m, data, len);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (numbers[i].option == option && len >= 4) {
			uint32_t v = wire_get32(data);

			memcpy((uint8_t *)s->m + numbers[i].offset, &v, sizeof(v));
		}
	}
}

/* False: an option runs over the end. A missing END option is forgiven. */
static bool scan_options(struct scan *s, const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] != DHCP_OPT_END) {
		if (p[i] == DHCP_OPT_PAD) {
			i++;
			continue;
		}
		if (len - i < 2 || len - i - 2 < p[i + 1]) {
			return false;
		}
		take_option(s, p[i], p + i + 2, p[i + 1]);
		i += 2u + p[i + 1];
	}
	return true;
}

bool dhcp_parse(const uint8_t *p, size_t len, struct dhcp_msg *m)
{
	struct scan s = { .m = m };
	uint8_t overload;

	if (len < DHCP_OPTIONS || p[DHCP_HTYPE] != 1 || p[DHCP_HLEN] != 6 ||
	    wire_get32(p + DHCP_MAGIC) != DHCP_COOKIE) {
		return false;
	}
	*m = (struct dhcp_msg){
		.op = p[DHCP_OP],
		.flags = wire_get16(p + DHCP_FLAGS),
		.xid = wire_get32(p + DHCP_XID),
		.ciaddr = wire_get32(p + DHCP_CIADDR),
		.yiaddr = wire_get32(p + DHCP_YIADDR),
		.siaddr = wire_get32(p + DHCP_SIADDR),
		.giaddr = wire_get32(p + DHCP_GIADDR),
		.chaddr = wire_get48(p + DHCP_CHADDR),
	};
	if (!scan_options(&s, p + DHCP_OPTIONS, len - DHCP_OPTIONS)) {
		return false;
	}
	overload = s.overload; /* RFC 2132, "Option Overload": one within those fields is none */
	return (!(overload & OVERLOAD_FILE) || scan_options(&s, p + DHCP_FILE, DHCP_FILE_LEN)) &&
	       (!(overload & OVERLOAD_SNAME) || scan_options(&s, p + DHCP_SNAME, DHCP_SNAME_LEN));
}

void dhcp_begin(struct dhcp_out *o, const struct dhcp_msg *m)
{
	uint8_t *p = o->buf;

	memset(o, 0, sizeof(*o));
	p[DHCP_OP] = m->op;
	p[DHCP_HTYPE] = 1;
	p[DHCP_HLEN] = 6;
	wire_put32(p + DHCP_XID, m->xid);
	wire_put16(p + DHCP_FLAGS, m->flags);
	wire_put32(p + DHCP_CIADDR, m->ciaddr);
	wire_put32(p + DHCP_YIADDR, m->yiaddr);
	wire_put32(p + DHCP_SIADDR, m->siaddr);
	wire_put32(p + DHCP_GIADDR, m->giaddr);
	wire_put48(p + DHCP_CHADDR, m->chaddr);
	wire_put32(p + DHCP_MAGIC, DHCP_COOKIE);
	o->len = DHCP_OPTIONS;
	dhcp_put8(o, DHCP_OPT_TYPE, m->type);
}

/* One byte stays for the end. */
void dhcp_put(struct dhcp_out *o, uint8_t option, const void *data, uint8_t len)
{
	if (o->len + 2u + len + 1 > DHCP_MAX) {
		return;
	}
	o->buf[o->len++] = option;
	o->buf[o->len++] = len;
	memcpy(o->buf + o->len, data, len);
	o->len += len;
}

void dhcp_put8(struct dhcp_out *o, uint8_t option, uint8_t v)
{
	dhcp_put(o, option, &v, 1);
}

void dhcp_put32(struct dhcp_out *o, uint8_t option, uint32_t v)
{
	uint8_t data[4];

	if (v != 0) {
		wire_put32(data, v);
		dhcp_put(o, option, data, sizeof(data));
	}
}

void dhcp_end(struct dhcp_out *o)
{
	o->buf[o->len++] = DHCP_OPT_END;
	o->len = (uint32_t)u64_max(o->len, DHCP_MIN);
}
