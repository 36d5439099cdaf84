/* SPDX-License-Identifier: BSD-2-Clause */
/* The console device (5.3): one port, a console, between the driver's queues and the VM's second */
/* guest_console. Keeps no bytes itself: what the driver does not take waits there. */
#include "drivers/virtio/virtio_pci.h"
#include "hv/lib/bytes.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vdev.h"
#include "hv/vm.h"

/* 5.3.2 "Virtqueues" */
enum { QUEUE_RX, QUEUE_TX, QUEUE_CONTROL_RX, QUEUE_CONTROL_TX, QUEUES };

#define SIZE_UNKNOWN (80u | 24u << 16) /* columns, rows: what a terminal is taken for */
#define IN_ONE_GO    4096u /* bytes, or what costs as much, before others get their turn */
#define CHAIN_COST   64u
#define SHOW_MAX     GUEST_CONSOLE_OUT /* of one buffer only its end would remain */
#define RX_MAX	     256u

/* Messages that wait for a buffer in the control queue, in this order. */
static const struct {
	uint16_t event, value;
} messages[] = {
	{ VIRTIO_CONSOLE_DEVICE_ADD, 0 },
	{ VIRTIO_CONSOLE_CONSOLE_PORT, 1 },
	{ VIRTIO_CONSOLE_PORT_OPEN, 1 },
	{ VIRTIO_CONSOLE_RESIZE, 0 },
};
#define MESSAGE_ADD    0x1u
#define MESSAGE_OPEN   0x6u /* both that follow when the driver has the port */
#define MESSAGE_RESIZE 0x8u
#define MESSAGE_ALL    0xfu

struct virtio_console_state {
	struct virtio_pci_state pci;
	uint32_t pending; /* messages, by bit */
	uint32_t ready;	  /* 0, or 1: the driver has the port */
};

struct virtio_console {
	struct virtio_pci pci;
	uint8_t config[VIRTIO_CONSOLE_CONFIG];
	struct virtq_chain chain;
	struct virtio_console_state s;
};

static struct virtio_console *console_of(struct virtio_dev *d)
{
	return container_of(virtio_pci_of(d), struct virtio_console, pci);
}

/* ---- bytes ---- */

/* Segments are guest memory: the driver may change the bytes meanwhile, which harms only itself. */
static uint64_t show_chain(struct virtio_console *vc)
{
	const struct virtq_chain *c = &vc->chain;
	uint64_t skip = c->read_len > SHOW_MAX ? c->read_len - SHOW_MAX : 0;

	for (unsigned int i = 0; i < c->readable; i++) {
		const struct virtq_seg *s = &c->seg[i];
		uint64_t n = u64_min(skip, s->len);

		skip -= n;
		if (n < s->len) {
			guest_console_write(&vc->pci.d.vm->hvc, (const char *)s->base + n,
					    s->len - n);
		}
	}
	return u64_min(c->read_len, SHOW_MAX) + CHAIN_COST * (c->readable + 1u);
}

static void transmit(struct virtio_dev *d, struct virtq *q)
{
	struct virtio_console *vc = console_of(d);
	uint64_t cost = 0;

	while (cost < IN_ONE_GO && virtq_pop(q, &vc->chain)) {
		cost += show_chain(vc);
		virtq_push(q, &vc->chain, 0);
	}
	virtq_signal(q);
	if (cost >= IN_ONE_GO) {
		virtio_dev_again(d, q->number);
	}
}

static size_t take_input(struct guest_console *console, char *buf, size_t size)
{
	size_t n = 0;

	for (; n < size; n++) {
		int ch = guest_console_get(console);

		if (ch < 0) {
			break;
		}
		buf[n] = (char)ch;
	}
	return n;
}

static void receive(struct virtio_dev *d, struct virtq *q)
{
	struct virtio_console *vc = console_of(d);
	struct guest_console *console = &d->vm->hvc;
	char bytes[RX_MAX];
	uint64_t cost = 0;

	while (cost < IN_ONE_GO && guest_console_has_input(console) && virtq_pop(q, &vc->chain)) {
		size_t n = take_input(console, bytes, u64_min(vc->chain.write_len, RX_MAX));

		virtq_push(q, &vc->chain, (uint32_t)virtq_write(&vc->chain, 0, bytes, n));
		cost += CHAIN_COST + 16 * n;
	}
	virtq_signal(q);
	if (cost >= IN_ONE_GO) {
		virtio_dev_again(d, q->number);
	}
}

