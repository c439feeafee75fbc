/*
 * parse - strict text <-> number, the only place where a person's "4Gi", "30m", "1.50" is understood.
 * Purity:   pure. No locale, no leading or trailing space, no wrap: what doesn't fit exactly is refused.
 * Contract: parse_x() returns 0, or -EINVAL with err saying what was found and what to write instead;
 *           format_x() writes the shortest text that parse_x() reads back to the same value, and returns `out`.
 */
#ifndef REEVE_BASE_PARSE_H
#define REEVE_BASE_PARSE_H

#include <stdint.h>

#include "base/err.h"

#define PARSE_TEXT_MAX 48  /* room for any format_x() */
#define PARSE_QUOTE_MAX 80 /* room for format_quote() */

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct err *err) MUST_USE;
int parse_i64(const char *text, int64_t min, int64_t max, int64_t *ret, struct err *err) MUST_USE;
/* Bytes: "4096", "512Ki", "4Gi", "1.5Gi" (when exact), also K M G T with 1000. */
int parse_size(const char *text, uint64_t *ret_bytes, struct err *err) MUST_USE;
/* Milli-cores: "2" = 2000, "0.5" = 500, "250m" = 250. */
int parse_cpu(const char *text, uint64_t *ret_milli, struct err *err) MUST_USE;
/* Milliseconds: "250ms", "30s", "15m", "2h", "1d", "1h30m"; a bare number is refused (which unit?). */
int parse_duration(const char *text, uint64_t *ret_ms, struct err *err) MUST_USE;
/* Micro-units: "12", "12.50", "-0.000001"; at most six decimals; no currency, no exponent. */
int parse_money(const char *text, int64_t *ret_micros, struct err *err) MUST_USE;
/* UTC microseconds since 1970: "2026-11-01", "2026-11-01T14:00:00Z", with fraction or +hh:mm offset. */
int parse_time(const char *text, int64_t *ret_utc_us, struct err *err) MUST_USE;
/* Valid UTF-8 without NUL, no surrogates, no overlong forms. */
int parse_utf8(const char *bytes, size_t len, struct err *err) MUST_USE;
/* A name: 1..max chars of [A-Za-z0-9._-], starting with a letter or digit (never "." or ".."). */
int parse_name(const char *text, size_t max, struct err *err) MUST_USE;
/* A tenant path: names of <= 63 chars joined by '/', depth 1..8, at most 255 chars. */
int parse_tenant_path(const char *text, struct err *err) MUST_USE;

const char *format_size(uint64_t bytes, char out[PARSE_TEXT_MAX]);        /* "4Gi", "1536Mi", "4097" */
const char *format_cpu(uint64_t milli, char out[PARSE_TEXT_MAX]);         /* "2", "0.5", "0.25" */
const char *format_duration(uint64_t ms, char out[PARSE_TEXT_MAX]);       /* "1h30m", "250ms", "0ms" */
const char *format_money(int64_t micros, char out[PARSE_TEXT_MAX]);       /* "12.50", "0.000001": two to six decimals */
const char *format_time(int64_t utc_us, char out[PARSE_TEXT_MAX]);        /* "2026-11-01T14:00:00Z", fraction if any */
const char *format_second(int64_t utc_us, char out[PARSE_TEXT_MAX]);      /* the same without the fraction, cut */

/* 'text' in quotes, cut when long and without control characters: what somebody wrote, fit for a message. */
const char *format_quote(const char *text, char out[PARSE_QUOTE_MAX]);

#endif
