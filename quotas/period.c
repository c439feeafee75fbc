#include "quotas/period.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define US_PER_DAY (INT64_C(86400) * 1000000)

struct date {
    int64_t year;
    uint32_t month, day; /* 1..12, 1..31 */
};

/* Day 0 is 1970-01-01. Proleptic Gregorian calendar, counted in eras of 400 years that begin on a first of March,
 * so that the leap day is the last day of its year (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int64_t year, uint32_t month, uint32_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    struct date d = {
        .year = year_of_era + era * 400,
        .month = (uint32_t)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9),
        .day = (uint32_t)(day_of_year - (153 * shifted_month + 2) / 5 + 1),
    };
    d.year += d.month <= 2;
    return d;
}

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
    struct date d = date_of(days);
    char text[64] = "total";
    if (kind == PERIOD_DAY) {
        snprintf(text, sizeof text, "%04" PRId64 "-%02" PRIu32 "-%02" PRIu32, d.year, d.month, d.day);
    } else if (kind == PERIOD_WEEK) {
        /* An ISO week belongs to the year that its Thursday lies in. */
        int64_t thursday = monday_of(days) + 3;
        int64_t year = date_of(thursday).year;
        snprintf(text, sizeof text, "%04" PRId64 "-W%02" PRId64, year, (thursday - days_of(year, 1, 1)) / 7 + 1);
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
    struct date d = date_of(days);
    int64_t end;
    if (kind == PERIOD_DAY) {
        end = days + 1;
    } else if (kind == PERIOD_WEEK) {
        end = monday_of(days) + 7;
    } else if (kind == PERIOD_MONTH || kind == PERIOD_QUARTER) {
        uint32_t last = kind == PERIOD_MONTH ? d.month : (d.month - 1) / 3 * 3 + 3;
        end = last == 12 ? days_of(d.year + 1, 1, 1) : days_of(d.year, last + 1, 1);
    } else if (kind == PERIOD_YEAR) {
        end = days_of(d.year + 1, 1, 1);
    } else {
        return INT64_MAX;
    }
    return end > INT64_MAX / US_PER_DAY ? INT64_MAX : end * US_PER_DAY;
}
