/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading and writing addresses (MAC, IPv4, subnets) and forwarded ports. */
/* Which key has one is config_schema.c's. */
#include "drivers/net/wire.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/config_type.h"

/* ---- MAC addresses ---- */

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at == NULL ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* "52:54:00:00:00:01" */
static bool parse_mac(const char *s, uint8_t mac[6])
{
	for (unsigned int i = 0; i < 6; i++, s += 3) {
		int high = hex_digit(s[0]);
		int low = high >= 0 ? hex_digit(s[1]) : -1;

		if (low < 0 || s[2] != (i < 5 ? ':' : '\0')) {
			return false;
		}
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool read_mac(struct config_reader *r, const struct config_key *key, void *field,
		     const struct toml_node *n)
{
	static const uint8_t none[6];
	uint8_t mac[6] = { 0 };

	if (n->string[0] != '\0' &&
	    (!parse_mac(n->string, mac) || (mac[0] & 1) || memcmp(mac, none, sizeof(mac)) == 0)) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, mac, sizeof(mac));
	return true;
}

static void text_mac(const struct config_key *key UNUSED, const void *field, struct shell_out *out)
{
	static const uint8_t none[6];
	const uint8_t *mac = field;

	if (memcmp(mac, none, sizeof(none)) == 0) {
		shell_out_puts(out, "\"\"");
	} else {
		shell_out_printf(out, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", mac[0], mac[1], mac[2],
				 mac[3], mac[4], mac[5]);
	}
}

const struct config_type config_type_mac = {
	.name = "MAC address",
	.toml = TOML_STRING,
	.read = read_mac,
	.text = text_mac,
};

/* ---- subnets ---- */

/* A decimal number up to max, ended by `end`; NULL, or what is behind that. */
static const char *parse_number(const char *s, char end, uint32_t max, uint32_t *out)
{
	const char *p = s;

	*out = 0;
	for (; *p >= '0' && *p <= '9' && *out <= max; p++) {
		*out = *out * 10 + (uint32_t)(*p - '0');
	}
	return p != s && p - s <= 5 && *out <= max && *p == end ? p + 1 : NULL;
}

/* None of the blocks that no host may have. */
static bool is_unicast(uint32_t ip)
{
	return ip >> 24 != 0 && ip >> 24 != 127 && ip >> 28 < 14;
}

/* "10.20.0.1" and then `end`; NULL, or what is behind that. */
static const char *parse_ip(const char *s, char end, uint32_t *ip)
{
	*ip = 0;
	for (unsigned int i = 0; i < 4 && s != NULL; i++) {
		uint32_t byte;

		s = parse_number(s, i < 3 ? '.' : end, 255, &byte);
		*ip = *ip << 8 | byte;
	}
	return s;
}

/* "10.20.0.0/24" */
static bool parse_prefixed(const char *s, uint32_t max, struct network_subnet *sub)
{
	s = parse_ip(s, '/', &sub->addr);
	return s != NULL && parse_number(s, '\0', max, &sub->prefix) != NULL &&
	       sub->prefix >= NETWORK_PREFIX_MIN && is_unicast(sub->addr);
}

/* No bits behind the prefix. */
static bool parse_subnet(const char *s, struct network_subnet *sub)
{
	return parse_prefixed(s, NETWORK_PREFIX_MAX, sub) && (sub->addr & ~network_mask(sub)) == 0;
}

static bool read_subnet(struct config_reader *r, const struct config_key *key, void *field,
			const struct toml_node *n)
{
	struct network_subnet sub = { 0 };

	if (n->string[0] != '\0' && !parse_subnet(n->string, &sub)) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, &sub, sizeof(sub));
	return true;
}

static void text_subnet(const struct config_key *key UNUSED, const void *field,
			struct shell_out *out)
{
	const struct network_subnet *sub = field;

	if (sub->addr == 0) {
		shell_out_puts(out, "\"\"");
	} else {
		shell_out_printf(out, "\"%u.%u.%u.%u/%u\"", sub->addr >> 24, sub->addr >> 16 & 255,
				 sub->addr >> 8 & 255, sub->addr & 255, sub->prefix);
	}
}

const struct config_type config_type_subnet = {
	.name = "subnet",
	.toml = TOML_STRING,
	.read = read_subnet,
	.text = text_subnet,
};

/* ---- the host's own address ---- */

/* Neither the subnet's own address nor its broadcast. */
static bool parse_address(const char *s, struct network_subnet *sub)
{
	uint32_t host;

	if (!parse_prefixed(s, NETWORK_PREFIX_HOST_MAX, sub)) {
		return false;
	}
	host = sub->addr & ~network_mask(sub);
	return host != 0 && host != ~network_mask(sub);
}

static bool read_address(struct config_reader *r, const struct config_key *key, void *field,
			 const struct toml_node *n)
{
	struct network_subnet sub = { 0 };

	if (strcmp(n->string, "dhcp") != 0 && !parse_address(n->string, &sub)) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, &sub, sizeof(sub));
	return true;
}

static void text_address(const struct config_key *key, const void *field, struct shell_out *out)
{
	if (((const struct network_subnet *)field)->addr == 0) {
		shell_out_puts(out, "\"dhcp\"");
	} else {
		text_subnet(key, field, out);
	}
}

