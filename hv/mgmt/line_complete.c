/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor's Tab: collects candidates, completes what they share, lists them. */
/* Which candidates there are is the shell's to say. */
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"
#include "hv/mgmt/line_edit_priv.h"
#include "hv/mgmt/utf8.h"

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
		line_edit_put(le, cell);
	}
	line_edit_put(le, "\r\n");
	line_edit_redraw(le);
}

/* What the only candidate is followed by: names that want more after them keep the cursor. */
static bool wants_space(const char *word)
{
	char last = word[0] != '\0' ? word[strlen(word) - 1] : '\0';

	return last != '=' && last != ':';
}

void line_complete(struct line_edit *le)
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
		line_edit_put(le, "\a");
		return;
	}
	typed = le->cur - le->word_start;
	common = common_prefix(le);
	if (common > typed) {
		line_edit_insert(le, le->words[0] + typed, common - typed);
	} else if (le->word_count > 1) {
		list_words(le);
	}
	if (le->word_count == 1 && wants_space(le->words[0])) {
		line_edit_insert(le, " ", 1);
	}
}
