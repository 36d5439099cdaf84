/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands about networks: which there are, who is on them, which addresses DHCP gave. */
/* Changes nothing; uplinks and forwards are cmd_net_uplink.c's. */
#include "arch/clock.h"
#include "drivers/net/network.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/show.h"
#include "hv/thread.h"

static const char *mode_name(const struct network *net)
{
	static const char *const names[] = {
		[NETWORK_INTERNAL] = "internal",
		[NETWORK_NATNET] = "natnet",
		[NETWORK_NAT] = "nat",
		[NETWORK_BRIDGE] = "bridge",
	};

	return names[net->c.mode];
}

/* "10.0.3.0/24", "-" of a network without addresses of its own. */
static const char *subnet_text(char *buf, size_t size, const struct network *net)
{
	struct network_subnet sub = network_subnet(net);
	char ip[SHOW_MAX];

	if (sub.addr == 0) {
		string_copy(buf, "-", size);
	} else {
		fmt_snprintf(buf, size, "%s/%u", show_ip(ip, sizeof(ip), sub.addr), sub.prefix);
	}
	return buf;
}

static uint64_t now_ns(void)
{
	return clock_ticks_to_ns(clock_now());
}

/* "web1.0", not "gateway", "host" or "nic0". */
static bool is_vm(const struct netswitch_port *p)
{
	return strchr(p->name, '.') != NULL;
}

unsigned int cmd_net_cards(const struct network *net, char *last, size_t size)
{
	struct network_segment *s = NULL;
	unsigned int count = 0;

	while ((s = network_next_segment(s)) != NULL) {
		unsigned int cursor = 0;
		struct netswitch_port p;

		while (network_has(net, s) && netswitch_next_port(&s->sw, &cursor, &p)) {
			if (is_vm(&p)) {
				string_copy(last, p.name, size);
				count++;
			}
			thread_checkpoint();
		}
	}
	return count;
}

static unsigned int count_cards(const struct network *net)
{
	char last[NETPORT_NAME];

	return cmd_net_cards(net, last, sizeof(last));
}

/* ---- list ---- */

static void list_json(struct shell_call *c)
{
	struct json j;

	json_begin(&j, c->out);
	json_array(&j, NULL);
	for (const struct network *n = network_next(NULL); n != NULL; n = network_next(n)) {
		json_object(&j, NULL);
		json_string(&j, "name", n->c.name);
		json_u64(&j, "nics", count_cards(n));
		config_json_net(&n->c, &j);
		json_end(&j);
	}
	json_finish(&j);
}

static int cmd_list(struct shell_call *c)
{
	char subnet[24];

	if (shell_json(c)) {
		list_json(c);
		return 0;
	}
	if (network_next(NULL) == NULL) {
		shell_out_puts(c->out, "There are no networks; config help net.mode says how to "
				       "have one.\n");
		return 0;
	}
	shell_out_printf(c->out, "%-31s %-8s %-18s %5s %4s\n", "NAME", "MODE", "SUBNET", "MTU",
			 "NICS");
	for (const struct network *n = network_next(NULL); n != NULL; n = network_next(n)) {
		shell_out_printf(c->out, "%-31s %-8s %-18s %5u %4u\n", n->c.name, mode_name(n),
				 subnet_text(subnet, sizeof(subnet), n), n->c.mtu, count_cards(n));
	}
	return 0;
}

/* ---- info ---- */

typedef void port_fn(struct shell_call *c, struct json *j, const struct network_segment *s,
		     const struct netswitch_port *p);

/* Calls fn for each port of the network. */
static void each_port(struct shell_call *c, struct json *j, const struct network *net, port_fn *fn)
{
	struct network_segment *s = NULL;

	while ((s = network_next_segment(s)) != NULL) {
		unsigned int cursor = 0;
		struct netswitch_port p;

		while (network_has(net, s) && netswitch_next_port(&s->sw, &cursor, &p)) {
			fn(c, j, s, &p);
			thread_checkpoint();
		}
	}
}

uint64_t cmd_net_lost(const struct netport_stats *s)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < NETPORT_DROPS; i++) {
		sum += s->drops[i];
	}
	return sum;
}

static void drops_text(struct shell_call *c, const struct netport_stats *s)
{
	const char *separator = "  lost: ";

	for (unsigned int i = 0; i < NETPORT_DROPS; i++) {
		if (s->drops[i] != 0) {
			shell_out_printf(c->out, "%s%lu %s", separator, s->drops[i],
					 netport_drop_name(i));
			separator = ", ";
		}
	}
	shell_out_puts(c->out, cmd_net_lost(s) != 0 ? "\n" : "");
}

static void port_print(struct shell_call *c, struct json *j UNUSED,
		       const struct network_segment *s UNUSED, const struct netswitch_port *p)
{
	char mac[SHOW_MAX], ip[SHOW_MAX];

	shell_out_printf(c->out, "%-20s %s %-4s %-15s %9lu %9lu\n", p->name,
			 show_mac(mac, sizeof(mac), p->mac), p->link ? "up" : "down",
			 show_ip(ip, sizeof(ip), p->leased), p->stats.sent, p->stats.received);
	drops_text(c, &p->stats);
}

void cmd_net_stats_json(struct json *j, const struct netport_stats *s)
{
	json_u64(j, "sent", s->sent);
	json_u64(j, "sent_bytes", s->sent_bytes);
	json_u64(j, "received", s->received);
	json_u64(j, "received_bytes", s->received_bytes);
	json_u64(j, "waits", s->waits);
	json_object(j, "lost");
	for (unsigned int i = 0; i < NETPORT_DROPS; i++) {
		json_u64(j, netport_drop_name(i), s->drops[i]);
	}
	json_end(j);
}

