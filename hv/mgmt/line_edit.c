/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns editing: the text and cursor, the kill buffer, history, search, completion, drawing. */
/* Sends escape sequences only when something other than typing at the end asks for them. */
#include "hv/mgmt/line_edit.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
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

static void put(struct line_edit *le, const char *s)
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

static void redraw(struct line_edit *le)
{
	char buf[LINE_RENDER_MAX];

	scroll(le);
	le->write(le->arg, buf, line_edit_render(le, buf, sizeof(buf)));
}

/* ---- changing the text ---- */

static void set_text(struct line_edit *le, const char *s)
{
	string_copy(le->text, s, sizeof(le->text));
	le->len = strlen(le->text);
	le->cur = le->len;
	le->left = 0;
}

/* Puts n bytes in at the cursor; nothing if they do not fit. */
static void insert(struct line_edit *le, const char *s, size_t n)
{
	bool at_end = le->cur == le->len;

	if (n > LINE_MAX - le->len) {
		put(le, "\a");
		return;
	}
	memmove(le->text + le->cur + n, le->text + le->cur, le->len - le->cur + 1);
	memcpy(le->text + le->cur, s, n);
	le->len += n;
	le->cur += n;
	if (at_end && !scroll(le)) {
		le->write(le->arg, s, n);
	} else {
		redraw(le);
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
		redraw(le);
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
		redraw(le);
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
		redraw(le);
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
		put(le, "\b \b");
	} else {
		redraw(le);
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
	insert(le, le->kill, le->kill_len);
}

static void key_clear(struct line_edit *le)
{
	put(le, "\x1b[H\x1b[2J");
	redraw(le);
}

static void key_cancel(struct line_edit *le)
{
	move(le, le->len); /* ^C stands behind the text, not over it */
	put(le, "^C\r\n");
	le->searching = false;
	set_text(le, "");
	le->result = LINE_CANCEL;
}

/* ---- history ---- */

/* The nth last line, n from 1. */
static const char *history_line(const struct line_edit *le, unsigned int n)
{
	return le->history[(le->history_next + LINE_HISTORY - n) % LINE_HISTORY];
}

static void history_add(struct line_edit *le)
{
	if (le->len == 0 || (le->history_count > 0 && strcmp(history_line(le, 1), le->text) == 0)) {
		return;
	}
	memcpy(le->history[le->history_next], le->text, le->len + 1);
	le->history_next = (le->history_next + 1) % LINE_HISTORY;
	le->history_count += le->history_count < LINE_HISTORY;
}

static void history_go(struct line_edit *le, unsigned int pos)
{
	if (le->history_pos == 0) {
		memcpy(le->saved, le->text, le->len + 1);
	}
	le->history_pos = pos;
	set_text(le, pos == 0 ? le->saved : history_line(le, pos));
	redraw(le);
}

static void key_up(struct line_edit *le)
{
	if (le->history_pos < le->history_count) {
		history_go(le, le->history_pos + 1);
	}
}

static void key_down(struct line_edit *le)
{
	if (le->history_pos > 0) {
		history_go(le, le->history_pos - 1);
	}
}

static void key_enter(struct line_edit *le)
{
	bool scrolled = le->searching;

	le->searching = false;
	if (scrolled) {
		redraw(le);
	}
	put(le, "\r\n");
	history_add(le);
	le->result = LINE_ENTER;
}

/* ---- Ctrl-R ---- */

static void search_prompt(struct line_edit *le, bool found)
{
	fmt_snprintf(le->search_prompt, sizeof(le->search_prompt), "(%s '%.*s') ",
		     found ? "search" : "not found", (int)le->needle_len, le->needle);
}

/* Shows the newest line, from the nth last on, that contains the needle. */
static void search_from(struct line_edit *le, unsigned int n)
{
	bool found = false;

	for (; n <= le->history_count && !found; n++) {
		const char *hit = strstr(history_line(le, n), le->needle);

		if (hit != NULL) {
			size_t at = (size_t)(hit - history_line(le, n));

			set_text(le, history_line(le, n));
			le->cur = at;
			le->history_pos = n;
			found = true;
		}
	}
	search_prompt(le, found);
	redraw(le);
}

static void key_search(struct line_edit *le)
{
	if (le->searching) {
		search_from(le, le->history_pos + 1);
		return;
	}
	if (le->history_pos == 0) {
		memcpy(le->saved, le->text, le->len + 1);
	}
	le->searching = true;
	le->needle_len = 0;
	le->needle[0] = '\0';
	le->history_pos = 0;
	search_prompt(le, true);
	redraw(le);
}

static void search_end(struct line_edit *le)
{
	le->searching = false;
	le->left = 0;
	redraw(le);
}

static void search_abort(struct line_edit *le)
{
	set_text(le, le->saved);
	le->history_pos = 0;
	search_end(le);
}

static void search_type(struct line_edit *le, const char *s, size_t n)
{
	if (le->needle_len + n < 40) { /* the prompt leaves half the row for the match */
		memcpy(le->needle + le->needle_len, s, n);
		le->needle_len += (unsigned int)n;
		le->needle[le->needle_len] = '\0';
		search_from(le, le->history_pos > 0 ? le->history_pos : 1);
	}
}

static void search_backspace(struct line_edit *le)
{
	le->needle_len -= utf8_prev(le->needle, le->needle_len);
	le->needle[le->needle_len] = '\0';
	search_from(le, 1);
}

/* True if the key was for the search; any other key takes the line and then acts. */
static bool search_key(struct line_edit *le, enum line_key key)
{
	switch (key) {
	case LINE_KEY_SEARCH:
	case LINE_KEY_CANCEL:
	case LINE_KEY_ENTER:
		return false;
	case LINE_KEY_ABORT:
		search_abort(le);
		return true;
	case LINE_KEY_BACKSPACE:
		search_backspace(le);
		return true;
	default:
		search_end(le);
		return false;
	}
}

/* ---- Tab ---- */

void line_edit_offer(struct line_edit *le, const char *word)
{
	size_t n = le->cur - le->word_start;

	if (strncmp(word, le->text + le->word_start, n) != 0 || strlen(word) >= LINE_WORD_MAX ||
	    le->word_count == LINE_WORDS) {
		return;
	}
	for (unsigned int i = 0; i < le->word_count; i++) {
		if (strcmp(le->words[i], word) == 0) {
			return;
		}
	}
	string_copy(le->words[le->word_count++], word, LINE_WORD_MAX);
}

static size_t common_prefix(const struct line_edit *le)
{
	size_t n = strlen(le->words[0]);

	for (unsigned int i = 1; i < le->word_count; i++) {
		size_t k = 0;

		while (k < n && le->words[i][k] == le->words[0][k]) {
			k++;
		}
		n = k;
	}
	while (n > 0 && (le->words[0][n] & 0xc0) == 0x80) { /* not inside a character */
		n--;
	}
	return n;
}

static void list_words(struct line_edit *le)
{
	unsigned int widest = 0, per_row;

	for (unsigned int i = 0; i < le->word_count; i++) {
		unsigned int w = utf8_width(le->words[i], strlen(le->words[i]));

		widest = w > widest ? w : widest;
	}
	per_row = widest + 2 < LINE_COLUMNS ? (LINE_COLUMNS - 1) / (widest + 2) : 1;
	for (unsigned int i = 0; i < le->word_count; i++) {
		unsigned int pad = widest + 2 - utf8_width(le->words[i], strlen(le->words[i]));
		char cell[LINE_WORD_MAX * 2];
		bool last = i % per_row == per_row - 1 || i == le->word_count - 1;

		fmt_snprintf(cell, sizeof(cell), "%s%s%*s", i % per_row == 0 ? "\r\n" : "",
			     le->words[i], last ? 0 : (int)pad, "");
		put(le, cell);
	}
	put(le, "\r\n");
	redraw(le);
}

/* What the only candidate is followed by: names that want more after them keep the cursor. */
static bool wants_space(const char *word)
{
	char last = word[0] != '\0' ? word[strlen(word) - 1] : '\0';

	return last != '=' && last != ':';
}

static void key_tab(struct line_edit *le)
{
	size_t typed, common;
	char before[LINE_MAX + 1];

	if (le->complete == NULL) {
		return;
	}
	memcpy(before, le->text, le->cur);
	before[le->cur] = '\0';
	for (le->word_start = le->cur; le->word_start > 0; le->word_start--) {
		if (before[le->word_start - 1] == ' ') {
			break;
		}
	}
	le->word_count = 0;
	le->complete(le->arg, le, before);
	if (le->word_count == 0) {
		put(le, "\a");
		return;
	}
	typed = le->cur - le->word_start;
	common = common_prefix(le);
	if (common > typed) {
		insert(le, le->words[0] + typed, common - typed);
	} else if (le->word_count > 1) {
		list_words(le);
	}
	if (le->word_count == 1 && wants_space(le->words[0])) {
		insert(le, " ", 1);
	}
}

/* ---- keys to functions ---- */

static key_fn *const keys[LINE_KEYS] = {
	[LINE_KEY_LEFT] = key_left,
	[LINE_KEY_RIGHT] = key_right,
	[LINE_KEY_HOME] = key_home,
	[LINE_KEY_END] = key_end,
	[LINE_KEY_UP] = key_up,
	[LINE_KEY_DOWN] = key_down,
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
	[LINE_KEY_TAB] = key_tab,
	[LINE_KEY_ENTER] = key_enter,
	[LINE_KEY_CANCEL] = key_cancel,
	[LINE_KEY_CLEAR] = key_clear,
	[LINE_KEY_SEARCH] = key_search,
};

enum line_result line_edit_feed(struct line_edit *le, char byte)
{
	enum line_key key = line_key_feed(&le->input, byte);

	le->result = LINE_MORE;
	if (key == LINE_KEY_TEXT && le->searching) {
		search_type(le, le->input.text, le->input.text_len);
	} else if (key == LINE_KEY_TEXT) {
		insert(le, le->input.text, le->input.text_len);
	} else if (key != LINE_KEY_NONE && !(le->searching && search_key(le, key)) &&
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
	set_text(le, "");
	put(le, prompt);
}
