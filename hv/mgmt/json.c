/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns commas, quoting and nesting of JSON output. */
/* Does not check that a key is used once. */
#include "hv/mgmt/json.h"
#include "hv/base/panic.h"
#include "hv/lib/string.h"
#include "hv/mgmt/utf8.h"

void json_begin(struct json *j, struct shell_out *out)
{
	memset(j, 0, sizeof(*j));
	j->out = out;
}

static void put_char(struct json *j, char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char names[] = "\"\\\b\f\n\r\t";
	const char *name = c != '\0' ? strchr(names, c) : NULL;

	if (name != NULL) {
		char pair[2] = { '\\', "\"\\bfnrt"[name - names] };

		shell_out_write(j->out, pair, 2);
	} else if ((unsigned char)c < 0x20 || c == 0x7f) {
		char escape[6] = { '\\', 'u', '0', '0', hex[(unsigned char)c >> 4], hex[c & 15] };

		shell_out_write(j->out, escape, 6);
	} else {
		shell_out_write(j->out, &c, 1);
	}
}

static void put_string(struct json *j, const char *s)
{
	size_t n = strlen(s);
	unsigned int len;

	shell_out_write(j->out, "\"", 1);
	for (size_t i = 0; i < n; i += len) {
		uint32_t c;

		len = utf8_decode(s + i, n - i, &c);
		if (len == 1) {
			put_char(j, s[i]);
		} else if (len > 1) {
			shell_out_write(j->out, s + i, len);
		} else {
			shell_out_puts(j->out, "\\ufffd");
			len = 1;
		}
	}
	shell_out_write(j->out, "\"", 1);
}

/* The comma and the name in front of a value. */
static void prefix(struct json *j, const char *key)
{
	if (j->comma[j->depth]) {
		shell_out_write(j->out, ",", 1);
	}
	j->comma[j->depth] = true;
	if (key != NULL) {
		put_string(j, key);
		shell_out_write(j->out, ":", 1);
	}
}

static void open(struct json *j, const char *key, bool array)
{
	prefix(j, key);
	BUG_ON(j->depth + 1 == JSON_DEPTH);
	j->depth++;
	j->comma[j->depth] = false;
	j->array[j->depth] = array;
	shell_out_puts(j->out, array ? "[" : "{");
}

void json_object(struct json *j, const char *key)
{
	open(j, key, false);
}

void json_array(struct json *j, const char *key)
{
	open(j, key, true);
}

void json_end(struct json *j)
{
	BUG_ON(j->depth == 0);
	shell_out_puts(j->out, j->array[j->depth] ? "]" : "}");
	j->depth--;
}

void json_finish(struct json *j)
{
	while (j->depth > 0) {
		json_end(j);
	}
	shell_out_puts(j->out, "\n");
}

void json_string(struct json *j, const char *key, const char *val)
{
	prefix(j, key);
	if (val == NULL) {
		shell_out_puts(j->out, "null");
	} else {
		put_string(j, val);
	}
}

void json_u64(struct json *j, const char *key, uint64_t val)
{
	prefix(j, key);
	shell_out_printf(j->out, "%lu", val);
}

void json_i64(struct json *j, const char *key, int64_t val)
{
	prefix(j, key);
	shell_out_printf(j->out, "%ld", val);
}

void json_bool(struct json *j, const char *key, bool val)
{
	prefix(j, key);
	shell_out_puts(j->out, val ? "true" : "false");
}

void json_raw(struct json *j, const char *key, const char *text)
{
	prefix(j, key);
	shell_out_puts(j->out, text);
}
