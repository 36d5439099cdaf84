/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor's history: remembered lines, walking through them, searching them (Ctrl-R). */
/* What is done to the line shown is line_edit.c's. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/line_edit_priv.h"
#include "hv/mgmt/utf8.h"

/* The nth last line, n from 1. */
static const char *history_line(const struct line_edit *le, unsigned int n)
{
	return le->history[(le->history_next + LINE_HISTORY - n) % LINE_HISTORY];
}

void line_history_add(struct line_edit *le)
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
	line_edit_set_text(le, pos == 0 ? le->saved : history_line(le, pos));
	line_edit_redraw(le);
}

void line_history_up(struct line_edit *le)
{
	if (le->history_pos < le->history_count) {
		history_go(le, le->history_pos + 1);
	}
}

void line_history_down(struct line_edit *le)
{
	if (le->history_pos > 0) {
		history_go(le, le->history_pos - 1);
	}
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

			line_edit_set_text(le, history_line(le, n));
			le->cur = at;
			le->history_pos = n;
			found = true;
		}
	}
	search_prompt(le, found);
	line_edit_redraw(le);
}

void line_history_search(struct line_edit *le)
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
	line_edit_redraw(le);
}

static void search_end(struct line_edit *le)
{
	le->searching = false;
	le->left = 0;
	line_edit_redraw(le);
}

static void search_abort(struct line_edit *le)
{
	line_edit_set_text(le, le->saved);
	le->history_pos = 0;
	search_end(le);
}

void line_history_search_type(struct line_edit *le, const char *s, size_t n)
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

bool line_history_search_key(struct line_edit *le, enum line_key key)
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
