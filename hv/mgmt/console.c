/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the console's thread: keys to the editor, lines to the shell, and keys typed ahead. */
/* What stands on the terminal is screen.c's, what a command does cmd_*.c's. */
#include "hv/mgmt/console.h"
#include "arch/clock.h"
#include "drivers/host/uart.h"
#include "hv/base/log.h"
#include "hv/lib/string.h"
#include "hv/mgmt/cmd.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/screen.h"
#include "hv/mgmt/shell.h"
#include "hv/mgmt/startup.h"
#include "hv/thread.h"
#include "version.h"

#define PROMPT	    "insula> "
#define WRITE_SLICE 64u		 /* bytes of output between checkpoints */
#define STALLED_NS  2000000000ul /* a line that takes nothing for so long has nobody at its end */
#define POLL_NS	    10000000ul

static const struct shell_table *const tables[] = {
	&cmd_vm_info_table,	&cmd_vm_table,	       &cmd_vm_set_table,    &cmd_vm_save_table,
	&cmd_vm_restore_table,	&cmd_store_table,      &cmd_disk_table,	     &cmd_disk_image_table,
	&cmd_disk_copy_table,	&cmd_disk_limit_table, &cmd_net_table,	     &cmd_net_capture_table,
	&cmd_nic_table,		&cmd_net_uplink_table, &cmd_net_ping_table,  &cmd_host_table,
	&cmd_host_memory_table, &cmd_host_power_table, &cmd_isolation_table, &cmd_config_table,
	&cmd_config_save_table, &cmd_top_table,	       &cmd_trace_table,     &cmd_misc_table,
};

static struct {
	struct line_edit editor;
	struct shell shell;
	size_t ahead_len; /* keys read from the UART and not yet used */
	char ahead[1024];
	bool stalled;	/* nobody takes our output: it is thrown away until somebody does */
	size_t out_len; /* the editor's output that is not on the screen yet */
	char out[SCREEN_WRITE_MAX];
} console; /* the console's thread only */

/* ---- output ---- */

/*
 * Waits until the screen takes SCREEN_WRITE_MAX bytes. An unattended line must not keep the console
 * from its work, such as starting VMs: once it stood still for long it is not waited for.
 */
static void wait_for_room(void)
{
	uint64_t deadline = clock_now() + clock_ns_to_ticks(STALLED_NS);
	bool room;

	while (!(room = screen_has_room()) && !console.stalled) {
		thread_park_until(clock_now() + clock_ns_to_ticks(POLL_NS));
		uart_poll(); /* for a port without an interrupt */
		console.stalled = clock_now() > deadline;
	}
	console.stalled &= !room;
}

static void shell_write(void *arg UNUSED, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = u64_min(len, WRITE_SLICE);

		wait_for_room();
		screen_write(text, n);
		thread_checkpoint();
		text += n;
		len -= n;
	}
}

static void say_missed(void)
{
	unsigned int missed = screen_take_missed();

	if (missed > 0) {
		shell_out_printf(&console.shell.out, "(%u log line%s meanwhile: host log)\n",
				 missed, missed == 1 ? "" : "s");
	}
}

/* ---- keys ---- */

/* Fetches what the UART has; the rest waits there, and then at the sender. */
static void fetch_keys(void)
{
	uart_poll(); /* for a port without an interrupt */
	console.ahead_len += uart_read(console.ahead + console.ahead_len,
				       sizeof(console.ahead) - console.ahead_len);
}

static void drop_keys(size_t n)
{
	memmove(console.ahead, console.ahead + n, console.ahead_len - n);
	console.ahead_len -= n;
}

static size_t io_read(void *arg UNUSED, char *buf, size_t size)
{
	size_t n;

	fetch_keys();
	n = u64_min(size, console.ahead_len);
	memcpy(buf, console.ahead, n);
	drop_keys(n);
	return n;
}

/* Keys typed ahead do not shorten the sleep: a command that does not want them would spin. */
static void io_wait(void *arg UNUSED, uint64_t ns)
{
	thread_park_until(clock_now() + clock_ns_to_ticks(ns));
}

