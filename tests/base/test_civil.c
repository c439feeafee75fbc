#include <check.h>
#include <stdbool.h>

#include "base/civil.h"
#include "tests/run.h"

static const struct day_row {
    const char *sentence;
    int64_t days, year;
    uint32_t month, day;
} day_rows[] = {
    {"day 0 is the epoch", 0, 1970, 1, 1},
    {"the day before it", -1, 1969, 12, 31},
    {"a leap day", 19782, 2024, 2, 29},
    {"1900 has none", -25508, 1900, 3, 1},
    {"2000 has one", 11016, 2000, 2, 29},
    {"the first of year 1", -719162, 1, 1, 1},
    {"the last of 9999", 2932896, 9999, 12, 31},
    {"before year 0", -719894, -2, 12, 31},
};

START_TEST(a_day_is_a_date_and_back)
{
    const struct day_row *r = &day_rows[_i];
    struct civil_date d = civil_of_days(r->days);
    ck_assert_msg(d.year == r->year && d.month == r->month && d.day == r->day, "%s", r->sentence);
    ck_assert_msg(civil_days(r->year, r->month, r->day) == r->days, "%s", r->sentence);
}
END_TEST

START_TEST(every_day_of_an_era_follows_the_one_before)
{
    struct civil_date d = civil_of_days(-200000);
    for (int64_t day = -199999; day < 200000; day++) {
        struct civil_date next = civil_of_days(day);
        bool same_month = next.month == d.month && next.day == d.day + 1;
        bool new_month = next.day == 1 && d.day == civil_days_in(d.year, d.month) &&
                         next.month == d.month % 12 + 1 && next.year == d.year + (d.month == 12);
        ck_assert_msg(same_month || new_month, "day %ld", (long)day);
        ck_assert_int_eq(civil_days(next.year, next.month, next.day), day);
        d = next;
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/civil");
    TCase *t = tcase_create("days");
    tcase_add_loop_test(t, a_day_is_a_date_and_back, 0, (int)(sizeof day_rows / sizeof day_rows[0]));
    tcase_add_test(t, every_day_of_an_era_follows_the_one_before);
    suite_add_tcase(s, t);
    return run_suite(s);
}
