/* SPDX-License-Identifier: BSD-2-Clause */
/* From the bytes that a terminal sends to keys: control bytes, escape sequences, whole characters. */
/* Pure; knows no line and no terminal by name. */
#ifndef HV_MGMT_LINE_KEY_H
#define HV_MGMT_LINE_KEY_H

#include "hv/lib/types.h"

enum line_key {
	LINE_KEY_NONE, /* more bytes are needed, or they meant nothing */
	LINE_KEY_TEXT, /* a character: text, text_len */
	LINE_KEY_LEFT,
	LINE_KEY_RIGHT,
	LINE_KEY_HOME,
	LINE_KEY_END,
	LINE_KEY_UP,
	LINE_KEY_DOWN,
	LINE_KEY_WORD_LEFT,
	LINE_KEY_WORD_RIGHT,
	LINE_KEY_DELETE,
	LINE_KEY_BACKSPACE,
	LINE_KEY_KILL_END,
	LINE_KEY_KILL_START,
	LINE_KEY_KILL_BLANK, /* back to a blank */
	LINE_KEY_KILL_WORD_LEFT,
	LINE_KEY_KILL_WORD_RIGHT,
	LINE_KEY_YANK,
	LINE_KEY_TAB,
	LINE_KEY_ENTER,
	LINE_KEY_CANCEL,
	LINE_KEY_ABORT, /* out of a search */
	LINE_KEY_CLEAR,
	LINE_KEY_SEARCH,
	LINE_KEYS,
};

enum line_key_state { LINE_KEY_PLAIN, LINE_KEY_ESC, LINE_KEY_CSI, LINE_KEY_SS3 };

struct line_key_input { /* zeroed to begin */
	enum line_key_state state;
	unsigned int param; /* of a CSI sequence */
	bool after_cr;	    /* a LF now belongs to the CR before it */
	unsigned int text_len;
	char text[4]; /* the character, as far as it has come; valid UTF-8 with LINE_KEY_TEXT */
};

/* One byte, any value. */
enum line_key line_key_feed(struct line_key_input *in, char byte);
/* Forgets a sequence that has begun, but not that a CR was the last byte. */
void line_key_reset(struct line_key_input *in);

#endif
