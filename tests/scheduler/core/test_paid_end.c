/* When no further slice can be held: stop, checkpoint, pause. The node is as good as its keeper's clock. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

/* 3.60 per core-hour: 1000 micro-units per core-second. Memory is free. */
#define PER_HOUR (36 * EUR / 10)
#define PER_SECOND 1000
#define DAY (24 * HOUR)

static struct world w;
static uint64_t job, run_us;
static bool restored;
static struct core_limits limits;

static struct policy_file policy(int64_t budget, uint32_t paid_end)
{
    struct policy_file p = {0};
    world_price(&p, 0, PER_HOUR, 0);
    struct tenant_rule *rule = world_rule(&p, "acme");
    rule->paid_end = paid_end;
    rule->budget = (struct budget_rule){.present = true, .limit_micros = budget, .period = PERIOD_DAY};
    return p;
}

static void set(int64_t budget, uint32_t paid_end)
{
    struct policy_file p = policy(budget, paid_end);
    ck_assert_msg(world_apply(&w, &p) == CORE_FACT, "%s", w.refusal.message);
}

static struct attempt_view attempt(void)
{
    struct job_view view = world_view(&w, job);
    ck_assert_uint_eq(view.attempts.count, 1);
    struct attempt_view a = *(struct attempt_view *)view.attempts.v;
    int64_t sum = 0;
    for (size_t i = 0; i < a.charges.count; i++)
        sum += ((struct charge *)a.charges.v)[i].micros;
    if (!restored) /* a scheduler that was started again leaves earlier lines to the reports */
        ck_assert_int_eq(sum, a.spent_micros);
    a.state = a.node = a.cause = a.sentence = NULL;
    a.charges = (struct list){0};
    fields_clear(&job_view_fields, &view);
    return a;
}

/* One core, a slice of 8 s, a budget for so many seconds. */
static void begin(int64_t seconds, uint32_t paid_end)
{
    limits = core_limits_default;
    limits.slice_ms = 8000;
    limits.checkpoint_ms = 3000;
    limits.pause_max_ms = 3600000;
    world_init(&w, &limits);
    set(seconds * PER_SECOND, paid_end);
    world_hello(&w, "n1", "b1", 64, 64 * GIB);
    job = world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    run_us = 0;
}

static void beat(void)
{
    struct attempt_id id = {job, 0, 1};
    core_node_seen(w.core, "n1", w.now);
    core_attempt_seen(w.core, "n1", id, run_us, w.now);
    (void)world_decide(&w);
}

/* What is paid runs, and not a microsecond more. */
static void live_for(int64_t us)
{
    for (int64_t gone = 0; gone < us; gone += SECOND) {
        world_pass(&w, SECOND);
        run_us = MIN(run_us + SECOND, attempt().paid_us);
        beat();
    }
}

static void end(void)
{
    world_verify(&w, &limits);
    world_fini(&w);
}

static void last(struct fact *ret)
{
    struct err err = {0};
    const struct bytes *b = &((const struct bytes *)w.journal.v)[w.journal.count - 1];
    ck_assert_int_eq(fact_decode(b->data, b->len, ret, &err), 0);
}

START_TEST(a_job_that_is_paused_costs_nothing_and_goes_on_when_there_is_money)
{
    begin(10, PAID_END_PAUSE);
    live_for(60 * SECOND);
    ck_assert(world_is(&w, job, "paused"));
    struct attempt_view a = attempt();
    ck_assert_uint_eq(a.paid_us, 10 * SECOND);
    ck_assert_uint_eq(a.settled_us, 10 * SECOND);
    ck_assert_int_eq(a.spent_micros, 10 * PER_SECOND);
    ck_assert_int_eq(a.hold_micros, 0);
    ck_assert_uint_eq(a.paused_us, 50 * SECOND);
    struct account_view day = world_account(&w, "acme@2026-11-24");
    ck_assert_int_eq(day.spent_micros, 10 * PER_SECOND);
    ck_assert_int_eq(day.held_micros, 0);

    set(15 * PER_SECOND, PAID_END_PAUSE);
    live_for(2 * SECOND); /* it is looked for money once a second; then it runs */
    ck_assert(world_is(&w, job, "running"));
    live_for(60 * SECOND);
    ck_assert(world_is(&w, job, "paused"));
    ck_assert_int_eq(attempt().spent_micros, 15 * PER_SECOND);

    set(1000 * PER_SECOND, PAID_END_PAUSE);
    live_for(6 * SECOND);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 21 * SECOND)); /* the keeper's word */
    ck_assert(world_is(&w, job, "succeeded"));
    ck_assert_int_eq(attempt().spent_micros, 21 * PER_SECOND);
    day = world_account(&w, "acme@2026-11-24");
    ck_assert_int_eq(day.spent_micros, 21 * PER_SECOND);
    ck_assert_int_eq(day.held_micros, 0);
    end();
}
END_TEST

