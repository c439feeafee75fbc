/* What is usual, where it leads, and which days are odd. */
#include <math.h>
#include <stdlib.h>

#include "quotas/reports/forecast.h"
#include "tests/quotas/reports/asking.h"

static const struct {
    const char *what;
    int64_t days[9];
    size_t count;
    int64_t median, spread;
} usuals[] = {
    {"one day is what it is", {100}, 1, 100, 5},
    {"a few odd days move nothing", {100, 100, 9000, 100, 120, 80, 100, 0, 100}, 9, 100, 5},
    {"between the middle two", {10, 20, 30, 100}, 4, 25, 14},
    {"the same each day has a twentieth of room", {1000, 1000, 1000}, 3, 1000, 50},
    {"nothing at all is no reason to divide by it", {0, 0, 0}, 3, 0, 1},
    {"credits", {-100, -100, -100}, 3, -100, 1},
    {"far apart", {INT64_MAX / 2, 0}, 2, INT64_MAX / 4, 0},
};

START_TEST(what_is_usual)
{
    int64_t days[9];
    memcpy(days, usuals[_i].days, sizeof days);
    struct usual u = usual_of(days, usuals[_i].count);
    ck_assert_msg(u.median == usuals[_i].median, "%s: %lld", usuals[_i].what, (long long)u.median);
    if (usuals[_i].spread != 0)
        ck_assert_msg(u.spread == usuals[_i].spread, "%s: %lld", usuals[_i].what, (long long)u.spread);
}
END_TEST

START_TEST(where_it_leads)
{
    static const int64_t even[] = {10, 10, 10, 10}, uneven[] = {0, 20, 0, 20}, none[] = {0, 0};
    struct trend t = trend_of(even, 4), u = trend_of(uneven, 4), n = trend_of(none, 2), young = {.rate = 10};
    ck_assert_double_eq_tol(trend_in(&t, 7).middle, 70, 1e-9);
    ck_assert_double_eq_tol(trend_in(&t, 7).high, 70, 1e-9);
    ck_assert_double_eq_tol(trend_until(&t, 35).middle, 3.5, 1e-9);
    struct range in = trend_in(&u, 4), until = trend_until(&u, 40);
    ck_assert(in.known && in.low < 40 && in.high > 40 && in.low >= 0);
    ck_assert_double_eq_tol(in.middle, 40, 1e-9);
    ck_assert(until.low < 4 && until.high > 4);
    /* The soonest is when the upper line gets there. */
    ck_assert_double_eq_tol(trend_in(&u, until.low).high, 40, 1e-6);
    ck_assert_double_eq_tol(trend_in(&u, until.high).low, 40, 1e-6);
    ck_assert(trend_until(&n, 1).middle == HUGE_VAL && trend_until(&n, 1).low == HUGE_VAL);
    ck_assert_double_eq(trend_until(&t, 0).middle, 0);
    ck_assert_double_eq(trend_until(&t, -5).low, 0);
    ck_assert(!trend_in(&young, 1).known);
    ck_assert_double_eq_tol(trend_in(&young, 2).middle, 20, 1e-9);
    ck_assert_double_eq(trend_in(&t, -1).middle, 0);
}
END_TEST

/* ---- odd days ---------------------------------------------------------------------------------------------------- */
struct fixture {
    char path[160];
    struct book *book;
    struct report report;
    uint64_t jobs;
};

static void charge_day(struct fixture *f, const char *tenant, int64_t day, int64_t micros)
{
    if (micros != 0)
        journal_job(f->book, ++f->jobs, tenant, "u", "j", AT_NOVEMBER + day * DAY_US + DAY_US / 2, 1000, micros);
}

