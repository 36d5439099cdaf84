/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the line being edited: its text and cursor, the kill buffer, drawing, which key does what. */
/* Sends escape sequences only when something other than typing at the end asks for them. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/line_edit_priv.h"
#include "hv/mgmt/utf8.h"

#define SCROLL 20u /* columns that a long line jumps by */

typedef void key_fn(struct line_edit *le);

void line_edit_init(struct line_edit *le, line_write_fn *write, line_complete_fn *complete,
		    void *arg)
{
	memset(le, 0, sizeof(*le));
	le->write = write;
	le->complete = complete;
	le->arg = arg;
	le->prompt = "";
}

void line_edit_put(struct line_edit *le, const char *s)
{
	le->write(le->arg, s, strlen(s));
}

const char *line_edit_text(const struct line_edit *le)
{
	return le->text;
}

/* ---- drawing ---- */

static const char *shown_prompt(const struct line_edit *le)
{
	return le->searching ? le->search_prompt : le->prompt;
}

static unsigned int prompt_width(const struct line_edit *le)
{
	const char *p = shown_prompt(le);

	return utf8_width(p, strlen(p));
}

/* Columns for text: two stay free, so that not even ^C at the end makes a terminal wrap. */
static unsigned int room(const struct line_edit *le)
{
	return LINE_COLUMNS - 2 - prompt_width(le);
}

static unsigned int cursor_column(const struct line_edit *le)
{
	return utf8_width(le->text + le->left, le->cur - le->left);
}

/* Bytes from `left` on that fit. */
static size_t visible(const struct line_edit *le)
{
	unsigned int columns = room(le);
	size_t end = le->left;

	while (end < le->len) {
		unsigned int bytes = utf8_next(le->text + end, le->len - end);
		unsigned int width = utf8_width(le->text + end, bytes);

		if (width > columns) {
			break;
		}
		columns -= width;
		end += bytes;
	}
	return end - le->left;
}

/* Moves `left` so that the cursor is within the row; true if it had to. */
static bool scroll(struct line_edit *le)
{
	size_t before = le->left;

	if (le->cur < le->left) {
		le->left = le->cur;
		for (unsigned int i = 0; i < SCROLL && le->left > 0; i++) {
			le->left -= utf8_prev(le->text, le->left);
		}
	}
	if (cursor_column(le) > room(le)) {
		while (cursor_column(le) + SCROLL > room(le) && le->left < le->cur) {
			le->left += utf8_next(le->text + le->left, le->len - le->left);
		}
	}
	return le->left != before;
}

size_t line_edit_render(const struct line_edit *le, char *buf, size_t size)
{
	size_t shown = visible(le);
	unsigned int column = prompt_width(le) + cursor_column(le);
	/* Cleared first: what is typed next then follows the text in one piece, as scripts expect. */
	int n = fmt_snprintf(buf, size, "\r\x1b[K%s%.*s", shown_prompt(le), (int)shown,
			     le->text + le->left);

	if (le->cur - le->left < shown && (size_t)n < size) {
		n += fmt_snprintf(buf + n, size - (size_t)n, "\r\x1b[%uC", column);
	}
	return u64_min((uint64_t)n, size > 0 ? size - 1 : 0);
}

void line_edit_redraw(struct line_edit *le)
{
	char buf[LINE_RENDER_MAX];

	scroll(le);
	le->write(le->arg, buf, line_edit_render(le, buf, sizeof(buf)));
}

/* ---- changing the text ---- */

void line_edit_set_text(struct line_edit *le, const char *s)
{
	string_copy(le->text, s, sizeof(le->text));
	le->len = strlen(le->text);
	le->cur = le->len;
	le->left = 0;
}

void line_edit_insert(struct line_edit *le, const char *s, size_t n)
{
	bool at_end = le->cur == le->len;

	if (n > LINE_MAX - le->len) {
		line_edit_put(le, "\a");
		return;
	}
	memmove(le->text + le->cur + n, le->text + le->cur, le->len - le->cur + 1);
	memcpy(le->text + le->cur, s, n);
	le->len += n;
	le->cur += n;
	if (at_end && !scroll(le)) {
		le->write(le->arg, s, n);
	} else {
		line_edit_redraw(le);
	}
}

static void erase(struct line_edit *le, size_t from, size_t to)
{
	memmove(le->text + from, le->text + to, le->len - to + 1);
	le->len -= to - from;
	le->cur = from;
}

/* Takes out [from, to) and keeps it for Ctrl-Y. */
static void kill(struct line_edit *le, size_t from, size_t to)
{
	if (from < to) {
		memcpy(le->kill, le->text + from, to - from);
		le->kill_len = to - from;
		erase(le, from, to);
		line_edit_redraw(le);
	}
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c & 0x80) != 0;
}

static size_t word_left(const struct line_edit *le)
{
	size_t i = le->cur;

	while (i > 0 && !is_word(le->text[i - 1])) {
		i--;
	}
	while (i > 0 && is_word(le->text[i - 1])) {
		i--;
	}
	return i;
}

static size_t word_right(const struct line_edit *le)
{
	size_t i = le->cur;

	while (i < le->len && !is_word(le->text[i])) {
		i++;
	}
	while (i < le->len && is_word(le->text[i])) {
		i++;
	}
	return i;
}

