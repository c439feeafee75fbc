#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* 3.60 per core-hour: one micro-unit per core-millisecond, 1000 per core-second. Memory is free. */
#define PER_HOUR (36 * EUR / 10)
#define PER_SECOND 1000

static struct world w;

static void begin(int64_t budget, uint64_t slice_ms)
{
    struct core_limits limits = core_limits_default;
    struct policy_file p = {0};
    limits.slice_ms = slice_ms;
    world_init(&w, &limits);
    world_price(&p, 0, PER_HOUR, 0);
    struct tenant_rule *rule = world_rule(&p, "acme");
    if (budget >= 0)
        rule->budget = (struct budget_rule){.present = true, .limit_micros = budget, .period = PERIOD_DAY};
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
}

static void say_how_long(void *arg, struct attempt_id id)
{
    struct job_view view = world_view(&w, id.job);
    const struct attempt_view *a = &((struct attempt_view *)view.attempts.v)[view.attempts.count - 1];
    (void)arg;
    if (a->started_utc_us != 0)
        core_attempt_seen(w.core, "n1", id, (uint64_t)(w.now.utc_us - a->started_utc_us), w.now);
    fields_clear(&job_view_fields, &view);
}

static void live_with(int64_t us, bool beats)
{
    for (int64_t gone = 0; gone < us; gone += SECOND) {
        world_pass(&w, SECOND);
        core_node_seen(w.core, "n1", w.now);
        if (beats)
            core_each_attempt(w.core, "n1", say_how_long, NULL);
        (void)world_decide(&w);
    }
}

/* Time passes while the node lives and says how long its attempts have run, money is looked after. */
static void live_for(int64_t us)
{
    live_with(us, true);
}

static struct attempt_view attempt_of(uint64_t job)
{
    struct job_view view = world_view(&w, job);
    ck_assert_uint_ge(view.attempts.count, 1);
    struct attempt_view a = ((struct attempt_view *)view.attempts.v)[view.attempts.count - 1];
    a.state = a.node = a.cause = a.sentence = NULL;
    a.record.detail = NULL;
    int64_t sum = 0;
    for (size_t i = 0; i < a.charges.count; i++)
        sum += ((struct charge *)a.charges.v)[i].micros;
    ck_assert_msg(sum == a.spent_micros, "the lines add up to %lld, not %lld", (long long)sum,
                  (long long)a.spent_micros);
    a.charges = (struct list){0};
    fields_clear(&job_view_fields, &view);
    return a;
}

static uint64_t start(struct job_spec spec)
{
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    return job;
}

#define DAY "acme@2026-11-24"

START_TEST(a_start_holds_one_slice)
{
    begin(1000 * EUR, 60000);
    uint64_t job = start(world_spec(2000, GIB));
    struct attempt_view a = attempt_of(job);
    ck_assert_int_eq(a.hold_micros, 2 * 60 * PER_SECOND);
    ck_assert_uint_eq(a.paid_us, 60 * SECOND);
    ck_assert_int_eq(world_account(&w, DAY).held_micros, 2 * 60 * PER_SECOND);
    world_fini(&w);
}
END_TEST

START_TEST(a_time_limit_shorter_than_a_slice_and_its_grace_are_all_that_is_held)
{
    begin(1000 * EUR, 60000);
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 10000;
    uint64_t job = start(spec);
    ck_assert_int_eq(attempt_of(job).hold_micros, 15 * PER_SECOND); /* the limit and 5 s of grace */
    live_for(20 * SECOND);
    ck_assert_uint_eq(attempt_of(job).paid_us, 15 * SECOND);
    world_fini(&w);
}
END_TEST

START_TEST(no_slice_is_held_beyond_the_time_limit_and_its_grace_and_its_grace)
{
    begin(1000 * EUR, 60000);
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 90000;
    uint64_t job = start(spec);
    live_for(80 * SECOND);
    struct attempt_view a = attempt_of(job);
    ck_assert_uint_eq(a.paid_us, 95 * SECOND);
    ck_assert_int_eq(a.spent_micros + a.hold_micros, 95 * PER_SECOND);
    world_fini(&w);
}
END_TEST