/* acme for 60 days: 10.00 on working days, 1.00 at the weekend. Day 0 is a Monday. */
static void fixture_make(struct fixture *f)
{
    *f = (struct fixture){0};
    f->book = journal_book(journal_path(f->path));
    f->report = (struct report){.database = f->path, .book = f->book};
    struct fact policy = fact_policy(AT_NOVEMBER);
    set_text(&policy.policy.currency, "EUR");
    fact_tenant(&policy, "acme");
    fact_tenant(&policy, "young");
    journal_take(f->book, policy);
    for (int64_t day = 0; day < 60; day++)
        if (day != 50 && day != 51 && day != 55)
            charge_day(f, "acme", day, day % 7 < 5 ? 10000000 : 1000000);
    charge_day(f, "acme", 50, 30000000);
    charge_day(f, "acme", 51, 10300000);
    for (int64_t day = 40; day < 60; day++) /* odd on its sixth and on its tenth day */
        charge_day(f, "young", day, day == 45 || day == 49 ? 90000000 : 5000000);
    journal_take(f->book, fact_policy(AT_NOVEMBER + 59 * DAY_US + DAY_US / 2 + 2000));
}

static const struct {
    const char *what, *query, *lines;
} asked[] = {
    {"weekends are usual; thrice the cost is not, nor is a Sunday without any when it has one; the young need seven "
     "days",
     "format=csv&sensitivity=4&minimum=0.5",
     "2027-01-11,young,up,90.000000,90000000,5.000000,5000000,4.000000,4000000,6.000000,6000000,340.000000,EUR\r\n"
     "2027-01-12,acme,up,30.000000,30000000,10.000000,10000000,8.000000,8000000,12.000000,12000000,40.000000,EUR\r\n"
     "2027-01-17,acme,down,0.000000,0,1.000000,1000000,0.800000,800000,1.200000,1200000,-20.000000,EUR\r\n"},
    {"what is too small to matter", "format=csv&minimum=15&tenant=acme",
     "2027-01-12,acme,up,30.000000,30000000,10.000000,10000000,8.000000,8000000,12.000000,12000000,40.000000,EUR\r\n"},
    {"what is odd to a finer eye", "format=csv&sensitivity=0.5&minimum=0.1&tenant=acme&from=2027-01-13&to=2027-01-14",
     "2027-01-13,acme,up,10.300000,10300000,10.000000,10000000,9.750000,9750000,10.250000,10250000,0.600000,EUR\r\n"},
    {"days that aren't over are not judged", "format=csv&from=2027-01-21&to=2027-03-01", ""},
    {"nor is what came before there was a history", "format=csv&to=2026-11-30&from=2026-11-01", ""},
    {"no number", "sensitivity=lots", NULL},
    {"a span too long", "from=1971-01-01", NULL},
};

START_TEST(odd_days)
{
    struct fixture f;
    struct buf out = {0};
    struct viewer all = {.all = true};
    static const char header[] = "day,tenant,direction,cost,cost_micros,expected,expected_micros,low,low_micros,high,"
                                 "high_micros,score,currency\r\n";
    fixture_make(&f);
    asking(&f.report, anomalies_answer, &all, asked[_i].query, NULL, &out);
    if (asked[_i].lines == NULL)
        ck_assert_int_eq(strncmp(buf_text(&out), "400 ", 4), 0);
    else
        ck_assert_msg(strncmp(buf_text(&out), header, sizeof header - 1) == 0 &&
                          strcmp(buf_text(&out) + sizeof header - 1, asked[_i].lines) == 0,
                      "%s:\n%s", asked[_i].what, buf_text(&out));
    buf_fini(&out);
    book_close(f.book);
}
END_TEST