static bool io_typed(void *arg UNUSED, char key)
{
	const char *hit;

	fetch_keys();
	hit = memchr(console.ahead, key, console.ahead_len);
	if (hit == NULL) {
		return false;
	}
	drop_keys((size_t)(hit - console.ahead) + 1);
	return true;
}

static void io_terminal(void *arg UNUSED, enum shell_terminal use)
{
	static const enum screen_mode modes[] = {
		[SHELL_LINES] = SCREEN_COMMAND,
		[SHELL_SCREEN] = SCREEN_HELD,
		[SHELL_RAW] = SCREEN_RAW,
	};

	screen_set_mode(modes[use]);
	if (use == SHELL_LINES) {
		say_missed();
	}
}

static const struct shell_io io = {
	.read = io_read,
	.wait = io_wait,
	.typed = io_typed,
	.terminal = io_terminal,
};

/* ---- the line ---- */

static void flush_editor(void)
{
	char row[LINE_RENDER_MAX];
	size_t row_len = line_edit_render(&console.editor, row, sizeof(row));

	thread_checkpoint(); /* a long line takes about as long to draw as to write */
	wait_for_room();
	screen_edit(console.out, console.out_len, row, row_len);
	console.out_len = 0;
}

/* Gathered, so that a log line cannot come between the pieces of one change. */
static void editor_write(void *arg UNUSED, const char *text, size_t len)
{
	while (len > 0) {
		size_t n = u64_min(len, sizeof(console.out) - console.out_len);

		memcpy(console.out + console.out_len, text, n);
		console.out_len += n;
		text += n;
		len -= n;
		if (console.out_len == sizeof(console.out)) {
			wait_for_room();
			screen_edit(console.out, console.out_len, NULL, 0);
			console.out_len = 0;
		}
	}
}

static void editor_complete(void *arg UNUSED, struct line_edit *le, const char *line)
{
	shell_complete(&console.shell, le, line);
}

/* Feeds the editor until a line is finished or the keys are used up. */
static enum line_result feed_keys(void)
{
	enum line_result result = LINE_MORE;
	size_t n = 0;

	fetch_keys();
	while (n < console.ahead_len && result == LINE_MORE) {
		result = line_edit_feed(&console.editor, console.ahead[n++]);
		thread_checkpoint(); /* a key may redraw all of a long line */
	}
	drop_keys(n);
	if (result == LINE_MORE) {
		flush_editor();
	} else {
		wait_for_room();
		screen_edit(console.out, console.out_len, NULL, 0);
		console.out_len = 0;
	}
	return result;
}

static enum line_result read_line(void)
{
	enum line_result result;

	say_missed();
	screen_set_mode(SCREEN_PROMPT);
	thread_checkpoint();
	line_edit_begin(&console.editor, PROMPT);
	flush_editor();
	while ((result = feed_keys()) == LINE_MORE) {
		if (console.ahead_len == 0) {
			thread_park();
		}
	}
	screen_set_mode(SCREEN_COMMAND);
	thread_checkpoint();
	return result;
}

static void body(void *arg UNUSED)
{
	struct shell_out *out = &console.shell.out;

	uart_set_reader(thread_current());
	shell_out_printf(out, "\nInsula %s (%s)\n", INSULA_VERSION, INSULA_GIT);
	startup_run(out);
	thread_checkpoint();
	shell_out_puts(out, "Type help for a list of commands.\n");
	for (;;) {
		if (read_line() == LINE_ENTER) {
			shell_run(&console.shell, line_edit_text(&console.editor));
		}
	}
}

int console_start(const struct boot_info *info)
{
	const struct thread_params p = { .name = "console", .body = body };
	struct thread *t;

	cmd_host_init(info);
	console.shell.tables = tables;
	console.shell.table_count = ARRAY_SIZE(tables);
	console.shell.io = &io;
	console.shell.out.write = shell_write;
	line_edit_init(&console.editor, editor_write, editor_complete, NULL);
	log_set_sink(screen_log, LOG_INFO);
	return thread_create(&t, &p);
}
