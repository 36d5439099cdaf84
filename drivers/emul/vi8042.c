/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8042 keyboard controller and an AT keyboard on which nobody types. No auxiliary (mouse) port. */
/* Answers as the parts do, so that probing is quiet; resets the machine when asked to. */
#include "drivers/emul/isa.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/vdev.h"
#include "hv/vm.h"

#define KBD_IRQ	     1u
#define PORT_DATA    0x60u
#define PORT_COMMAND 0x64u

/* IBM PS/2 Hardware Interface Technical Reference, "Keyboard/Auxiliary Device Controller": status */
#define STATUS_OBF     0x01u
#define STATUS_SYSTEM  0x04u
#define STATUS_COMMAND 0x08u /* the last write was to 64h */
#define STATUS_UNLOCK  0x10u /* the key lock is open */
#define STATUS_TIMEOUT 0x40u

/* "Controller Command Byte", RAM byte 0 */
#define CTR_KBD_IRQ   0x01u
#define CTR_SYSTEM    0x04u
#define CTR_KBD_OFF   0x10u
#define CTR_AUX_OFF   0x20u
#define CTR_TRANSLATE 0x40u

#define OUTPUT_RESET 0x01u /* output port bit 0, low: the CPU is in reset */
#define OUTPUT_A20   0x02u

#define KBD_ACK	   0xfau
#define KBD_RESEND 0xfeu

#define QUEUE 8u /* more than any command answers */

struct queue {
	uint8_t bytes[QUEUE];
	uint8_t first;
	uint8_t count;
};

struct vi8042_state {
	uint8_t ram[32]; /* [0] is the command byte */
	uint8_t output_port;
	uint8_t status;	     /* SYSTEM, COMMAND and TIMEOUT */
	uint8_t pending;     /* controller command whose operand comes on 60h; 0: none */
	uint8_t kbd_pending; /* the same for the keyboard */
	uint8_t scan_set;
	uint8_t last_sent; /* for "resend" */
	uint8_t data;	   /* output buffer */
	bool full;	   /* OBF */
	bool from_kbd;	   /* the buffer came from the keyboard */
	struct queue kbd;  /* what the keyboard has to say */
};

struct vi8042 {
	struct vm *vm;
	bool line;
	struct vi8042_state s;
};

/* ---- output buffer ---- */

static void set_line(struct vi8042 *k, bool level)
{
	if (level != k->line) {
		k->line = level;
		virq_set_line(k->vm, KBD_IRQ, level);
	}
}

static void update_line(struct vi8042 *k)
{
	set_line(k, k->s.full && (k->s.ram[0] & CTR_KBD_IRQ));
}

static void put_output(struct vi8042 *k, uint8_t val, bool from_kbd)
{
	k->s.data = val;
	k->s.full = true;
	k->s.from_kbd = from_kbd;
	update_line(k);
}