/* ---- size ---- */

static uint32_t terminal_size(const struct vm *vm)
{
	uint32_t size = guest_console_size(&vm->hvc);

	return size ? size : SIZE_UNKNOWN;
}

static bool size_differs(struct virtio_console *vc)
{
	uint32_t size = terminal_size(vc->pci.d.vm);
	bool differs = bytes_get_le32(&vc->config[VIRTIO_CONSOLE_COLS]) != size;

	bytes_put_le32(&vc->config[VIRTIO_CONSOLE_COLS], size);
	return differs;
}

/* 5.3.5, 5.3.6.2: by the device's configuration, and by message to a driver of ports. */
static void take_size(struct virtio_console *vc)
{
	struct virtio_dev *d = &vc->pci.d;

	if (!size_differs(vc)) {
		return;
	}
	virtio_dev_config_changed(d);
	if (vc->s.ready && virtio_dev_has(d, VIRTIO_CONSOLE_F_SIZE)) {
		vc->s.pending |= MESSAGE_RESIZE;
		virtio_dev_again(d, QUEUE_CONTROL_RX);
	}
}

/* What is typed, or another size: from the shell's thread, which has no guest memory. */
static void input_ready(void *arg)
{
	struct virtio_console *vc = arg;
	struct vm *vm = vc->pci.d.vm;

	spin_lock(&vm->dev_lock);
	take_size(vc);
	virtio_dev_again(&vc->pci.d, QUEUE_RX);
	spin_unlock(&vm->dev_lock);
}

/* ---- 5.3.6.2 "Multiport Device Operation" ---- */

/* The message i, for port 0; its length. */
static size_t make_message(const struct virtio_console *vc, unsigned int i, uint8_t *msg)
{
	bytes_put_le32(msg, 0);
	bytes_put_le16(msg + 4, messages[i].event);
	bytes_put_le16(msg + 6, messages[i].value);
	if (messages[i].event != VIRTIO_CONSOLE_RESIZE) {
		return VIRTIO_CONSOLE_CONTROL_SIZE;
	}
	memcpy(msg + VIRTIO_CONSOLE_CONTROL_SIZE, &vc->config[VIRTIO_CONSOLE_COLS],
	       VIRTIO_CONSOLE_RESIZE_SIZE);
	return VIRTIO_CONSOLE_CONTROL_SIZE + VIRTIO_CONSOLE_RESIZE_SIZE;
}

static void send_messages(struct virtio_dev *d, struct virtq *q)
{
	struct virtio_console *vc = console_of(d);

	for (unsigned int i = 0; i < ARRAY_SIZE(messages); i++) {
		uint8_t msg[VIRTIO_CONSOLE_CONTROL_SIZE + VIRTIO_CONSOLE_RESIZE_SIZE];
		size_t len;

		if (!(vc->s.pending & 1u << i)) {
			continue;
		}
		if (!virtq_pop(q, &vc->chain)) {
			break;
		}
		len = make_message(vc, i, msg);
		virtq_push(q, &vc->chain, (uint32_t)virtq_write(&vc->chain, 0, msg, len));
		vc->s.pending &= ~(1u << i);
	}
	virtq_signal(q);
}

/* Other events, and ports that there are not, are none of ours: no answer. */
static void take_message(struct virtio_console *vc)
{
	uint8_t msg[VIRTIO_CONSOLE_CONTROL_SIZE];
	unsigned int event, value;

	if (virtq_read(&vc->chain, 0, msg, sizeof(msg)) < sizeof(msg)) {
		return;
	}
	event = bytes_get_le16(msg + 4);
	value = bytes_get_le16(msg + 6);
	if (event == VIRTIO_CONSOLE_DEVICE_READY && value == 1) {
		vc->s.pending |= MESSAGE_ADD;
	} else if (event == VIRTIO_CONSOLE_PORT_READY && value == 1 && bytes_get_le32(msg) == 0) {
		vc->s.ready = 1;
		vc->s.pending |= MESSAGE_OPEN;
		if (virtio_dev_has(&vc->pci.d, VIRTIO_CONSOLE_F_SIZE)) {
			vc->s.pending |= MESSAGE_RESIZE;
		}
	}
}

