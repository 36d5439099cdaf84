/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns reading and writing addresses: MAC addresses and IPv4 subnets. */
/* Which key has one is config_schema.c's. */
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
	return p != s && p - s <= 3 && *out <= max && *p == end ? p + 1 : NULL;
}

/* "10.20.0.0/24": no bits behind the prefix, none of the blocks that no host may have. */
static bool parse_subnet(const char *s, struct network_subnet *sub)
{
	sub->addr = 0;
	for (unsigned int i = 0; i < 4 && s != NULL; i++) {
		uint32_t byte;

		s = parse_number(s, i < 3 ? '.' : '/', 255, &byte);
		sub->addr = sub->addr << 8 | byte;
	}
	if (s == NULL || parse_number(s, '\0', NETWORK_PREFIX_MAX, &sub->prefix) == NULL) {
		return false;
	}
	return sub->prefix >= NETWORK_PREFIX_MIN && (sub->addr & ~network_mask(sub)) == 0 &&
	       sub->addr >> 24 != 0 && sub->addr >> 24 != 127 && sub->addr >> 28 < 14;
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
