/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor: keys in, terminal output out through a callback, one finished line at a time. */
/* Pure: knows no UART, no commands. One screen row; a long line scrolls sideways. */
#ifndef HV_MGMT_LINE_EDIT_H
#define HV_MGMT_LINE_EDIT_H

#include "hv/lib/types.h"
#include "hv/mgmt/line_key.h"

#define LINE_MAX	1023u
#define LINE_COLUMNS	80u
#define LINE_HISTORY	32u
#define LINE_WORDS	64u /* candidates shown for one Tab */
#define LINE_WORD_MAX	96u
#define LINE_RENDER_MAX 512u

enum line_result {
	LINE_MORE,   /* go on feeding */
	LINE_ENTER,  /* the line is in line_edit_text() */
	LINE_CANCEL, /* Ctrl-C */
};

struct line_edit;
/* Tab: offers words (line_edit_offer) for what stands before the cursor: line, NUL-terminated. */
typedef void line_complete_fn(void *arg, struct line_edit *le, const char *line);
typedef void line_write_fn(void *arg, const char *text, size_t len);

struct line_edit {
	line_write_fn *write;	    /* (c) */
	line_complete_fn *complete; /* (c) may be NULL */
	void *arg;		    /* (c) of both */
	const char *prompt;
	size_t len, cur; /* bytes in text, position of the cursor */
	size_t left;	 /* first byte shown */
	size_t kill_len;
	size_t word_start; /* of the word that Tab completes */
	unsigned int word_count;
	unsigned int history_count;
	unsigned int history_next; /* slot that the next line goes to */
	unsigned int history_pos;  /* 0: the new line; n: the nth last */
	struct line_key_input input;
	unsigned int needle_len;
	bool searching;
	enum line_result result;
	char needle[64];
	char search_prompt[96];
	char text[LINE_MAX + 1];
	char saved[LINE_MAX + 1]; /* the new line while history is shown */
	char kill[LINE_MAX + 1];
	char history[LINE_HISTORY][LINE_MAX + 1];
	char words[LINE_WORDS][LINE_WORD_MAX];
};

/* write is called with each piece of output; any thread, one at a time. */
void line_edit_init(struct line_edit *le, line_write_fn *write, line_complete_fn *complete,
		    void *arg);
/* Starts a new line: shows the prompt (it must live as long as the line). */
void line_edit_begin(struct line_edit *le, const char *prompt);
/* One byte from the terminal, any value. After LINE_ENTER and LINE_CANCEL, begin again. */
enum line_result line_edit_feed(struct line_edit *le, char byte);
/* The finished line, valid until the next begin. */
const char *line_edit_text(const struct line_edit *le);
/* From the complete callback: a candidate; ignored unless it begins with the word so far. */
void line_edit_offer(struct line_edit *le, const char *word);
/* The bytes that draw the prompt and line again from column 0; returns their count <= size. */
size_t line_edit_render(const struct line_edit *le, char *buf, size_t size);

#endif
