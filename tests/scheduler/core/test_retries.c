/* What a job says of its retries: which failures they are for, and how long it waits before the next attempt. */
#include <check.h>
#include <string.h>

#include "tests/run.h"
#include "tests/scheduler/core/gangs.h"

static struct job_spec one_of(uint32_t retries, const char *cause, const char *code, uint64_t pause_ms)
{
    struct job_spec spec = world_spec(1000, GIB);
    spec.time_limit_ms = 60000;
    spec.retries = retries;
    spec.retry = (struct job_retry){.present = true, .pause_ms = pause_ms, .pause_max_ms = pause_ms * 3};
    MUST(cause == NULL || strs_add(&spec.retry.on, cause) == 0);
    MUST(code == NULL || strs_add(&spec.retry.exit_codes, code) == 0);
    return spec;
}

/* It starts, and ends so. */
static void try(uint64_t job, uint32_t task, uint32_t cause, int32_t code)
{
    ck_assert(world_run(&w, job, task));
    ck_assert(world_end(&w, job, task, cause, code, cause == END_TIME_LIMIT ? 60 * SECOND : SECOND));
}

static bool waits_for(uint64_t job, const char *words)
{
    struct why_reply r = {0};
    MUST(core_why(w.core, &(struct job_call){.job = job}, w.now, &r));
    const struct blocker *b = r.blockers.v;
    bool so = r.blockers.count == 1 && strncmp(b->text, words, strlen(words)) == 0;
    if (!so)
        fprintf(stderr, "it waits for: %s\n", r.blockers.count > 0 ? b->text : "nothing");
    fields_clear(&why_reply_fields, &r);
    return so;
}

static const struct {
    const char *fact, *on, *code;
    uint32_t cause;
    int32_t exit_code;
    const char *state;
} rows[] = {
    {"a named exit code", NULL, "75", END_EXIT, 75, "pending"},
    {"another exit code", NULL, "75", END_EXIT, 74, "failed"},
    {"a signal beside named exit codes", NULL, "75", END_SIGNAL, 0, "pending"},
    {"a named cause", "time_limit", NULL, END_TIME_LIMIT, 0, "pending"},
    {"a time limit that isn't named", "exit", NULL, END_TIME_LIMIT, 0, "timed_out"},
    {"an exit that isn't named", "time_limit", NULL, END_EXIT, 75, "failed"},
    {"memory that isn't named", "exit", NULL, END_OOM, 0, "oom_killed"},
    {"inputs that are named", "inputs", NULL, END_INPUTS, 0, "pending"},
    {"a budget", "exit", NULL, END_BUDGET, 0, "budget_stopped"},
    {"a node's fault", "exit", "75", END_LAUNCH_FAILED, 0, "pending"},
    {"success", "exit", NULL, END_EXIT, 0, "succeeded"},
};

START_TEST(only_what_a_job_names_is_tried_again)
{
    begin(1, 4, 0, 0);
    uint64_t job = world_submit(&w, "acme", one_of(1, rows[_i].on, rows[_i].code, 5000));
    ck_assert_uint_eq(world_decide(&w), 1);
    try(job, 0, rows[_i].cause, rows[_i].exit_code);
    ck_assert_msg(world_is(&w, job, rows[_i].state), "%s", rows[_i].fact);
    end();
}
END_TEST

START_TEST(the_pause_is_the_jobs_own_and_why_says_so)
{
    static const int64_t seconds[] = {20, 40, 60, 60};
    static const char *const words[] = {
        "pause: it waits 20s after its 1st failure (exit code 75); the next attempt may start at ",
        "pause: it waits 40s after its 2nd failure (exit code 75); the next attempt may start at ",
        "pause: it waits 1m after its 3rd failure (exit code 75); the next attempt may start at ",
        "pause: it waits 1m after its 4th failure (exit code 75); the next attempt may start at "};
    begin(1, 4, 0, 0);
    uint64_t job = world_submit(&w, "acme", one_of(4, NULL, "75", 20000));
    ck_assert_uint_eq(world_decide(&w), 1);
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        try(job, 0, END_EXIT, 75);
        ck_assert(waits_for(job, words[i]));
        pass(seconds[i] * SECOND - 1);
        ck_assert_uint_eq(world_decide(&w), 0);
        pass(1);
        ck_assert_uint_eq(world_decide(&w), 1);
    }
    try(job, 0, END_EXIT, 75);
    ck_assert(world_is(&w, job, "failed"));
    end();
}
END_TEST

