/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the commands about the way out: host NICs with the host's addresses, forwarded ports. */
/* Networks and their guests are cmd_net.c's. */
#include "drivers/net/network_forward.h"
#include "drivers/net/uplink.h"
#include "drivers/net/wire.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/show.h"

/* ---- uplinks ---- */

/* What the host has there now; all 0 while it has nothing. */
struct host_address {
	uint32_t ip, router, dns;
	bool dhcp;
};

static struct host_address host_address(const struct uplink *u)
{
	const struct hostif *h = u->host;

	if (h == NULL) {
		return (struct host_address){ 0 };
	}
	return (struct host_address){
		.ip = h->outside.addr,
		.router = h->outside.router,
		.dns = h->c.dns != 0 ? h->c.dns : h->dhcpc.dns,
		.dhcp = h->c.addr == 0,
	};
}

static void uplink_print(struct shell_call *c, const struct uplink *u)
{
	struct host_address a = host_address(u);
	const struct netport_stats *s = &u->nic->stats;
	char mac[SHOW_MAX], ip[SHOW_MAX], router[SHOW_MAX], dns[SHOW_MAX];
	struct netnic_stats n = { 0 };

	u->ops->stats(u->nic, &n);
	shell_out_printf(c->out, "%-5s %-6s %s %-4s %5u %-15s %9lu %9lu\n", u->nic->name,
			 u->ops->driver, show_mac(mac, sizeof(mac), u->nic->mac),
			 u->nic->link ? "up" : "down", u->ops->speed(u->nic),
			 show_ip(ip, sizeof(ip), a.ip), s->received, s->sent);
	if (u->host != NULL) {
		shell_out_printf(c->out, "  address %s, router %s, DNS server %s\n",
				 !a.dhcp     ? "configured"
				 : a.ip != 0 ? "by DHCP"
					     : "awaited from DHCP",
				 show_ip(router, sizeof(router), a.router),
				 show_ip(dns, sizeof(dns), a.dns));
	}
	shell_out_printf(c->out, "  %lu interrupts; lost: %lu damaged, %lu missed\n", n.interrupts,
			 n.errors, n.missed);
}

static void ip_json(struct json *j, const char *key, uint32_t ip)
{
	char text[SHOW_MAX];

	json_string(j, key, ip != 0 ? show_ip(text, sizeof(text), ip) : NULL);
}

static void uplink_json(struct json *j, const struct uplink *u)
{
	struct host_address a = host_address(u);
	struct netnic_stats n = { 0 };
	char mac[SHOW_MAX];

	u->ops->stats(u->nic, &n);
	json_object(j, NULL);
	json_string(j, "name", u->nic->name);
	json_string(j, "driver", u->ops->driver);
	json_string(j, "mac", show_mac(mac, sizeof(mac), u->nic->mac));
	json_bool(j, "link", u->nic->link);
	json_u64(j, "speed", u->ops->speed(u->nic));
	ip_json(j, "address", a.ip);
	ip_json(j, "router", a.router);
	ip_json(j, "dns", a.dns);
	json_bool(j, "dhcp", a.dhcp);
	json_u64(j, "interrupts", n.interrupts);
	json_u64(j, "damaged", n.errors);
	json_u64(j, "missed", n.missed);
	cmd_net_stats_json(j, &u->nic->stats);
	json_end(j);
}

static int cmd_uplinks(struct shell_call *c)
{
	struct uplink *u = NULL;
	struct json j;

	if (shell_json(c)) {
		json_begin(&j, c->out);
		json_array(&j, NULL);
		while ((u = uplink_next(u)) != NULL) {
			uplink_json(&j, u);
		}
		json_finish(&j);
		return 0;
	}
	if (uplink_next(NULL) == NULL) {
		shell_out_puts(c->out,
			       "This machine has no network card that a driver is here for.\n");
		return 0;
	}
	shell_out_printf(c->out, "%-5s %-6s %-17s %-4s %5s %-15s %9s %9s\n", "NAME", "DRIVER",
			 "MAC", "LINK", "MBIT", "ADDRESS", "RECEIVED", "SENT");
	while ((u = uplink_next(u)) != NULL) {
		uplink_print(c, u);
	}
	return 0;
}

/* ---- forwards ---- */

static int forward_add(struct shell_call *c, const struct network *net,
		       const struct network_forward *f)
{
	int err = network_forward_add(net, f);

	switch (err) {
	case 0:
		return 0;
	case -EEXIST:
		return shell_error(c, "that port of the host leads somewhere already");
	case -EBUSY:
		return shell_error(c, "another port of the host leads to that port of %s already",
				   f->vm);
	case -EINVAL:
		return shell_error(
			c, "%s is no network with mode = \"nat\" or \"natnet\" and an uplink",
			net->c.name);
	default:
		return shell_error(c, "cannot forward to %s: %s", f->vm, errno_text(err));
	}
}

static int forward_remove(struct shell_call *c, const struct network *net,
			  const struct network_forward *f)
{
	if (network_forward_remove(net, f->proto, f->out_port) != 0) {
		return shell_error(c, "%s does not forward that port; net info %s shows all",
				   net->c.name, net->c.name);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct shell_call *c, const struct network *net, const struct network_forward *f);
} actions[] = { { "add", forward_add }, { "remove", forward_remove } };

static int cmd_forward(struct shell_call *c)
{
	const struct network *net = network_find(c->argv[0]);
	struct network_forward f;
	unsigned int a = 0;

	if (net == NULL) {
		return shell_error(c, "no network is named \"%.40s\"; net list shows all",
				   c->argv[0]);
	}
	while (a < ARRAY_SIZE(actions) && strcmp(c->argv[1], actions[a].name) != 0) {
		a++;
	}
	if (a == ARRAY_SIZE(actions)) {
		return shell_error(c, "found \"%.20s\", allowed: add, remove", c->argv[1]);
	}
	if (!config_parse_forward(c->argv[2], &f)) {
		return shell_error(c,
				   "found \"%.60s\", allowed: a port like tcp:8080:web1:80 "
				   "(protocol, the host's, VM, its port)",
				   c->argv[2]);
	}
	return actions[a].fn(c, net, &f);
}

static void offer_actions(struct shell *sh UNUSED, struct line_edit *le, const char *word UNUSED)
{
	for (unsigned int a = 0; a < ARRAY_SIZE(actions); a++) {
		line_edit_offer(le, actions[a].name);
	}
}

static const struct shell_cmd cmds[] = {
	{ "net", "uplinks", "[--json]", "network cards of this machine, and its addresses",
	  cmd_uplinks },
	{ "net", "forward", "NET add|remove PORT",
	  "lead a port of the host's to a VM, or no more\n"
	  "PORT is like tcp:8080:web1:80: the protocol, the host's port, the VM, its port. The VM "
	  "keeps one address while a port leads to it.",
	  cmd_forward },
};

static const struct shell_kind kinds[] = { { "add|remove", offer_actions } };

const struct shell_table cmd_net_uplink_table = { cmds, ARRAY_SIZE(cmds), kinds,
						  ARRAY_SIZE(kinds) };