/* A node of two cores: one is paused, another takes both while there is no money, and gives them back. */
START_TEST(the_cores_of_a_paused_job_are_others_until_it_goes_on)
{
    limits = core_limits_default;
    limits.slice_ms = 8000;
    limits.pause_max_ms = 3600000;
    world_init(&w, &limits);
    struct policy_file p = policy(10 * PER_SECOND, PAID_END_PAUSE);
    (void)world_rule(&p, "other");
    ck_assert(world_apply(&w, &p) == CORE_FACT);
    world_hello(&w, "n1", "b1", 2, 64 * GIB);
    job = world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    run_us = 0;
    uint64_t both = world_submit(&w, "other", world_spec(2000, GIB)), memory;
    ck_assert_uint_eq(world_decide(&w), 0);
    live_for(20 * SECOND);
    ck_assert(world_is(&w, job, "paused"));
    ck_assert(world_is(&w, both, "running"));
    memory = world_submit(&w, "other", world_spec(10, 63 * GIB + GIB / 2)); /* that it still has */
    ck_assert_uint_eq(world_decide(&w), 0);

    p = policy(1000 * PER_SECOND, PAID_END_PAUSE);
    (void)world_rule(&p, "other");
    ck_assert(world_apply(&w, &p) == CORE_FACT);
    live_for(3 * SECOND);
    ck_assert(world_is(&w, job, "paused"));
    struct why_reply why = {0};
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &why));
    ck_assert_uint_ge(why.blockers.count, 1);
    ck_assert_msg(strstr(((struct blocker *)why.blockers.v)->text, "others use its cores on n1") != NULL, "%s",
                  ((struct blocker *)why.blockers.v)->text);
    fields_clear(&why_reply_fields, &why);

    /* It has waited for longer: who comes now doesn't get them, though it could. */
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 60000;
    uint64_t late = world_submit(&w, "other", spec);
    ck_assert(world_run(&w, both, 0));
    ck_assert(world_end(&w, both, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 0);
    live_for(2 * SECOND);
    ck_assert(world_is(&w, job, "running"));
    ck_assert(world_is(&w, late, "running")); /* beside it, now */
    ck_assert(world_is(&w, memory, "pending"));
    end();
}
END_TEST

START_TEST(paused_states_survive)
{
    begin(10, PAID_END_PAUSE);
    live_for(20 * SECOND);
    ck_assert(world_is(&w, job, "paused"));
    struct core *again = world_restored(&w, &limits);
    restored = true;
    core_free(w.core);
    w.core = again; /* a scheduler that was started again, and has heard nothing yet */
    (void)world_decide(&w);
    ck_assert(world_is(&w, job, "paused"));
    live_for(5 * SECOND);
    set(12 * PER_SECOND, PAID_END_PAUSE);
    live_for(10 * SECOND);
    ck_assert_int_eq(attempt().spent_micros, 12 * PER_SECOND);
    struct err err = {0};
    ck_assert_msg(core_verify(w.core, &err) == 0, "%s", err_text(&err));
    world_fini(&w);
}
END_TEST

