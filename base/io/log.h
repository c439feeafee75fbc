/*
 * log - one line per fact on stderr: "2026-11-23T23:15:01.123Z job.placed job=812.17 tenant="acme/etl" waited_ms=37"
 * Event first, then key=value; text values are quoted and escaped by LOG_STR. No line is longer than 4 KiB.
 * Lines of LOG_WARN and LOG_ERROR carry level= and program= behind the event, so that they can be found in a
 * collection of many logs. Control characters never reach the output.
 * Libraries (base, quotas, policies, core) never log.
 */
#ifndef REEVE_BASE_IO_LOG_H
#define REEVE_BASE_IO_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* `program` is kept, not copied. */
void log_init(const char *program, enum log_level least);
/* log_line(LOG_INFO, "job.placed", "job=%s waited_ms=%" PRIu64, id, waited). */
void log_line(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);
/* Quotes and escapes tenant-given text for one use inside log_line: four rotating static buffers. NULL gives "". */
const char *log_quote(const char *text);

#endif