/* ---- budgets ---------------------------------------------------------------------------------------------------- */
/* On the 20th day of the fixture, at noon (a Sunday): a month's budget with 11 days and a half to go. */
START_TEST(a_budgets_way)
{
    struct fixture f;
    struct params params = {0};
    struct problem problem = {0};
    struct viewer all = {.all = true};
    struct ask ask = {.viewer = &all, .params = &params};
    struct err err = {0};
    struct list rows = {0}, found = {0};
    char tenant[] = "acme", none[] = "nobody", account[] = "acme@2026-12", period[] = "2026-12";
    char hours[] = "acme#cores@2026-W50", window[] = "acme#project@2026-12-13";
    fixture_make(&f);
    struct fact policy = fact_policy(AT_NOVEMBER + 60 * DAY_US);
    struct tenant_rule *rule = fact_tenant(&policy, "acme");
    rule->budget = (struct budget_rule){.present = true, .limit_micros = 200000000, .period = PERIOD_MONTH};
    for (int i = 0; i < 2; i++)
        ck_assert_ptr_nonnull(list_add(&rule->budgets, sizeof(struct budget_rule)));
    struct budget_rule *further = rule->budgets.v;
    further[0] = (struct budget_rule){.present = true, .limit_micros = 5, .period = PERIOD_WEEK};
    further[1] = (struct budget_rule){.present = true, .limit_micros = 5, .period = PERIOD_DAY};
    set_text(&further[0].name, "cores");
    set_text(&further[0].resource, "cpu");
    set_text(&further[1].name, "project");
    journal_take(f.book, policy);
    ck_assert_int_eq(ask_open(&ask, &f.report, &problem), 0);
    ask.now_utc_us = AT_NOVEMBER + 20 * DAY_US + DAY_US / 2; /* 2026-12-13T12:00:00Z */
    struct budget_row budgets[] = {
        {.tenant = tenant, .account = account, .period = period, .current = true, .limit_micros = 200000000,
         .spent_micros = 90000000},
        {.tenant = none, .account = account, .period = period, .current = true, .limit_micros = 5, .spent_micros = 5},
        {.tenant = tenant, .account = account, .period = period, .current = true, .limit_micros = -1},
        {.tenant = tenant, .account = hours, .period = period, .current = true, .limit_micros = 5},
        {.tenant = tenant, .account = window, .period = period, .current = true, .limit_micros = 5}};
    rows = (struct list){budgets, COUNT_OF(budgets)};
    ck_assert_int_eq(forecast_rows(&ask, &rows, &found, &err), 0);
    ck_assert_uint_eq(found.count, 5);
    const struct forecast_row *v = found.v;
    /* 20 days before today: 15 at 10.00 and 5 weekend days at 1.00. */
    ck_assert_uint_eq(v[0].trend.days, 20);
    ck_assert_double_eq_tol(v[0].trend.rate, 7750000, 1e-3);
    ck_assert_int_eq(v[0].end_utc_us, AT_NOVEMBER + 39 * DAY_US);
    ck_assert_double_eq_tol(v[0].at_end.middle, 90000000 + 18.5 * 7750000, 1);
    ck_assert(v[0].at_end.known && v[0].at_end.low < v[0].at_end.middle && v[0].at_end.low >= 90000000);
    ck_assert_double_eq_tol(v[0].runs_out.middle, 110.0 / 7.75, 1e-6);
    ck_assert(v[0].runs_out.low < v[0].runs_out.middle && v[0].runs_out.high > v[0].runs_out.middle);
    ck_assert(!v[1].has_trend && v[1].runs_out.middle == 0); /* it has run out, whatever comes */
    ck_assert(v[2].runs_out.middle == HUGE_VAL && v[2].has_trend);
    /* Further ones by their names: hours of cpu, by the week; money, by the day. */
    ck_assert_str_eq(v[3].resource, "cpu");
    ck_assert_int_eq(v[3].end_utc_us, AT_NOVEMBER + 21 * DAY_US);
    ck_assert_int_eq(v[4].end_utc_us, AT_NOVEMBER + 21 * DAY_US);
    ck_assert_double_eq_tol(v[4].trend.rate, v[0].trend.rate, 1e-9);
    free(found.v);
    ask_fini(&ask);
    book_close(f.book);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("trend");
    TCase *tc = tcase_create("trend");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, what_is_usual, 0, (int)COUNT_OF(usuals));
    tcase_add_test(tc, where_it_leads);
    tcase_add_loop_test(tc, odd_days, 0, (int)COUNT_OF(asked));
    tcase_add_test(tc, a_budgets_way);
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}
