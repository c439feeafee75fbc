/*
 * A person suspends what runs and resumes it. The node is as good as its keeper's clock, which stands still meanwhile.
 */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

#define PER_SECOND 1000 /* micro-units of a core */
#define DAY (24 * HOUR)

static struct world w;
static struct core_limits limits;
static uint64_t job, run_us;
static uint32_t heard, stands; /* the keeper: numbers of suspensions */

static void set(int64_t seconds)
{
    struct policy_file p = {0};
    world_price(&p, 0, 36 * EUR / 10, 0);
    world_rule(&p, "acme")->budget = (struct budget_rule){
        .present = true, .limit_micros = seconds * PER_SECOND, .period = PERIOD_DAY};
    (void)world_rule(&p, "globex");
    ck_assert_msg(world_apply(&w, &p) == CORE_FACT, "%s", w.refusal.message);
}

static struct attempt_id id_of(uint64_t of)
{
    struct attempt_id id = {.job = of};
    return world_node_of(&w, &id) != NULL ? id : (struct attempt_id){0};
}

static bool is_live(uint64_t of)
{
    return id_of(of).job != 0;
}

static struct attempt_view attempt(uint64_t of)
{
    struct job_view view = world_view(&w, of);
    ck_assert_uint_ge(view.attempts.count, 1);
    struct attempt_view a = ((struct attempt_view *)view.attempts.v)[view.attempts.count - 1];
    a.state = a.node = a.cause = a.sentence = NULL;
    a.charges = (struct list){0};
    fields_clear(&job_view_fields, &view);
    return a;
}

/* What its node does with what it is told. */
static void keep(void)
{
    struct paid_call paid = core_paid(w.core, id_of(job), attempt(job).paid_us, false);
    if (paid.suspends >= heard && paid.suspends % 2 == 1)
        stands = paid.suspends;
    else if (paid.suspends >= heard && paid.paid_us > run_us)
        stands = 0;
    heard = MAX(heard, paid.suspends);
}

static void beat(void)
{
    core_node_seen(w.core, "n1", w.now);
    core_attempt_seen(w.core, "n1", id_of(job), run_us, w.now);
    core_attempt_stands(w.core, "n1", id_of(job), heard, stands != 0, w.now);
    (void)world_decide(&w);
    (void)world_decide(&w);
}

static void live_for(int64_t us)
{
    for (int64_t gone = 0; gone < us; gone += SECOND) {
        keep();
        world_pass(&w, SECOND);
        run_us += stands == 0 ? SECOND : 0;
        beat();
    }
}

