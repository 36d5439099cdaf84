/* SPDX-License-Identifier: BSD-2-Clause */
/* A frame by its destination: to the card's own address or promiscuous is decided without a lock, the rest by */
/* modes and a table. What may be set, and by whom, is the control queue's. */
#include "drivers/virtio/virtio_net_filter.h"

#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

#define GROUP	  1ul /* in the first byte of an address */
#define BROADCAST 0xfffffffffffful

static uint64_t number(const uint8_t mac[6])
{
	return bytes_get_le32(mac) | (uint64_t)bytes_get_le16(mac + 4) << 32;
}

void virtio_net_filter_init(struct virtio_net_filter *f, struct virtio_net_filter_state *s)
{
	f->s = s;
	spin_init(&f->lock, LOCK_NET_PORT);
}

int virtio_net_filter_set_mac(struct virtio_net_filter *f, const uint8_t mac[6])
{
	uint64_t own = number(mac);

	if (own == 0 || (own & GROUP)) {
		return -EINVAL;
	}
	memmove(f->s->mac, mac, 6);
	__atomic_store_n(&f->own, own, __ATOMIC_RELAXED);
	return 0;
}

void virtio_net_filter_set_mode(struct virtio_net_filter *f, uint8_t mask, uint8_t on)
{
	__atomic_store_n(&f->s->mode, (uint8_t)((f->s->mode & ~mask) | on), __ATOMIC_RELAXED);
}

void virtio_net_filter_set_table(struct virtio_net_filter *f, const struct virtio_net_macs *table)
{
	spin_lock(&f->lock);
	f->s->table = *table;
	spin_unlock(&f->lock);
}

void virtio_net_filter_reset(struct virtio_net_filter *f, const uint8_t mac[6])
{
	static const struct virtio_net_macs none;

	(void)virtio_net_filter_set_mac(f, mac);
	virtio_net_filter_set_mode(f, VIRTIO_NET_MODES - 1, VIRTIO_NET_PROMISC);
	virtio_net_filter_set_table(f, &none);
}

int virtio_net_filter_load(struct virtio_net_filter *f)
{
	if (f->s->mode >= VIRTIO_NET_MODES || f->s->table.count > VIRTIO_NET_MACS) {
		return -EINVAL;
	}
	return virtio_net_filter_set_mac(f, f->s->mac);
}

static bool is_listed(struct virtio_net_filter *f, uint64_t dst)
{
	bool found = false;

	spin_lock(&f->lock);
	for (unsigned int i = 0; !found && i < f->s->table.count; i++) {
		found = number(f->s->table.mac[i]) == dst;
	}
	spin_unlock(&f->lock);
	return found;
}

bool virtio_net_filter_lists(struct virtio_net_filter *f, const uint8_t dst[6])
{
	uint8_t mode = __atomic_load_n(&f->s->mode, __ATOMIC_RELAXED);
	uint8_t all = VIRTIO_NET_MANY_UNI;
	uint64_t to = number(dst);

	if (to == BROADCAST || to == __atomic_load_n(&f->own, __ATOMIC_RELAXED)) {
		return true;
	}
	if (to & GROUP) {
		all = VIRTIO_NET_ALLMULTI | VIRTIO_NET_MANY_MULTI;
	}
	return (mode & all) || is_listed(f, to);
}
