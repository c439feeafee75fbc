/* Jobs that have to start, or to end, by some time. */
#include <check.h>

#include "tests/run.h"
#include "tests/scheduler/core/world.h"

static struct world w;

static void begin(uint64_t cores)
{
    struct policy_file p = {0};
    world_init(&w, NULL);
    world_price(&p, 0, EUR, 0);
    (void)world_rule(&p, "acme");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", cores, 64 * GIB);
}

static void end(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

static struct job_spec spec_by(const char *start_by, const char *finish_by, uint64_t limit_ms)
{
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = limit_ms;
    MUST(str_set(&spec.start_by, start_by) == 0 && str_set(&spec.finish_by, finish_by) == 0);
    return spec;
}

static size_t after(int64_t us)
{
    world_pass(&w, us);
    core_node_seen(w.core, "n1", w.now);
    return world_decide(&w);
}

static bool ended_because(uint64_t job, const char *words)
{
    struct job_row row = {0};
    MUST(core_job_row(w.core, job, w.now, &row));
    bool so = strcmp(row.state, "cancelled") == 0 && row.reason != NULL && strcmp(row.reason, words) == 0;
    if (!so)
        fprintf(stderr, "%s: %s\n", row.state, row.reason != NULL ? row.reason : "-");
    MUST(row.cost_micros == 0);
    fields_clear(&job_row_fields, &row);
    return so;
}

START_TEST(who_has_not_started_in_time_is_cancelled)
{
    begin(1);
    uint64_t first = world_submit(&w, "acme", world_spec(1000, GIB));
    uint64_t late = world_submit(&w, "acme", spec_by("1m", NULL, 0));
    uint64_t by_clock = world_submit(&w, "acme", spec_by("2026-11-24T00:02:00Z", NULL, 0));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, first, 0));
    ck_assert_uint_eq(after(MINUTE - 1), 0);
    ck_assert(world_is(&w, late, "pending"));
    world_verify(&w, NULL);
    ck_assert_uint_eq(after(1), 0);
    ck_assert(ended_because(late, "not started by 2026-11-24T00:01:00Z"));
    ck_assert(world_is(&w, by_clock, "pending"));
    ck_assert_uint_eq(after(MINUTE), 0);
    ck_assert(ended_because(by_clock, "not started by 2026-11-24T00:02:00Z"));
    ck_assert(world_is(&w, first, "running"));
    end();
}
END_TEST

START_TEST(it_wakes_for_a_deadline_when_nothing_else_happens)
{
    begin(1);
    (void)world_submit(&w, "acme", world_spec(1000, GIB));
    (void)world_submit(&w, "acme", spec_by("5s", NULL, 0));
    (void)world_decide(&w);
    (void)world_decide(&w);
    ck_assert_uint_eq(w.next_boot_us, w.now.boot_us + 5 * SECOND);
    end();
}
END_TEST

