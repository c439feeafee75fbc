/* period: names and ends, by rows and beside the C library's calendar. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io/zone.h"
#include "base/parse.h"
#include "quotas/period.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

static const struct {
    const char *what;
    uint32_t kind;
    const char *at, *name, *end; /* end NULL: never */
} rows[] = {
    {"a day", PERIOD_DAY, "2026-11-23T12:00:00Z", "2026-11-23", "2026-11-24"},
    {"a day's last microsecond belongs to it", PERIOD_DAY, "2026-11-23T23:59:59.999999Z", "2026-11-23", "2026-11-24"},
    {"a day's end belongs to the next", PERIOD_DAY, "2026-11-24T00:00:00Z", "2026-11-24", "2026-11-25"},
    {"a leap day is a day", PERIOD_DAY, "2028-02-29T00:00:00Z", "2028-02-29", "2028-03-01"},
    {"after 28 February of a common year comes March", PERIOD_DAY, "2027-02-28T08:00:00Z", "2027-02-28", "2027-03-01"},
    {"2000 was a leap year", PERIOD_DAY, "2000-02-29T08:00:00Z", "2000-02-29", "2000-03-01"},
    {"2100 is none", PERIOD_DAY, "2100-02-28T08:00:00Z", "2100-02-28", "2100-03-01"},
    {"February of a leap year ends as it should", PERIOD_MONTH, "2028-02-29T23:00:00Z", "2028-02", "2028-03-01"},
    {"December ends with the year", PERIOD_MONTH, "2026-12-31T23:59:59Z", "2026-12", "2027-01-01"},
    {"a week begins on Monday", PERIOD_WEEK, "2026-11-23T00:00:00Z", "2026-W48", "2026-11-30"},
    {"Sunday belongs to the week before", PERIOD_WEEK, "2026-11-22T23:59:59Z", "2026-W47", "2026-11-23"},
    {"1 January 2027, a Friday, is in the last week of 2026", PERIOD_WEEK, "2027-01-01T00:00:00Z", "2026-W53",
     "2027-01-04"},
    {"31 December 2024, a Tuesday, is in the first week of 2025", PERIOD_WEEK, "2024-12-31T00:00:00Z", "2025-W01",
     "2025-01-06"},
    {"4 January is always in the first week", PERIOD_WEEK, "2026-01-04T00:00:00Z", "2026-W01", "2026-01-05"},
    {"the first quarter", PERIOD_QUARTER, "2026-03-31T23:59:59Z", "2026-Q1", "2026-04-01"},
    {"the last quarter", PERIOD_QUARTER, "2026-10-01T00:00:00Z", "2026-Q4", "2027-01-01"},
    {"a year", PERIOD_YEAR, "2026-11-23T00:00:00Z", "2026", "2027-01-01"},
    {"all time has no end", PERIOD_TOTAL, "2026-11-23T00:00:00Z", "total", NULL},
    {"1970 begins at zero", PERIOD_DAY, "1970-01-01T00:00:00Z", "1970-01-01", "1970-01-02"},
    {"the first day was a Thursday", PERIOD_WEEK, "1970-01-01T00:00:00Z", "1970-W01", "1970-01-05"},
};

START_TEST(names_and_ends)
{
    char name[PERIOD_NAME_MAX];
    int64_t at, end = INT64_MAX;
    ck_assert_int_eq(parse_time(rows[_i].at, &at, NULL), 0);
    if (rows[_i].end) {
        ck_assert_int_eq(parse_time(rows[_i].end, &end, NULL), 0);
    }
    ck_assert_msg(strcmp(period_name(rows[_i].kind, at, name), rows[_i].name) == 0, "%s: %s", rows[_i].what, name);
    ck_assert_msg(period_end(rows[_i].kind, at) == end, "%s", rows[_i].what);
}
END_TEST

static void expected_name(uint32_t kind, const struct tm *tm, char out[32])
{
    switch ((enum period_kind)kind) {
    case PERIOD_DAY: strftime(out, 32, "%Y-%m-%d", tm); break;
    case PERIOD_WEEK: strftime(out, 32, "%G-W%V", tm); break;
    case PERIOD_MONTH: strftime(out, 32, "%Y-%m", tm); break;
    case PERIOD_QUARTER: snprintf(out, 32, "%d-Q%d", tm->tm_year + 1900, tm->tm_mon / 3 + 1); break;
    case PERIOD_YEAR: strftime(out, 32, "%Y", tm); break;
    case PERIOD_TOTAL:
    case PERIOD_CUSTOM: case PERIOD_FIXED: case PERIOD_KIND_COUNT: snprintf(out, 32, "total"); break;
    }
}