START_TEST(what_a_node_has_not_said_is_not_settled)
{
    begin(1000 * EUR, 60000);
    uint64_t job = start(world_spec(1000, GIB));
    live_with(50 * SECOND, false); /* its agent is away, or this scheduler has just begun */
    ck_assert_uint_gt(attempt_of(job).paid_us, 60 * SECOND);
    ck_assert_int_eq(attempt_of(job).spent_micros, 0);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 7 * SECOND));
    ck_assert_int_eq(attempt_of(job).spent_micros, 7 * PER_SECOND);
    ck_assert_int_eq(world_account(&w, DAY).held_micros, 0);
    world_fini(&w);
}
END_TEST

START_TEST(what_ran_is_charged_and_the_rest_returns)
{
    begin(1000 * EUR, 60000);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(5 * SECOND);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 5123456));
    struct account_view a = world_account(&w, DAY);
    ck_assert_int_eq(a.spent_micros, 5123); /* 5123.456 micro-units, rounded once */
    ck_assert_int_eq(a.held_micros, 0);
    ck_assert_int_eq(attempt_of(job).spent_micros, 5123);
    world_fini(&w);
}
END_TEST

START_TEST(slices_add_up_to_the_whole)
{
    begin(1000 * EUR, 10000);
    uint64_t job = start(world_spec(1500, GIB));
    live_for(300 * SECOND);
    struct core_stats stats;
    core_stats(w.core, &stats);
    ck_assert_uint_gt(stats.renewed_total, 20);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 300777777));
    ck_assert_int_eq(world_account(&w, DAY).spent_micros, 451167); /* 300.777777 s * 1500: rounded once */
    ck_assert_int_eq(attempt_of(job).written_off_micros, 0);
    world_fini(&w);
}
END_TEST

START_TEST(paid_time_never_ends_before_the_next_slice_while_there_is_money)
{
    begin(1000 * EUR, 10000);
    uint64_t job = start(world_spec(1000, GIB));
    for (int second = 1; second < 100; second++) {
        live_for(SECOND);
        ck_assert_uint_gt(attempt_of(job).paid_us, (uint64_t)(second * SECOND));
    }
    world_fini(&w);
}
END_TEST

START_TEST(a_runaway_is_stopped_at_the_last_micro_unit_of_its_budget)
{
    begin(123457, 60000);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(120 * SECOND);
    struct attempt_view a = attempt_of(job);
    ck_assert_uint_lt(a.paid_us, 123458 * 1000);
    ck_assert_int_eq(a.spent_micros + a.hold_micros, 123457);
    /* The keeper stops it at the paid end; the kill takes its time, which nobody pays. */
    ck_assert(world_end(&w, job, 0, END_BUDGET, 0, a.paid_us + 250000));
    struct account_view day = world_account(&w, DAY);
    ck_assert_int_eq(day.spent_micros, day.limit_micros);
    ck_assert_int_eq(day.held_micros, 0);
    ck_assert_int_eq(attempt_of(job).written_off_micros, 250);
    ck_assert(world_is(&w, job, "budget_stopped"));
    world_fini(&w);
}
END_TEST

START_TEST(a_jobs_own_budget_smaller_than_a_slice_is_held_whole)
{
    begin(-1, 60000);
    struct job_spec spec = world_spec(1000, GIB);
    spec.budget_micros = 7777;
    uint64_t job = start(spec);
    struct attempt_view a = attempt_of(job);
    ck_assert_int_eq(a.hold_micros, 7777);
    ck_assert_uint_ge(a.paid_us, 7777000);
    ck_assert_uint_lt(a.paid_us, 7778000);
    live_for(10 * SECOND);
    ck_assert(world_end(&w, job, 0, END_BUDGET, 0, 9 * SECOND));
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, 7777);
    world_fini(&w);
}
END_TEST

