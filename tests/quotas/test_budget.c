/* Budgets: several of a tenant, windows, zones, what is carried over, soft ones, the time of a resource. */
#include <errno.h>

#include "base/parse.h"
#include "tests/quotas/ledger_steps.h"
#include "tests/run.h"

#define ID(job, task) ((struct attempt_id){(job), (task), 1})

static struct ledger *l;

static int64_t at(const char *text)
{
    int64_t utc_us = 0;
    ck_assert_int_eq(parse_time(text, &utc_us, NULL), 0);
    return utc_us;
}

static struct budget_rule *add_budget(struct tenant_rule *rule, const char *name, int64_t limit, uint32_t period)
{
    struct budget_rule *b = list_add(&rule->budgets, sizeof *b);
    ck_assert_ptr_nonnull(b);
    set_text(&b->name, name);
    b->limit_micros = limit;
    b->period = period;
    return b;
}

static void apply_policy(struct fact f)
{
    admit(l, with_limits(l, f));
}

/* acme with this budget, and twenty tasks that wait there. */
static void begin(struct budget_rule budget, int64_t utc_us)
{
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    struct fact f = fact_policy(utc_us);
    budget.present = true;
    fact_tenant(&f, "acme")->budget = budget;
    admit(l, f);
    admit(l, fact_submit(l, utc_us, 1, "acme", "k", 100, 0));
}

static void set_budget(struct budget_rule budget, int64_t utc_us)
{
    struct fact f = fact_policy(utc_us);
    budget.present = true;
    fact_tenant(&f, "acme")->budget = budget;
    apply_policy(f);
}

static uint32_t tasks;

static struct attempt_id hold(int64_t utc_us, int64_t micros)
{
    struct attempt_id id = ID(1, ++tasks);
    admit(l, fact_place(l, utc_us, id, "acme", false, micros));
    return id;
}

static void spend(int64_t utc_us, int64_t micros)
{
    admit(l, fact_end(utc_us, hold(utc_us, micros), micros, NEXT_FINAL, false));
}

static void carries(const char *name, int64_t limit, int64_t carried)
{
    struct account_view v = account(l, name);
    ck_assert_msg(v.limit_micros == limit && v.carried_micros == carried, "%s: limit %lld, carried %lld", name,
                  (long long)v.limit_micros, (long long)v.carried_micros);
}

/* ---- what is carried over ------------------------------------------------------------------------------------- */

START_TEST(what_was_left_adds_to_the_next_period_and_so_on)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_MONTH, .carry = CARRY_ALL}, at("2026-01-10"));
    spend(at("2026-01-20"), 30);
    spend(at("2026-02-20"), 100);
    carries("acme@2026-01", 100, 0); /* nothing before the rule came */
    carries("acme@2026-02", 170, 70);
    spend(at("2026-03-01"), 1);
    carries("acme@2026-03", 170, 70);
    refused(l, fact_place(l, at("2026-03-02"), ID(1, 90), "acme", false, 170), LEDGER_BUDGET, "acme@2026-03");
    spend(at("2026-03-03"), 169);
    spend(at("2026-04-01"), 1);
    carries("acme@2026-04", 100, 0);
    ledger_free(l);
}
END_TEST

START_TEST(no_more_is_carried_than_the_cap_and_never_less_than_nothing)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_DAY, .carry = CARRY_CAPPED,
                               .carry_max_micros = 25},
          at("2026-01-10"));
    spend(at("2026-01-10"), 10);
    spend(at("2026-01-11"), 115);
    carries("acme@2026-01-11", 125, 25);
    set_budget((struct budget_rule){.limit_micros = 50, .period = PERIOD_DAY, .carry = CARRY_CAPPED,
                                    .carry_max_micros = 25},
               at("2026-01-11T12:00:00Z"));
    carries("acme@2026-01-11", 75, 25); /* below what was spent */
    spend(at("2026-01-12"), 1);
    carries("acme@2026-01-12", 50, 0);
    ledger_free(l);
}
END_TEST