START_TEST(agrees_with_the_calendar_of_the_c_library)
{
    uint64_t seed = random_seed("period");
    for (int i = 0; i < 100000; i++) {
        /* years 1970 .. 2600 */
        int64_t at = (int64_t)random_below(&seed, UINT64_C(20000000000) * 1000000);
        time_t seconds = (time_t)(at / 1000000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        for (uint32_t kind = 0; kind < PERIOD_CUSTOM; kind++) {
            char want[32], name[PERIOD_NAME_MAX], next[PERIOD_NAME_MAX];
            expected_name(kind, &tm, want);
            ck_assert_str_eq(period_name(kind, at, name), want);
            int64_t end = period_end(kind, at);
            ck_assert_int_gt(end, at);
            if (kind != PERIOD_TOTAL) {
                ck_assert_str_eq(period_name(kind, end - 1, next), want);
                ck_assert_str_ne(period_name(kind, end, next), want);
            }
        }
    }
}
END_TEST

START_TEST(the_ends_of_time_have_names_too)
{
    const int64_t instants[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    char name[PERIOD_NAME_MAX];
    for (size_t i = 0; i < COUNT_OF(instants); i++) {
        for (uint32_t kind = 0; kind < PERIOD_CUSTOM; kind++) {
            ck_assert_uint_gt(strlen(period_name(kind, instants[i], name)), 0);
            ck_assert(period_end(kind, instants[i]) >= instants[i]);
        }
    }
    ck_assert_str_eq(period_name(PERIOD_DAY, -1, name), "1969-12-31");
    ck_assert_int_eq(period_end(PERIOD_DAY, -1), 0);
}
END_TEST

/* ---- of budgets, in their zones ------------------------------------------------------------------------------- */

/* From a day to a day, every so many: empty = not said. */
static const struct {
    const char *what, *zone;
    uint32_t kind;
    const char *from, *to;
    uint32_t every;
    const char *at, *name, *begin, *end; /* begin NULL: always was, never ends */
} windows[] = {
    {"a day of Berlin begins at its midnight", "Europe/Berlin", PERIOD_DAY, "", "", 0, "2026-11-22T23:00:00Z",
     "2026-11-23", "2026-11-22T23:00:00Z", "2026-11-23T23:00:00Z"},
    {"the day before ends a microsecond earlier", "Europe/Berlin", PERIOD_DAY, "", "", 0, "2026-11-22T22:59:59.999999Z",
     "2026-11-22", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"},
    {"a day of 23 hours", "Europe/Berlin", PERIOD_DAY, "", "", 0, "2026-03-29T12:00:00Z", "2026-03-29",
     "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
    {"a day of 25 hours", "Europe/Berlin", PERIOD_DAY, "", "", 0, "2026-10-25T12:00:00Z", "2026-10-25",
     "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
    {"the hour that comes twice lies in one day", "Europe/Berlin", PERIOD_DAY, "", "", 0, "2026-10-25T01:30:00Z",
     "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
    {"a month that begins in summer time and ends in winter time", "Europe/Berlin", PERIOD_MONTH, "", "", 0,
     "2026-10-31T22:59:59Z", "2026-10", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"},
    {"a leap day in New York", "America/New_York", PERIOD_DAY, "", "", 0, "2028-03-01T04:59:59Z", "2028-02-29",
     "2028-02-29T05:00:00Z", "2028-03-01T05:00:00Z"},
    {"a zone at three quarters of an hour", "Asia/Kathmandu", PERIOD_MONTH, "", "", 0, "2026-11-30T18:14:59Z",
     "2026-11", "2026-10-31T18:15:00Z", "2026-11-30T18:15:00Z"},
    {"a week of a zone begins on its Monday", "Asia/Kathmandu", PERIOD_WEEK, "", "", 0, "2026-11-22T18:15:00Z",
     "2026-W48", "2026-11-22T18:15:00Z", "2026-11-29T18:15:00Z"},
    {"a midnight that is skipped: the day begins an hour later", "Asia/Beirut", PERIOD_DAY, "", "", 0,
     "2026-03-29T12:00:00Z", "2026-03-29", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
    {"a year of the first zone to have it", "Pacific/Kiritimati", PERIOD_YEAR, "", "", 0, "2026-12-31T10:00:00Z",
     "2027", "2026-12-31T10:00:00Z", "2027-12-31T10:00:00Z"},
    {"four weeks from a day on", "UTC", PERIOD_CUSTOM, "2026-01-05", "", 28, "2026-02-02T00:00:00Z",
     "2026-02-02+28d", "2026-02-02T00:00:00Z", "2026-03-02T00:00:00Z"},
    {"before its first day it is the first one", "UTC", PERIOD_CUSTOM, "2026-01-05", "", 28, "2025-02-02T00:00:00Z",
     "2026-01-05+28d", "2026-01-05T00:00:00Z", "2026-02-02T00:00:00Z"},
    {"so many days of a zone, one of them short", "Europe/Berlin", PERIOD_CUSTOM, "2026-03-27", "", 3,
     "2026-03-29T21:59:59Z", "2026-03-27+3d", "2026-03-26T23:00:00Z", "2026-03-29T22:00:00Z"},
    {"a window", "Europe/Berlin", PERIOD_FIXED, "2026-01-05", "2026-03-30", 0, "2026-02-01T00:00:00Z",
     "2026-01-05..2026-03-30", "2026-01-04T23:00:00Z", "2026-03-29T22:00:00Z"},
    {"a window that is over stays the same", "Europe/Berlin", PERIOD_FIXED, "2026-01-05", "2026-03-30", 0,
     "2026-09-01T00:00:00Z", "2026-01-05..2026-03-30", "2026-01-04T23:00:00Z", "2026-03-29T22:00:00Z"},
    {"for ever", "", PERIOD_TOTAL, "", "", 0, "2026-09-01T00:00:00Z", "total", NULL, NULL},
};

static int64_t instant(const char *text, int64_t none)
{
    int64_t at = none;
    ck_assert_int_eq(text != NULL && text[0] != '\0' ? parse_time(text, &at, NULL) : 0, 0);
    return at;
}

START_TEST(the_period_of_a_budget)
{
    struct zone_table zone = {0};
    struct period p;
    struct err err = {0};
    bool zoned = windows[_i].zone[0] != '\0';
    ck_assert_msg(!zoned || zone_read(windows[_i].zone, &zone, &err) == 0, "%s", err_text(&err));
    const struct budget_rule rule = {.period = windows[_i].kind, .from_utc_us = instant(windows[_i].from, 0),
                                     .to_utc_us = instant(windows[_i].to, 0), .every_days = windows[_i].every};
    int64_t at = instant(windows[_i].at, 0);
    period_of(&rule, zoned ? &zone : NULL, at, &p);
    ck_assert_msg(strcmp(p.name, windows[_i].name) == 0, "%s: %s", windows[_i].what, p.name);
    ck_assert_msg(p.from_utc_us == instant(windows[_i].begin, INT64_MIN) &&
                      p.to_utc_us == instant(windows[_i].end, INT64_MAX),
                  "%s: %lld to %lld", windows[_i].what, (long long)p.from_utc_us, (long long)p.to_utc_us);
    fields_clear(&zone_table_fields, &zone);
}
END_TEST

/* One after the other without a gap, forwards and backwards; named as the C library's calendar says. */
START_TEST(zoned_periods_agree_with_the_c_library_and_leave_no_gap)
{
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"};
    uint64_t seed = random_seed("zoned");
    struct zone_table zone = {0};
    ck_assert_int_eq(zone_read(zones[_i], &zone, NULL), 0);
    setenv("TZ", zones[_i], 1);
    tzset();
    for (int i = 0; i < 20000; i++) {
        int64_t at = ZONE_FROM_US + (int64_t)random_below(&seed, (uint64_t)(ZONE_UNTIL_US - ZONE_FROM_US));
        time_t seconds = (time_t)(at / 1000000);
        struct tm tm;
        localtime_r(&seconds, &tm);
        for (uint32_t kind = PERIOD_DAY; kind < PERIOD_CUSTOM; kind++) {
            const struct budget_rule rule = {.period = kind};
            char want[32];
            struct period p, before, again;
            expected_name(kind, &tm, want);
            period_of(&rule, &zone, at, &p);
            ck_assert_str_eq(p.name, want);
            ck_assert(period_holds(&p, at) && period_holds(&p, p.from_utc_us) && !period_holds(&p, p.to_utc_us));
            ck_assert(period_before(&rule, &zone, &p, &before));
            ck_assert_int_eq(before.to_utc_us, p.from_utc_us);
            period_of(&rule, &zone, before.to_utc_us, &again);
            ck_assert_str_eq(again.name, p.name);
            ck_assert_int_eq(again.to_utc_us, p.to_utc_us);
        }
    }
    fields_clear(&zone_table_fields, &zone);
}
END_TEST

START_TEST(nothing_comes_before_the_first_window)
{
    const struct budget_rule custom = {.period = PERIOD_CUSTOM, .from_utc_us = AT_NOVEMBER, .every_days = 7};
    const struct budget_rule fixed = {
        .period = PERIOD_FIXED, .from_utc_us = AT_NOVEMBER, .to_utc_us = AT_NOVEMBER + DAY_US};
    const struct budget_rule total = {.period = PERIOD_TOTAL};
    struct period p, before;
    period_of(&custom, NULL, AT_NOVEMBER + 7 * DAY_US, &p);
    ck_assert(period_before(&custom, NULL, &p, &before));
    ck_assert_int_eq(before.from_utc_us, AT_NOVEMBER);
    ck_assert(!period_before(&custom, NULL, &before, &p));
    ck_assert(!period_holds(&before, AT_NOVEMBER - 1));
    period_of(&fixed, NULL, AT_NOVEMBER, &p);
    ck_assert(!period_before(&fixed, NULL, &p, &before));
    period_of(&total, NULL, AT_NOVEMBER, &p);
    ck_assert(!period_before(&total, NULL, &p, &before));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/period");
    TCase *t = tcase_create("period");
    tcase_add_loop_test(t, names_and_ends, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, agrees_with_the_calendar_of_the_c_library);
    tcase_add_test(t, the_ends_of_time_have_names_too);
    tcase_add_loop_test(t, the_period_of_a_budget, 0, (int)COUNT_OF(windows));
    tcase_add_loop_test(t, zoned_periods_agree_with_the_c_library_and_leave_no_gap, 0, 4);
    tcase_add_test(t, nothing_comes_before_the_first_window);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    return run_suite(s);
}
