#include "quotas/period.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"

#define US_PER_DAY (INT64_C(86400) * 1000000)

static int64_t day_number(int64_t utc_us)
{
    return utc_us / US_PER_DAY - (utc_us % US_PER_DAY < 0);
}

/* Monday of the week that holds a day. Day 0 was a Thursday. */
static int64_t monday_of(int64_t days)
{
    int64_t weekday = (days + 3) % 7;
    return days - (weekday < 0 ? weekday + 7 : weekday);
}

const char *period_name(uint32_t kind, int64_t utc_us, char out[PERIOD_NAME_MAX])
{
    int64_t days = day_number(utc_us);
    struct civil_date d = civil_of_days(days);
    char text[64] = "total";
    if (kind == PERIOD_DAY) {
        snprintf(text, sizeof text, "%04" PRId64 "-%02" PRIu32 "-%02" PRIu32, d.year, d.month, d.day);
    } else if (kind == PERIOD_WEEK) {
        /* An ISO week belongs to the year that its Thursday lies in. */
        int64_t thursday = monday_of(days) + 3;
        int64_t year = civil_of_days(thursday).year;
        snprintf(text, sizeof text, "%04" PRId64 "-W%02" PRId64, year, (thursday - civil_days(year, 1, 1)) / 7 + 1);
    } else if (kind == PERIOD_MONTH) {
        snprintf(text, sizeof text, "%04" PRId64 "-%02" PRIu32, d.year, d.month);
    } else if (kind == PERIOD_QUARTER) {
        snprintf(text, sizeof text, "%04" PRId64 "-Q%" PRIu32, d.year, (d.month - 1) / 3 + 1);
    } else if (kind == PERIOD_YEAR) {
        snprintf(text, sizeof text, "%04" PRId64, d.year);
    }
    /* int64 microseconds reach the year 294247: the longest name has 13 characters. */
    BUG(strlen(text) >= PERIOD_NAME_MAX);
    memcpy(out, text, strlen(text) + 1);
    return out;
}

int64_t period_end(uint32_t kind, int64_t utc_us)
{
    int64_t days = day_number(utc_us);
    struct civil_date d = civil_of_days(days);
    int64_t end;
    if (kind == PERIOD_DAY) {
        end = days + 1;
    } else if (kind == PERIOD_WEEK) {
        end = monday_of(days) + 7;
    } else if (kind == PERIOD_MONTH || kind == PERIOD_QUARTER) {
        uint32_t last = kind == PERIOD_MONTH ? d.month : (d.month - 1) / 3 * 3 + 3;
        end = last == 12 ? civil_days(d.year + 1, 1, 1) : civil_days(d.year, last + 1, 1);
    } else if (kind == PERIOD_YEAR) {
        end = civil_days(d.year + 1, 1, 1);
    } else {
        return INT64_MAX;
    }
    return end > INT64_MAX / US_PER_DAY ? INT64_MAX : end * US_PER_DAY;
}