START_TEST(what_is_still_held_is_not_carried)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_DAY, .carry = CARRY_ALL}, at("2026-01-10"));
    struct attempt_id over_midnight = hold(at("2026-01-10T23:00:00Z"), 60);
    spend(at("2026-01-11"), 1);
    carries("acme@2026-01-11", 140, 40);
    admit(l, fact_end(at("2026-01-11T01:00:00Z"), over_midnight, 10, NEXT_FINAL, false));
    carries("acme@2026-01-11", 140, 40); /* at the moment at which it opened */
    ledger_free(l);
}
END_TEST

START_TEST(a_period_in_which_nothing_was_asked_has_all_of_it_left_but_only_one)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_DAY, .carry = CARRY_ALL}, at("2026-01-10"));
    spend(at("2026-01-15"), 1); /* the 14th was never opened, nor were those before */
    carries("acme@2026-01-15", 200, 100);
    spend(at("2026-01-17"), 1);
    carries("acme@2026-01-17", 200, 100);
    ledger_free(l);
    /* A rule that came in this period has nothing to carry. */
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_DAY, .carry = CARRY_ALL}, at("2026-01-10"));
    spend(at("2026-01-10T01:00:00Z"), 1);
    carries("acme@2026-01-10", 100, 0);
    ledger_free(l);
}
END_TEST

START_TEST(a_budget_of_another_length_is_another_budget)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_DAY, .carry = CARRY_ALL}, at("2026-01-10"));
    set_budget((struct budget_rule){.limit_micros = 100, .period = PERIOD_MONTH, .carry = CARRY_ALL}, at("2026-02-10"));
    spend(at("2026-02-10"), 1);
    carries("acme@2026-02", 100, 0); /* there was no monthly one in January */
    ledger_free(l);
    /* Another limit of the same budget is the same budget. */
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_MONTH, .carry = CARRY_ALL}, at("2026-01-10"));
    set_budget((struct budget_rule){.limit_micros = 300, .period = PERIOD_MONTH, .carry = CARRY_ALL}, at("2026-02-10"));
    spend(at("2026-02-10"), 1);
    carries("acme@2026-02", 600, 300);
    ledger_free(l);
}
END_TEST

START_TEST(carried_money_never_leaves_the_exact_numbers)
{
    begin((struct budget_rule){.limit_micros = MONEY_MICROS_MAX, .period = PERIOD_DAY, .carry = CARRY_ALL},
          at("2026-01-10"));
    spend(at("2026-01-11"), 0);
    carries("acme@2026-01-11", LEDGER_COUNT_MAX, LEDGER_COUNT_MAX - MONEY_MICROS_MAX);
    spend(at("2026-01-12"), 0);
    carries("acme@2026-01-12", LEDGER_COUNT_MAX, LEDGER_COUNT_MAX - MONEY_MICROS_MAX);
    ledger_free(l);
}
END_TEST

/* ---- several, soft, windows, zones ------------------------------------------------------------------------------ */

START_TEST(every_budget_of_a_tenant_must_have_room)
{
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    struct fact f = fact_policy(at("2026-01-10"));
    struct tenant_rule *acme = fact_tenant(&f, "acme");
    acme->budget = (struct budget_rule){.present = true, .limit_micros = 100, .period = PERIOD_MONTH};
    (void)add_budget(acme, "daily", 30, PERIOD_DAY);
    (void)add_budget(acme, "year", 120, PERIOD_YEAR);
    add_budget(acme, "watch", 5, PERIOD_DAY)->soft = true;
    admit(l, f);
    admit(l, fact_submit(l, at("2026-01-10"), 1, "acme", "k", 100, 0));
    refused(l, fact_place(l, at("2026-01-10"), ID(1, 90), "acme", false, 31), LEDGER_BUDGET, "acme#daily@2026-01-10");
    spend(at("2026-01-10"), 30);
    account_is(l, "acme@2026-01", 100, 30, 0);
    account_is(l, "acme#daily@2026-01-10", 30, 30, 0);
    account_is(l, "acme#year@2026", 120, 30, 0);
    account_is(l, "acme#watch@2026-01-10", -1, 30, 0); /* soft: it only counts */
    account_is(l, "/@total", -1, 30, 0);
    spend(at("2026-01-11"), 30);
    spend(at("2026-02-11"), 30);
    spend(at("2026-02-12"), 30);
    refused(l, fact_place(l, at("2026-02-13"), ID(1, 90), "acme", false, 1), LEDGER_BUDGET, "acme#year@2026");
    ledger_free(l);
}
END_TEST