START_TEST(the_next_period_lets_it_go_on_at_its_own_cost)
{
    begin(10, PAID_END_PAUSE);
    int64_t midnight = WORLD_START_UTC + DAY;
    live_for(20 * SECOND);
    while (w.now.utc_us < midnight - HOUR / 2) { /* a pause that is shorter than its bound begins late in the day */
        set(((int64_t)attempt().paid_us / SECOND + 8) * PER_SECOND, PAID_END_PAUSE);
        world_pass(&w, HOUR / 2);
        beat();
        live_for(12 * SECOND);
        ck_assert(world_is(&w, job, "paused"));
    }
    int64_t first = world_account(&w, "acme@2026-11-24").spent_micros;
    world_pass(&w, midnight - w.now.utc_us);
    beat();
    live_for(5 * SECOND);
    ck_assert(world_is(&w, job, "running"));
    live_for(10 * MINUTE);
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").spent_micros, first);
    ck_assert_int_gt(world_account(&w, "acme@2026-11-25").spent_micros, 0);
    ck_assert_int_eq(first + world_account(&w, "acme@2026-11-25").spent_micros, attempt().spent_micros);
    end();
}
END_TEST

START_TEST(a_pause_has_an_end)
{
    begin(10, PAID_END_PAUSE);
    live_for(20 * SECOND);
    world_pass(&w, HOUR);
    beat();
    struct fact f;
    last(&f);
    ck_assert_int_eq(f.kind, FACT_ATTEMPT_STOPPING);
    ck_assert_int_eq(f.stopping.cause, END_BUDGET);
    fact_clear(&f);
    size_t facts = w.journal.count;
    set(1000 * PER_SECOND, PAID_END_PAUSE); /* too late */
    beat();
    world_pass(&w, MINUTE);
    beat();
    ck_assert_uint_eq(w.journal.count, facts + 1);
    ck_assert(world_end(&w, job, 0, END_BUDGET, 0, 10 * SECOND));
    ck_assert(world_is(&w, job, "budget_stopped"));
    ck_assert_int_eq(attempt().spent_micros, 10 * PER_SECOND);
    end();
}
END_TEST

START_TEST(a_rule_that_stops_by_now_stops_the_paused)
{
    begin(10, PAID_END_PAUSE);
    live_for(20 * SECOND);
    set(10 * PER_SECOND, PAID_END_STOP);
    live_for(2 * SECOND);
    struct fact f;
    last(&f);
    ck_assert_int_eq(f.kind, FACT_ATTEMPT_STOPPING);
    ck_assert_int_eq(f.stopping.cause, END_BUDGET);
    fact_clear(&f);
    end();
}
END_TEST

/* Its node has heard of no other rule, and pauses it. */
START_TEST(a_rule_that_stops_stops_what_its_node_has_paused)
{
    begin(10, PAID_END_PAUSE);
    live_for(9 * SECOND);
    set(10 * PER_SECOND, PAID_END_STOP);
    live_for(20 * SECOND);
    struct fact f;
    last(&f);
    ck_assert_int_eq(f.kind, FACT_ATTEMPT_STOPPING);
    fact_clear(&f);
    end();
}
END_TEST

START_TEST(who_has_used_up_the_jobs_own_budget_waits_for_nothing)
{
    begin(1000, PAID_END_PAUSE);
    struct job_spec spec = world_spec(1000, GIB);
    spec.budget_micros = 8 * PER_SECOND;
    uint64_t other = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    struct attempt_id id = {other, 0, 1};
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_int_eq(core_duty(w.core, id, false, &run, &paid_us, &cause), DUTY_RUN);
    ck_assert_uint_eq(run.at_paid_end, PAID_END_STOP); /* its first slice is all there is */
    fields_clear(&run_call_fields, &run);
    end();
}
END_TEST

START_TEST(the_paused_can_be_cancelled_and_lost)
{
    begin(10, PAID_END_PAUSE);
    live_for(20 * SECOND);
    struct fact facts[4];
    size_t count;
    struct cancel_reply reply = {0};
    if (_i == 0) {
        struct job_call call = {.job = job};
        ck_assert_int_eq(core_check_cancel(w.core, &call, "root", w.now, facts, 4, &count, &reply, &w.refusal),
                         CORE_FACT);
        ck_assert_uint_eq(count, 1);
        world_commit(&w, &facts[0]);
        ck_assert(world_end(&w, job, 0, END_CANCELLED, 0, 10 * SECOND));
        ck_assert(world_is(&w, job, "cancelled"));
    } else {
        world_hello(&w, "n1", "b2", 64, 64 * GIB); /* another boot */
        (void)world_decide(&w);
        ck_assert(world_is(&w, job, "pending"));
    }
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").spent_micros, 10 * PER_SECOND);
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").held_micros, 0);
    end();
}
END_TEST

