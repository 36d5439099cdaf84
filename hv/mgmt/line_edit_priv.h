/* SPDX-License-Identifier: BSD-2-Clause */
/* The line editor's parts to each other: the line shown, its history, its completion. */
/* Others see line_edit.h only. */
#ifndef HV_MGMT_LINE_EDIT_PRIV_H
#define HV_MGMT_LINE_EDIT_PRIV_H

#include "hv/mgmt/line_edit.h"

/* ---- line_edit.c ---- */

void line_edit_put(struct line_edit *le, const char *s);
void line_edit_redraw(struct line_edit *le);
/* Replaces the line, cursor behind it; not yet drawn. */
void line_edit_set_text(struct line_edit *le, const char *s);
/* Puts n bytes in at the cursor; nothing if they do not fit. */
void line_edit_insert(struct line_edit *le, const char *s, size_t n);

/* ---- line_history.c ---- */

/* Remembers the line, unless it is empty or the same as the last one. */
void line_history_add(struct line_edit *le);
void line_history_up(struct line_edit *le);
void line_history_down(struct line_edit *le);
/* Ctrl-R: begins a search, or finds the next older line. */
void line_history_search(struct line_edit *le);
void line_history_search_type(struct line_edit *le, const char *s, size_t n);
/* True if the key was for the search; any other key takes the line and then acts. */
bool line_history_search_key(struct line_edit *le, enum line_key key);

/* ---- line_complete.c ---- */

void line_complete(struct line_edit *le);

#endif
