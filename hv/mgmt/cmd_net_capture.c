/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `net capture`: a port's packets as lines of text, out of which a pcap file is made elsewhere. */
/* Recording is drivers/net/pcap.c's. */
#include "drivers/net/network.h"
#include "drivers/net/pcap.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/base64.h"
#include "hv/mgmt/cmd.h"
#include "hv/thread.h"

#define RING	     (64u * KIB)
#define SNAP_MIN     160u
#define SNAP_MAX     16384u
#define SNAP_DEFAULT 1600ul
#define PAUSE_NS     100000000ul
#define MARK	     "pcap:"

/* A port by name, since it may go at any time. */
struct place {
	const struct network *net;
	char port[NETPORT_NAME];
};

struct held {
	struct network_segment *segment;
	struct netport *port;
};

static bool hold(const struct place *at, struct held *h)
{
	struct network_segment *s = NULL;

	while ((s = network_next_segment(s)) != NULL) {
		struct netport *p =
			network_has(at->net, s) ? netswitch_hold_port(&s->sw, at->port) : NULL;

		if (p != NULL) {
			*h = (struct held){ s, p };
			return true;
		}
		thread_checkpoint();
	}
	return false;
}

static void release(const struct held *h)
{
	netswitch_release_port(h->port);
	network_segment_unuse(h->segment);
}

/* ---- which port ---- */

static int choose(struct shell_call *c, struct place *at)
{
	unsigned int count;

	at->net = network_find(c->argv[0]);
	if (at->net == NULL) {
		return shell_error(c, "no network is named \"%.40s\"; net list shows all",
				   c->argv[0]);
	}
	if (c->argc > 1) {
		string_copy(at->port, c->argv[1], sizeof(at->port));
		return 0;
	}
	count = cmd_net_cards(at->net, at->port, sizeof(at->port));
	return count == 1
		       ? 0
		       : shell_error(c,
				     "%s has %u ports of guests; net info %s shows them, name one",
				     c->argv[0], count, c->argv[0]);
}

/* ---- recording ---- */

static int start(struct shell_call *c, const struct place *at, uint32_t snap)
{
	struct held h;
	int err;

	if (!hold(at, &h)) {
		return shell_error(c, "%s has no port \"%.40s\"; net info %s shows them",
				   c->argv[0], at->port, c->argv[0]);
	}
	err = pcap_start(h.port, RING, snap);
	release(&h);
	return err == 0 ? 0 : shell_error(c, "cannot capture %s: %s", at->port, errno_text(err));
}

static void stop(const struct place *at)
{
	struct held h;

	if (hold(at, &h)) {
		pcap_stop(h.port);
		release(&h);
	}
}

static bool read(const struct place *at, uint8_t *buf, size_t *len, struct pcap_counts *counts)
{
	struct held h;
	bool there;

	if (!hold(at, &h)) {
		return false;
	}
	there = pcap_read(h.port, buf, len, counts);
	release(&h);
	return there;
}

static void print_line(struct shell_call *c, const uint8_t *bytes, size_t len)
{
	char text[sizeof(MARK) + BASE64_LETTERS(BASE64_LINE)] = MARK;
	size_t n = strlen(MARK) + base64_encode(bytes, len, text + strlen(MARK));

	text[n++] = '\n';
	shell_out_write(c->out, text, n);
}

/* Until Ctrl-C; false: the port is gone. */
static bool stream(struct shell_call *c, const struct place *at, struct pcap_counts *counts)
{
	while (!shell_interrupted(c)) {
		uint8_t bytes[BASE64_LINE];
		size_t len = sizeof(bytes);

		if (!read(at, bytes, &len, counts)) {
			return false;
		}
		if (len != 0) {
			print_line(c, bytes, len);
		} else {
			shell_wait(c, PAUSE_NS);
		}
		thread_checkpoint();
	}
	return true;
}

static int snap_of(struct shell_call *c, uint64_t *snap)
{
	const char *text = shell_value(c, "--snap");

	*snap = SNAP_DEFAULT;
	if (text != NULL &&
	    (string_to_u64(text, snap) != 0 || *snap < SNAP_MIN || *snap > SNAP_MAX)) {
		return shell_error(c, "--snap: found \"%.20s\", allowed: bytes, %u to %u", text,
				   SNAP_MIN, SNAP_MAX);
	}
	return 0;
}

static int cmd_capture(struct shell_call *c)
{
	struct pcap_counts n = { 0 };
	struct place at;
	uint64_t snap;
	int err = snap_of(c, &snap);

	err = err ? err : choose(c, &at);
	err = err ? err : start(c, &at, (uint32_t)snap);
	if (err != 0) {
		return err;
	}
	if (!stream(c, &at, &n)) {
		return shell_error(c, "port %s has left %s", at.port, c->argv[0]);
	}
	stop(&at);
	shell_out_printf(c->out, "%s: %lu packets, %lu lost since the console was too slow\n",
			 at.port, n.packets, n.lost);
	return 0;
}

static const struct shell_cmd cmds[] = {
	{ "net", "capture", "NET [PORT] [--snap BYTES]",
	  "a port's packets, for tshark\n"
	  "PORT as in net info; it may be left out if there is only one. Of each packet up to BYTES\n"
	  "(1600) are kept. Ctrl-C ends it. Where the terminal's output was logged:\n"
	  "sed -n 's/\\r$//; s/^.*pcap://p' LOG | base64 -d | tshark -r -",
	  cmd_capture },
};

const struct shell_table cmd_net_capture_table = { cmds, ARRAY_SIZE(cmds), NULL, 0 };