START_TEST(the_rest_of_an_array_is_cancelled_when_its_own_budget_is_spent)
{
    begin(-1, 60000);
    struct job_spec spec = world_spec(1000, GIB);
    spec.budget_micros = 7777;
    spec.array = (struct job_array){true, 0, 9, 1};
    uint64_t job = start(spec);
    live_for(10 * SECOND);
    ck_assert(world_end(&w, job, 0, END_BUDGET, 0, 9 * SECOND));
    (void)world_decide(&w);
    ck_assert(world_is(&w, job, "budget_stopped"));
    ck_assert_int_eq(world_account(&w, "job:1").limit_micros, -2); /* closed */
    world_fini(&w);
}
END_TEST

START_TEST(a_job_waits_until_its_tenant_has_a_whole_slice_free)
{
    begin(90 * PER_SECOND, 60000);
    uint64_t first = start(world_spec(1000, GIB));
    uint64_t second = world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_is(&w, second, "running"));
    world_fini(&w);
}
END_TEST

START_TEST(new_money_reaches_a_job_whose_paid_time_runs_out)
{
    begin(60 * PER_SECOND, 60000);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(50 * SECOND);
    ck_assert_uint_eq(attempt_of(job).paid_us, 60 * SECOND);
    struct policy_file p = {0};
    world_price(&p, 0, PER_HOUR, 0);
    world_rule(&p, "acme")->budget =
        (struct budget_rule){.present = true, .limit_micros = 600 * PER_SECOND, .period = PERIOD_DAY};
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    live_for(6 * SECOND);
    ck_assert_uint_gt(attempt_of(job).paid_us, 100 * SECOND);
    world_fini(&w);
}
END_TEST

START_TEST(an_account_that_opens_beside_a_policy_has_the_limit_of_that_policy)
{
    begin(1000 * PER_SECOND, 60000);
    (void)world_submit(&w, "acme", world_spec(1000, GIB));
    struct apply_call call = {0};
    struct apply_reply reply = {0};
    struct fact policy, plan[8];
    world_price(&call.policy, 0, PER_HOUR, 0);
    world_rule(&call.policy, "acme")->budget =
        (struct budget_rule){.present = true, .limit_micros = 100 * PER_SECOND, .period = PERIOD_DAY};
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &policy, &reply, &w.refusal), CORE_FACT);
    fields_clear(&apply_reply_fields, &reply);
    ck_assert_uint_eq(core_decide(w.core, w.now, plan, COUNT_OF(plan), &w.next_boot_us), 0); /* it is in flight */
    world_commit(&w, &policy);
    size_t count = core_decide(w.core, w.now, plan, COUNT_OF(plan), &w.next_boot_us);
    ck_assert_uint_gt(count, 0);
    call.if_version = 0; /* and a policy that comes beside a plan waits for it */
    ck_assert_int_eq(core_check_policy(w.core, &call, "root", 0, w.now, &policy, &reply, &w.refusal), CORE_LATER);
    for (size_t i = 0; i < count; i++)
        world_commit(&w, &plan[i]);
    ck_assert_int_eq(world_account(&w, DAY).limit_micros, 100 * PER_SECOND);
    fields_clear(&apply_call_fields, &call);
    world_fini(&w);
}
END_TEST

START_TEST(a_new_period_pays_from_its_own_budget)
{
    begin(100 * PER_SECOND, 60000);
    world_pass(&w, 24 * HOUR - 40 * SECOND);
    core_node_seen(w.core, "n1", w.now);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(120 * SECOND);
    struct account_view before = world_account(&w, DAY), after = world_account(&w, "acme@2026-11-25");
    ck_assert_int_eq(before.held_micros, 0);
    ck_assert_int_eq(before.spent_micros, 40 * PER_SECOND); /* to the instant */
    ck_assert_int_gt(after.held_micros, 0);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 120 * SECOND));
    before = world_account(&w, DAY);
    after = world_account(&w, "acme@2026-11-25");
    ck_assert_int_eq(before.spent_micros + after.spent_micros, 120 * PER_SECOND);
    world_fini(&w);
}
END_TEST