START_TEST(a_soft_budget_carries_its_rules_limit)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_DAY, .carry = CARRY_ALL, .soft = true},
          at("2026-01-10"));
    spend(at("2026-01-10"), 40);
    spend(at("2026-01-11"), 700);
    carries("acme@2026-01-11", -1, 60);
    spend(at("2026-01-12"), 1);
    carries("acme@2026-01-12", -1, 0);
    /* Hard from now on: the limit counts what was carried. */
    set_budget((struct budget_rule){.limit_micros = 100, .period = PERIOD_DAY, .carry = CARRY_ALL},
               at("2026-01-12T01:00:00Z"));
    account_is(l, "acme@2026-01-12", 100, 1, 0);
    ledger_free(l);
}
END_TEST

START_TEST(outside_of_its_window_nothing_new_is_held)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_FIXED, .from_utc_us = at("2026-01-05"),
                               .to_utc_us = at("2026-03-01")},
          at("2026-01-01"));
    const char *const name = "acme@2026-01-05..2026-03-01";
    refused(l, fact_place(l, at("2026-01-04T23:59:59Z"), ID(1, 90), "acme", false, 1), LEDGER_BUDGET, name);
    refused(l, fact_place(l, at("2026-01-04T23:59:59Z"), ID(1, 90), "acme", false, 0), LEDGER_BUDGET, name);
    struct attempt_id id = hold(at("2026-01-05"), 50);
    refused(l, fact_place(l, at("2026-03-01"), ID(1, 90), "acme", false, 1), LEDGER_BUDGET, name);
    refused(l, fact_renew(l, at("2026-03-01"), id, "acme", false, 20, 1), LEDGER_BUDGET, name);
    admit(l, fact_renew(l, at("2026-02-28T23:59:59Z"), id, "acme", false, 20, 60));
    admit(l, fact_renew(l, at("2026-03-01"), id, "acme", false, 80, 0));
    admit(l, fact_end(at("2026-03-01"), id, 80, NEXT_FINAL, false));
    account_is(l, name, 100, 80, 0);
    /* A later end is another window, with its own money. */
    set_budget((struct budget_rule){.limit_micros = 10, .period = PERIOD_FIXED, .from_utc_us = at("2026-01-05"),
                                    .to_utc_us = at("2026-04-01")},
               at("2026-03-02"));
    spend(at("2026-03-02"), 10);
    account_is(l, "acme@2026-01-05..2026-04-01", 10, 10, 0);
    ledger_free(l);
}
END_TEST

static struct zone_table *add_zone(struct fact *f, const char *name, int32_t winter_s)
{
    struct zone_table *z = list_add(&f->policy.zones, sizeof *z);
    ck_assert_ptr_nonnull(z);
    set_text(&z->name, name);
    const char *const changes[] = {"2025-10-26T01:00:00Z", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"};
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct zone_shift *s = list_add(&z->shifts, sizeof *s);
        ck_assert_ptr_nonnull(s);
        *s = (struct zone_shift){at(changes[i]), winter_s + (i == 1 ? 3600 : 0)};
    }
    return z;
}