START_TEST(of_an_array_only_those_are_late_that_never_started)
{
    begin(2);
    struct job_spec spec = spec_by("1m", NULL, 0);
    spec.array = (struct job_array){true, 0, 9, 0};
    spec.retries = 3;
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    ck_assert(world_run(&w, job, 0));
    ck_assert(world_run(&w, job, 1));
    ck_assert(world_end(&w, job, 1, END_EXIT, 1, SECOND)); /* is tried again: it had started in time */
    ck_assert(world_end(&w, job, 0, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 2); /* 2 and 3 */
    ck_assert_uint_eq(after(MINUTE), 0);
    struct job_row row = {0};
    ck_assert(core_job_row(w.core, job, w.now, &row));
    ck_assert_uint_eq(row.done, 7); /* 0, and 4 to 9 */
    ck_assert_uint_eq(row.queued, 1);
    fields_clear(&job_row_fields, &row);
    ck_assert(world_run(&w, job, 2));
    ck_assert(world_end(&w, job, 2, END_EXIT, 0, SECOND));
    ck_assert_uint_eq(after(SECOND), 1);
    end();
}
END_TEST

START_TEST(nothing_starts_that_may_not_end_in_time)
{
    begin(1);
    uint64_t first = world_submit(&w, "acme", world_spec(1000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t job = world_submit(&w, "acme", spec_by(NULL, "10m", 4 * 60000));
    ck_assert(world_run(&w, first, 0));
    ck_assert_uint_eq(after(6 * MINUTE - 1), 0);
    ck_assert(world_is(&w, job, "pending"));
    ck_assert_uint_eq(after(1), 0);
    ck_assert(ended_because(job, "can't finish by 2026-11-24T00:10:00Z any more"));
    end();
}
END_TEST

START_TEST(what_runs_then_is_stopped_as_at_its_limit)
{
    begin(2);
    uint64_t job = world_submit(&w, "acme", spec_by(NULL, "10m", 0));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    (void)after(10 * MINUTE - 1);
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause;
    ck_assert_int_eq(core_duty(w.core, (struct attempt_id){job, 0, 1}, true, &run, &paid_us, &cause), DUTY_PAID);
    (void)after(1);
    ck_assert_int_eq(core_duty(w.core, (struct attempt_id){job, 0, 1}, true, &run, &paid_us, &cause), DUTY_STOP);
    ck_assert_uint_eq(cause, END_TIME_LIMIT);
    world_verify(&w, NULL);
    ck_assert(world_end(&w, job, 0, END_TIME_LIMIT, 0, (uint64_t)(10 * MINUTE)));
    ck_assert(world_is(&w, job, "timed_out"));
    end();
}
END_TEST

/* Its node dies behind the deadline: it can't be tried again. */
START_TEST(what_comes_back_too_late_is_cancelled_then)
{
    begin(2);
    uint64_t job = world_submit(&w, "acme", spec_by(NULL, "10m", 60000));
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    (void)after(9 * MINUTE + SECOND);
    ck_assert(world_is(&w, job, "running"));
    ck_assert(world_end(&w, job, 0, END_KEEPER_LOST, 0, SECOND));
    world_verify(&w, NULL);
    ck_assert_uint_eq(after(SECOND), 0);
    ck_assert(world_is(&w, job, "cancelled"));
    end();
}
END_TEST

START_TEST(a_deadline_that_can_t_be_kept_is_refused)
{
    static const struct {
        const char *start_by, *finish_by;
        uint64_t limit_ms;
        const char *code, *words;
    } rows[] = {
        {"2026-11-23T23:59:59Z", NULL, 0, "never_fits", "start_by 2026-11-23T23:59:59Z has passed"},
        {NULL, "2026-11-24T00:00:00Z", 0, "never_fits", "finish_by 2026-11-24T00:00:00Z has passed"},
        {NULL, "1h", 7200000, "never_fits", "a time limit of 2h doesn't fit before 2026-11-24T01:00:00Z"},
        {"soon", NULL, 0, "bad_request", "start_by: 'soon' is neither"},
        {NULL, "-5m", 0, "bad_request", "finish_by: '-5m' is neither"},
        {NULL, "9000000d", 0, "bad_request", "finish_by: '9000000d' is neither"},
        {"0s", NULL, 0, "never_fits", "has passed"},
    };
    begin(1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct job_spec spec = spec_by(rows[i].start_by, rows[i].finish_by, rows[i].limit_ms);
        uint64_t job;
        ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
        ck_assert_str_eq(w.refusal.code, rows[i].code);
        ck_assert_msg(strstr(w.refusal.message, rows[i].words) != NULL, "%s", w.refusal.message);
    }
    end();
}
END_TEST

START_TEST(nobody_starts_late_while_something_of_the_job_is_on_its_way)
{
    begin(2);
    uint64_t other = world_submit(&w, "acme", world_spec(1000, GIB));
    struct job_spec spec = spec_by("1m", NULL, 0);
    spec.array = (struct job_array){true, 0, 1, 0};
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2); /* the other and the first of the array */
    ck_assert(world_run(&w, other, 0));
    ck_assert(world_run(&w, job, 0));
    world_pass(&w, MINUTE);
    core_node_seen(w.core, "n1", w.now);
    ck_assert(world_end(&w, other, 0, END_EXIT, 0, MINUTE)); /* there is room */
    struct attempt_state state = {.id = {job, 0, 1}, .ended = true};
    state.record = (struct exit_record){.cause = END_EXIT, .run_us = MINUTE, .started_utc_us = w.now.utc_us - MINUTE};
    struct fact ended;
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &ended), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 0);
    world_commit(&w, &ended);
    ck_assert_uint_eq(after(SECOND), 0);
    ck_assert(world_is(&w, job, "cancelled"));
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core deadline");
    TCase *t = tcase_create("deadline");
    tcase_add_test(t, who_has_not_started_in_time_is_cancelled);
    tcase_add_test(t, it_wakes_for_a_deadline_when_nothing_else_happens);
    tcase_add_test(t, of_an_array_only_those_are_late_that_never_started);
    tcase_add_test(t, nothing_starts_that_may_not_end_in_time);
    tcase_add_test(t, what_runs_then_is_stopped_as_at_its_limit);
    tcase_add_test(t, what_comes_back_too_late_is_cancelled_then);
    tcase_add_test(t, a_deadline_that_can_t_be_kept_is_refused);
    tcase_add_test(t, nobody_starts_late_while_something_of_the_job_is_on_its_way);
    suite_add_tcase(s, t);
    return run_suite(s);
}