const struct config_type config_type_address = {
	.name = "address",
	.toml = TOML_STRING,
	.read = read_address,
	.text = text_address,
};

/* ---- addresses of others ---- */

bool config_parse_ip(const char *s, uint32_t *ip)
{
	return parse_ip(s, '\0', ip) != NULL && is_unicast(*ip);
}

static bool read_ip(struct config_reader *r, const struct config_key *key, void *field,
		    const struct toml_node *n)
{
	uint32_t ip = 0;

	if (n->string[0] != '\0' && !config_parse_ip(n->string, &ip)) {
		return config_type_wrong(r, key, n);
	}
	memcpy(field, &ip, sizeof(ip));
	return true;
}

static void text_ip(const struct config_key *key UNUSED, const void *field, struct shell_out *out)
{
	uint32_t ip;

	memcpy(&ip, field, sizeof(ip));
	if (ip == 0) {
		shell_out_puts(out, "\"\"");
	} else {
		shell_out_printf(out, "\"%u.%u.%u.%u\"", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
				 ip & 255);
	}
}

const struct config_type config_type_ip = {
	.name = "IP address",
	.toml = TOML_STRING,
	.read = read_ip,
	.text = text_ip,
};

/* ---- forwarded ports ---- */

static const struct {
	const char *name;
	uint8_t proto;
} protocols[] = { { "tcp:", IP_TCP }, { "udp:", IP_UDP } };

static const char *parse_proto(const char *s, uint8_t *proto)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(protocols); i++) {
		size_t len = strlen(protocols[i].name);

		if (strncmp(s, protocols[i].name, len) == 0) {
			*proto = protocols[i].proto;
			return s + len;
		}
	}
	return NULL;
}

static const char *parse_port(const char *s, char end, uint16_t *port)
{
	uint32_t val = 0;

	s = s != NULL ? parse_number(s, end, 65535, &val) : NULL;
	*port = (uint16_t)val;
	return val != 0 ? s : NULL;
}

bool config_parse_forward(const char *s, struct network_forward *f)
{
	const char *colon;

	memset(f, 0, sizeof(*f));
	s = parse_port(parse_proto(s, &f->proto), ':', &f->out_port);
	colon = s != NULL ? strchr(s, ':') : NULL;
	if (colon == NULL || colon == s || (size_t)(colon - s) >= sizeof(f->vm)) {
		return false;
	}
	memcpy(f->vm, s, (size_t)(colon - s));
	return config_name_valid(f->vm) && parse_port(colon + 1, '\0', &f->in_port) != NULL;
}

void config_text_forward(const struct network_forward *f, char *buf, size_t size)
{
	fmt_snprintf(buf, size, "%s:%u:%s:%u", f->proto == IP_TCP ? "tcp" : "udp", f->out_port,
		     f->vm, f->in_port);
}

/* Whose port is in the list already; NULL: neither the host's nor the VM's. */
static const char *whose_is_taken(const struct network_config *c, const struct network_forward *f)
{
	for (unsigned int i = 0; i < c->forwards; i++) {
		const struct network_forward *o = &c->forward[i];

		if (o->proto == f->proto && o->out_port == f->out_port) {
			return "host's";
		}
		if (o->proto == f->proto && o->in_port == f->in_port && strcmp(o->vm, f->vm) == 0) {
			return "VM's";
		}
	}
	return NULL;
}

static bool read_forwards(struct config_reader *r, const struct config_key *key, void *field,
			  const struct toml_node *n)
{
	struct network_config *c = container_of(field, struct network_config, forward);
	bool ok = true;

	c->forwards = 0;
	for (const struct toml_node *item = n->children; item != NULL; item = item->next) {
		struct network_forward f;
		const char *whose;

		if (c->forwards == NETWORK_FORWARDS) {
			diag_add(r->d, item->at, "%s: more than %u", r->path, NETWORK_FORWARDS);
			return false;
		}
		if (item->type != TOML_STRING || !config_parse_forward(item->string, &f)) {
			ok = config_type_wrong(r, key, item);
		} else if ((whose = whose_is_taken(c, &f)) != NULL) {
			diag_add(r->d, item->at, "%s: found that port of the %s twice: \"%.60s\"",
				 r->path, whose, item->string);
			ok = false;
		} else {
			c->forward[c->forwards++] = f;
		}
	}
	return ok;
}

static void text_forwards(const struct config_key *key UNUSED, const void *field,
			  struct shell_out *out)
{
	const struct network_config *c = container_of(field, struct network_config, forward);
	char text[CONFIG_FORWARD_TEXT];

	shell_out_puts(out, "[");
	for (unsigned int i = 0; i < c->forwards; i++) {
		config_text_forward(&c->forward[i], text, sizeof(text));
		shell_out_printf(out, "%s\"%s\"", i == 0 ? "" : ", ", text);
	}
	shell_out_puts(out, "]");
}

const struct config_type config_type_forwards = {
	.name = "list of ports",
	.toml = TOML_ARRAY,
	.items = TOML_STRING,
	.read = read_forwards,
	.text = text_forwards,
};
