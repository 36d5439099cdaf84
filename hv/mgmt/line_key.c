/* SPDX-License-Identifier: BSD-2-Clause */
/* Owns the tables of keys: control bytes, Alt and a letter, ECMA-48 control sequences. */
/* What a key does is line_edit.c's. */
#include "hv/mgmt/line_key.h"

#include "hv/mgmt/utf8.h"

#define CTRL(c)	  ((c)&0x1f)
#define ESCAPE	  0x1b
#define BACKSPACE 0x7f
#define MODIFIED  100u /* more than one parameter: Ctrl, Alt or Shift was held */

static const uint8_t control_keys[32] = {
	[CTRL('A')] = LINE_KEY_HOME,	   [CTRL('B')] = LINE_KEY_LEFT,
	[CTRL('C')] = LINE_KEY_CANCEL,	   [CTRL('D')] = LINE_KEY_DELETE,
	[CTRL('E')] = LINE_KEY_END,	   [CTRL('F')] = LINE_KEY_RIGHT,
	[CTRL('G')] = LINE_KEY_ABORT,	   [CTRL('H')] = LINE_KEY_BACKSPACE,
	[CTRL('I')] = LINE_KEY_TAB,	   [CTRL('J')] = LINE_KEY_ENTER,
	[CTRL('K')] = LINE_KEY_KILL_END,   [CTRL('L')] = LINE_KEY_CLEAR,
	[CTRL('M')] = LINE_KEY_ENTER,	   [CTRL('N')] = LINE_KEY_DOWN,
	[CTRL('P')] = LINE_KEY_UP,	   [CTRL('R')] = LINE_KEY_SEARCH,
	[CTRL('U')] = LINE_KEY_KILL_START, [CTRL('W')] = LINE_KEY_KILL_BLANK,
	[CTRL('Y')] = LINE_KEY_YANK,
};

/* After ESC: Alt and a letter. */
static const struct {
	char byte;
	enum line_key key;
} alt_keys[] = {
	{ 'b', LINE_KEY_WORD_LEFT },
	{ 'B', LINE_KEY_WORD_LEFT },
	{ 'f', LINE_KEY_WORD_RIGHT },
	{ 'F', LINE_KEY_WORD_RIGHT },
	{ 'd', LINE_KEY_KILL_WORD_RIGHT },
	{ 'D', LINE_KEY_KILL_WORD_RIGHT },
	{ BACKSPACE, LINE_KEY_KILL_WORD_LEFT },
	{ CTRL('H'), LINE_KEY_KILL_WORD_LEFT },
};

/* Final byte and parameter (of those that end in ~) as terminals in the VT220 line send them. */
static const struct {
	char final;
	unsigned int param;
	enum line_key key;
} csi_keys[] = {
	{ 'A', 0, LINE_KEY_UP },   { 'B', 0, LINE_KEY_DOWN },	{ 'C', 0, LINE_KEY_RIGHT },
	{ 'D', 0, LINE_KEY_LEFT }, { 'H', 0, LINE_KEY_HOME },	{ 'F', 0, LINE_KEY_END },
	{ '~', 1, LINE_KEY_HOME }, { '~', 7, LINE_KEY_HOME },	{ '~', 4, LINE_KEY_END },
	{ '~', 8, LINE_KEY_END },  { '~', 3, LINE_KEY_DELETE },
};

static enum line_key csi_key(const struct line_key_input *in, char final)
{
	if (in->param >= MODIFIED && (final == 'C' || final == 'D')) {
		return final == 'C' ? LINE_KEY_WORD_RIGHT : LINE_KEY_WORD_LEFT;
	}
	for (size_t i = 0; i < ARRAY_SIZE(csi_keys); i++) {
		if (csi_keys[i].final == final &&
		    (final != '~' || csi_keys[i].param == in->param)) {
			return csi_keys[i].key;
		}
	}
	return LINE_KEY_NONE;
}

/* Collects parameters until the final byte; a second parameter only has to be noticed. */
static enum line_key csi_byte(struct line_key_input *in, char c)
{
	if (c >= '0' && c <= '9' && in->param < MODIFIED) {
		in->param = in->param * 10 + (unsigned int)(c - '0');
	} else if (c == ';') {
		in->param = MODIFIED;
	} else if (c >= 0x40 && c < 0x7f) {
		in->state = LINE_KEY_PLAIN;
		return csi_key(in, c);
	}
	return LINE_KEY_NONE;
}

static enum line_key escape_byte(struct line_key_input *in, char c)
{
	in->state = c == '[' ? LINE_KEY_CSI : c == 'O' ? LINE_KEY_SS3 : LINE_KEY_PLAIN;
	in->param = 0;
	for (size_t i = 0; i < ARRAY_SIZE(alt_keys); i++) {
		if (alt_keys[i].byte == c) {
			return alt_keys[i].key;
		}
	}
	return LINE_KEY_NONE;
}

/* A byte of text; what is no UTF-8, and the control characters beyond ASCII, are dropped. */
static enum line_key text_byte(struct line_key_input *in, char c)
{
	unsigned int need;
	uint32_t code;

	if (in->text_len > 0 &&
	    (utf8_length((unsigned char)in->text[0]) <= in->text_len || (c & 0xc0) != 0x80)) {
		in->text_len = 0; /* the last character was taken, or this one breaks it off */
	}
	in->text[in->text_len++] = c;
	need = utf8_length((unsigned char)in->text[0]);
	if (need > in->text_len) {
		return LINE_KEY_NONE;
	}
	if (utf8_decode(in->text, in->text_len, &code) == in->text_len &&
	    (code < 0x80 || code >= 0xa0)) {
		return LINE_KEY_TEXT;
	}
	in->text_len = 0;
	return LINE_KEY_NONE;
}

static enum line_key control_byte(struct line_key_input *in, char c)
{
	line_key_reset(in); /* also ends a broken sequence */
	if (c == ESCAPE) {
		in->state = LINE_KEY_ESC;
		return LINE_KEY_NONE;
	}
	return c == BACKSPACE ? LINE_KEY_BACKSPACE : control_keys[(unsigned char)c];
}

static bool is_control(char c)
{
	return (c >= 0 && c < 0x20) || c == BACKSPACE;
}

void line_key_reset(struct line_key_input *in)
{
	in->state = LINE_KEY_PLAIN;
	in->text_len = 0;
}

enum line_key line_key_feed(struct line_key_input *in, char c)
{
	bool lf_of_crlf = in->after_cr && c == '\n';

	in->after_cr = c == '\r';
	if (lf_of_crlf) {
		return LINE_KEY_NONE;
	}
	if (in->state == LINE_KEY_ESC && (c == BACKSPACE || c == CTRL('H') || !is_control(c))) {
		return escape_byte(in, c);
	}
	if (is_control(c)) {
		return control_byte(in, c);
	}
	if (in->state == LINE_KEY_CSI) {
		return csi_byte(in, c);
	}
	if (in->state == LINE_KEY_SS3) {
		in->state = LINE_KEY_PLAIN;
		return csi_key(in, c);
	}
	return text_byte(in, c);
}