/* Also when all of its time was paid before, when the slices are long, and when the scheduler was started anew. */
START_TEST(each_period_pays_for_its_own_time)
{
    static const struct {
        uint64_t slice_ms, limit_ms;
        bool again;
    } ways[] = {{900000, 0, false}, {60000, 0, false}, {900000, 100000, false}, {900000, 0, true}};
    struct core_limits limits = core_limits_default;
    begin(1000 * PER_SECOND, ways[_i].slice_ms);
    limits.slice_ms = ways[_i].slice_ms;
    world_pass(&w, 24 * HOUR - 40 * SECOND - 300000); /* no turn falls on the end */
    core_node_seen(w.core, "n1", w.now);
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = ways[_i].limit_ms;
    uint64_t job = start(spec);
    live_for(30 * SECOND);
    if (ways[_i].again) {
        struct core *to = world_restored(&w, &limits);
        core_free(w.core);
        w.core = to;
        core_node_seen(w.core, "n1", w.now);
    }
    live_for(50 * SECOND);
    struct account_view before = world_account(&w, DAY), after = world_account(&w, "acme@2026-11-25");
    ck_assert_int_eq(before.spent_micros, 40300);
    ck_assert_int_eq(before.held_micros, 0);
    ck_assert_int_gt(after.held_micros, 0);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 80 * SECOND));
    ck_assert_int_eq(world_account(&w, DAY).spent_micros, 40300);
    ck_assert_int_eq(world_account(&w, "acme@2026-11-25").spent_micros, 39700);
    world_fini(&w);
}
END_TEST

START_TEST(a_price_change_counts_from_its_instant_on)
{
    begin(-1, 60000);
    struct policy_file p = {0};
    world_price(&p, 0, PER_HOUR, 0);
    world_price(&p, WORLD_START_UTC + 100 * SECOND, 2 * PER_HOUR, 0);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(200 * SECOND);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 200 * SECOND));
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, (100 + 2 * 100) * PER_SECOND);
    world_fini(&w);
}
END_TEST

START_TEST(a_nodes_fault_charges_nothing_beyond_what_was_settled)
{
    begin(-1, 600000);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(20 * SECOND);
    ck_assert(world_end(&w, job, 0, END_KEEPER_LOST, 0, 20 * SECOND));
    struct attempt_view a = attempt_of(job);
    ck_assert_int_eq(a.spent_micros, 0);
    ck_assert_int_eq(a.written_off_micros, 20 * PER_SECOND);
    ck_assert_int_eq(world_account(&w, "/@total").held_micros, 0);
    ck_assert(world_is(&w, job, "pending"));
    world_fini(&w);
}
END_TEST

/* A minute in which the node says how long the attempt has run, as its keeper's clock has it. */
static void beat_for_a_minute(uint64_t job, uint64_t *run_us)
{
    for (int i = 0; i < 60; i++) {
        world_pass(&w, SECOND);
        *run_us += SECOND;
        core_node_seen(w.core, "n1", w.now);
        core_attempt_seen(w.core, "n1", (struct attempt_id){job, 0, 1}, *run_us, w.now);
        (void)world_decide(&w);
    }
}

/* The wall clock is for people: whatever it does, what ran is what is paid, and it is paid in time. */
START_TEST(a_clock_that_is_set_moves_no_money)
{
    static const int64_t steps[] = {3600 * SECOND, 86400 * INT64_C(30) * SECOND, 40 * SECOND};
    begin(-1, 600000);
    uint64_t job = start(world_spec(1000, GIB)), run_us = 0;
    beat_for_a_minute(job, &run_us);
    w.now.utc_us += steps[_i];
    for (int minute = 0; minute < 30; minute++) {
        beat_for_a_minute(job, &run_us);
        ck_assert_uint_gt(attempt_of(job).paid_us, run_us);
        ck_assert_uint_le(attempt_of(job).paid_us, run_us + 600 * SECOND);
        ck_assert_int_le(attempt_of(job).spent_micros, (int64_t)(run_us / SECOND) * PER_SECOND);
    }
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, run_us));
    ck_assert_int_eq(attempt_of(job).spent_micros, (int64_t)(run_us / SECOND) * PER_SECOND);
    world_fini(&w);
}
END_TEST