/* Ctrl-W: back to a space, as shells do, so that it takes a whole path. */
static size_t blank_left(const struct line_edit *le)
{
	size_t i = le->cur;

	while (i > 0 && le->text[i - 1] == ' ') {
		i--;
	}
	while (i > 0 && le->text[i - 1] != ' ') {
		i--;
	}
	return i;
}

/* ---- keys ---- */

static void move(struct line_edit *le, size_t to)
{
	if (to != le->cur) {
		le->cur = to;
		line_edit_redraw(le);
	}
}

static void key_left(struct line_edit *le)
{
	move(le, le->cur - utf8_prev(le->text, le->cur));
}

static void key_right(struct line_edit *le)
{
	move(le, le->cur + utf8_next(le->text + le->cur, le->len - le->cur));
}

static void key_home(struct line_edit *le)
{
	move(le, 0);
}

static void key_end(struct line_edit *le)
{
	move(le, le->len);
}

static void key_word_left(struct line_edit *le)
{
	move(le, word_left(le));
}

static void key_word_right(struct line_edit *le)
{
	move(le, word_right(le));
}

static void key_delete(struct line_edit *le)
{
	size_t n = utf8_next(le->text + le->cur, le->len - le->cur);

	if (n > 0) {
		erase(le, le->cur, le->cur + n);
		line_edit_redraw(le);
	}
}

static void key_backspace(struct line_edit *le)
{
	size_t n = utf8_prev(le->text, le->cur);
	bool plain = le->cur == le->len && n == 1 && le->cur - n > le->left;

	if (n == 0) {
		return;
	}
	erase(le, le->cur - n, le->cur);
	if (plain) {
		line_edit_put(le, "\b \b");
	} else {
		line_edit_redraw(le);
	}
}

static void key_kill_end(struct line_edit *le)
{
	kill(le, le->cur, le->len);
}

static void key_kill_start(struct line_edit *le)
{
	kill(le, 0, le->cur);
}

static void key_kill_blank(struct line_edit *le)
{
	kill(le, blank_left(le), le->cur);
}

static void key_kill_word_left(struct line_edit *le)
{
	kill(le, word_left(le), le->cur);
}

static void key_kill_word_right(struct line_edit *le)
{
	kill(le, le->cur, word_right(le));
}

static void key_yank(struct line_edit *le)
{
	line_edit_insert(le, le->kill, le->kill_len);
}

static void key_clear(struct line_edit *le)
{
	line_edit_put(le, "\x1b[H\x1b[2J");
	line_edit_redraw(le);
}

static void key_cancel(struct line_edit *le)
{
	move(le, le->len); /* ^C stands behind the text, not over it */
	line_edit_put(le, "^C\r\n");
	le->searching = false;
	line_edit_set_text(le, "");
	le->result = LINE_CANCEL;
}

static void key_enter(struct line_edit *le)
{
	bool scrolled = le->searching;

	le->searching = false;
	if (scrolled) {
		line_edit_redraw(le);
	}
	line_edit_put(le, "\r\n");
	line_history_add(le);
	le->result = LINE_ENTER;
}

/* ---- keys to functions ---- */

static key_fn *const keys[LINE_KEYS] = {
	[LINE_KEY_LEFT] = key_left,
	[LINE_KEY_RIGHT] = key_right,
	[LINE_KEY_HOME] = key_home,
	[LINE_KEY_END] = key_end,
	[LINE_KEY_UP] = line_history_up,
	[LINE_KEY_DOWN] = line_history_down,
	[LINE_KEY_WORD_LEFT] = key_word_left,
	[LINE_KEY_WORD_RIGHT] = key_word_right,
	[LINE_KEY_DELETE] = key_delete,
	[LINE_KEY_BACKSPACE] = key_backspace,
	[LINE_KEY_KILL_END] = key_kill_end,
	[LINE_KEY_KILL_START] = key_kill_start,
	[LINE_KEY_KILL_BLANK] = key_kill_blank,
	[LINE_KEY_KILL_WORD_LEFT] = key_kill_word_left,
	[LINE_KEY_KILL_WORD_RIGHT] = key_kill_word_right,
	[LINE_KEY_YANK] = key_yank,
	[LINE_KEY_TAB] = line_complete,
	[LINE_KEY_ENTER] = key_enter,
	[LINE_KEY_CANCEL] = key_cancel,
	[LINE_KEY_CLEAR] = key_clear,
	[LINE_KEY_SEARCH] = line_history_search,
};

enum line_result line_edit_feed(struct line_edit *le, char byte)
{
	enum line_key key = line_key_feed(&le->input, byte);

	le->result = LINE_MORE;
	if (key == LINE_KEY_TEXT && le->searching) {
		line_history_search_type(le, le->input.text, le->input.text_len);
	} else if (key == LINE_KEY_TEXT) {
		line_edit_insert(le, le->input.text, le->input.text_len);
	} else if (key != LINE_KEY_NONE && !(le->searching && line_history_search_key(le, key)) &&
		   keys[key] != NULL) {
		keys[key](le);
	}
	return le->result;
}

void line_edit_begin(struct line_edit *le, const char *prompt)
{
	le->prompt = prompt;
	le->searching = false;
	le->history_pos = 0;
	line_key_reset(&le->input);
	line_edit_set_text(le, "");
	line_edit_put(le, prompt);
}
