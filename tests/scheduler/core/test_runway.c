/* How long money lasts, and from when on there is some again: what is said is what comes. */
#include <check.h>

#include "base/io/zone.h"
#include "tests/random.h"
#include "tests/run.h"
#include "tests/scheduler/core/paying.h"

/* ---- how long it lasts ------------------------------------------------------------------------------- */

static void day_budget(struct policy_file *p)
{
    world_rule(p, "acme")->budget = budget(100 * PER_SECOND, PERIOD_DAY);
}

static void budget_above(struct policy_file *p)
{
    world_rule(p, "acme")->budget = budget(1000 * PER_SECOND, PERIOD_DAY);
    struct tenant_rule *root = world_rule(p, "/");
    root->budget = budget(90 * PER_SECOND, PERIOD_MONTH);
}

static void budget_of_time(struct policy_file *p)
{
    struct tenant_rule *rule = world_rule(p, "acme");
    rule->budget = budget(1000 * PER_SECOND, PERIOD_DAY);
    struct budget_rule *b = list_add(&rule->budgets, sizeof *b);
    *b = budget(CORE_SECONDS(72), PERIOD_DAY);
    MUST(str_set(&b->name, "cores") == 0 && str_set(&b->resource, "cpu") == 0);
}

static void soft_budget(struct policy_file *p)
{
    struct tenant_rule *rule = world_rule(p, "acme");
    rule->budget = budget(50 * PER_SECOND, PERIOD_DAY);
    rule->budget.soft = true;
}

static void window(struct policy_file *p)
{
    struct budget_rule *b = &world_rule(p, "acme")->budget;
    *b = budget(100000 * PER_SECOND, PERIOD_FIXED);
    b->from_utc_us = WORLD_START_UTC;
    b->to_utc_us = WORLD_START_UTC + DAY;
}

static void with_carry(struct policy_file *p)
{
    struct budget_rule *b = &world_rule(p, "acme")->budget;
    *b = budget(100 * PER_SECOND, PERIOD_DAY);
    b->carry = CARRY_ALL;
}

static const struct row {
    const char *sentence;
    void (*policy)(struct policy_file *p);
    int64_t begin_us, own, other_s; /* since midnight; its own budget; for so long a second job has run beside it */
    int64_t lasts_s;                /* what is said of it at its start; 0: for ever */
    int64_t early_us;               /* the end may come so much earlier than was said */
} rows[] = {
    {"a day's budget, alone", day_budget, 0, 0, 0, 100, SECOND},
    {"the least of the path", budget_above, 0, 0, 0, 90, SECOND},
    {"the job's own", day_budget, 0, 60 * PER_SECOND, 0, 60, SECOND},
    {"the job's own is more", day_budget, 0, 600 * PER_SECOND, 0, 100, SECOND},
    {"time of cores", budget_of_time, 0, 0, 0, 72, SECOND},
    {"a soft one never ends", soft_budget, 0, 0, 0, 0, 0},
    {"until midnight, and the next day's", day_budget, DAY - 40 * SECOND, 0, 0, 140, 2 * SECOND},
    {"the day ends first, and the next one lasts for itself", day_budget, DAY - 99 * SECOND, 0, 0, 199, 2 * SECOND},
    {"a window pays for what is held when it ends", window, DAY - 30 * SECOND, 0, 0, 38, 8 * SECOND},
    {"what is carried over is not known", with_carry, DAY - 40 * SECOND, 0, 0, 0, 0},
    {"another one beside it makes it earlier, never later", day_budget, 0, 0, 20, 80, 60 * SECOND},
};

