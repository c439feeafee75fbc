/* Values as FOCUS wants them written: decimals without exponent or sign of plus, instants in UTC, real nulls. */
#include <string.h>

#include "base/civil.h"
#include "quotas/money.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/focus.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S INT64_C(86400)

/* `value` backwards from `end`, at least `digits` of them; gives where it begins. */
static char *digits_before(char *end, uint64_t value, uint32_t digits)
{
    for (; digits > 0 || value > 0; value /= 10, digits -= digits > 0)
        *--end = (char)('0' + value % 10);
    return end;
}

size_t focus_decimal(char out[FOCUS_NUMBER_MAX], focus_wide value, uint32_t scale)
{
    static const uint64_t powers[] = {[0] = 1, [6] = 1000000, [9] = 1000000000, [15] = UINT64_C(1000000000000000)};
    char text[FOCUS_NUMBER_MAX], *end = text + sizeof text;
    money_wide size = value < 0 ? -(money_wide)value : (money_wide)value;
    uint64_t power = powers[scale];
    char *at = end;
    if (scale > 0) {
        at = digits_before(at, (uint64_t)(size % power), scale);
        *--at = '.';
    }
    size /= power;
    /* At most 2^127 / 10^15: two parts of 64 bits. */
    if (size > UINT64_MAX) {
        at = digits_before(at, (uint64_t)(size % powers[15]), 15);
        size /= powers[15];
    }
    at = digits_before(at, (uint64_t)size, 1);
    if (value < 0)
        *--at = '-';
    memcpy(out, at, (size_t)(end - at));
    return (size_t)(end - at);
}

static void two_digits(char *out, uint32_t value)
{
    out[0] = (char)('0' + value / 10 % 10);
    out[1] = (char)('0' + value % 10);
}

void focus_time(char out[FOCUS_TIME_LEN], int64_t utc_us)
{
    int64_t s = utc_us / SECOND_US - (utc_us % SECOND_US < 0);
    int64_t day = s / DAY_S - (s % DAY_S < 0);
    uint32_t second = (uint32_t)(s - day * DAY_S);
    struct civil_date d = civil_of_days(day);
    uint32_t year = (uint32_t)MIN(MAX(d.year, INT64_C(0)), INT64_C(9999));
    memcpy(out, "0000-00-00T00:00:00Z", FOCUS_TIME_LEN);
    two_digits(out, year / 100);
    two_digits(out + 2, year % 100);
    two_digits(out + 5, d.month);
    two_digits(out + 8, d.day);
    two_digits(out + 11, second / 3600);
    two_digits(out + 14, second / 60 % 60);
    two_digits(out + 17, second % 60);
}

void focus_text(struct buf *out, uint32_t format, const char *text)
{
    if (format == FOCUS_CSV)
        csv_text(out, text);
    else
        json_text(out, text);
}

void focus_object(struct buf *out, uint32_t format, const char *json)
{
    if (format == FOCUS_CSV)
        csv_text(out, json);
    else
        buf_add_str(out, json != NULL ? json : "null");
}

void focus_null(struct buf *out, uint32_t format)
{
    if (format != FOCUS_CSV)
        buf_add_str(out, "null");
}

void focus_instant(struct buf *out, uint32_t format, int64_t utc_us)
{
    char text[FOCUS_TIME_LEN + 2] = "";
    focus_time(text, utc_us);
    text[FOCUS_TIME_LEN] = '\0';
    focus_text(out, format, text);
}