START_TEST(days_of_23_and_25_hours_have_one_account_each)
{
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    struct fact f = fact_policy(at("2026-01-10"));
    struct tenant_rule *acme = fact_tenant(&f, "acme");
    acme->budget = (struct budget_rule){.present = true, .limit_micros = 100, .period = PERIOD_DAY};
    set_text(&acme->budget.zone, "Europe/Berlin");
    (void)add_zone(&f, "Europe/Berlin", 3600);
    admit(l, f);
    admit(l, fact_submit(l, at("2026-01-10"), 1, "acme", "k", 100, 0));
    spend(at("2026-03-28T23:00:00Z"), 1); /* every hour of the short day and of the long one */
    for (int64_t utc_us = at("2026-03-28T23:30:00Z"); utc_us < at("2026-03-29T22:00:00Z"); utc_us += 3600000000) {
        spend(utc_us, 1);
    }
    spend(at("2026-03-29T22:00:00Z"), 1);
    account_is(l, "acme@2026-03-29", 100, 24, 0);
    account_is(l, "acme@2026-03-30", 100, 1, 0);
    for (int64_t utc_us = at("2026-10-24T22:00:00Z"); utc_us < at("2026-10-25T23:00:00Z"); utc_us += 3600000000) {
        spend(utc_us, 1);
    }
    spend(at("2026-10-25T23:00:00Z"), 1);
    account_is(l, "acme@2026-10-25", 100, 25, 0);
    ck_assert_int_eq(account(l, "acme@2026-10-25").to_utc_us - account(l, "acme@2026-10-25").from_utc_us,
                     25 * INT64_C(3600000000));
    ledger_free(l);
}
END_TEST

START_TEST(another_zone_moves_the_bounds_of_the_open_account)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_MONTH}, at("2026-11-01"));
    spend(at("2026-11-30T23:00:00Z"), 1);
    ck_assert_int_eq(account(l, "acme@2026-11").to_utc_us, at("2026-12-01"));
    struct fact f = fact_policy(at("2026-11-30T23:10:00Z"));
    struct tenant_rule *acme = fact_tenant(&f, "acme");
    acme->budget = (struct budget_rule){.present = true, .limit_micros = 100, .period = PERIOD_MONTH};
    set_text(&acme->budget.zone, "West");
    struct zone_table *z = list_add(&f.policy.zones, sizeof *z);
    set_text(&z->name, "West");
    *(struct zone_shift *)list_add(&z->shifts, sizeof(struct zone_shift)) = (struct zone_shift){0, -5 * 3600};
    apply_policy(f);
    ck_assert_int_eq(account(l, "acme@2026-11").to_utc_us, at("2026-12-01T05:00:00Z"));
    spend(at("2026-12-01T04:59:00Z"), 1);
    account_is(l, "acme@2026-11", 100, 2, 0);
    spend(at("2026-12-01T05:00:00Z"), 1);
    account_is(l, "acme@2026-12", 100, 1, 0);
    ledger_free(l);
}
END_TEST

/* ---- the time of a resource ------------------------------------------------------------------------------------- */

static void add_time(struct list *to, const char *name, int64_t spent, int64_t micros)
{
    struct time_hold *t = list_add(to, sizeof *t);
    ck_assert_ptr_nonnull(t);
    set_text(&t->account, name);
    t->spent = spent;
    t->hold = micros;
}