static void control(struct virtio_dev *d, struct virtq *q)
{
	struct virtio_console *vc = console_of(d);
	uint64_t cost = 0;

	while (cost < IN_ONE_GO && virtq_pop(q, &vc->chain)) {
		take_message(vc);
		virtq_push(q, &vc->chain, 0);
		cost += CHAIN_COST * (vc->chain.count + 1u);
	}
	virtq_signal(q);
	send_messages(d, &d->queue[QUEUE_CONTROL_RX]);
	if (cost >= IN_ONE_GO) {
		virtio_dev_again(d, q->number);
	}
}

/* ---- the virtio class ---- */

static void console_notify(struct virtio_dev *d, unsigned int queue)
{
	static void (*const work[QUEUES])(struct virtio_dev *, struct virtq *) = {
		[QUEUE_RX] = receive,
		[QUEUE_TX] = transmit,
		[QUEUE_CONTROL_RX] = send_messages,
		[QUEUE_CONTROL_TX] = control,
	};

	work[queue](d, &d->queue[queue]);
}

static void console_reset(struct virtio_dev *d)
{
	struct virtio_console *vc = console_of(d);

	vc->s.pending = 0;
	vc->s.ready = 0;
	(void)size_differs(vc); /* nobody told us of one that came before the VM was up */
}

/* 5.3.4: emerg_wr takes a character in its low byte, whether negotiated or not. */
static void console_config_written(struct virtio_dev *d, unsigned int off, unsigned int size,
				   uint32_t val)
{
	(void)size;
	if (off == VIRTIO_CONSOLE_EMERG) {
		guest_console_put(&d->vm->hvc, (char)val);
	}
}

static const struct virtio_dev_class console_class = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.pci_class = 0x078000, /* "Other communications device" */
	.features = BIT(VIRTIO_CONSOLE_F_SIZE) | BIT(VIRTIO_CONSOLE_F_MULTIPORT) |
		    BIT(VIRTIO_CONSOLE_F_EMERG_WRITE),
	.queues = QUEUES,
	.queue_size = 64,
	.config_size = VIRTIO_CONSOLE_CONFIG,
	.notify = console_notify,
	.reset = console_reset,
	.config_written = console_config_written,
};

/* ---- the vdev class ---- */

static bool wanted(const struct vm_config *cfg)
{
	return cfg->hvc;
}

static int create(struct vm *vm, void *dev)
{
	struct virtio_console *vc = dev;
	int err = virtio_pci_create(&vc->pci, vm, &console_class, &vc->s.pci, vc->config,
				    VIRTIO_SLOT_CONSOLE);

	if (err != 0) {
		return err;
	}
	bytes_put_le32(&vc->config[VIRTIO_CONSOLE_MAX_PORTS], 1);
	(void)size_differs(vc);
	guest_console_set_input(&vm->hvc, input_ready, vc);
	return 0;
}

static void reset(void *dev)
{
	virtio_pci_reset(&((struct virtio_console *)dev)->pci);
}

static void work(void *dev)
{
	virtio_dev_work(&((struct virtio_console *)dev)->pci.d);
}

static void destroy(void *dev)
{
	struct virtio_console *vc = dev;

	guest_console_set_input(&vc->pci.d.vm->hvc, NULL, NULL);
}

static int after_load(void *dev)
{
	struct virtio_console *vc = dev;

	if ((vc->s.pending & ~MESSAGE_ALL) || vc->s.ready > 1) {
		return -EINVAL;
	}
	if (vc->s.ready && virtio_dev_has(&vc->pci.d, VIRTIO_CONSOLE_F_SIZE)) {
		vc->s.pending |= MESSAGE_RESIZE; /* whoever looks now may have another terminal */
	}
	(void)size_differs(vc);
	return virtio_pci_load(&vc->pci);
}

static const struct vdev_class virtio_console_class = {
	.name = "virtio-console",
	.stage = VDEV_CHIP,
	.size = sizeof(struct virtio_console),
	.wanted = wanted,
	.create = create,
	.reset = reset,
	.work = work,
	.destroy = destroy,
	.state_offset = offsetof(struct virtio_console, s),
	.state_size = sizeof(struct virtio_console_state),
	.state_version = VIRTIO_PCI_STATE_VERSION,
	.after_load = after_load,
};
VDEV_REGISTER(virtio_console_class);