START_TEST(money_ends_where_it_is_said_to)
{
    const struct row *r = &rows[_i];
    struct policy_file p = {0};
    r->policy(&p);
    begin(&p);
    pass_alone(r->begin_us);
    if (r->other_s > 0) {
        (void)start("acme", 1000, 0);
        live_for(r->other_s * SECOND);
    }
    uint64_t job = submit_with("acme", 1000, 0, r->own);
    const uint64_t most_us = (uint64_t)limits.horizon_ms * 1000;
    const struct job *j = job_find(w.core, job);
    uint64_t said_us = runway_of_start(w.core, j->shape, j, NULL, w.now.utc_us, most_us);
    decide();
    ck_assert_msg(is_live(job), "%s", r->sentence);
    ck_assert_uint_le(runway_of(w.core, task(job), w.now.utc_us, most_us), said_us);
    if (r->lasts_s == 0) {
        ck_assert_uint_eq(said_us, most_us);
        ck_assert_uint_eq(runway_of(w.core, task(job), w.now.utc_us, most_us), most_us);
    } else {
        int64_t most = r->other_s > 0 ? r->lasts_s * SECOND : 0;
        ck_assert_msg(r->other_s > 0 ? said_us <= (uint64_t)most
                                     : said_us <= (uint64_t)(r->lasts_s * SECOND) + 4000 &&
                                           said_us + 4000 >= (uint64_t)(r->lasts_s * SECOND),
                      "%s: %llu", r->sentence, (unsigned long long)said_us);
        uint64_t ran_us = 0;
        for (int i = 0; i < 400 && is_live(job); i++) {
            ran_us = task(job)->paid_us;
            step(SECOND);
            if (is_live(job)) /* as time goes by nothing is added */
                ck_assert_uint_le(runway_of(w.core, task(job), w.now.utc_us, most_us), said_us);
        }
        ck_assert_msg(!is_live(job), "%s", r->sentence);
        ck_assert_msg(ran_us <= said_us && ran_us + (uint64_t)r->early_us >= said_us, "%s: ran %llu, said %llu",
                      r->sentence, (unsigned long long)ran_us, (unsigned long long)said_us);
    }
    verify();
    world_fini(&w);
}
END_TEST

/* ---- when there is some again ------------------------------------------------------------------------ */

static struct why_reply why(uint64_t job)
{
    struct why_reply reply = {0};
    uint64_t hash = core_hash(w.core);
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &reply));
    ck_assert_uint_eq(core_hash(w.core), hash);
    return reply;
}

/* What `why` says, and when it would start by that; 0: not known. */
static int64_t said(uint64_t job, const char *words)
{
    struct why_reply reply = why(job);
    struct job_row row = {0};
    int64_t utc_us = reply.start_to_utc_us;
    if (words == NULL)
        ck_assert_msg(reply.estimate == NULL, "%s", reply.estimate);
    else
        ck_assert_msg(reply.estimate != NULL && strstr(reply.estimate, words) != NULL, "%s, not %s",
                      reply.estimate != NULL ? reply.estimate : "nothing", words);
    (void)core_job_row(w.core, job, w.now, &row);
    ck_assert_int_eq(row.start_from_utc_us, reply.start_from_utc_us);
    ck_assert_int_eq(row.start_to_utc_us, utc_us);
    fields_clear(&job_row_fields, &row);
    fields_clear(&why_reply_fields, &reply);
    return utc_us;
}

/* A second before that nothing starts, and then it does. The last turn has said when: nobody needs to ask meanwhile. */
static void starts_at(uint64_t job, int64_t utc_us)
{
    ck_assert_uint_le(w.next_boot_us, w.now.boot_us + (uint64_t)(utc_us - w.now.utc_us));
    pass_alone(utc_us - SECOND - w.now.utc_us);
    decide();
    ck_assert(!is_live(job));
    pass_alone(SECOND);
    decide();
    ck_assert(is_live(job));
    verify();
}

static void spend(const char *tenant, int64_t seconds)
{
    (void)start(tenant, 1000, 0);
    live_for(seconds * SECOND);
    ck_assert_uint_eq(live_count, 0);
}

static void in_zone(const char *name)
{
    struct zone_table zone = {0};
    struct err err = {0};
    ck_assert_msg(zone_read(name, &zone, &err) == 0, "%s", err_text(&err));
    core_offer_zones(w.core, &(struct list){&zone, 1});
    fields_clear(&zone_table_fields, &zone);
}

START_TEST(the_next_day_begins_by_the_budgets_calendar)
{
    struct policy_file none = {0}, p = {0};
    begin(&none);
    in_zone("America/New_York");
    day_budget(&p);
    ck_assert_int_eq(str_set(&((struct tenant_rule *)p.tenants.v)->budget.zone, "America/New_York"), 0);
    apply(&p);
    spend("acme", 102);
    uint64_t job = submit("acme", 1000, 0);
    decide();
    int64_t utc_us =
        said(job, "at 2026-11-24T05:00:00Z, when acme's budget of 2026-11-24 begins, if nobody goes first");
    ck_assert_int_eq(utc_us, WORLD_START_UTC + 5 * HOUR);
    starts_at(job, utc_us);
    world_fini(&w);
}
END_TEST

START_TEST(the_last_of_those_that_are_spent_counts)
{
    struct policy_file p = {0};
    world_rule(&p, "acme")->budget = budget(92 * PER_SECOND, PERIOD_DAY);
    world_rule(&p, "/")->budget = budget(100 * PER_SECOND, PERIOD_WEEK);
    begin(&p);
    spend("acme", 95);
    uint64_t job = submit("acme", 2000, 0);
    decide();
    int64_t utc_us = said(job, "when /'s budget of 2026-W49 begins");
    ck_assert_int_eq(utc_us, WORLD_START_UTC + 6 * DAY);
    starts_at(job, utc_us);
    world_fini(&w);
}
END_TEST