START_TEST(time_is_held_and_spent_beside_the_money)
{
    ck_assert_int_eq(ledger_new(&l, NULL), 0);
    struct fact f = fact_policy(at("2026-01-10"));
    struct tenant_rule *acme = fact_tenant(&f, "acme");
    acme->budget = (struct budget_rule){.present = true, .limit_micros = 100, .period = PERIOD_MONTH};
    set_text(&add_budget(acme, "gpu", 1000, PERIOD_DAY)->resource, "gpu");
    admit(l, f);
    admit(l, fact_submit(l, at("2026-01-10"), 1, "acme", "k", 100, 0));
    const char *const today = "acme#gpu@2026-01-10", *const tomorrow = "acme#gpu@2026-01-11";
    struct fact placed = fact_place(l, at("2026-01-10"), ID(1, 0), "acme", false, 10);
    ck_assert_uint_eq(placed.placed.accounts.count, 2); /* money only */
    add_time(&placed.placed.times, today, 0, 700);
    admit(l, placed);
    account_is(l, today, 1000, 0, 700);
    ck_assert_str_eq(account(l, today).resource, "gpu");
    account_is(l, "acme@2026-01", 100, 0, 10);
    struct fact more = fact_place(l, at("2026-01-10"), ID(1, 1), "acme", false, 10);
    add_time(&more.placed.times, today, 0, 301);
    struct ledger_blocker b;
    ck_assert_int_eq(ledger_check(l, &more, &b), LEDGER_BUDGET);
    ck_assert_str_eq(b.resource, "gpu");
    ck_assert_int_eq(b.need, 301);
    fact_clear(&more);
    /* Over midnight: settled on the old day, held on the new one. */
    struct fact renewed = fact_renew(l, at("2026-01-11"), ID(1, 0), "acme", false, 6, 5);
    refused(l, renewed, LEDGER_BAD, ""); /* it says nothing of the time */
    renewed = fact_renew(l, at("2026-01-11"), ID(1, 0), "acme", false, 6, 5);
    add_time(&renewed.renewed.times_settled, today, 701, 0);
    refused(l, renewed, LEDGER_OVERRUN, "");
    renewed = fact_renew(l, at("2026-01-11"), ID(1, 0), "acme", false, 6, 5);
    add_time(&renewed.renewed.times_settled, today, 650, 0);
    add_time(&renewed.renewed.times, tomorrow, 650, 300);
    refused(l, renewed, LEDGER_BAD, ""); /* there it begins anew */
    renewed = fact_renew(l, at("2026-01-11"), ID(1, 0), "acme", false, 6, 5);
    add_time(&renewed.renewed.times_settled, today, 650, 0);
    add_time(&renewed.renewed.times, tomorrow, 0, 300);
    admit(l, renewed);
    account_is(l, today, 1000, 650, 0);
    account_is(l, tomorrow, 1000, 0, 300);
    struct fact end = fact_end(at("2026-01-11"), ID(1, 0), 8, NEXT_FINAL, false);
    add_time(&end.ended.times_settled, tomorrow, 120, 0);
    admit(l, end);
    account_is(l, tomorrow, 1000, 120, 0);
    account_is(l, "acme@2026-01", 100, 8, 0);
    ledger_free(l);
}
END_TEST

/* ---- thresholds ------------------------------------------------------------------------------------------------- */

static void add_threshold(struct budget_rule *b, uint32_t percent, uint32_t of)
{
    struct threshold_rule *t = list_add(&b->thresholds, sizeof *t);
    ck_assert_ptr_nonnull(t);
    *t = (struct threshold_rule){percent, of};
}

/* What is said now, and applied: "80 spent up, …". */
static const char *said(int64_t utc_us)
{
    static char text[512];
    struct fact facts[20];
    int64_t next;
    text[0] = '\0';
    size_t count = ledger_crossings(l, utc_us, facts, COUNT_OF(facts), &next);
    for (size_t i = 0; i < count; i++) {
        const struct fact_budget_crossed *f = &facts[i].budget_crossed;
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%u %s %s", i > 0 ? ", " : "", f->percent,
                 names_get(&threshold_of_names, f->of), f->up ? "up" : "down");
        ledger_apply(l, &facts[i]);
        fact_clear(&facts[i]);
    }
    return text;
}

/* acme: 100 a month; 50 and 100 percent of spent, 80 of committed, 100 of the forecast. */
static struct budget_rule watched(int64_t limit)
{
    struct budget_rule b = {.limit_micros = limit, .period = PERIOD_MONTH};
    add_threshold(&b, 50, THRESHOLD_SPENT);
    add_threshold(&b, 80, THRESHOLD_COMMITTED);
    add_threshold(&b, 100, THRESHOLD_SPENT);
    return b;
}

START_TEST(each_threshold_is_said_once_in_a_period)
{
    begin(watched(100), at("2026-01-10"));
    spend(at("2026-01-10"), 49);
    ck_assert_str_eq(said(at("2026-01-10")), "");
    struct attempt_id id = hold(at("2026-01-10"), 31);
    ck_assert_str_eq(said(at("2026-01-10")), "80 committed up");
    admit(l, fact_end(at("2026-01-10"), id, 1, NEXT_FINAL, false));
    ck_assert_str_eq(said(at("2026-01-10")), "50 spent up"); /* and what was returned is not told */
    id = hold(at("2026-01-10"), 50);
    ck_assert_str_eq(said(at("2026-01-10")), "");
    admit(l, fact_end(at("2026-01-10"), id, 50, NEXT_FINAL, false));
    ck_assert_str_eq(said(at("2026-01-10")), "100 spent up");
    ck_assert_str_eq(said(at("2026-01-10")), "");
    spend(at("2026-02-01"), 60); /* another period, another time */
    ck_assert_str_eq(said(at("2026-02-01")), "50 spent up");
    ledger_free(l);
}
END_TEST

