/* The instants of base/parse.h: RFC 3339 in, RFC 3339 out, by the proleptic Gregorian calendar and no other clock. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/parse.h"

#define DAY_SECONDS INT64_C(86400)
#define SECOND_US INT64_C(1000000)
#define TIME_FIRST_US (INT64_C(-62135596800) * SECOND_US)     /* 0001-01-01 */
#define TIME_END_US (INT64_C(253402300800) * SECOND_US)       /* 10000-01-01 */

struct parts {
    unsigned month, day, hour, minute, second, us;
};

/* Exactly `digits` digits between least and most. */
static bool take(const char **at, unsigned digits, unsigned least, unsigned most, unsigned *ret)
{
    unsigned value = 0;
    for (unsigned i = 0; i < digits; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *at += digits;
    *ret = value;
    return value >= least && value <= most;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool take_fraction(const char **at, unsigned *ret_us)
{
    unsigned us = 0;
    unsigned digits = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, digits++) {
        if (digits == 6)
            return false;
        us = us * 10 + (unsigned)(**at - '0');
    }
    for (unsigned i = digits; i < 6; i++)
        us *= 10;
    *ret_us = us;
    return digits > 0;
}

/* "Z" or "+hh:mm": minutes east of Greenwich. */
static bool take_zone(const char **at, int64_t *ret_minutes)
{
    if (take_char(at, 'Z')) {
        *ret_minutes = 0;
        return true;
    }
    bool west = **at == '-';
    unsigned hours = 0;
    unsigned minutes = 0;
    if (!(take_char(at, '+') || take_char(at, '-')) || !take(at, 2, 0, 23, &hours) || !take_char(at, ':') ||
        !take(at, 2, 0, 59, &minutes))
        return false;
    int64_t east = (int64_t)hours * 60 + minutes;
    *ret_minutes = west ? -east : east;
    return true;
}

static bool take_time(const char *at, int64_t *ret_utc_us)
{
    struct parts c = {0};
    unsigned year = 0;
    int64_t zone = 0;
    if (!take(&at, 4, 1, 9999, &year) || !take_char(&at, '-') || !take(&at, 2, 1, 12, &c.month) ||
        !take_char(&at, '-') || !take(&at, 2, 1, civil_days_in(year, c.month), &c.day))
        return false;
    if (*at != '\0') {
        if (!take_char(&at, 'T') || !take(&at, 2, 0, 23, &c.hour) || !take_char(&at, ':') ||
            !take(&at, 2, 0, 59, &c.minute) || !take_char(&at, ':') || !take(&at, 2, 0, 59, &c.second))
            return false;
        if (take_char(&at, '.') && !take_fraction(&at, &c.us))
            return false;
        if (!take_zone(&at, &zone) || *at != '\0')
            return false;
    }
    int64_t seconds = civil_days(year, c.month, c.day) * DAY_SECONDS + (int64_t)c.hour * 3600 +
                      ((int64_t)c.minute - zone) * 60 + c.second;
    int64_t us = seconds * SECOND_US + c.us;
    if (us < TIME_FIRST_US || us >= TIME_END_US)
        return false;
    *ret_utc_us = us;
    return true;
}

int parse_time(const char *text, int64_t *ret_utc_us, struct err *err)
{
    if (take_time(text, ret_utc_us))
        return 0;
    char quoted[PARSE_QUOTE_MAX];
    return err_set(err, -EINVAL, "%s is not a time; write 2026-11-01 or 2026-11-01T14:00:00Z",
                   format_quote(text, quoted));
}

const char *format_time(int64_t utc_us, char out[PARSE_TEXT_MAX])
{
    int64_t us = utc_us % SECOND_US;
    int64_t seconds = utc_us / SECOND_US;
    if (us < 0) {
        us += SECOND_US;
        seconds--;
    }
    int64_t of_day = seconds % DAY_SECONDS;
    if (of_day < 0)
        of_day += DAY_SECONDS;
    struct civil_date c = civil_of_days((seconds - of_day) / DAY_SECONDS);
    int n = snprintf(out, PARSE_TEXT_MAX,
                     "%04" PRId64 "-%02" PRIu32 "-%02" PRIu32 "T%02" PRId64 ":%02" PRId64 ":%02" PRId64,
                     c.year, c.month, c.day, of_day / 3600, of_day / 60 % 60, of_day % 60);
    if (us != 0) {
        n += snprintf(out + n, (size_t)(PARSE_TEXT_MAX - n), ".%06" PRId64, us);
        while (out[n - 1] == '0')
            n--;
    }
    memcpy(out + n, "Z", 2);
    return out;
}

const char *format_second(int64_t utc_us, char out[PARSE_TEXT_MAX])
{
    return format_time(utc_us / SECOND_US * SECOND_US, out);
}
