/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the quoting rules of the command line. */
/* Does not know commands. */
#include "hv/mgmt/shell_words.h"
#include "hv/lib/errno.h"
#include "hv/lib/string.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * Copies one word from *from to *to without its quotes. Within "..." a backslash only escapes " and
 * \, so that Windows-like paths and regular text survive. Returns false at an open quote.
 */
static bool take_word(char **from, char **to)
{
	char quote = '\0';
	char *p = *from, *out = *to;

	for (; *p != '\0' && (quote != '\0' || !is_blank(*p)); p++) {
		if (quote == '\0' && (*p == '"' || *p == '\'')) {
			quote = *p;
		} else if (quote != '\0' && *p == quote) {
			quote = '\0';
		} else if (*p == '\\' && quote != '\'' && p[1] != '\0' &&
			   (quote == '\0' || p[1] == '"' || p[1] == '\\')) {
			*out++ = *++p;
		} else {
			*out++ = *p;
		}
	}
	*from = p;
	*to = out;
	return quote == '\0';
}

int shell_words_split(char *buf, const char **words, unsigned int max, unsigned int *count)
{
	char *from = buf, *to = buf;
	bool closed = true;

	*count = 0;
	while (closed) {
		while (is_blank(*from)) {
			from++;
		}
		if (*from == '\0' || (*from == '#' && *count == 0)) {
			break;
		}
		if (*count == max) {
			return -E2BIG;
		}
		words[(*count)++] = to;
		closed = take_word(&from, &to);
		from += *from != '\0';
		*to++ = '\0'; /* at or before the blank that ended the word */
	}
	return closed ? (int)*count : -EINVAL;
}