START_TEST(several_are_said_at_once_and_as_many_as_there_is_room_for)
{
    begin(watched(100), at("2026-01-10"));
    spend(at("2026-01-10"), 100);
    struct fact one;
    int64_t next;
    ck_assert_uint_eq(ledger_crossings(l, at("2026-01-10"), &one, 1, &next), 1);
    ck_assert_uint_eq(one.budget_crossed.percent, 50);
    ck_assert_int_eq(one.budget_crossed.limit_micros, 100);
    ck_assert_int_eq(one.budget_crossed.spent_micros, 100);
    ledger_apply(l, &one);
    fact_clear(&one);
    ck_assert_str_eq(said(at("2026-01-10")), "80 committed up, 100 spent up");
    ledger_free(l);
}
END_TEST

START_TEST(a_raise_says_what_is_below_again_and_arms_it)
{
    begin(watched(100), at("2026-01-10"));
    spend(at("2026-01-10"), 100);
    ck_assert_str_eq(said(at("2026-01-10")), "50 spent up, 80 committed up, 100 spent up");
    set_budget(watched(150), at("2026-01-11"));
    ck_assert_str_eq(said(at("2026-01-11")), "80 committed down, 100 spent down"); /* 67 percent now */
    ck_assert_str_eq(said(at("2026-01-11")), "");
    spend(at("2026-01-11"), 50);
    ck_assert_str_eq(said(at("2026-01-11")), "80 committed up, 100 spent up");
    set_budget(watched(150), at("2026-01-12")); /* the same again */
    ck_assert_str_eq(said(at("2026-01-12")), "");
    set_budget(watched(100), at("2026-01-12"));
    ck_assert_str_eq(said(at("2026-01-12")), "");
    ledger_free(l);
}
END_TEST

START_TEST(what_was_passed_stays_with_its_percent_when_the_list_changes)
{
    begin(watched(100), at("2026-01-10"));
    spend(at("2026-01-10"), 85);
    ck_assert_str_eq(said(at("2026-01-10")), "50 spent up, 80 committed up");
    struct budget_rule b = {.limit_micros = 100, .period = PERIOD_MONTH};
    add_threshold(&b, 70, THRESHOLD_SPENT);
    add_threshold(&b, 90, THRESHOLD_SPENT);
    add_threshold(&b, 50, THRESHOLD_SPENT);
    set_budget(b, at("2026-01-11"));
    ck_assert_str_eq(said(at("2026-01-11")), "70 spent up"); /* new, and passed already; 50 was said */
    spend(at("2026-01-11"), 10);
    ck_assert_str_eq(said(at("2026-01-11")), "90 spent up");
    ledger_free(l);
}
END_TEST

START_TEST(a_soft_budget_warns_by_its_rules_limit)
{
    struct budget_rule b = watched(100);
    b.soft = true;
    begin(b, at("2026-01-10"));
    spend(at("2026-01-10"), 400);
    ck_assert_str_eq(said(at("2026-01-10")), "50 spent up, 80 committed up, 100 spent up");
    b = watched(900);
    b.soft = true;
    set_budget(b, at("2026-01-11"));
    ck_assert_str_eq(said(at("2026-01-11")), "50 spent down, 80 committed down, 100 spent down");
    ledger_free(l);
}
END_TEST