static void port_json(struct shell_call *c UNUSED, struct json *j,
		      const struct network_segment *s UNUSED, const struct netswitch_port *p)
{
	char mac[SHOW_MAX], ip[SHOW_MAX];

	json_object(j, NULL);
	json_string(j, "name", p->name);
	json_string(j, "mac", show_mac(mac, sizeof(mac), p->mac));
	json_bool(j, "link", p->link);
	json_string(j, "address", p->leased != 0 ? show_ip(ip, sizeof(ip), p->leased) : NULL);
	cmd_net_stats_json(j, &p->stats);
	json_end(j);
}

static int info_json(struct shell_call *c, const struct network *net)
{
	struct json j;

	json_begin(&j, c->out);
	json_object(&j, NULL);
	json_string(&j, "name", net->c.name);
	config_json_net(&net->c, &j);
	json_array(&j, "ports");
	each_port(c, &j, net, port_json);
	json_finish(&j);
	return 0;
}

static const struct network *find(struct shell_call *c, int *err)
{
	const struct network *net = network_find(c->argv[0]);

	*err = net != NULL ? 0
			   : shell_error(c, "no network is named \"%.40s\"; net list shows all",
					 c->argv[0]);
	return net;
}

static int cmd_info(struct shell_call *c)
{
	const struct network *net;
	int err;

	net = find(c, &err);
	if (net == NULL || shell_json(c)) {
		return net == NULL ? err : info_json(c, net);
	}
	config_write_net(&net->c, c->out);
	shell_out_printf(c->out, "\n%-20s %-17s %-4s %-15s %9s %9s\n", "PORT", "MAC", "LINK",
			 "ADDRESS", "SENT", "RECEIVED");
	each_port(c, NULL, net, port_print);
	return 0;
}

/* ---- leases ---- */

static void lease_print(struct shell_call *c, const struct network_segment *s,
			const struct dhcps_lease *l, uint64_t now)
{
	char mac[SHOW_MAX], ip[SHOW_MAX], left[SHOW_MAX];
	uint8_t bytes[6];

	for (unsigned int i = 0; i < 6; i++) {
		bytes[i] = (uint8_t)(l->mac >> (40 - 8 * i));
	}
	shell_out_printf(c->out, "%-15s %s %11s %-12.12s %.15s\n", show_ip(ip, sizeof(ip), l->ip),
			 show_mac(mac, sizeof(mac), bytes),
			 show_time(left, sizeof(left), l->expires - now), s->net->c.name, l->name);
}

static void lease_json(struct json *j, const struct network_segment *s, const struct dhcps_lease *l,
		       uint64_t now)
{
	char mac[SHOW_MAX], ip[SHOW_MAX];
	uint8_t bytes[6];

	for (unsigned int i = 0; i < 6; i++) {
		bytes[i] = (uint8_t)(l->mac >> (40 - 8 * i));
	}
	json_object(j, NULL);
	json_string(j, "net", s->net->c.name);
	json_string(j, "address", show_ip(ip, sizeof(ip), l->ip));
	json_string(j, "mac", show_mac(mac, sizeof(mac), bytes));
	json_string(j, "name", l->name);
	json_u64(j, "expires_ns", l->expires - now);
	json_end(j);
}

/* Of that network, or (NULL) of all. */
static void each_lease(struct shell_call *c, struct json *j, const struct network *net)
{
	struct network_segment *s = NULL;
	uint64_t now = now_ns();

	while ((s = network_next_segment(s)) != NULL) {
		bool ours = s->gateway != NULL && (net == NULL || s->net == net);
		unsigned int cursor = 0;
		struct dhcps_lease l;

		while (ours && natnet_next_lease(s->gateway, &cursor, now, &l)) {
			if (j != NULL) {
				lease_json(j, s, &l, now);
			} else {
				lease_print(c, s, &l, now);
			}
			thread_checkpoint();
		}
	}
}

static int cmd_leases(struct shell_call *c)
{
	const struct network *net = NULL;
	struct json j;
	int err;

	if (c->argc > 0) {
		net = find(c, &err);
		if (net == NULL) {
			return err;
		}
	}
	if (shell_json(c)) {
		json_begin(&j, c->out);
		json_array(&j, NULL);
		each_lease(c, &j, net);
		json_finish(&j);
		return 0;
	}
	shell_out_printf(c->out, "%-15s %-17s %11s %-12s %s\n", "ADDRESS", "MAC", "EXPIRES IN",
			 "NETWORK", "NAME");
	each_lease(c, NULL, net);
	return 0;
}

/* ---- Tab ---- */

static void offer_nets(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	for (const struct network *n = network_next(NULL); n != NULL; n = network_next(n)) {
		line_edit_offer(le, n->c.name);
	}
}

static const struct shell_cmd cmds[] = {
	{ "net", "list", "[--json]", "name, mode, subnet of every network", cmd_list },
	{ "net", "info", "NET [--json]",
	  "one network: its configuration and its ports\n"
	  "What a port has sent and received, and packets that were lost there, by reason.",
	  cmd_info },
	{ "net", "leases", "[NET] [--json]", "addresses that our DHCP servers gave", cmd_leases },
};

static const struct shell_kind kinds[] = { { "NET", offer_nets } };

const struct shell_table cmd_net_table = { cmds, ARRAY_SIZE(cmds), kinds, ARRAY_SIZE(kinds) };
