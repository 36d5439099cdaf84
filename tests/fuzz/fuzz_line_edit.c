/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as keys. The text stays valid UTF-8 within its bounds, the row within its columns, and */
/* what the row shows is what drawing it again shows. */
/* FUZZ_SOURCES: hv/mgmt/line_edit.c hv/mgmt/line_history.c hv/mgmt/line_complete.c hv/mgmt/line_key.c hv/mgmt/utf8.c hv/mgmt/shell_words.c hv/lib/fmt.c hv/lib/string.c */
#include "hv/lib/string.h"
#include "hv/mgmt/line_edit.h"
#include "hv/mgmt/shell_words.h"
#include "hv/mgmt/utf8.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drop(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
}

static void complete(void *arg, struct line_edit *le, const char *line)
{
	static const char *const words[] = { "vm",	 "vm-list", "\xc3\xa9t\xc3\xa9",
					     "\xc3\xa8", "k=",	    "" };

	(void)arg;
	(void)line;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		line_edit_offer(le, words[i]);
	}
}

static void check(const struct line_edit *le)
{
	char row[LINE_RENDER_MAX];
	unsigned int n;

	if (le->len > LINE_MAX || le->cur > le->len || le->left > le->cur ||
	    strlen(le->text) != le->len || line_edit_render(le, row, sizeof(row)) >= sizeof(row) ||
	    utf8_width(le->text + le->left, le->cur - le->left) > LINE_COLUMNS) {
		abort();
	}
	for (size_t i = 0; i < le->len; i += n) {
		uint32_t c;

		n = utf8_decode(le->text + i, le->len - i, &c);
		if (n == 0) {
			abort();
		}
	}
}

static void split(const char *line)
{
	static char buf[LINE_MAX + 1];
	const char *words[8];
	unsigned int count;

	string_copy(buf, line, sizeof(buf));
	shell_words_split(buf, words, ARRAY_SIZE(words), &count);
	for (unsigned int i = 0; i < count; i++) {
		if (words[i] < buf || words[i] + strlen(words[i]) >= buf + sizeof(buf)) {
			abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line_edit le;

	line_edit_init(&le, drop, complete, NULL);
	line_edit_begin(&le, "insula> ");
	for (size_t i = 0; i < size; i++) {
		enum line_result r = line_edit_feed(&le, (char)data[i]);

		check(&le);
		if (r == LINE_ENTER) {
			split(line_edit_text(&le));
		}
		if (r != LINE_MORE) {
			line_edit_begin(&le, "insula> ");
		}
	}
	return 0;
}