/* One core of four, a slice of 8 s, money for so many seconds. */
static void begin(int64_t seconds)
{
    limits = core_limits_default;
    limits.slice_ms = 8000;
    limits.suspend_max_ms = 3 * DAY / 1000;
    world_init(&w, &limits);
    set(seconds);
    world_hello(&w, "n1", "b1", 4, 64 * GIB);
    job = world_submit(&w, "acme", world_spec(3000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    run_us = 0;
    heard = stands = 0;
}

static int ask(uint64_t of, bool suspend, int64_t task, size_t *ret_count)
{
    struct suspend_call call = {.job = of, .has_task = task >= 0, .task = (uint32_t)MAX(task, 0),
                                .reason = (char *)(uintptr_t) "lunch"};
    struct suspend_reply reply = {0};
    static struct fact facts[64];
    fields_clear(&refusal_fields, &w.refusal);
    int rc = core_check_suspend(w.core, &call, suspend, "ann", w.now, facts, COUNT_OF(facts), ret_count, &reply,
                                &w.refusal);
    for (size_t i = 0; rc == CORE_FACT && i < *ret_count; i++)
        world_commit(&w, &facts[i]);
    return rc;
}

static void suspend(uint64_t of)
{
    size_t count;
    ck_assert_int_eq(ask(of, true, 0, &count), CORE_FACT);
    ck_assert_uint_eq(count, 1);
}

static void resume(uint64_t of)
{
    size_t count;
    ck_assert_int_eq(ask(of, false, 0, &count), CORE_FACT);
    ck_assert_uint_eq(count, 1);
}

static void would_go_on_if(uint64_t of, const char *text)
{
    struct why_reply r;
    ck_assert(core_why(w.core, &(struct job_call){.job = of}, w.now, &r));
    ck_assert_str_eq(r.change, text);
    fields_clear(&why_reply_fields, &r);
}

static void first_line(uint64_t of, const char *state, const char *text)
{
    struct why_reply r;
    ck_assert(core_why(w.core, &(struct job_call){.job = of}, w.now, &r));
    ck_assert_str_eq(r.state, state);
    ck_assert_uint_ge(r.blockers.count, 1);
    ck_assert_str_eq(((struct blocker *)r.blockers.v)[0].text, text);
    fields_clear(&why_reply_fields, &r);
}

START_TEST(what_is_suspended_costs_nothing_and_goes_on_where_it_was)
{
    begin(1000);
    live_for(5 * SECOND);
    suspend(job);
    world_verify(&w, &limits);
    ck_assert_int_gt(attempt(job).hold_micros, 0); /* until its node says that it stands */
    live_for(2 * SECOND);
    struct attempt_view a = attempt(job);
    ck_assert_int_eq(a.hold_micros, 0);
    ck_assert_int_eq(a.spent_micros, 5 * 3 * PER_SECOND);
    ck_assert_uint_eq(a.paid_us, 5 * SECOND);
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").held_micros, 0);
    ck_assert(world_is(&w, job, "suspended"));
    first_line(job, "suspended", "suspended by ann: lunch; reeve resume 1");
    world_verify(&w, &limits);
    live_for(100 * SECOND);
    ck_assert_int_eq(attempt(job).spent_micros, 5 * 3 * PER_SECOND);
    resume(job);
    live_for(4 * SECOND);
    ck_assert(world_is(&w, job, "running"));
    world_verify(&w, &limits);
    ck_assert_uint_eq(attempt(job).paused_us / SECOND, 103);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, run_us));
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").spent_micros, (int64_t)(run_us / SECOND) * 3 * PER_SECOND);
    ck_assert_uint_lt(run_us, 10 * SECOND);
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(its_cores_are_others_meanwhile_and_it_waits_for_them)
{
    begin(100000);
    uint64_t other = world_submit(&w, "globex", world_spec(4000, GIB));
    live_for(2 * SECOND);
    ck_assert(!is_live(other));
    suspend(job);
    live_for(3 * SECOND);
    ck_assert(is_live(other) && world_run(&w, other, 0));
    would_go_on_if(job, "somebody resumes it, and cpu free on n1 grows by 3");
    struct node_reply nodes = {0};
    ck_assert_int_eq(core_nodes(w.core, w.now, &nodes), 0);
    ck_assert_uint_eq(((const struct node_row *)nodes.nodes.v)[0].used.cpu_milli, 4000); /* the other's alone */
    ck_assert_uint_gt(((const struct node_row *)nodes.nodes.v)[0].used.mem_bytes, GIB);  /* of both */
    fields_clear(&node_reply_fields, &nodes);
    resume(job);
    live_for(5 * SECOND);
    would_go_on_if(job, "cpu free on n1 grows by 3");
    ck_assert_uint_ne(stands, 0);
    first_line(job, "paused",
               "placement: others use its cores on n1 until they end; nothing new starts there before it goes on");
    uint64_t next = world_submit(&w, "globex", world_spec(500, GIB));
    live_for(2 * SECOND);
    ck_assert(!is_live(next));
    first_line(next, "pending", "placement: nearest is n1, which is kept for what was paused there and goes on as soon "
               "as it has its cores: 3, and 0 are free; then needs 0.5");
    would_go_on_if(next, "cpu free on n1 grows by 3.5");
    ck_assert(world_end(&w, other, 0, END_EXIT, 0, 5 * SECOND));
    live_for(3 * SECOND);
    ck_assert_uint_eq(stands, 0);
    ck_assert(is_live(next));
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

/* What is said of both is enough for both. */
START_TEST(with_the_cores_that_why_names_it_goes_on_and_the_next_one_starts)
{
    begin(100000);
    suspend(job);
    live_for(3 * SECOND);
    uint64_t other = world_submit(&w, "globex", world_spec(4000, GIB));
    live_for(2 * SECOND);
    ck_assert(is_live(other) && world_run(&w, other, 0));
    resume(job);
    live_for(2 * SECOND);
    uint64_t next = world_submit(&w, "globex", world_spec(1000, GIB));
    live_for(SECOND);
    would_go_on_if(next, "cpu free on n1 grows by 4");
    struct attempt_state running[] = {{.id = {job, 0, 1}}, {.id = {other, 0, 1}}};
    const struct list attempts = {running, COUNT_OF(running)};
    world_hello_listing(&w, "n1", "b1", 7, 64 * GIB, &attempts);
    live_for(2 * SECOND);
    ck_assert_uint_eq(stands, 0);
    ck_assert(!is_live(next));
    world_hello_listing(&w, "n1", "b1", 8, 64 * GIB, &attempts);
    live_for(SECOND);
    ck_assert(is_live(next));
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(who_changes_his_mind_at_once_loses_nothing)
{
    begin(1000);
    live_for(3 * SECOND);
    int64_t held = attempt(job).hold_micros;
    suspend(job);
    resume(job);
    ck_assert_uint_eq(core_paid(w.core, id_of(job), 0, false).suspends, 2);
    stands = heard = 1; /* a beat that comes late */
    beat();
    ck_assert_int_eq(attempt(job).hold_micros, held);
    suspend(job);
    beat(); /* still the old one: it may have run since */
    ck_assert_int_gt(attempt(job).hold_micros, 0);
    stands = heard = 3;
    beat();
    ck_assert_int_eq(attempt(job).hold_micros, 0);
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(a_wish_that_was_lost_is_said_again_as_it_is_known)
{
    bool suspended = _i % 2 == 1;
    begin(1000);
    live_for(3 * SECOND);
    if (suspended)
        suspend(job);
    heard = 4 + (uint32_t)_i / 2; /* of suspensions that no copy of the journal has */
    stands = heard % 2 == 1 ? heard : 0;
    live_for(3 * SECOND);
    struct paid_call paid = core_paid(w.core, id_of(job), 0, false);
    ck_assert_uint_gt(paid.suspends, 4 + (uint32_t)_i / 2);
    ck_assert_int_eq(paid.suspends % 2, suspended);
    ck_assert_int_eq(core_is_suspended(w.core, id_of(job)), suspended);
    live_for(3 * SECOND);
    ck_assert_int_eq(stands != 0, suspended);
    ck_assert(world_is(&w, job, suspended ? "suspended" : "running"));
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(of_a_whole_job_nothing_more_starts_either)
{
    begin(100000);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    struct job_spec spec = world_spec(2000, GIB);
    spec.array = (struct job_array){true, 0, 9, 0};
    job = world_submit(&w, "acme", spec);
    (void)world_decide(&w);
    ck_assert(world_run(&w, job, 0) && world_run(&w, job, 1));
    size_t count;
    ck_assert_int_eq(ask(job, true, -1, &count), CORE_FACT);
    ck_assert_uint_eq(count, 3); /* and it is held */
    ck_assert_int_eq(ask(job, true, -1, &count), CORE_FACT);
    ck_assert_uint_eq(count, 0);
    for (uint32_t i = 0; i < 2; i++) {
        core_attempt_seen(w.core, "n1", (struct attempt_id){job, i, 1}, SECOND, w.now);
        core_attempt_stands(w.core, "n1", (struct attempt_id){job, i, 1}, 1, true, w.now);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_is(&w, job, "suspended"));
    world_verify(&w, &limits);
    struct core_stats stats;
    core_stats(w.core, &stats);
    ck_assert_uint_eq(stats.suspended, 2);
    ck_assert_int_eq(ask(job, false, 1, &count), CORE_FACT); /* one of them only */
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(ask(job, false, -1, &count), CORE_FACT);
    ck_assert_uint_eq(count, 2);
    core_stats(w.core, &stats);
    ck_assert_uint_eq(stats.suspended, 0);
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

/* Its node dies; it is put back in the queue; it is cancelled. */
START_TEST(whatever_ends_a_suspended_one_it_waits_for_a_person_or_is_over)
{
    static const struct {
        uint32_t cause;
        const char *state;
    } rows[] = {{END_NODE_LOST, "held"}, {END_REQUEUED, "held"}, {END_PREEMPTED, "held"}, {END_MAINTENANCE, "held"},
                {END_CANCELLED, "cancelled"}, {END_EXIT, "succeeded"}};
    begin(1000);
    live_for(3 * SECOND);
    suspend(job);
    live_for(2 * SECOND);
    ck_assert(world_end(&w, job, 0, rows[_i].cause, 0, run_us));
    ck_assert(world_is(&w, job, rows[_i].state));
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").spent_micros, 3 * 3 * PER_SECOND);
    world_verify(&w, &limits);
    struct fact f;
    if (strcmp(rows[_i].state, "held") == 0) {
        ck_assert_int_eq(core_check_release(w.core, &(struct job_call){.job = job}, "ann", w.now, &f, &w.refusal),
                         CORE_FACT);
        world_commit(&w, &f);
        for (int i = 0; i < 80; i++) {
            world_pass(&w, SECOND);
            core_node_seen(w.core, "n1", w.now);
            (void)world_decide(&w);
        }
        ck_assert(is_live(job)); /* the next attempt is not suspended */
        ck_assert(!core_is_suspended(w.core, id_of(job)));
    }
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(it_is_not_suspended_for_ever)
{
    begin(100000);
    live_for(SECOND);
    suspend(job);
    live_for(2 * SECOND);
    world_pass(&w, 3 * DAY - 3 * SECOND);
    beat();
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_int_eq(core_duty(w.core, id_of(job), true, &run, &paid_us, &cause), DUTY_PAID);
    world_pass(&w, 4 * SECOND);
    beat();
    ck_assert_int_eq(core_duty(w.core, id_of(job), true, &run, &paid_us, &cause), DUTY_STOP);
    ck_assert_uint_eq(cause, END_REQUEUED);
    ck_assert(world_end(&w, job, 0, END_REQUEUED, 0, run_us));
    ck_assert(world_is(&w, job, "held"));
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(resumed_without_money_it_waits_though_others_would_be_stopped)
{
    begin(100);
    live_for(3 * SECOND);
    suspend(job);
    live_for(2 * SECOND);
    set(10); /* nine are spent, and a second takes three */
    resume(job);
    live_for(5 * SECOND);
    ck_assert(is_live(job) && stands != 0);
    ck_assert_uint_eq(core_paid(w.core, id_of(job), 0, false).at_paid_end, PAID_END_PAUSE);
    world_verify(&w, &limits);
    set(1000);
    live_for(4 * SECOND);
    ck_assert(stands == 0 && world_is(&w, job, "running"));
    ck_assert_uint_eq(core_paid(w.core, id_of(job), 0, false).at_paid_end, PAID_END_STOP);
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(the_day_that_it_stood_still_pays_nothing)
{
    begin(100000);
    live_for(4 * SECOND);
    suspend(job);
    live_for(2 * SECOND);
    world_pass(&w, DAY);
    beat();
    beat();
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").spent_micros, 4 * 3 * PER_SECOND);
    ck_assert_int_le(world_account(&w, "acme@2026-11-25").held_micros, 0);
    world_pass(&w, DAY);
    resume(job);
    live_for(5 * SECOND);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, run_us));
    ck_assert_int_eq(world_account(&w, "acme@2026-11-24").spent_micros, 4 * 3 * PER_SECOND);
    ck_assert_int_eq(world_account(&w, "acme@2026-11-26").spent_micros,
                     ((int64_t)run_us / SECOND - 4) * 3 * PER_SECOND);
    world_verify(&w, &limits);
    world_fini(&w);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    size_t count;
    begin(1000);
    uint64_t waits = world_submit(&w, "acme", world_spec(4000, GIB));
    ck_assert_int_eq(ask(99, true, -1, &count), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "not_found");
    ck_assert_int_eq(ask(waits, true, 0, &count), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "state");
    ck_assert_int_eq(ask(job, false, 0, &count), CORE_FACT); /* it isn't suspended: so it is */
    ck_assert_uint_eq(count, 0);
    struct fact f;
    struct suspend_reply reply;
    struct suspend_call call = {.job = job};
    ck_assert_int_eq(core_check_suspend(w.core, &call, true, "ann", w.now, &f, 1, &count, &reply, &w.refusal),
                     CORE_FACT);
    ck_assert_int_eq(ask(job, true, 0, &count), CORE_LATER); /* something of it is on its way */
    world_refuse(&w, &f, "dropped");
    suspend(job);
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_int_eq(ask(job, true, 0, &count), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.code, "state");
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("suspend");
    TCase *t = tcase_create("suspend");
    tcase_add_test(t, what_is_suspended_costs_nothing_and_goes_on_where_it_was);
    tcase_add_test(t, its_cores_are_others_meanwhile_and_it_waits_for_them);
    tcase_add_test(t, with_the_cores_that_why_names_it_goes_on_and_the_next_one_starts);
    tcase_add_test(t, who_changes_his_mind_at_once_loses_nothing);
    tcase_add_loop_test(t, a_wish_that_was_lost_is_said_again_as_it_is_known, 0, 4);
    tcase_add_test(t, of_a_whole_job_nothing_more_starts_either);
    tcase_add_loop_test(t, whatever_ends_a_suspended_one_it_waits_for_a_person_or_is_over, 0, 6);
    tcase_add_test(t, it_is_not_suspended_for_ever);
    tcase_add_test(t, resumed_without_money_it_waits_though_others_would_be_stopped);
    tcase_add_test(t, the_day_that_it_stood_still_pays_nothing);
    tcase_add_test(t, nonsense_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
