/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: a ring of lines, with levels by who is to blame, copied to the console. */
/* Does not know the console: main sets the sink. */
#ifndef HV_BASE_LOG_H
#define HV_BASE_LOG_H

#include "hv/lib/types.h"
#include <stdarg.h>

enum log_level {
	LOG_BUG,   /* we are wrong */
	LOG_HOST,  /* the world is: hardware, firmware, configuration */
	LOG_GUEST, /* a guest is; rate-limited per VM by vm_log() */
	LOG_INFO,
	LOG_DEBUG, /* kept in the ring, not printed unless asked */
	LOG_LEVELS,
};

/* Any context but NMI. A line gets its time stamp and newline here; fmt has no newline. */
void log_printf(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
void log_vprintf(enum log_level level, const char *fmt, va_list ap) PRINTF(2, 0);
/* A line about a guest, as it is. Same contexts. The debugger's `control` dumps by it. */
void log_line(const char *line);

/* Where lines up to `level` go besides the ring; called with the log's lock held; must not sleep. */
void log_set_sink(void (*write)(const char *text, size_t len), enum log_level level);

/*
 * Copies lines of levels up to `level`, oldest first: *cursor starts at 0 and moves on. Returns the
 * line's length, 0 at the end. A line that was overwritten meanwhile is skipped.
 */
size_t log_read(uint64_t *cursor, enum log_level level, char *line, size_t size);

/* "bug", "host", "guest", "info", "debug"; -EINVAL if name is none of them. */
const char *log_level_name(enum log_level level);
int log_level_parse(const char *name, enum log_level *out);

#endif