START_TEST(a_forecast_is_asked_for_when_a_twentieth_is_over)
{
    struct budget_rule b = {.limit_micros = 300, .period = PERIOD_CUSTOM, .from_utc_us = at("2026-01-01"),
                            .every_days = 20};
    add_threshold(&b, 100, THRESHOLD_FORECAST);
    begin(b, at("2026-01-01"));
    spend(at("2026-01-01T12:00:00Z"), 16); /* 640 if it went on like this, but who knows */
    struct fact f;
    int64_t next;
    ck_assert_uint_eq(ledger_crossings(l, at("2026-01-01T12:00:00Z"), &f, 1, &next), 0);
    ck_assert_int_eq(next, at("2026-01-02"));
    ck_assert_uint_eq(ledger_crossings(l, at("2026-01-02"), &f, 1, &next), 1);
    ck_assert_int_eq(f.budget_crossed.forecast_micros, 320);
    ck_assert_uint_eq(f.budget_crossed.of, THRESHOLD_FORECAST);
    ledger_apply(l, &f);
    fact_clear(&f);
    /* it fell, and isn't said: time did it */
    ck_assert_uint_eq(ledger_crossings(l, at("2026-01-12"), &f, 1, &next), 0);
    ck_assert_int_eq(next, INT64_MAX);
    spend(at("2026-01-12"), 284);
    ck_assert_str_eq(said(at("2026-01-12")), "");
    ledger_free(l);
}
END_TEST

/* ---- credits and adjustments ------------------------------------------------------------------------------------ */

static struct fact adjustment(int64_t utc_us, const char *key, int64_t micros)
{
    struct fact f = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = utc_us};
    struct strs path = {0};
    set_text(&f.adjusted.tenant, "acme");
    set_text(&f.adjusted.key, key);
    set_text(&f.adjusted.who, "root");
    f.adjusted.micros = micros;
    f.adjusted.kind = micros < 0 ? ADJUST_CREDIT : ADJUST_ADJUSTMENT;
    (void)ledger_path(l, "acme", &path);
    add_accounts(l, &path, utc_us, &f.adjusted.accounts);
    texts_clear(&path);
    return f;
}

START_TEST(a_credit_is_posted_once_and_can_be_spent)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_MONTH}, at("2026-01-10"));
    refused(l, adjustment(at("2026-01-10"), "a", -30), LEDGER_NO_ACCOUNT, "acme@2026-01");
    spend(at("2026-01-10"), 10);
    admit(l, adjustment(at("2026-01-10"), "a", -30));
    account_is(l, "acme@2026-01", 100, -20, 0);
    account_is(l, "/@total", -1, -20, 0);
    refused(l, adjustment(at("2026-01-10"), "a", -30), LEDGER_DUPLICATE, "acme:a");
    refused(l, adjustment(at("2026-01-10"), "b", 0), LEDGER_BAD, "");
    refused(l, adjustment(at("2026-01-10"), "b", INT64_MIN), LEDGER_BAD, "");
    refused(l, adjustment(at("2026-01-10"), "b", MONEY_MICROS_MAX + 1), LEDGER_BAD, "");
    spend(at("2026-01-10"), 120);
    refused(l, fact_place(l, at("2026-01-10"), ID(1, 90), "acme", false, 1), LEDGER_BUDGET, "acme@2026-01");
    /* A charge may go beyond the limit: then nothing new starts. */
    admit(l, adjustment(at("2026-01-10"), "c", 50));
    account_is(l, "acme@2026-01", 100, 150, 0);
    refused(l, fact_place(l, at("2026-01-10"), ID(1, 90), "acme", false, 0), LEDGER_BUDGET, "acme@2026-01");
    ledger_free(l);
}
END_TEST

START_TEST(amounts_that_would_leave_the_exact_numbers_are_not_posted)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_MONTH, .soft = true}, at("2026-01-10"));
    spend(at("2026-01-10"), 0);
    admit(l, adjustment(at("2026-01-10"), "a", MONEY_MICROS_MAX));
    refused(l, adjustment(at("2026-01-10"), "b", MONEY_MICROS_MAX), LEDGER_BAD, "acme@2026-01");
    admit(l, adjustment(at("2026-01-10"), "b", MONEY_MICROS_MAX - 1));
    account_is(l, "/@total", -1, LEDGER_COUNT_MAX, 0);
    for (int i = 0; i < 3; i++) {
        admit(l, adjustment(at("2026-01-10"), i == 0 ? "c" : i == 1 ? "d" : "e", -MONEY_MICROS_MAX));
    }
    refused(l, adjustment(at("2026-01-10"), "f", -MONEY_MICROS_MAX), LEDGER_BAD, "acme@2026-01");
    ledger_free(l);
}
END_TEST

