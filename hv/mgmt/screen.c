/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns what stands on the terminal's last row, so that a log line can get out of its way. */
/* Knows neither commands nor keys. */
#include "hv/mgmt/screen.h"
#include "drivers/host/uart.h"
#include "hv/base/lock.h"
#include "hv/lib/string.h"
#include "hv/mgmt/line_edit.h"

static struct {
	struct spinlock lock; /* guards all below, and the order of writes to the UART */
	enum screen_mode mode;
	bool mid_line; /* the last byte written did not end a line */
	unsigned int missed;
	size_t row_len;
	char row[LINE_RENDER_MAX]; /* draws the prompt and line again */
} screen = { .lock = SPINLOCK_INIT(LOCK_SCREEN) };

void screen_set_mode(enum screen_mode mode)
{
	spin_lock(&screen.lock);
	screen.mode = mode;
	screen.row_len = 0;
	spin_unlock(&screen.lock);
}

static void put(const char *text, size_t len)
{
	uart_write(text, len);
	if (len > 0) {
		screen.mid_line = text[len - 1] != '\n';
	}
}

/* With a \r in front of each \n: terminals need both. */
static void put_lines(const char *text, size_t len)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end != NULL ? (size_t)(end - text) : len;

		put(text, n);
		if (end != NULL) {
			put("\r\n", 2);
			n++;
		}
		text += n;
		len -= n;
	}
}

void screen_write(const char *text, size_t len)
{
	spin_lock(&screen.lock);
	if (screen.mode == SCREEN_RAW) {
		put(text, len);
	} else {
		put_lines(text, len);
	}
	spin_unlock(&screen.lock);
}

void screen_edit(const char *text, size_t len, const char *row, size_t row_len)
{
	spin_lock(&screen.lock);
	put(text, len);
	screen.row_len = u64_min(row_len, sizeof(screen.row));
	if (screen.row_len > 0) {
		memcpy(screen.row, row, screen.row_len);
	}
	spin_unlock(&screen.lock);
}

/* What a log line may not take: the console's thread was promised room for as much. */
#define RESERVED (2 * SCREEN_WRITE_MAX) /* each byte may be a \n */

bool screen_has_room(void)
{
	return uart_has_room(RESERVED);
}

/* Is there room for a log line of len bytes, what goes around it and the row? */
static bool log_fits(size_t len)
{
	return uart_has_room(RESERVED + 2 * len + sizeof(screen.row) + 8);
}

void screen_log(const char *text, size_t len)
{
	spin_lock(&screen.lock);
	if (screen.mode == SCREEN_RAW || screen.mode == SCREEN_HELD || !log_fits(len)) {
		screen.missed++;
	} else if (screen.row_len > 0) {
		put("\r\x1b[K", 4);
		put_lines(text, len);
		put(screen.row, screen.row_len);
	} else {
		put("\r\n", screen.mid_line ? 2 : 0);
		put_lines(text, len);
	}
	spin_unlock(&screen.lock);
}

unsigned int screen_take_missed(void)
{
	unsigned int missed;

	spin_lock(&screen.lock);
	missed = screen.missed;
	screen.missed = 0;
	spin_unlock(&screen.lock);
	return missed;
}

void screen_flush(void)
{
	screen.mode = SCREEN_COMMAND; /* without the lock: its holder stands still */
	uart_flush_polled();
}
