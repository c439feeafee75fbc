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

/* When the large one's turn has come and no turn has been yet. */
START_TEST(what_is_kept_and_due_is_said_to_be_kept)
{
    struct job_spec spec = world_spec(8000, GIB);
    begin_limits();
    spec.time_limit_ms = 600000;
    uint64_t first = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, first, 0));
    uint64_t large = world_submit(&w, "globex", world_spec(16000, GIB));
    uint64_t job = world_submit(&w, "globex", world_spec(2000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    world_pass(&w, 700 * SECOND);
    core_node_seen(w.core, "n1", w.now);
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, 600 * SECOND));
    says(job, "placement: n1 has room now, but it is kept for jobs that go first, and this one may run beyond their "
              "start | cpu free on n1 grows by 2");
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, large, 0));
    world_fini(&w);
}
END_TEST

/* The other has more cores free, and not enough memory. */
START_TEST(a_node_with_room_that_is_kept_comes_nearest)
{
    struct job_spec spec = world_spec(8000, GIB);
    begin_limits();
    spec.time_limit_ms = 600000;
    (void)world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_hello(&w, "n2", "b", 15, 64 * GIB);
    spec = world_spec(1000, 63 * GIB);
    ck_assert_int_eq(str_set(&spec.where, "node==n2"), 0);
    (void)world_submit(&w, "globex", spec);
    (void)world_submit(&w, "globex", world_spec(16000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    uint64_t job = world_submit(&w, "globex", world_spec(2000, 4 * GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "placement: n1 has room now, but it is kept for jobs that go first, and this one may run beyond their "
              "start | time_limit <= 10m");
    world_fini(&w);
}
END_TEST

/* "mine" is guaranteed two cores, and its first job is within them: so its turn comes first, with that job. Behind it,
 * beyond what is guaranteed, it isn't. */
START_TEST(who_is_behind_one_within_a_guarantee_is_behind_others_too)
{
    struct policy_file p = {0};
    struct job_spec spec = world_spec(5000, GIB);
    world_init(&w, NULL);
    world_price(&p, 0, 0, 0);
    world_rule(&p, "lends")->quota.guaranteed.cpu_milli = 16000;
    world_rule(&p, "mine")->quota.guaranteed.cpu_milli = 2000;
    (void)world_rule(&p, "large");
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    spec.time_limit_ms = 3600000;
    spec.resources.mem_bytes = 32 * GIB;
    uint64_t job = world_submit(&w, "lends", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    spec = world_spec(1000, 60 * GIB);
    spec.priority = 1;
    spec.time_limit_ms = 3600000;
    (void)world_submit(&w, "mine", spec);
    (void)world_submit(&w, "large", world_spec(8000, GIB));
    job = world_submit(&w, "mine", world_spec(3000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "placement: n1 has room now, but it is kept for jobs that go first, and this one may run beyond their "
              "start | time_limit <= 2h");
    world_fini(&w);
}
END_TEST

/* Of a tenant with a long name, and of all above it, everything is in use. */
START_TEST(a_long_change_is_said_to_its_end)
{
    struct policy_file p = {0};
    char path[3 * 64] = "";
    world_init(&w, NULL);
    world_price(&p, 0, 0, 0);
    for (size_t level = 0; level < 3; level++) {
        size_t len = strlen(path);
        snprintf(path + len, sizeof path - len, "%s%.*s", level > 0 ? "/" : "", 60,
                 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghijkl");
        struct quota_rule *q = &world_rule(&p, path)->quota;
        q->max_running = 1;
        q->max = (struct resources){.cpu_milli = 2000, .mem_bytes = 2 * GIB};
    }
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", 16, 64 * GIB);
    (void)world_submit(&w, path, world_spec(2000, 2 * GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    struct why_reply r = why(world_submit(&w, path, world_spec(2000, 2 * GIB)));
    size_t parts = 0;
    for (const char *at = r.change; (at = strstr(at, " grows by ")) != NULL; at++)
        parts++;
    ck_assert_uint_eq(parts, 9);
    ck_assert_str_eq(strrchr(r.change, ' '), " 1");
    fields_clear(&why_reply_fields, &r);
    world_fini(&w);
}
END_TEST

static void close_for_an_hour(bool cell, int64_t in_us)
{
    struct window_call call = {.cell = cell, .from_utc_us = w.now.utc_us + in_us};
    struct window_reply reply = {0};
    struct fact f;
    call.to_utc_us = call.from_utc_us + HOUR;
    ck_assert(cell || strs_add(&call.nodes, "n1") == 0);
    ck_assert_int_eq(core_check_window(w.core, &call, "root", w.now, &f, &reply, &w.refusal), CORE_FACT);
    world_commit(&w, &f);
    fields_clear(&window_call_fields, &call);
}

/* Without a limit it would be stopped for the window; with one it has to be over before. */
START_TEST(the_limit_for_what_is_kept_ends_before_a_window)
{
    struct job_spec spec = world_spec(8000, GIB);
    begin_limits();
    spec.time_limit_ms = 600000;
    (void)world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    close_for_an_hour(false, 5 * MINUTE);
    (void)world_submit(&w, "globex", world_spec(16000, GIB));
    ck_assert_uint_eq(world_decide(&w), 0);
    spec = world_spec(2000, GIB);
    spec.preemptible = true;
    uint64_t job = world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "placement: n1 has room now, but it is kept for jobs that go first, and this one may run beyond their "
              "start | time_limit <= 4m52s");
    spec = world_spec(2000, GIB);
    spec.preemptible = true;
    spec.time_limit_ms = 292000;
    (void)world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    world_fini(&w);
}
END_TEST

static struct job_spec gang_of_two(uint64_t cores)
{
    struct job_spec spec = array_of(2, cores, 0);
    spec.gang = 2;
    return spec;
}

/* With a limit that is over before all of it has room, on whichever nodes. */
START_TEST(a_gang_that_would_meet_a_window_is_told_of_it)
{
    begin_limits();
    close_for_an_hour(false, 20 * MINUTE);
    uint64_t job = world_submit(&w, "globex", gang_of_two(4));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "placement: there is room for the 2 tasks that start together, but it closes at 2026-11-24T00:20:00Z "
              "until 2026-11-24T01:20:00Z (window 1): 19m are left before | time_limit <= 19m");
    struct job_spec spec = gang_of_two(4);
    spec.time_limit_ms = 19 * 60000;
    (void)world_submit(&w, "globex", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    world_fini(&w);
}
END_TEST

/* New nodes are closed, too: room alone doesn't help. */
START_TEST(a_gang_in_a_closed_cell_is_told_of_it)
{
    begin_limits();
    (void)world_submit(&w, "globex", world_spec(2000, GIB));
    ck_assert_uint_eq(world_decide(&w), 1);
    close_for_an_hour(true, 20 * MINUTE);
    uint64_t job = world_submit(&w, "globex", gang_of_two(8));
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "placement: the cell closes at 2026-11-24T00:20:00Z until 2026-11-24T01:20:00Z (window 1) | room for 1 "
              "more of its tasks, each with 8 cpu and 1088Mi memory, scratch included, and time_limit <= 19m");
    world_pass(&w, 30 * MINUTE);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 0);
    says(job, "placement: the cell is closed until 2026-11-24T01:20:00Z (window 1) | window 1 ends, and room for 2 "
              "more of its tasks, each with 8 cpu and 1088Mi memory, scratch included");
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
    tcase_add_test(t, what_is_kept_and_due_is_said_to_be_kept);
    tcase_add_test(t, a_node_with_room_that_is_kept_comes_nearest);
    tcase_add_test(t, who_is_behind_one_within_a_guarantee_is_behind_others_too);
    tcase_add_test(t, a_long_change_is_said_to_its_end);
    tcase_add_test(t, the_limit_for_what_is_kept_ends_before_a_window);
    tcase_add_test(t, a_gang_that_would_meet_a_window_is_told_of_it);
    tcase_add_test(t, a_gang_in_a_closed_cell_is_told_of_it);
    suite_add_tcase(s, t);
    return run_suite(s);
}