START_TEST(a_credit_that_brings_it_below_a_threshold_arms_it)
{
    begin(watched(100), at("2026-01-10"));
    spend(at("2026-01-10"), 100);
    ck_assert_str_eq(said(at("2026-01-10")), "50 spent up, 80 committed up, 100 spent up");
    admit(l, adjustment(at("2026-01-10"), "a", -30));
    spend(at("2026-01-10"), 30); /* above again before anybody could say that it was below: both are said */
    ck_assert_str_eq(said(at("2026-01-10")), "80 committed down, 100 spent down");
    ck_assert_str_eq(said(at("2026-01-10")), "80 committed up, 100 spent up");
    ledger_free(l);
}
END_TEST

START_TEST(what_tells_adjustments_apart_is_all_but_who_and_where)
{
    begin((struct budget_rule){.limit_micros = 100, .period = PERIOD_MONTH}, at("2026-01-10"));
    struct fact a = adjustment(at("2026-01-10"), "k", -5), b = adjustment(at("2026-02-20"), "k", -5);
    set_text(&b.adjusted.who, "alice");
    ck_assert_uint_eq(ledger_adjust_hash(&a.adjusted), ledger_adjust_hash(&b.adjusted));
    b.adjusted.micros = -6;
    ck_assert_uint_ne(ledger_adjust_hash(&a.adjusted), ledger_adjust_hash(&b.adjusted));
    b.adjusted.micros = -5;
    set_text(&b.adjusted.reason, "x");
    ck_assert_uint_ne(ledger_adjust_hash(&a.adjusted), ledger_adjust_hash(&b.adjusted));
    fact_clear(&a);
    fact_clear(&b);
    ledger_free(l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/budget");
    TCase *t = tcase_create("budget");
    tcase_add_test(t, what_was_left_adds_to_the_next_period_and_so_on);
    tcase_add_test(t, no_more_is_carried_than_the_cap_and_never_less_than_nothing);
    tcase_add_test(t, what_is_still_held_is_not_carried);
    tcase_add_test(t, a_period_in_which_nothing_was_asked_has_all_of_it_left_but_only_one);
    tcase_add_test(t, a_budget_of_another_length_is_another_budget);
    tcase_add_test(t, carried_money_never_leaves_the_exact_numbers);
    tcase_add_test(t, every_budget_of_a_tenant_must_have_room);
    tcase_add_test(t, a_soft_budget_carries_its_rules_limit);
    tcase_add_test(t, outside_of_its_window_nothing_new_is_held);
    tcase_add_test(t, days_of_23_and_25_hours_have_one_account_each);
    tcase_add_test(t, another_zone_moves_the_bounds_of_the_open_account);
    tcase_add_test(t, time_is_held_and_spent_beside_the_money);
    tcase_add_test(t, each_threshold_is_said_once_in_a_period);
    tcase_add_test(t, several_are_said_at_once_and_as_many_as_there_is_room_for);
    tcase_add_test(t, a_raise_says_what_is_below_again_and_arms_it);
    tcase_add_test(t, what_was_passed_stays_with_its_percent_when_the_list_changes);
    tcase_add_test(t, a_soft_budget_warns_by_its_rules_limit);
    tcase_add_test(t, a_forecast_is_asked_for_when_a_twentieth_is_over);
    tcase_add_test(t, a_credit_is_posted_once_and_can_be_spent);
    tcase_add_test(t, amounts_that_would_leave_the_exact_numbers_are_not_posted);
    tcase_add_test(t, a_credit_that_brings_it_below_a_threshold_arms_it);
    tcase_add_test(t, what_tells_adjustments_apart_is_all_but_who_and_where);
    suite_add_tcase(s, t);
    return run_suite(s);
}
