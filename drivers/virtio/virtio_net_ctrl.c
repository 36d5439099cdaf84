/* SPDX-License-Identifier: BSD-2-Clause */
/* 5.1.6.5 "Control Virtqueue": commands as a table, each with the feature that it needs and the length of its data. */
/* A command that makes no sense is answered with an error; only one without room for an answer breaks the device. */
#include "drivers/virtio/virtio_net_ctrl.h"

#include "drivers/virtio/virtio_net_priv.h"
#include "hv/lib/bytes.h"

#define IN_ONE_GO 32u /* descriptors, about */
#define DATA_MAX  8u
#define TABLES	  0xffu /* of addresses: as long as they say */

struct command {
	uint8_t class, number;
	uint8_t feature;
	uint8_t len;  /* of the data in bytes, exactly, or TABLES */
	uint8_t mode; /* for set_mode */
	/* False: refused. */
	bool (*run)(struct virtio_net *n, const struct command *cmd, const uint8_t *data);
};

/* ---- receiving ---- */

static bool set_mode(struct virtio_net *n, const struct command *cmd, const uint8_t *data)
{
	if (data[0] > 1) {
		return false;
	}
	virtio_net_filter_set_mode(&n->filter, cmd->mode, data[0] ? cmd->mode : 0);
	return true;
}

/* Adds the addresses from byte *off on to t. False: they are fewer than they say. */
static bool read_table(const struct virtq_chain *c, uint64_t *off, struct virtio_net_macs *t,
		       bool *too_many)
{
	uint8_t raw[4];
	uint32_t count;

	if (virtq_read(c, *off, raw, sizeof(raw)) != sizeof(raw)) {
		return false;
	}
	*off += sizeof(raw);
	count = bytes_get_le32(raw);
	if (count > (c->read_len - *off) / 6) {
		return false;
	}
	*too_many = count > VIRTIO_NET_MACS - t->count;
	if (!*too_many) {
		virtq_read(c, *off, t->mac[t->count], 6ul * count);
		t->count = (uint8_t)(t->count + count);
	}
	*off += 6ul * count;
	return true;
}

/* Both tables replace the old ones, or neither does. */
static bool set_tables(struct virtio_net *n, const struct command *cmd UNUSED,
		       const uint8_t *data UNUSED)
{
	struct virtio_net_macs table = { .count = 0 };
	uint64_t off = VIRTIO_NET_CTRL;
	bool uni, multi;

	if (!read_table(&n->chain, &off, &table, &uni) ||
	    !read_table(&n->chain, &off, &table, &multi) || off != n->chain.read_len) {
		return false;
	}
	virtio_net_filter_set_table(&n->filter, &table);
	virtio_net_filter_set_mode(
		&n->filter, VIRTIO_NET_MANY_UNI | VIRTIO_NET_MANY_MULTI,
		(uint8_t)((uni ? VIRTIO_NET_MANY_UNI : 0) | (multi ? VIRTIO_NET_MANY_MULTI : 0)));
	return true;
}

/* ---- the rest ---- */

static bool set_mac(struct virtio_net *n, const struct command *cmd UNUSED, const uint8_t *data)
{
	return virtio_net_set_mac(n, data) == 0;
}

static bool announced(struct virtio_net *n, const struct command *cmd UNUSED,
		      const uint8_t *data UNUSED)
{
	virtio_net_announced(n);
	return true;
}

static bool set_pairs(struct virtio_net *n, const struct command *cmd UNUSED, const uint8_t *data)
{
	return virtio_net_set_pairs(n, bytes_get_le16(data)) == 0;
}

static bool set_offloads(struct virtio_net *n, const struct command *cmd UNUSED,
			 const uint8_t *data)
{
	return virtio_net_set_offloads(n, bytes_get_le64(data)) == 0;
}

/* ---- the queue ---- */

#define COMMAND(class, number, feature, ...)                                                       \
	{                                                                                          \
		VIRTIO_NET_CTRL_##class, VIRTIO_NET_CTRL_##number, VIRTIO_NET_F_##feature,         \
			__VA_ARGS__                                                                \
	}

static const struct command commands[] = {
	COMMAND(MODE, PROMISC, CTRL_RX, .len = 1, .run = set_mode, .mode = VIRTIO_NET_PROMISC),
	COMMAND(MODE, ALLMULTI, CTRL_RX, .len = 1, .run = set_mode, .mode = VIRTIO_NET_ALLMULTI),
	COMMAND(MAC, TABLE_SET, CTRL_RX, .len = TABLES, .run = set_tables),
	COMMAND(MAC, ADDR_SET, CTRL_MAC, .len = 6, .run = set_mac),
	COMMAND(ANNOUNCE, ANNOUNCED, ANNOUNCE, .len = 0, .run = announced),
	COMMAND(MQ, PAIRS_SET, MQ, .len = 2, .run = set_pairs),
	COMMAND(OFFLOADS, OFFL_SET, CTRL_OFFL, .len = 8, .run = set_offloads),
};

static const struct command *find(const struct virtio_net *n, uint8_t class, uint8_t number)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *cmd = &commands[i];

		if (cmd->class == class && cmd->number == number) {
			return virtio_dev_has(&n->pci.d, cmd->feature) ? cmd : NULL;
		}
	}
	return NULL;
}

/* The command in n->chain. */
static bool obey(struct virtio_net *n)
{
	const struct virtq_chain *c = &n->chain;
	uint8_t raw[VIRTIO_NET_CTRL + DATA_MAX];
	const struct command *cmd;
	size_t len = virtq_read(c, 0, raw, sizeof(raw));

	if (len < VIRTIO_NET_CTRL) {
		return false;
	}
	cmd = find(n, raw[0], raw[1]);
	return cmd != NULL && (cmd->len == TABLES || c->read_len == VIRTIO_NET_CTRL + cmd->len) &&
	       cmd->run(n, cmd, raw + VIRTIO_NET_CTRL);
}

void virtio_net_ctrl_serve(struct virtio_net *n, struct virtq *q)
{
	unsigned int cost = 0;

	while (cost < IN_ONE_GO && virtq_pop(q, &n->chain)) {
		uint8_t refused;

		if (n->chain.write_len == 0) {
			virtio_dev_broken(&n->pci.d, "queue %u: no room for an answer", q->number);
			return;
		}
		refused = !obey(n);
		virtq_write(&n->chain, 0, &refused, 1);
		virtq_push(q, &n->chain, 1);
		cost += n->chain.walked;
	}
	virtq_signal(q);
	if (cost >= IN_ONE_GO) {
		virtio_dev_again(&n->pci.d, q->number);
	}
}
