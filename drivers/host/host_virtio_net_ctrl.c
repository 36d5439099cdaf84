/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the control queue: one command at a time, each waited for. */
/* 5.1.6.5 "Control Virtqueue" */
#include "arch/clock.h"
#include "drivers/host/host_virtio_net.h"
#include "hv/base/log.h"
#include "hv/lib/errno.h"
#include "hv/thread.h"

#define ACK_AT	   8u /* in the buffer, behind the command */
#define ACK_NONE   0xffu
#define PATIENCE   1000000000ul /* ns */
#define POLL_NS	   1000000ul
#define RX_CLASS   0u
#define RX_PROMISC 0u

/* [ctrl_mutex] Its answer, or -ETIMEDOUT: the buffer is then the device's for good. */
static int wait_answer(struct host_virtio_net *n)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(PATIENCE);
	struct host_vring_end e;
	int got;

	while ((got = host_vring_collect(&n->ctrl, &e)) == 0) {
		if (clock_now() > deadline) {
			return -ETIMEDOUT;
		}
		thread_sleep(POLL_NS);
	}
	return got < 0 || e.head != 0 ? -EPROTO : n->ctrl_buf[ACK_AT] == 0 ? 0 : -ENOTSUP;
}

/* [ctrl_mutex] A command with one byte of data. */
static int command(struct host_virtio_net *n, uint8_t class, uint8_t cmd, uint8_t data)
{
	uint8_t *b = n->ctrl_buf;

	b[0] = class;
	b[1] = cmd;
	b[2] = data;
	b[ACK_AT] = ACK_NONE;
	host_vring_put(&n->ctrl, 0, b, 2, VIRTQ_DESC_NEXT, 1);
	host_vring_put(&n->ctrl, 1, b + 2, 1, VIRTQ_DESC_NEXT, 2);
	host_vring_put(&n->ctrl, 2, b + ACK_AT, 1, VIRTQ_DESC_WRITE, 0);
	host_vring_offer(&n->ctrl, 0);
	host_virtio_kick(n->ctrl_bell, HOST_VIRTIO_NET_CTRL);
	return wait_answer(n);
}

void host_virtio_net_ctrl_promiscuous(struct netport *p, bool on)
{
	struct host_virtio_net *n = container_of(p, struct host_virtio_net, port);
	int err = 0;

	mutex_lock(&n->ctrl_mutex);
	if (n->ctrl_usable) {
		err = command(n, RX_CLASS, RX_PROMISC, on);
		n->ctrl_usable = err == 0 || err == -ENOTSUP;
	}
	mutex_unlock(&n->ctrl_mutex);
	if (err != 0) {
		log_printf(LOG_HOST, "%s: promiscuous mode: %s", p->name, errno_text(err));
	}
}