START_TEST(the_day_alone_when_the_rest_still_pays_then)
{
    struct policy_file p = {0};
    world_rule(&p, "acme")->budget = budget(92 * PER_SECOND, PERIOD_DAY);
    world_rule(&p, "/")->budget = budget(120 * PER_SECOND, PERIOD_WEEK);
    begin(&p);
    spend("acme", 95);
    uint64_t job = submit("acme", 1000, 0);
    decide();
    int64_t utc_us = said(job, "when acme's budget of 2026-11-25 begins");
    ck_assert_int_eq(utc_us, WORLD_START_UTC + DAY);
    starts_at(job, utc_us);
    world_fini(&w);
}
END_TEST

START_TEST(a_window_begins_and_is_over)
{
    struct policy_file p = {0};
    struct budget_rule *b = &world_rule(&p, "acme")->budget;
    *b = budget(100 * PER_SECOND, PERIOD_FIXED);
    b->from_utc_us = WORLD_START_UTC + 2 * DAY;
    b->to_utc_us = WORLD_START_UTC + 3 * DAY;
    begin(&p);
    uint64_t job = submit("acme", 1000, 0);
    decide();
    int64_t utc_us = said(job, "at 2026-11-26T00:00:00Z, when acme's budget of 2026-11-26..2026-11-27 begins");
    ck_assert_int_eq(utc_us, WORLD_START_UTC + 2 * DAY);
    starts_at(job, utc_us);
    live_for(103 * SECOND);
    uint64_t late = submit("acme", 1000, 0);
    decide();
    ck_assert_int_eq(said(late, NULL), 0);
    world_fini(&w);
}
END_TEST

START_TEST(nothing_is_said_when_another_one_is_over_by_then)
{
    struct policy_file p = {0};
    struct budget_rule *b = &world_rule(&p, "/")->budget;
    *b = budget(1000 * PER_SECOND, PERIOD_FIXED);
    b->from_utc_us = WORLD_START_UTC;
    b->to_utc_us = WORLD_START_UTC + DAY;
    day_budget(&p);
    begin(&p);
    spend("acme", 102);
    uint64_t job = submit("acme", 1000, 0);
    decide();
    ck_assert_int_eq(said(job, NULL), 0);
    world_fini(&w);
}
END_TEST

/* Its slice is held and not yet used: it comes back when it ends, long before the day does. */
START_TEST(what_is_held_may_come_back)
{
    struct policy_file p = {0};
    world_rule(&p, "acme")->budget = budget(15 * PER_SECOND, PERIOD_DAY);
    begin(&p);
    (void)start("acme", 1000, 0);
    uint64_t job = submit("acme", 1000, 0);
    decide();
    int64_t utc_us = said(job, "by 2026-11-25T00:00:00Z, when acme's budget of 2026-11-25 begins, if nobody goes "
                               "first; sooner if enough of what is held comes back");
    ck_assert_int_eq(utc_us, WORLD_START_UTC + DAY);
    struct why_reply reply = why(job);
    ck_assert_int_eq(reply.start_from_utc_us, w.now.utc_us);
    fields_clear(&why_reply_fields, &reply);
    live[0].run_us = SECOND;
    end_live(0, END_EXIT);
    decide();
    ck_assert(is_live(job)); /* it did */
    world_fini(&w);
}
END_TEST

START_TEST(money_alone_is_no_start)
{
    struct policy_file p = {0};
    (void)world_rule(&p, "globex");
    day_budget(&p);
    begin(&p);
    spend("acme", 102);
    (void)start("globex", 10000, 3 * DAY);
    uint64_t job = submit("acme", 1000, 0);
    decide();
    ck_assert_int_eq(said(job, "not before 2026-11-25T00:00:00Z, when acme's budget of 2026-11-25 begins"), 0);
    world_fini(&w);
}
END_TEST

START_TEST(who_is_paused_goes_on_then)
{
    struct policy_file p = {0};
    day_budget(&p);
    ((struct tenant_rule *)p.tenants.v)->paid_end = PAID_END_PAUSE;
    begin(&p);
    uint64_t job = start("acme", 1000, 0);
    live_for(105 * SECOND);
    ck_assert(task(job)->paused);
    ck_assert_int_eq(said(job, "at 2026-11-25T00:00:00Z, when acme's budget of 2026-11-25 begins"), 0);
    world_fini(&w);
}
END_TEST

