/* SPDX-License-Identifier: BSD-2-Clause */
/* The log ring: whole lines, each behind a small header, oldest overwritten first. */
/* Rate limits for guests are vm_log's. */
#include "hv/base/log.h"

#include "arch/clock.h"
#include "hv/base/lock.h"
#include "hv/lib/errno.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define LINE_MAX  200u
#define LINES_MAX 256u

struct log_line {
	uint64_t number; /* of lines ever written; cursor of the next one is number + 1 */
	uint8_t level;
	uint8_t len;
	char text[LINE_MAX];
};

static const char *const level_names[LOG_LEVELS] = {
	[LOG_BUG] = "bug",   [LOG_HOST] = "host",   [LOG_GUEST] = "guest",
	[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

static struct spinlock lock = SPINLOCK_INIT(LOCK_LOG);
static struct log_line lines[LINES_MAX];	   /* [lock] */
static uint64_t written;			   /* [lock] */
static void (*sink)(const char *text, size_t len); /* [lock] */
static enum log_level sink_level = LOG_INFO;	   /* [lock] */

/* "[    1.234567] " and, for what went wrong, whose fault it is. */
static size_t put_prefix(char *text, enum log_level level)
{
	uint64_t us = clock_hz() != 0 ? clock_ticks_to_ns(clock_now()) / 1000 : 0;
	int n = fmt_snprintf(text, LINE_MAX, "[%5lu.%06lu] ", us / 1000000, us % 1000000);

	if (level <= LOG_GUEST) {
		n += fmt_snprintf(text + n, LINE_MAX - (size_t)n, "%s: ", level_names[level]);
	}
	return (size_t)n;
}

void log_vprintf(enum log_level level, const char *fmt, va_list ap)
{
	struct log_line *l;
	size_t n;

	spin_lock(&lock);
	l = &lines[written % LINES_MAX];
	l->number = written++;
	l->level = (uint8_t)level;
	n = put_prefix(l->text, level);
	n += (size_t)fmt_vsnprintf(l->text + n, LINE_MAX - n - 1, fmt, ap);
	n = u64_min(n, LINE_MAX - 2);
	l->text[n++] = '\n';
	l->len = (uint8_t)n;
	if (sink != NULL && level <= sink_level) {
		sink(l->text, n);
	}
	spin_unlock(&lock);
}

void log_line(const char *line)
{
	log_printf(LOG_GUEST, "  %s", line);
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vprintf(level, fmt, ap);
	va_end(ap);
}

void log_set_sink(void (*write)(const char *text, size_t len), enum log_level level)
{
	spin_lock(&lock);
	sink = write;
	sink_level = level;
	spin_unlock(&lock);
}

size_t log_read(uint64_t *cursor, enum log_level level, char *line, size_t size)
{
	size_t len = 0;

	spin_lock(&lock);
	if (written > LINES_MAX && *cursor < written - LINES_MAX) {
		*cursor = written - LINES_MAX;
	}
	while (len == 0 && *cursor < written) {
		const struct log_line *l = &lines[(*cursor)++ % LINES_MAX];

		if (l->level <= level) {
			len = u64_min(l->len, size - 1);
			memcpy(line, l->text, len);
			line[len] = '\0';
		}
	}
	spin_unlock(&lock);
	return len;
}

const char *log_level_name(enum log_level level)
{
	return level < LOG_LEVELS ? level_names[level] : "?";
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (unsigned int l = 0; l < LOG_LEVELS; l++) {
		if (strcmp(name, level_names[l]) == 0) {
			*out = (enum log_level)l;
			return 0;
		}
	}
	return -EINVAL;
}
