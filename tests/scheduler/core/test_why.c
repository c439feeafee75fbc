/* The least that `why` says would do, where no random world comes to it (test_admits.c). */
#include "tests/run.h"
#include "tests/scheduler/core/why.h"

/* "first blocker | change" */
static void says(uint64_t job, const char *expected)
{
    struct why_reply r = why(job);
    char text[1024];
    snprintf(text, sizeof text, "%s | %s", blocker(&r, 0)->text, r.change != NULL ? r.change : "");
    ck_assert_str_eq(text, expected);
    fields_clear(&why_reply_fields, &r);
}

static struct job_spec array_of(uint32_t tasks, uint64_t cores, int64_t budget)
{
    struct job_spec spec = world_spec(cores * 1000, GIB);
    spec.array = (struct job_array){.present = true, .last = tasks - 1};
    spec.budget_micros = budget;
    return spec;
}

/* A second of a core, slice_min, costs 0.001: with so much it starts, and holds no whole slice. */
START_TEST(of_a_jobs_own_budget_the_least_slice_is_asked_for)
{
    begin_limits();
    uint64_t job = world_submit(&w, "globex", array_of(2, 1, 9005 * EUR / 10000));
    ck_assert_uint_eq(world_decide(&w), 1);
    says(job, "budget: job 1 has 0.0005 free (limit 0.9005, spent 0.00, held 0.90), needs 0.001, short 0.0005 | "
              "budget job 1 grows by 0.0005");
    uint64_t other = world_submit(&w, "globex", array_of(2, 1, 901 * EUR / 1000));
    ck_assert_uint_eq(world_decide(&w), 2);
    struct job_view v = world_view(&w, other);
    ck_assert_uint_eq(v.row.live, 2);
    fields_clear(&job_view_fields, &v);
    world_fini(&w);
}
END_TEST

START_TEST(more_at_once_than_a_rate_ever_has_needs_a_higher_rate)
{
    struct job_spec spec = array_of(6, 1, 0);
    struct policy_reply now = {0};
    begin_limits();
    spec.gang = 6;
    uint64_t job = world_submit(&w, "globex", spec);
    ck_assert_int_eq(core_policy(w.core, &now), 0);
    for (size_t i = 0; i < now.policy.tenants.count; i++)
        ((struct tenant_rule *)now.policy.tenants.v)[i].quota.starts_per_minute = 4;
    ck_assert_int_eq(world_apply(&w, &now.policy), CORE_FACT);
    fields_clear(&policy_reply_fields, &now);
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "rate: globex may start 4 tasks a minute, and 6 start together | "
              "quota.starts_per_minute of globex grows by 2, and it is 2026-11-24T00:00:20Z");
    world_fini(&w);
}
END_TEST

/* It would run into the start that was promised to a large one: with a limit that ends before, it doesn't. */
START_TEST(on_a_node_that_is_kept_a_short_limit_is_enough)
{
    struct job_spec spec = world_spec(8000, GIB);
    begin_limits();
    spec.time_limit_ms = 600000;
    uint64_t first = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, first, 0));
    uint64_t large = world_submit(&w, "globex", world_spec(16000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    uint64_t job = world_submit(&w, "globex", world_spec(2000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "placement: n1 has room now, but it is kept for jobs that go first, and this one may run beyond their "
              "start | time_limit <= 10m");
    spec = world_spec(2000, GIB);
    spec.time_limit_ms = 601000;
    (void)world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 0);
    spec = world_spec(2000, GIB);
    spec.time_limit_ms = 600000;
    (void)world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_is(&w, large, "pending"));
    world_fini(&w);
}
END_TEST

START_TEST(what_is_waited_for_is_said_as_it_must_end)
{
    static const struct {
        uint32_t on;
        const char *change;
    } rows[] = {{AFTER_SUCCESS, "job 1 succeeds"}, {AFTER_END, "job 1 ends"}, {AFTER_FAILURE, "job 1 fails"}};
    begin_limits();
    ck_assert_uint_eq(world_submit(&w, "globex", world_spec(1000, GIB)), 1);
    (void)world_decide(&w);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct job_spec spec = world_spec(1000, GIB);
        struct job_after *a = list_add(&spec.after, sizeof *a);
        *a = (struct job_after){.job = 1, .on = rows[i].on};
        struct why_reply r = why(world_submit(&w, "globex", spec));
        ck_assert_str_eq(r.change, rows[i].change);
        fields_clear(&why_reply_fields, &r);
    }
    world_fini(&w);
}
END_TEST

START_TEST(what_can_not_start_in_time_any_more_is_said_so)
{
    struct job_spec spec = world_spec(1000, GIB);
    begin_limits();
    spec.retries = 1;
    ck_assert_int_eq(str_set(&spec.finish_by, "500ms"), 0);
    uint64_t job = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0) && world_end(&w, job, 0, END_EXIT, 1, 1000));
    says(job, "can never run: it may start at 2026-11-24T00:00:01Z, and by its deadline has to before "
              "2026-11-24T00:00:00Z | ");
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core why");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, of_a_jobs_own_budget_the_least_slice_is_asked_for);
    tcase_add_test(t, more_at_once_than_a_rate_ever_has_needs_a_higher_rate);
    tcase_add_test(t, on_a_node_that_is_kept_a_short_limit_is_enough);
    tcase_add_test(t, what_is_waited_for_is_said_as_it_must_end);
    tcase_add_test(t, what_can_not_start_in_time_any_more_is_said_so);
    suite_add_tcase(s, t);
    return run_suite(s);
}
