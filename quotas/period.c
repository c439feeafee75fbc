#include "quotas/period.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"

#define US_PER_DAY (INT64_C(86400) * 1000000)
#define DAY_NAME "%04" PRId64 "-%02" PRIu32 "-%02" PRIu32

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

static void put_name(const char *text, char out[PERIOD_NAME_MAX])
{
    /* int64 microseconds reach the year 294247: the longest name, a fixed window's, has 28 characters. */
    BUG(strlen(text) >= PERIOD_NAME_MAX);
    memcpy(out, text, strlen(text) + 1);
}

/* ---- by days ----------------------------------------------------------------------------------------------- */

static void name_of_day(uint32_t kind, int64_t days, char out[PERIOD_NAME_MAX])
{
    struct civil_date d = civil_of_days(days);
    char text[64] = "total";
    if (kind == PERIOD_DAY) {
        snprintf(text, sizeof text, DAY_NAME, d.year, d.month, d.day);
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
    put_name(text, out);
}

/* First day of the period that holds a day, and of the next one. false: total, custom, fixed. */
static bool days_of(uint32_t kind, int64_t day, int64_t *ret_first, int64_t *ret_next)
{
    struct civil_date d = civil_of_days(day);
    uint32_t first = d.month, last = d.month;
    switch (kind) {
    case PERIOD_DAY:
        *ret_first = day;
        *ret_next = day + 1;
        return true;
    case PERIOD_WEEK:
        *ret_first = monday_of(day);
        *ret_next = *ret_first + 7;
        return true;
    case PERIOD_MONTH: break;
    case PERIOD_QUARTER:
        first = (d.month - 1) / 3 * 3 + 1;
        last = first + 2;
        break;
    case PERIOD_YEAR:
        first = 1;
        last = 12;
        break;
    default: return false;
    }
    *ret_first = civil_days(d.year, first, 1);
    *ret_next = last == 12 ? civil_days(d.year + 1, 1, 1) : civil_days(d.year, last + 1, 1);
    return true;
}

const char *period_name(uint32_t kind, int64_t utc_us, char out[PERIOD_NAME_MAX])
{
    name_of_day(kind, day_number(utc_us), out);
    return out;
}

int64_t period_end(uint32_t kind, int64_t utc_us)
{
    int64_t first, next;
    if (!days_of(kind, day_number(utc_us), &first, &next)) {
        return INT64_MAX;
    }
    return next > INT64_MAX / US_PER_DAY ? INT64_MAX : next * US_PER_DAY;
}

/* ---- of a budget ------------------------------------------------------------------------------------------- */

static void fill_custom(const struct budget_rule *rule, int64_t day, int64_t *ret_first, int64_t *ret_next, char *name)
{
    int64_t base = day_number(rule->from_utc_us), every = MAX(rule->every_days, 1);
    int64_t gone = day < base ? 0 : (day - base) / every;
    char text[64];
    *ret_first = base + gone * every;
    *ret_next = *ret_first + every;
    struct civil_date d = civil_of_days(*ret_first);
    snprintf(text, sizeof text, DAY_NAME "+%" PRId64 "d", d.year, d.month, d.day, every);
    put_name(text, name);
}

static void fill_fixed(const struct budget_rule *rule, int64_t *ret_first, int64_t *ret_next, char *name)
{
    char text[80];
    *ret_first = day_number(rule->from_utc_us);
    *ret_next = day_number(rule->to_utc_us);
    struct civil_date from = civil_of_days(*ret_first), to = civil_of_days(*ret_next);
    snprintf(text, sizeof text, DAY_NAME ".." DAY_NAME, from.year, from.month, from.day, to.year, to.month, to.day);
    put_name(text, name);
}

void period_of(const struct budget_rule *rule, const struct zone_table *zone, int64_t utc_us, struct period *ret)
{
    int64_t first, next, day = zone_day(zone, utc_us);
    *ret = (struct period){.from_utc_us = INT64_MIN, .to_utc_us = INT64_MAX};
    if (rule->period == PERIOD_CUSTOM) {
        fill_custom(rule, day, &first, &next, ret->name);
    } else if (rule->period == PERIOD_FIXED) {
        fill_fixed(rule, &first, &next, ret->name);
    } else if (days_of(rule->period, day, &first, &next)) {
        name_of_day(rule->period, day, ret->name);
    } else {
        put_name("total", ret->name);
        return;
    }
    ret->from_utc_us = zone_day_begin(zone, first);
    ret->to_utc_us = zone_day_begin(zone, next);
}

bool period_holds(const struct period *p, int64_t utc_us)
{
    return p->from_utc_us <= utc_us && utc_us < p->to_utc_us;
}

bool period_before(const struct budget_rule *rule, const struct zone_table *zone, const struct period *p,
                   struct period *ret)
{
    if (p->from_utc_us == INT64_MIN || rule->period == PERIOD_FIXED) {
        return false;
    }
    period_of(rule, zone, p->from_utc_us - 1, ret);
    return period_holds(ret, p->from_utc_us - 1);
}
