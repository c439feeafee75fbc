#include "base/io/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"

#define LINE_MAX_BYTES 4096
#define QUOTE_MAX 1024

static struct {
    const char *program;
    enum log_level least;
} logger = {.program = "reeve", .least = LOG_INFO};

void log_init(const char *program, enum log_level least)
{
    logger.program = program;
    logger.least = least;
}

static size_t put_time(char *out, size_t size)
{
    int64_t us = clock_utc_us();
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    int n = snprintf(out + len, size - len, ".%03dZ ", (int)(us / 1000 % 1000));
    return len + (size_t)n;
}

/* Appends to line[at..]; what doesn't fit is cut, the end is returned. Room for "...\n" always stays. */
static size_t PRINTF_LIKE(3, 0) add(char *line, size_t at, const char *format, va_list args)
{
    size_t room = LINE_MAX_BYTES - 4 - at;
    int n = vsnprintf(line + at, room, format, args);
    if (n < 0)
        return at;
    if ((size_t)n < room)
        return at + (size_t)n;
    memcpy(line + at + room - 1, "...", 4);
    return at + room - 1 + 3;
}

static size_t PRINTF_LIKE(3, 4) addf(char *line, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    at = add(line, at, format, args);
    va_end(args);
    return at;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    if (level < logger.least)
        return;
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int saved = errno;
    char line[LINE_MAX_BYTES];
    size_t at = put_time(line, sizeof line);
    at = addf(line, at, "%s", event);
    if (level >= LOG_WARN)
        at = addf(line, at, " level=%s program=%s", names[level], logger.program);
    if (format != NULL && format[0] != '\0' && at < LINE_MAX_BYTES - 8) {
        line[at++] = ' ';
        va_list args;
        va_start(args, format);
        at = add(line, at, format, args);
        va_end(args);
    }
    for (size_t i = 0; i < at; i++) /* one fact, one line: whatever was put into it */
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[at++] = '\n';
    int rc = fd_write_all(STDERR_FILENO, line, at); /* one write: lines of two processes don't mix */
    (void)rc;                                       /* there is nobody left to tell */
    errno = saved;
}

/* The escape of one byte into out (at most 4 chars). */
static size_t escape(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    if (c == '\n') {
        memcpy(out, "\\n", 2);
        return 2;
    }
    if (c < ' ' || c == 0x7f) {
        memcpy(out, "\\x", 2);
        out[2] = hex[c >> 4];
        out[3] = hex[c & 15];
        return 4;
    }
    out[0] = (char)c;
    return 1;
}

const char *log_quote(const char *text)
{
    static char ring[4][QUOTE_MAX];
    static unsigned turn;
    char *out = ring[turn++ % COUNT_OF(ring)];
    size_t at = 0;
    out[at++] = '"';
    for (const char *p = text != NULL ? text : ""; *p != '\0'; p++) {
        if (at > QUOTE_MAX - 10) {
            memcpy(out + at, "...", 3);
            at += 3;
            break;
        }
        at += escape(out + at, (unsigned char)*p);
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}
