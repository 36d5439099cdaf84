/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns `vm console`: bytes both ways, unchanged, until Ctrl-], at a serial port or virtio console. */
/* Keeps nothing: the rings are hv/guest_console's. */
#include "arch/clock.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/thread.h"
#include "hv/vm.h"
#include <stdarg.h>

#define CTRL_BRACKET 0x1d
#define WAIT_NS	     1000000000ul
#define DEAF_NS	     10000000000ul /* a guest that takes no key for so long does not listen */
#define KEYS_AT_ONCE 16u	   /* between checkpoints */
#define CELLS_MAX    9999u	   /* of a terminal, each way */

struct session {
	struct shell_call *c;
	struct vm *vm;
	struct guest_console *console;
	uint64_t cursor;     /* in the guest's output */
	enum vm_state state; /* last shown */
	size_t held;	     /* keys that the guest's queue had no room for */
	uint64_t taken;	     /* when it last had (ticks) */
	bool fresh_line;     /* the last byte shown ended a line */
	bool leave;
	char keys[256];
};

static void show(struct session *s, const char *text, size_t len)
{
	if (len > 0) {
		shell_out_write(s->c->out, text, len);
		s->fresh_line = text[len - 1] == '\n';
	}
}

/* Our own words, on a line of their own whatever the guest left behind. */
static void say(struct session *s, const char *fmt, ...) PRINTF(2, 3);
static void say(struct session *s, const char *fmt, ...)
{
	va_list ap;

	shell_out_puts(s->c->out, s->fresh_line ? "" : "\r\n");
	va_start(ap, fmt);
	shell_out_vprintf(s->c->out, fmt, ap);
	va_end(ap);
	shell_out_puts(s->c->out, "\r\n");
	s->fresh_line = true;
}

/*
 * The oldest byte kept may be inside an escape sequence or a character: begin at the first line end,
 * unless all output ever made is there.
 */
static size_t skip_cut_line(uint64_t from, const char *buf, size_t n)
{
	const char *end = from > 0 ? memchr(buf, '\n', n) : NULL;

	return end != NULL ? (size_t)(end - buf) + 1 : 0;
}

static void show_recent(struct session *s)
{
	char buf[256];
	bool first = true;
	size_t n;

	while ((n = guest_console_read(s->console, &s->cursor, buf, sizeof(buf))) > 0) {
		size_t skip = first ? skip_cut_line(s->cursor - n, buf, n) : 0;

		show(s, buf + skip, n - skip);
		first = false;
	}
}

/* Guest to terminal; false if there was nothing (the ring will then wake us). */
static bool pump_out(struct session *s)
{
	char buf[256];
	size_t n = guest_console_read(s->console, &s->cursor, buf, sizeof(buf));

	show(s, buf, n);
	return n > 0;
}

/* Hands held keys to the guest, as many as it takes: a VM that is up keeps its device while locked. */
static void deliver(struct session *s)
{
	size_t n = 0;

	if (s->held == 0) {
		return;
	}
	vm_list_lock();
	if (vm_is_up(s->vm)) {
		n = guest_console_type(s->console, s->keys, s->held);
	}
	vm_list_unlock();
	s->taken = n > 0 ? clock_now() : s->taken;
	memmove(s->keys, s->keys + n, s->held - n);
	s->held -= n;
}

/* Does nobody take keys? A guest may be slow at it, but Ctrl-] behind a long paste must come through. */
static bool deaf(const struct session *s)
{
	return s->vm->state != VM_RUNNING || clock_now() - s->taken > clock_ns_to_ticks(DEAF_NS);
}

/*
 * Terminal to guest, byte by byte: what follows Ctrl-] is the shell's. With no room for more, keys
 * wait where they are, at last at the sender, but for Ctrl-]; of those for a deaf guest a bell is left.
 */
static bool pump_in(struct session *s)
{
	const struct shell_io *io = s->c->sh->io;
	size_t room, n;
	char key;

	deliver(s);
	room = sizeof(s->keys) - s->held;
	if (room == 0 && !deaf(s)) {
		s->leave = io->typed(io->arg, CTRL_BRACKET);
		return false;
	}
	room = u64_min(room, KEYS_AT_ONCE);
	for (n = 0; n < (room > 0 ? room : KEYS_AT_ONCE); n++) {
		if (s->leave || io->read(io->arg, &key, 1) == 0) {
			break;
		}
		if (key == CTRL_BRACKET) {
			s->leave = true;
		} else if (room > 0) {
			s->keys[s->held++] = key;
		} else {
			shell_out_puts(s->c->out, "\a");
		}
	}
	deliver(s);
	return n > 0;
}