/* With translation on, the controller turns scan set 2 into set 1: of what is ever sent, only these. */
static uint8_t translate(uint8_t val)
{
	static const struct {
		uint8_t from, to;
	} codes[] = { { 0x01, 0x43 }, { 0x02, 0x41 }, { 0x03, 0x3f }, { 0x83, 0x41 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
		if (codes[i].from == val) {
			return codes[i].to;
		}
	}
	return val;
}

/* The keyboard's clock is held low while its interface is disabled: it keeps what it has. */
static void fetch_from_kbd(struct vi8042 *k)
{
	struct queue *q = &k->s.kbd;
	uint8_t val;

	if (k->s.full || q->count == 0 || (k->s.ram[0] & CTR_KBD_OFF)) {
		return;
	}
	val = q->bytes[q->first];
	q->first = (uint8_t)((q->first + 1) % QUEUE);
	q->count--;
	put_output(k, k->s.ram[0] & CTR_TRANSLATE ? translate(val) : val, true);
}

/* ---- keyboard ---- */

static void kbd_send(struct vi8042 *k, uint8_t val)
{
	struct queue *q = &k->s.kbd;

	if (q->count < QUEUE) {
		q->bytes[(q->first + q->count++) % QUEUE] = val;
	}
	k->s.last_sent = val;
}

static void kbd_operand(struct vi8042 *k, uint8_t command, uint8_t val)
{
	kbd_send(k, KBD_ACK);
	if (command != 0xf0) {
		return; /* LEDs, typematic rate: taken */
	}
	if (val == 0) {
		kbd_send(k, k->s.scan_set);
	} else if (val <= 3) {
		k->s.scan_set = val;
	}
}

/* "Keyboard (101- and 102-Key)", "Commands from the System" */
static void kbd_command(struct vi8042 *k, uint8_t val)
{
	switch (val) {
	case 0xed: /* LEDs */
	case 0xf0: /* scan code set */
	case 0xf3: /* typematic rate and delay */
		k->s.kbd_pending = val;
		kbd_send(k, KBD_ACK);
		break;
	case 0xee: /* echo */
		kbd_send(k, 0xee);
		break;
	case 0xf2: /* read ID */
		kbd_send(k, KBD_ACK);
		kbd_send(k, 0xab);
		kbd_send(k, 0x83);
		break;
	case 0xf5: /* default disable */
	case 0xf6: /* set default */
		k->s.scan_set = 2;
		kbd_send(k, KBD_ACK);
		break;
	case 0xf4: /* enable */
	case 0xf7: /* set all keys … */
	case 0xf8:
	case 0xf9:
	case 0xfa:
		kbd_send(k, KBD_ACK);
		break;
	case 0xfe: /* resend */
		kbd_send(k, k->s.last_sent);
		break;
	case 0xff: /* reset: the self-test passes */
		k->s.scan_set = 2;
		kbd_send(k, KBD_ACK);
		kbd_send(k, 0xaa);
		break;
	default:
		kbd_send(k, KBD_RESEND);
		break;
	}
}

/* A command ends what the keyboard was about to say, and an operand that it waited for. */
static void kbd_write(struct vi8042 *k, uint8_t val)
{
	uint8_t command = k->s.kbd_pending;

	k->s.kbd.count = 0;
	k->s.kbd_pending = 0;
	k->s.ram[0] &= (uint8_t)~CTR_KBD_OFF; /* sending enables the interface */
	if (command && val < 0xed) {
		kbd_operand(k, command, val);
	} else {
		kbd_command(k, val);
	}
}

/* ---- controller ---- */

static void write_output_port(struct vi8042 *k, uint8_t val)
{
	k->s.output_port = val;
	if (!(val & OUTPUT_RESET)) {
		vm_request_reset(k->vm);
	}
}

static void write_ram(struct vi8042 *k, unsigned int at, uint8_t val)
{
	k->s.ram[at] = val;
	if (at == 0) {
		k->s.status &= (uint8_t)~STATUS_SYSTEM;
		k->s.status |= val & CTR_SYSTEM ? STATUS_SYSTEM : 0;
	}
}

/* Operand of the controller command before it. */
static void operand(struct vi8042 *k, uint8_t command, uint8_t val)
{
	switch (command) {
	case 0xd1: /* write output port */
		write_output_port(k, val);
		break;
	case 0xd2: /* write output buffer as if the keyboard had sent it */
		put_output(k, val, true);
		break;
	case 0xd3: /* the same for the auxiliary device: there is none, so it comes back untagged */
		put_output(k, val, false);
		break;
	case 0xd4: /* write to the auxiliary device: nobody answers */
		k->s.status |= STATUS_TIMEOUT;
		put_output(k, KBD_RESEND, false);
		break;
	default: /* 60h-7Fh: write RAM */
		write_ram(k, command & 31u, val);
		break;
	}
}

static void self_test(struct vi8042 *k)
{
	k->s.ram[0] = CTR_SYSTEM | CTR_KBD_OFF | CTR_AUX_OFF | CTR_TRANSLATE;
	k->s.status |= STATUS_SYSTEM;
	put_output(k, 0x55, false);
}

static bool wants_operand(uint8_t command)
{
	return (command >= 0x60 && command < 0x80) || (command >= 0xd1 && command <= 0xd4);
}

static void command(struct vi8042 *k, uint8_t val)
{
	k->s.pending = wants_operand(val) ? val : 0;
	switch (val) {
	case 0xa4: /* is a password installed? */
		put_output(k, 0xf1, false);
		break;
	case 0xa7:
		k->s.ram[0] |= CTR_AUX_OFF;
		break;
	case 0xa9: /* test auxiliary interface: its clock line is stuck high */
		put_output(k, 0x02, false);
		break;
	case 0xaa:
		self_test(k);
		break;
	case 0xab: /* test keyboard interface */
		put_output(k, 0, false);
		break;
	case 0xad:
		k->s.ram[0] |= CTR_KBD_OFF;
		break;
	case 0xae:
		k->s.ram[0] &= (uint8_t)~CTR_KBD_OFF;
		break;
	case 0xc0: /* input port: manufacturing jumper and key lock open */
		put_output(k, 0xa0, false);
		break;
	case 0xd0:
		put_output(k, k->s.output_port, false);
		break;
	case 0xdd: /* close and open A20: always open, the bit only remembers */
		k->s.output_port &= (uint8_t)~OUTPUT_A20;
		break;
	case 0xdf:
		k->s.output_port |= OUTPUT_A20;
		break;
	case 0xe0: /* test inputs: both clocks high */
		put_output(k, 0x03, false);
		break;
	default:
		if ((val & 0xe0) == 0x20) {
			put_output(k, k->s.ram[val & 31u], false);
		} else if (val >= 0xf0 && !(val & 1)) { /* pulse output bit 0 */
			vm_request_reset(k->vm);
		}
		break;
	}
}

/* ---- ports ---- */

static uint8_t read_data(struct vi8042 *k)
{
	uint8_t val = k->s.data;

	k->s.full = false;
	k->s.status &= (uint8_t)~STATUS_TIMEOUT;
	set_line(k, false);
	fetch_from_kbd(k);
	return val;
}

static uint8_t vi8042_read(void *dev, uint16_t port)
{
	struct vi8042 *k = dev;

	if (port == PORT_DATA) {
		return read_data(k);
	}
	return (uint8_t)(k->s.status | STATUS_UNLOCK | (k->s.full ? STATUS_OBF : 0));
}

static void vi8042_write(void *dev, uint16_t port, uint8_t val)
{
	struct vi8042 *k = dev;
	uint8_t waiting = k->s.pending;

	if (port == PORT_COMMAND) {
		k->s.status |= STATUS_COMMAND;
		command(k, val);
	} else {
		k->s.status &= (uint8_t)~STATUS_COMMAND;
		k->s.pending = 0;
		if (waiting) {
			operand(k, waiting, val);
		} else {
			kbd_write(k, val);
		}
	}
	fetch_from_kbd(k);
	update_line(k);
}

static enum io_result vi8042_io(void *dev, struct io_access *a)
{
	static const struct isa_byte_ops ops = { .read = vi8042_read, .write = vi8042_write };

	return isa_access(dev, a, &ops);
}

/* ---- life ---- */

static int vi8042_create(struct vm *vm, void *dev)
{
	struct vi8042 *k = dev;
	int err;

	k->vm = vm;
	err = iobus_claim(&vm->pio, PORT_DATA, 1, vi8042_io, k);
	return err ? err : iobus_claim(&vm->pio, PORT_COMMAND, 1, vi8042_io, k);
}

/* As a BIOS leaves it: tested, translating, interrupts off. */
static void vi8042_reset(void *dev)
{
	struct vi8042 *k = dev;

	memset(&k->s, 0, sizeof(k->s));
	k->s.ram[0] = CTR_SYSTEM | CTR_AUX_OFF | CTR_TRANSLATE;
	k->s.status = STATUS_SYSTEM;
	k->s.output_port = OUTPUT_RESET | OUTPUT_A20 | 0xcc;
	k->s.scan_set = 2;
	k->line = false;
	virq_set_line(k->vm, KBD_IRQ, false);
}

static int vi8042_after_load(void *dev)
{
	struct vi8042 *k = dev;
	struct vi8042_state *s = &k->s;

	if (s->kbd.first >= QUEUE || s->kbd.count > QUEUE ||
	    (s->status & ~(STATUS_SYSTEM | STATUS_COMMAND | STATUS_TIMEOUT)) ||
	    (s->pending && !wants_operand(s->pending)) || !isa_is_bool(&s->full) ||
	    !isa_is_bool(&s->from_kbd)) {
		return -EINVAL;
	}
	k->line = false;
	virq_set_line(k->vm, KBD_IRQ, false);
	update_line(k);
	return 0;
}

static const struct vdev_class vi8042_class = {
	.name = "i8042",
	.stage = VDEV_CHIP,
	.size = sizeof(struct vi8042),
	.create = vi8042_create,
	.reset = vi8042_reset,
	.state_offset = offsetof(struct vi8042, s),
	.state_size = sizeof(struct vi8042_state),
	.state_version = 1,
	.after_load = vi8042_after_load,
};
VDEV_REGISTER(vi8042_class);