/* A node that lies about it can't make its jobs dearer than the time that passes. */
START_TEST(a_node_can_not_hurry_time)
{
    begin(-1, 600000);
    uint64_t job = start(world_spec(1000, GIB)), run_us = 0;
    beat_for_a_minute(job, &run_us);
    for (int i = 0; i < 600; i++) {
        world_pass(&w, SECOND / 10);
        core_node_seen(w.core, "n1", w.now);
        uint64_t lie_us = i % 2 == 0 ? (uint64_t)(i + 1) * 600 * SECOND : UINT64_MAX;
        core_attempt_seen(w.core, "n1", (struct attempt_id){job, 0, 1}, lie_us, w.now);
        (void)world_decide(&w);
    }
    ck_assert_int_le(attempt_of(job).spent_micros, 121 * PER_SECOND);
    ck_assert_uint_le(attempt_of(job).paid_us, (121 + 600) * SECOND);
    core_attempt_seen(w.core, "n2", (struct attempt_id){job, 0, 1}, 1, w.now); /* not its node */
    core_attempt_seen(w.core, "n1", (struct attempt_id){job, 7, 1}, 1, w.now); /* nor an attempt */
    world_fini(&w);
}
END_TEST

START_TEST(nothing_is_charged_beyond_the_hold_however_long_a_node_says_it_ran)
{
    begin(-1, 60000);
    uint64_t job = start(world_spec(1000, GIB));
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, UINT64_MAX));
    ck_assert_int_eq(world_account(&w, "/@total").spent_micros, 60 * PER_SECOND);
    ck_assert_int_gt(attempt_of(job).written_off_micros, 0);
    world_fini(&w);
}
END_TEST

START_TEST(free_jobs_are_paid_by_slices_too)
{
    begin(-1, 10000);
    struct policy_file p = {0};
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(60 * SECOND);
    ck_assert_uint_gt(attempt_of(job).paid_us, 60 * SECOND);
    ck_assert_uint_le(attempt_of(job).paid_us, 71 * SECOND);
    world_fini(&w);
}
END_TEST

/* ---- the time of a resource ------------------------------------------------------------------------- */

#define HOURS INT64_C(1000000)

/* acme: 60 core-seconds a day, and money without end. */
static void begin_with_time(const char *resource, int64_t micro_hours, uint64_t slice_ms)
{
    struct core_limits limits = core_limits_default;
    struct policy_file p = {0};
    limits.slice_ms = slice_ms;
    world_init(&w, &limits);
    world_price(&p, 0, PER_HOUR, 0);
    struct budget_rule *b = list_add(&world_rule(&p, "acme")->budgets, sizeof *b);
    ck_assert_int_eq(str_set(&b->name, "time"), 0);
    ck_assert_int_eq(str_set(&b->resource, resource), 0);
    b->limit_micros = micro_hours;
    b->period = PERIOD_DAY;
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
}

#define TIME "acme#time@2026-11-24"

START_TEST(a_budget_of_time_stops_a_job_exactly_where_it_ends)
{
    begin_with_time("cpu", HOURS / 60, 10000); /* 60 core-seconds: 16666.67 micro-hours */
    uint64_t job = start(world_spec(2000, GIB));
    ck_assert_int_eq(world_account(&w, TIME).held_micros, 5556); /* 20 core-seconds, rounded half to even */
    live_for(40 * SECOND);
    struct attempt_view a = attempt_of(job);
    ck_assert(a.paid_us <= 30 * SECOND && a.paid_us > 29 * SECOND + 990000);
    struct account_view v = world_account(&w, TIME);
    ck_assert(v.spent_micros + v.held_micros <= v.limit_micros);
    ck_assert(world_end(&w, job, 0, END_BUDGET, 0, a.paid_us));
    v = world_account(&w, TIME);
    ck_assert_int_eq(v.held_micros, 0);
    ck_assert_int_eq(v.spent_micros, v.limit_micros);
    ck_assert_int_eq(attempt_of(job).written_off_micros, 0);
    /* Nothing more today; why says so; tomorrow there is. */
    uint64_t next = world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    struct why_reply why = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = next}, w.now, &why));
    ck_assert_uint_ge(why.blockers.count, 1);
    const struct blocker *b = why.blockers.v;
    ck_assert_str_eq(b->kind, "budget");
    ck_assert_str_eq(b->where, "acme#time");
    ck_assert_msg(strstr(b->text, "core-hours") != NULL, "%s", b->text);
    fields_clear(&why_reply_fields, &why);
    world_pass(&w, 24 * HOUR);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