static void show_state(struct session *s)
{
	enum vm_state now = s->vm->state;

	if (now != s->state && now != VM_STARTING && now != VM_STOPPING) {
		say(s, "[%s is %s; Ctrl-] comes back]", s->vm->cfg.name, vm_state_name(now));
		s->state = now;
	}
}

static void pump(struct session *s)
{
	while (!s->leave) {
		bool busy = pump_out(s);

		busy |= pump_in(s);
		if (!busy && !s->leave) {
			show_state(s);
			shell_wait(s->c, WAIT_NS);
		}
		thread_checkpoint();
	}
}

static int join(struct shell_call *c, struct vm *vm, struct guest_console *console)
{
	const struct shell_io *io = c->sh->io;
	struct session s = {
		.c = c,
		.vm = vm,
		.console = console,
		.state = vm->state,
		.taken = clock_now(),
		.fresh_line = true,
	};

	io->terminal(io->arg, SHELL_RAW);
	say(&s, "[console of %s, which is %s; Ctrl-] comes back]", vm->cfg.name,
	    vm_state_name(vm->state));
	guest_console_attach(console, thread_current());
	show_recent(&s);
	pump(&s);
	guest_console_attach(console, NULL);
	say(&s, "\x1b[0m[left the console of %s]", vm->cfg.name);
	io->terminal(io->arg, SHELL_LINES);
	return 0;
}

/* ---- the command ---- */

/* Port 0 is the serial port, port 1 the virtio console; NULL after an error. */
static struct guest_console *pick_port(struct shell_call *c, struct vm *vm)
{
	const char *port = shell_option(c, "--port") ? shell_value(c, "--port") : "0";

	if (strcmp(port, "0") != 0 && strcmp(port, "1") != 0) {
		shell_error(c, "the port is --port 0 (serial) or --port 1 (virtio)");
		return NULL;
	}
	if (*port == '1' && !vm->cfg.hvc) {
		shell_error(c, "%s has no virtio console (hvc = false)", vm->cfg.name);
		return NULL;
	}
	return *port == '1' ? &vm->hvc : &vm->console;
}

/* "132x43": columns, rows. */
static bool parse_size(const char *text, uint16_t *columns, uint16_t *rows)
{
	const char *x = strchr(text, 'x');
	char number[8];
	uint64_t c, r;

	if (x == NULL || (size_t)(x - text) >= sizeof(number)) {
		return false;
	}
	memcpy(number, text, (size_t)(x - text));
	number[x - text] = '\0';
	if (string_to_u64(number, &c) || string_to_u64(x + 1, &r) || c == 0 || r == 0 ||
	    c > CELLS_MAX || r > CELLS_MAX) {
		return false;
	}
	*columns = (uint16_t)c;
	*rows = (uint16_t)r;
	return true;
}

/* A device that is being made or taken apart is not told: one that comes looks by itself. */
static void set_size(struct vm *vm, struct guest_console *console, uint16_t columns, uint16_t rows)
{
	vm_list_lock();
	if (vm_is_up(vm)) {
		guest_console_resize(console, columns, rows);
	} else {
		guest_console_set_size(console, columns, rows);
	}
	vm_list_unlock();
}

/* --size, if it was given; 0, or the error that was printed. */
static int take_size(struct shell_call *c, struct vm *vm, struct guest_console *console)
{
	const char *text = shell_value(c, "--size");
	uint16_t columns, rows;

	if (text == NULL) {
		return 0;
	}
	if (console != &vm->hvc) {
		return shell_error(c, "a serial port has no size: --size is for --port 1");
	}
	if (!parse_size(text, &columns, &rows)) {
		return shell_error(c, "\"%.20s\" is no size such as 132x43 (columns, rows)", text);
	}
	set_size(vm, console, columns, rows);
	return 0;
}

int cmd_vm_console(struct shell_call *c)
{
	struct guest_console *console;
	struct vm *vm;
	int err;

	vm_list_lock();
	vm = vm_find(c->argv[0]);
	vm_list_unlock();
	if (vm == NULL) {
		return shell_error(c, "no VM is named \"%.40s\"; vm list shows all", c->argv[0]);
	}
	console = pick_port(c, vm);
	if (console == NULL) {
		return -EINVAL;
	}
	err = take_size(c, vm, console);
	return err ? err : join(c, vm, console);
}
