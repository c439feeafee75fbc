/* period: names and ends, by rows and beside the C library's calendar. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"
#include "quotas/period.h"
#include "tests/quotas/facts.h"

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

int main(void)
{
    Suite *s = suite_create("quotas/period");
    TCase *t = tcase_create("period");
    tcase_add_loop_test(t, names_and_ends, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, agrees_with_the_calendar_of_the_c_library);
    tcase_add_test(t, the_ends_of_time_have_names_too);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