START_TEST(who_asks_for_nothing_of_it_is_not_counted)
{
    begin_with_time("gpu", 0, 10000);
    uint64_t job = start(world_spec(2000, GIB));
    ck_assert_int_eq(world_account(&w, TIME).limit_micros, -2); /* never opened */
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    world_fini(&w);
}
END_TEST

START_TEST(time_over_midnight_is_spent_on_its_own_day)
{
    begin_with_time("cpu", 10 * HOURS, 60000);
    world_pass(&w, 23 * HOUR + 59 * MINUTE + 30 * SECOND);
    core_node_seen(w.core, "n1", w.now);
    uint64_t job = start(world_spec(1000, GIB));
    live_for(120 * SECOND);
    struct core *again = world_restored(&w, NULL);
    ck_assert_uint_eq(core_hash(again), core_hash(w.core));
    core_free(again);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 120 * SECOND));
    struct account_view before = world_account(&w, TIME), after = world_account(&w, "acme#time@2026-11-25");
    ck_assert_int_eq(before.held_micros + after.held_micros, 0);
    ck_assert_int_gt(before.spent_micros, 0);
    ck_assert_int_gt(after.spent_micros, 0);
    ck_assert_int_eq(before.spent_micros + after.spent_micros, 33333); /* 120 s: not a micro-hour lost or twice */
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core money");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, a_start_holds_one_slice);
    tcase_add_test(t, a_time_limit_shorter_than_a_slice_and_its_grace_are_all_that_is_held);
    tcase_add_test(t, no_slice_is_held_beyond_the_time_limit_and_its_grace_and_its_grace);
    tcase_add_test(t, what_a_node_has_not_said_is_not_settled);
    tcase_add_test(t, what_ran_is_charged_and_the_rest_returns);
    tcase_add_test(t, slices_add_up_to_the_whole);
    tcase_add_test(t, paid_time_never_ends_before_the_next_slice_while_there_is_money);
    tcase_add_test(t, a_runaway_is_stopped_at_the_last_micro_unit_of_its_budget);
    tcase_add_test(t, a_jobs_own_budget_smaller_than_a_slice_is_held_whole);
    tcase_add_test(t, the_rest_of_an_array_is_cancelled_when_its_own_budget_is_spent);
    tcase_add_test(t, a_job_waits_until_its_tenant_has_a_whole_slice_free);
    tcase_add_test(t, new_money_reaches_a_job_whose_paid_time_runs_out);
    tcase_add_test(t, an_account_that_opens_beside_a_policy_has_the_limit_of_that_policy);
    tcase_add_test(t, a_new_period_pays_from_its_own_budget);
    tcase_add_loop_test(t, each_period_pays_for_its_own_time, 0, 4);
    tcase_add_test(t, a_price_change_counts_from_its_instant_on);
    tcase_add_test(t, a_nodes_fault_charges_nothing_beyond_what_was_settled);
    tcase_add_test(t, a_node_can_not_hurry_time);
    tcase_add_loop_test(t, a_clock_that_is_set_moves_no_money, 0, 3);
    tcase_add_test(t, nothing_is_charged_beyond_the_hold_however_long_a_node_says_it_ran);
    tcase_add_test(t, free_jobs_are_paid_by_slices_too);
    tcase_add_test(t, a_budget_of_time_stops_a_job_exactly_where_it_ends);
    tcase_add_test(t, who_asks_for_nothing_of_it_is_not_counted);
    tcase_add_test(t, time_over_midnight_is_spent_on_its_own_day);
    suite_add_tcase(s, t);
    return run_suite(s);
}
