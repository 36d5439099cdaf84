/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal, shared by commands, the line being typed and the log: each line whole. */
/* Takes keys from nobody: that is console.c. */
#ifndef HV_MGMT_SCREEN_H
#define HV_MGMT_SCREEN_H

#include "hv/lib/types.h"

#define SCREEN_WRITE_MAX 2048u /* bytes */

enum screen_mode {
	SCREEN_COMMAND, /* a command prints; log lines go between its lines (the mode at boot) */
	SCREEN_PROMPT,	/* a line is typed; log lines go above it */
	SCREEN_HELD,	/* a command has the screen for itself; log lines are only counted */
	SCREEN_RAW,	/* so, and its output is not changed */
};

void screen_set_mode(enum screen_mode mode);
/*
 * Is there room for one screen_write or screen_edit of SCREEN_WRITE_MAX bytes? Log lines leave it: what
 * is there stays until the console's thread writes. If not, that thread is unparked when there is.
 */
bool screen_has_room(void);
/* Commands' output: \n becomes \r\n, except in SCREEN_RAW. Without room its end is lost. */
void screen_write(const char *text, size_t len);
/* The editor's output, and the bytes (at most LINE_RENDER_MAX) that would draw its row again. */
void screen_edit(const char *text, size_t len, const char *row, size_t row_len);
/*
 * The log's sink: one line with its \n. Never waits: a line that the terminal has no room for is only
 * counted. Any context, log's lock held.
 */
void screen_log(const char *text, size_t len);
/* For a panic: log lines are never held back from now on, and all that is queued is sent. */
void screen_flush(void);
/* Log lines not shown since the last call. */
unsigned int screen_take_missed(void);

#endif