START_TEST(a_gang_is_paid_together)
{
    struct policy_file p = {0};
    day_budget(&p);
    begin(&p);
    spend("acme", 102);
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){.present = true, .last = 3};
    spec.gang = 4;
    uint64_t job = world_submit(&w, "acme", spec);
    decide();
    int64_t utc_us = said(job, "when acme's budget of 2026-11-25 begins");
    pass_alone(utc_us - w.now.utc_us);
    ck_assert_uint_eq(world_decide(&w), 4);
    world_fini(&w);
}
END_TEST

/* The answer to a submission. And who asks about another day moves no account of today's. */
START_TEST(who_submits_is_told_and_who_asks_changes_nothing)
{
    struct policy_file p = {0}, more = {0};
    day_budget(&p);
    begin(&p);
    spend("acme", 102);
    uint64_t job = submit("acme", 1000, 0);
    ck_assert_msg(strncmp(w.quote.would_start, "at 2026-11-25T00:00:00Z, when acme's budget of 2026-11-25 begins, if "
                          "nobody goes first (budget: acme has 0.00", 100) == 0, "%s", w.quote.would_start);
    decide();
    (void)said(job, "2026-11-25");
    world_rule(&more, "acme")->budget = budget(1000 * PER_SECOND, PERIOD_DAY);
    apply(&more);
    (void)said(job, NULL);
    decide();
    ck_assert(is_live(job));
    ck_assert_str_eq(task(job)->accounts.v[0], "acme@2026-11-24");
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

/* Random budgets on three levels: whenever an instant is said, a second before it still isn't, and then it is. */
START_TEST(what_is_said_comes)
{
    static const uint32_t kinds[] = {PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_QUARTER, PERIOD_CUSTOM};
    static const char *const paths[] = {"/", "acme", "acme/etl"};
    uint64_t seed = random_seed("said") + (uint64_t)_i, r = seed;
    int told = 0;
    for (int world = 0; world < 20; world++) {
        struct policy_file p = {0};
        for (size_t i = 0; i < COUNT_OF(paths); i++) {
            struct budget_rule *b = &world_rule(&p, paths[i])->budget;
            *b = budget((int64_t)(random_below(&r, 100) + 17) * PER_SECOND, kinds[random_below(&r, COUNT_OF(kinds))]);
            b->from_utc_us = b->period == PERIOD_CUSTOM ? WORLD_START_UTC - DAY * (int64_t)random_below(&r, 9) : 0;
            b->every_days = b->period == PERIOD_CUSTOM ? 1 + (uint32_t)random_below(&r, 20) : 0;
            b->carry = b->period == PERIOD_CUSTOM ? CARRY_NONE : (uint32_t)random_below(&r, 2);
        }
        begin(&p);
        pass_alone((int64_t)random_below(&r, 40) * DAY);
        uint64_t job = submit("acme/etl", 1000 + 1000 * random_below(&r, 2), 0);
        for (decide(); is_live(job); decide()) { /* until one can't start */
            for (int k = 0; k < 200 && is_live(job); k++)
                step(SECOND);
            job = submit("acme/etl", 1000 + 1000 * random_below(&r, 2), 0);
        }
        struct why_reply reply = why(job);
        int64_t utc_us = reply.start_to_utc_us;
        fields_clear(&why_reply_fields, &reply);
        if (utc_us != 0) {
            told++;
            starts_at(job, utc_us);
        }
        world_fini(&w);
    }
    printf("%d were told\n", told);
    ck_assert_int_gt(told, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("runway");
    TCase *t = tcase_create("ends");
    tcase_add_loop_test(t, money_ends_where_it_is_said_to, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, the_next_day_begins_by_the_budgets_calendar);
    tcase_add_test(t, the_last_of_those_that_are_spent_counts);
    tcase_add_test(t, the_day_alone_when_the_rest_still_pays_then);
    tcase_add_test(t, a_window_begins_and_is_over);
    tcase_add_test(t, nothing_is_said_when_another_one_is_over_by_then);
    tcase_add_test(t, what_is_held_may_come_back);
    tcase_add_test(t, money_alone_is_no_start);
    tcase_add_test(t, who_is_paused_goes_on_then);
    tcase_add_test(t, a_gang_is_paid_together);
    tcase_add_test(t, who_submits_is_told_and_who_asks_changes_nothing);
    tcase_add_loop_test(t, what_is_said_comes, 0, 6);
    suite_add_tcase(s, t);
    return run_suite(s);
}
