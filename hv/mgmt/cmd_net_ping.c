/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `net ping`: does somebody answer the host's address on an uplink? */
/* How requests and answers look is drivers/net's. */
#include "arch/clock.h"
#include "drivers/net/ping.h"
#include "drivers/net/uplink.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/config.h"
#include "hv/mgmt/show.h"

#define REQUESTS 4u
#define MOST	 1000u
/* In ns, between two requests: who has not answered by then does not count. */
#define PERIOD 1000000000ul
#define POLL   10000000ul

static uint64_t now(void)
{
	return clock_ticks_to_ns(clock_now());
}

static bool is_near(const struct hostif *h, uint32_t ip)
{
	return ((ip ^ h->outside.addr) & h->outside.mask) == 0;
}

/* Where the host has an address: the uplink whose segment `ip` is on, else the first one. */
static struct uplink *uplink_to(uint32_t ip)
{
	struct uplink *u = NULL, *first = NULL;

	while ((u = uplink_next(u)) != NULL) {
		if (u->host == NULL || u->host->outside.addr == 0) {
			continue;
		}
		if (is_near(u->host, ip)) {
			return u;
		}
		first = first != NULL ? first : u;
	}
	return first;
}

/* NULL after saying why. */
static struct uplink *find_uplink(struct shell_call *c, uint32_t ip)
{
	const char *name = shell_value(c, "--uplink");
	struct uplink *u = name != NULL ? uplink_find(name) : uplink_to(ip);

	if (u == NULL && name != NULL) {
		shell_error(c, "no network card is named \"%.20s\"; net uplinks shows all", name);
	} else if (u == NULL || u->host == NULL || u->host->outside.addr == 0) {
		shell_error(c,
			    "the host has no address%s%s: an uplink gets one by configuration, "
			    "or from DHCP once a NAT network uses it",
			    u != NULL ? " on " : "", u != NULL ? u->nic->name : "");
		u = NULL;
	}
	return u;
}

static void say_answer(struct shell_call *c, const struct ping *p, uint64_t took)
{
	char ip[SHOW_MAX];

	shell_out_printf(c->out, "%s answers in %lu.%03lu ms\n", show_ip(ip, sizeof(ip), p->dst),
			 took / 1000000, took / 1000 % 1000);
}

/* A request and its second, less if it is the last and answered. Counts answers; true: Ctrl-C. */
static bool ask(struct shell_call *c, struct ping *p, bool last, unsigned int *answers)
{
	uint64_t begun = now(), took = 0;
	bool stop = false;

	ping_send(p, begun);
	while (!stop && !(last && took != 0) && now() - begun < PERIOD) {
		shell_wait(c, POLL);
		stop = shell_interrupted(c);
		if (took == 0 && (took = ping_took(p)) != 0) {
			say_answer(c, p, took);
			(*answers)++;
		}
	}
	return stop;
}

/* 0, or -EINVAL after saying why. */
static int count_of(struct shell_call *c, uint64_t *count)
{
	const char *text = shell_value(c, "--count");

	*count = REQUESTS;
	if (text != NULL && (string_to_u64(text, count) != 0 || *count == 0 || *count > MOST)) {
		return shell_error(c, "--count: found \"%.20s\", allowed: 1 to %u", text, MOST);
	}
	return 0;
}

static int ask_all(struct shell_call *c, struct ping *p, uint64_t count)
{
	unsigned int sent = 0, answers = 0;
	char ip[SHOW_MAX];
	bool stop = false;

	while (!stop && sent < count) {
		sent++;
		stop = ask(c, p, sent == count, &answers);
	}
	if (answers == 0 && !stop) {
		return shell_error(c, "%s does not answer", show_ip(ip, sizeof(ip), p->dst));
	}
	shell_out_printf(c->out, "%u of %u answered\n", answers, sent);
	return 0;
}

static int cmd_ping(struct shell_call *c)
{
	struct uplink *u;
	struct ping p;
	uint64_t count;
	uint32_t ip;
	int err;

	if (!config_parse_ip(c->argv[0], &ip)) {
		return shell_error(c, "found \"%.40s\", allowed: an IPv4 address like 192.0.2.1",
				   c->argv[0]);
	}
	err = count_of(c, &count);
	if (err != 0) {
		return err;
	}
	u = find_uplink(c, ip);
	if (u == NULL) {
		return -ENODEV;
	}
	if (ipif_is_broadcast(&u->host->outside, ip)) {
		return shell_error(c, "%s is nobody's own address", c->argv[0]);
	}
	err = ping_open(&p, u->host, ip);
	if (err != 0) {
		return shell_error(c, "cannot ping: %s", errno_text(err));
	}
	err = ask_all(c, &p, count);
	ping_close(&p);
	return err;
}

static const struct shell_cmd cmds[] = {
	{ "net", "ping", "ADDRESS [--count N] [--uplink UPLINK]",
	  "ask whether a host answers the hypervisor\n"
	  "Four echo requests (or N), a second apart, from the host's address on the uplink that "
	  "ADDRESS is near. Guests behind NAT are not reached from there; Ctrl-C ends it.",
	  cmd_ping },
};

const struct shell_table cmd_net_ping_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