/* What runs after a pause costs what it costs then. */
START_TEST(a_price_that_came_into_force_meanwhile_holds)
{
    begin(10, PAID_END_PAUSE);
    live_for(20 * SECOND);
    struct policy_file p = policy(10 * PER_SECOND, PAID_END_PAUSE);
    int64_t from_utc_us = w.now.utc_us + 2 * MINUTE;
    world_price(&p, from_utc_us, 2 * PER_HOUR, 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    live_for(10 * MINUTE);
    p = policy(14 * PER_SECOND, PAID_END_PAUSE);
    world_price(&p, from_utc_us, 2 * PER_HOUR, 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    live_for(20 * SECOND);
    ck_assert_uint_eq(attempt().paid_us / 1000, 12000); /* two more seconds for four's money */
    ck_assert_int_eq(attempt().spent_micros, 14 * PER_SECOND);
    ck_assert(world_is(&w, job, "paused"));
    p = policy(100 * PER_SECOND, PAID_END_PAUSE);
    world_price(&p, from_utc_us, 2 * PER_HOUR, 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    live_for(4 * SECOND);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, attempt().paid_us / 2 + 8 * SECOND)); /* unsettled so far */
    struct job_view view = world_view(&w, job);
    const struct attempt_view *a = view.attempts.v;
    ck_assert_int_eq(a->spent_micros, 10 * PER_SECOND + (int64_t)(a->record.run_us - 10 * SECOND) / 500);
    fields_clear(&job_view_fields, &view);
    end();
}
END_TEST

/* Hours of a core, not money, are what lacks: 2778 millionths of one are ten seconds. */
START_TEST(a_budget_of_time_pauses_likewise)
{
    begin(1000000, PAID_END_PAUSE);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    for (int i = 0; i < 2; i++) {
        struct policy_file p = policy(1000000 * PER_SECOND, PAID_END_PAUSE);
        struct budget_rule *time = list_add(&((struct tenant_rule *)p.tenants.v)->budgets, sizeof *time);
        *time = (struct budget_rule){.present = true, .limit_micros = i == 0 ? 2778 : 5556, .period = PERIOD_DAY};
        ck_assert_int_eq(str_set(&time->name, "cores"), 0);
        ck_assert_int_eq(str_set(&time->resource, "cpu"), 0);
        ck_assert_msg(world_apply(&w, &p) == CORE_FACT, "%s", w.refusal.message);
        if (i == 0) {
            job = world_submit(&w, "acme", world_spec(1000, GIB));
            ck_assert_uint_eq(world_decide(&w), 1);
            ck_assert(world_run(&w, job, 0));
            run_us = 0;
        }
        live_for(30 * SECOND);
        ck_assert(world_is(&w, job, "paused"));
        ck_assert_uint_eq(attempt().paid_us / SECOND, i == 0 ? 10 : 20);
        struct account_view cores = world_account(&w, "acme#cores@2026-11-24");
        ck_assert_int_eq(cores.held_micros, 0);
        ck_assert_int_eq(cores.spent_micros, i == 0 ? 2778 : 5556);
    }
    end();
}
END_TEST

START_TEST(why_a_job_is_paused_is_said)
{
    begin(10, PAID_END_PAUSE);
    live_for(20 * SECOND);
    struct why_reply why;
    ck_assert(core_why(w.core, &(struct job_call){.job = job}, w.now, &why));
    ck_assert_str_eq(why.state, "paused");
    ck_assert_uint_eq(why.blockers.count, 1);
    const struct blocker *b = why.blockers.v;
    ck_assert_str_eq(b->kind, "budget");
    ck_assert_int_eq(b->free, 0);
    ck_assert_int_eq(b->need, PER_SECOND); /* for the shortest slice */
    fields_clear(&why_reply_fields, &why);
    struct job_row row;
    ck_assert(core_job_row(w.core, job, w.now, &row));
    ck_assert_ptr_nonnull(row.waiting_for);
    ck_assert_ptr_nonnull(strstr(row.waiting_for, "budget"));
    fields_clear(&job_row_fields, &row);
    end();
}
END_TEST

/* What its node hears: the signal once nothing more can be held, and never before. */
START_TEST(what_is_told_of_the_paid_end)
{
    static const uint32_t ends[] = {PAID_END_STOP, PAID_END_PAUSE, PAID_END_CHECKPOINT};
    struct attempt_id id = {0, 0, 1};
    begin(_i < 3 ? 10 : 8, ends[_i % 3]); /* 8: not even a part of a slice more */
    id.job = job;
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_int_eq(core_duty(w.core, id, false, &run, &paid_us, &cause), DUTY_RUN);
    ck_assert_uint_eq(run.at_paid_end, ends[_i % 3]);
    fields_clear(&run_call_fields, &run);
    ck_assert(!core_is_final(w.core, id));
    live_for(7 * SECOND);
    ck_assert_int_eq(core_is_final(w.core, id), ends[_i % 3] != PAID_END_STOP);
    uint64_t end_us = attempt().paid_us;
    struct paid_call paid = core_paid(w.core, id, end_us, true);
    ck_assert_uint_eq(paid.at_paid_end, ends[_i % 3]);
    ck_assert_uint_eq(paid.signal_us, ends[_i % 3] == PAID_END_CHECKPOINT ? end_us - 3 * SECOND : 0);
    ck_assert_uint_eq(core_paid(w.core, id, end_us, false).signal_us, 0);
    if (ends[_i % 3] == PAID_END_CHECKPOINT)
        ck_assert_uint_eq(core_paid(w.core, id, 2 * SECOND, true).signal_us, 1); /* at once */
    end();
}
END_TEST

START_TEST(what_is_stopped_is_not_paused)
{
    begin(10, _i == 0 ? PAID_END_STOP : PAID_END_CHECKPOINT);
    live_for(30 * SECOND); /* its keeper has killed it at 10 s, but its node doesn't say so yet */
    ck_assert(world_is(&w, job, "running"));
    ck_assert(world_end(&w, job, 0, END_BUDGET, 0, 10 * SECOND));
    ck_assert(world_is(&w, job, "budget_stopped"));
    ck_assert_int_eq(attempt().spent_micros, 10 * PER_SECOND);
    end();
}
END_TEST

/* It ends in the moment that core learns nothing of: what it didn't run is not charged. */
START_TEST(a_job_that_ends_right_after_its_pause_pays_what_it_ran)
{
    begin(10, PAID_END_PAUSE);
    live_for(20 * SECOND);
    set(100 * PER_SECOND, PAID_END_PAUSE);
    world_pass(&w, SECOND);
    beat(); /* renewed; its node is away from here on */
    for (int i = 0; i < 5; i++) {
        world_pass(&w, SECOND);
        core_node_seen(w.core, "n1", w.now);
        (void)world_decide(&w);
    }
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, 10 * SECOND + 500));
    ck_assert_int_eq(attempt().spent_micros, 10 * PER_SECOND); /* 500 us: half to even */
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core/paid_end");
    TCase *t = tcase_create("paid_end");
    tcase_add_test(t, a_job_that_is_paused_costs_nothing_and_goes_on_when_there_is_money);
    tcase_add_test(t, the_cores_of_a_paused_job_are_others_until_it_goes_on);
    tcase_add_test(t, paused_states_survive);
    tcase_add_test(t, the_next_period_lets_it_go_on_at_its_own_cost);
    tcase_add_test(t, a_pause_has_an_end);
    tcase_add_test(t, a_rule_that_stops_by_now_stops_the_paused);
    tcase_add_test(t, a_rule_that_stops_stops_what_its_node_has_paused);
    tcase_add_test(t, who_has_used_up_the_jobs_own_budget_waits_for_nothing);
    tcase_add_loop_test(t, the_paused_can_be_cancelled_and_lost, 0, 2);
    tcase_add_test(t, a_price_that_came_into_force_meanwhile_holds);
    tcase_add_test(t, a_budget_of_time_pauses_likewise);
    tcase_add_test(t, why_a_job_is_paused_is_said);
    tcase_add_loop_test(t, what_is_told_of_the_paid_end, 0, 6);
    tcase_add_loop_test(t, what_is_stopped_is_not_paused, 0, 2);
    tcase_add_test(t, a_job_that_ends_right_after_its_pause_pays_what_it_ran);
    suite_add_tcase(s, t);
    return run_suite(s);
}