START_TEST(after_a_nodes_fault_it_waits_as_all_do)
{
    begin(1, 4, 0, 0);
    uint64_t job = world_submit(&w, "acme", one_of(1, NULL, "75", 20000));
    ck_assert_uint_eq(world_decide(&w), 1);
    try(job, 0, END_LAUNCH_FAILED, 0);
    ck_assert(waits_for(job, "pause: it waits 1s after its 1st node fault (could not be started on its node"));
    pass(SECOND);
    ck_assert_uint_eq(world_decide(&w), 1);
    end();
}
END_TEST

START_TEST(each_task_of_an_array_has_its_own)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = one_of(1, NULL, "75", 20000);
    spec.array = (struct job_array){true, 0, 1, 0};
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 2);
    try(job, 0, END_EXIT, 75);
    try(job, 1, END_EXIT, 1);
    pass(20 * SECOND);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(is_live(job, 0));
    end();
}
END_TEST

START_TEST(a_gang_is_tried_again_as_one_by_who_ended_first)
{
    begin(2, 4, 0, 0);
    struct job_spec spec = gangs(4, 4, 1000);
    spec.retries = 1;
    spec.time_limit_ms = 60000;
    spec.retry = (struct job_retry){.present = true, .pause_ms = 30000};
    MUST(strs_add(&spec.retry.on, "time_limit") == 0);
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    ck_assert(world_end(&w, job, 2, END_TIME_LIMIT, 0, 60 * SECOND));
    ck_assert(world_end(&w, job, 0, END_EXIT, 7, 60 * SECOND)); /* it isn't asked: who ended first was */
    obey(job, 4, 60 * SECOND);
    pass(30 * SECOND - 1);
    ck_assert_uint_eq(world_decide(&w), 0);
    pass(1);
    ck_assert_uint_eq(world_decide(&w), 4);
    run_all(job, 4);
    ck_assert(world_end(&w, job, 1, END_EXIT, 7, SECOND));
    obey(job, 4, SECOND);
    ck_assert(world_is(&w, job, "failed"));
    end();
}
END_TEST

/* Specs that are alike are kept once. */
START_TEST(jobs_that_ask_alike_share_it_and_others_do_not)
{
    begin(1, 4, 0, 0);
    uint64_t a = world_submit(&w, "acme", one_of(1, NULL, "75", 5000));
    uint64_t b = world_submit(&w, "acme", one_of(1, NULL, "75", 5000));
    uint64_t c = world_submit(&w, "acme", one_of(1, NULL, "76", 5000));
    ck_assert_uint_eq(world_decide(&w), 3);
    try(a, 0, END_EXIT, 0);
    try(b, 0, END_EXIT, 75);
    try(c, 0, END_EXIT, 75);
    ck_assert(world_is(&w, a, "succeeded") && world_is(&w, b, "pending") && world_is(&w, c, "failed"));
    end();
}
END_TEST

START_TEST(what_finish_by_stops_is_over)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = one_of(3, "time_limit", NULL, 5000);
    spec.time_limit_ms = 0;
    MUST(str_set(&spec.finish_by, "10m") == 0);
    uint64_t job = world_submit(&w, "acme", spec);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, job, 0));
    pass(10 * MINUTE);
    (void)world_decide(&w);
    ck_assert(world_end(&w, job, 0, END_TIME_LIMIT, 0, 10 * MINUTE));
    ck_assert(world_is(&w, job, "timed_out"));
    end();
}
END_TEST

START_TEST(a_contradiction_is_refused_by_place)
{
    begin(1, 4, 0, 0);
    struct job_spec spec = one_of(0, NULL, "75", 5000);
    uint64_t job;
    ck_assert_int_eq(world_try_submit(&w, "acme", NULL, &spec, &job), CORE_REFUSED);
    ck_assert_ptr_nonnull(strstr(w.refusal.message, "retry: nothing is tried again without `retries`"));
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core retries");
    TCase *t = tcase_create("retries");
    tcase_add_loop_test(t, only_what_a_job_names_is_tried_again, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, the_pause_is_the_jobs_own_and_why_says_so);
    tcase_add_test(t, after_a_nodes_fault_it_waits_as_all_do);
    tcase_add_test(t, each_task_of_an_array_has_its_own);
    tcase_add_test(t, a_gang_is_tried_again_as_one_by_who_ended_first);
    tcase_add_test(t, jobs_that_ask_alike_share_it_and_others_do_not);
    tcase_add_test(t, what_finish_by_stops_is_over);
    tcase_add_test(t, a_contradiction_is_refused_by_place);
    suite_add_tcase(s, t);
    return run_suite(s);
}
