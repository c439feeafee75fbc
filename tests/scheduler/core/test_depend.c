/* Jobs that wait for other jobs. */
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
    (void)world_rule(&p, "acme/etl");
    (void)world_rule(&p, "globex");
    struct tenant_rule *rule = world_rule(&p, "acme/ml");
    MUST(strs_add(&rule->users, "ann") == 0);
    ck_assert_int_eq(world_apply(&w, &p), CORE_FACT);
    world_hello(&w, "n1", "b", cores, 256 * GIB);
}

static void end(void)
{
    world_verify(&w, NULL);
    world_fini(&w);
}

static struct job_spec tasks(uint32_t count)
{
    struct job_spec spec = world_spec(1000, GIB);
    if (count > 1)
        spec.array = (struct job_array){true, 0, count - 1, 0};
    return spec;
}

static struct job_spec after(struct job_spec spec, uint64_t job, uint32_t on)
{
    struct job_after *a = list_add(&spec.after, sizeof *a);
    *a = (struct job_after){.job = job, .on = on};
    return spec;
}

static struct job_spec same(struct job_spec spec, uint64_t job, uint32_t on)
{
    spec = after(spec, job, on);
    ((struct job_after *)spec.after.v)[spec.after.count - 1].tasks = AFTER_SAME;
    return spec;
}

static bool refused(struct job_spec spec, const char *key, const char *code, const char *words)
{
    uint64_t job;
    int rc = world_try_submit(&w, "acme", key, &spec, &job);
    bool so = rc == CORE_REFUSED && strcmp(w.refusal.code, code) == 0 && strstr(w.refusal.message, words) != NULL;
    if (!so)
        fprintf(stderr, "%d %s: %s\n", rc, w.refusal.code, w.refusal.message);
    return so;
}

static void run_to(uint64_t job, uint32_t task, int32_t code)
{
    ck_assert(world_run(&w, job, task));
    ck_assert(world_end(&w, job, task, END_EXIT, code, SECOND));
}

static char *why(uint64_t job)
{
    struct why_reply r;
    struct job_call call = {.job = job};
    ck_assert(core_why(w.core, &call, w.now, &r));
    char *text = r.blockers.count > 0 ? strdup(((const struct blocker *)r.blockers.v)[0].text) : NULL;
    fields_clear(&why_reply_fields, &r);
    return text;
}

static void waits_for(uint64_t job, const char *words)
{
    char *text = why(job);
    ck_assert_msg(text != NULL && strcmp(text, words) == 0, "'%s', not '%s'", text != NULL ? text : "nothing", words);
    free(text);
}

static char *reason(uint64_t job)
{
    struct job_row row = {0};
    ck_assert(core_job_row(w.core, job, w.now, &row));
    char *text = row.reason != NULL ? strdup(row.reason) : strdup("");
    fields_clear(&job_row_fields, &row);
    return text;
}

START_TEST(a_job_starts_when_the_other_has_succeeded)
{
    begin(8);
    uint64_t first = world_submit(&w, "acme/etl", tasks(3));
    uint64_t second = world_submit(&w, "acme", after(tasks(2), first, AFTER_SUCCESS));
    ck_assert_str_eq(w.quote.would_start, "dependency: job 1 must succeed; it waits, 0 of 3 tasks done");
    int64_t held = world_account(&w, "/@total").held_micros;
    ck_assert_int_le(held, 0);
    ck_assert_uint_eq(world_decide(&w), 3); /* there is room for more */
    waits_for(second, "dependency: job 1 must succeed; it runs, 0 of 3 tasks done");
    world_verify(&w, NULL);
    run_to(first, 1, 0);
    run_to(first, 0, 0);
    ck_assert_uint_eq(world_decide(&w), 0);
    waits_for(second, "dependency: job 1 must succeed; it runs, 2 of 3 tasks done");
    run_to(first, 2, 0);
    ck_assert_uint_eq(world_decide(&w), 2);
    end();
}
END_TEST

START_TEST(what_can_never_start_is_cancelled_with_its_cause)
{
    begin(8);
    uint64_t first = world_submit(&w, "acme", tasks(3));
    uint64_t second = world_submit(&w, "acme", after(tasks(4), first, AFTER_SUCCESS));
    uint64_t third = world_submit(&w, "acme", after(tasks(1), second, AFTER_SUCCESS));
    uint64_t other = world_submit(&w, "acme", after(tasks(1), first, AFTER_FAILURE));
    uint64_t last = world_submit(&w, "acme", after(tasks(1), first, AFTER_END));
    struct job_spec spec = after(tasks(1), first, AFTER_SUCCESS);
    spec.if_unmet = UNMET_KEEP;
    uint64_t kept = world_submit(&w, "acme", spec);
    (void)world_decide(&w);
    run_to(first, 0, 7); /* two more run: it can't succeed all the same */
    world_verify(&w, NULL);
    ck_assert_uint_eq(world_decide(&w), 0);
    ck_assert(world_is(&w, second, "cancelled"));
    char *text = reason(second);
    ck_assert_str_eq(text, "dependency failed: job 1 didn't succeed");
    free(text);
    (void)world_decide(&w);
    ck_assert(world_is(&w, third, "cancelled")); /* and so on */
    ck_assert(world_is(&w, kept, "pending"));
    waits_for(kept, "can never run: job 1 had to succeed, and that can't happen any more");
    world_verify(&w, NULL);
    run_to(first, 1, 0);
    run_to(first, 2, 0);
    ck_assert_uint_eq(world_decide(&w), 2);
    run_to(other, 0, 0);
    run_to(last, 0, 0);
    ck_assert_uint_eq(world_decide(&w), 0);
    struct cancel_reply reply;
    struct fact f;
    size_t count;
    ck_assert_int_eq(core_check_cancel(w.core, &(struct job_call){.job = kept}, "root", w.now, &f, 1, &count, &reply,
                                       &w.refusal),
                     CORE_FACT);
    world_commit(&w, &f);
    ck_assert(world_is(&w, kept, "cancelled"));
    end();
}
END_TEST

START_TEST(a_job_after_a_failure_is_cancelled_when_all_went_well)
{
    begin(8);
    uint64_t first = world_submit(&w, "acme", tasks(1));
    uint64_t second = world_submit(&w, "acme", after(tasks(1), first, AFTER_FAILURE));
    (void)world_decide(&w);
    run_to(first, 0, 0);
    (void)world_decide(&w);
    ck_assert(world_is(&w, second, "cancelled"));
    end();
}
END_TEST

START_TEST(a_cancelled_job_has_not_succeeded)
{
    begin(8);
    uint64_t first = world_submit(&w, "acme", tasks(1000));
    uint64_t second = world_submit(&w, "acme", after(tasks(1), first, AFTER_SUCCESS));
    uint64_t third = world_submit(&w, "acme", after(tasks(1), first, AFTER_FAILURE));
    struct cancel_reply reply;
    struct fact f;
    size_t count;
    ck_assert_int_eq(core_check_cancel(w.core, &(struct job_call){.job = first}, "root", w.now, &f, 1, &count, &reply,
                                       &w.refusal),
                     CORE_FACT);
    world_commit(&w, &f);
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_is(&w, second, "cancelled"));
    run_to(third, 0, 0);
    end();
}
END_TEST

START_TEST(each_task_may_wait_for_the_one_of_its_index)
{
    begin(64);
    uint64_t first = world_submit(&w, "acme", tasks(6));
    uint64_t second = world_submit(&w, "acme", same(tasks(6), first, AFTER_SUCCESS));
    (void)world_decide(&w);
    waits_for(second, "dependency: the same task of job 1 must succeed; it runs, 0 of 6 tasks done");
    run_to(first, 3, 0);
    run_to(first, 4, 1);
    run_to(first, 1, 0);
    world_verify(&w, NULL);
    ck_assert_uint_eq(world_decide(&w), 0); /* 4 is lost */
    ck_assert_uint_eq(world_decide(&w), 2); /* 1 and 3 */
    run_to(second, 3, 0);
    run_to(second, 1, 5);
    struct job_row row = {0};
    ck_assert(core_job_row(w.core, second, w.now, &row));
    ck_assert_uint_eq(row.done, 3);
    ck_assert_uint_eq(row.failed, 2);
    fields_clear(&job_row_fields, &row);
    world_verify(&w, NULL);
    run_to(first, 0, 0);
    run_to(first, 5, 0);
    run_to(first, 2, 0); /* it is over, what it came to isn't forgotten */
    world_verify(&w, NULL);
    ck_assert_uint_eq(world_decide(&w), 3);
    for (uint32_t i = 0; i < 6; i++)
        if (i != 1 && i != 3 && i != 4)
            run_to(second, i, 0);
    ck_assert(world_is(&w, second, "failed"));
    end();
}
END_TEST

START_TEST(a_task_that_is_tried_again_is_still_allowed)
{
    begin(64);
    uint64_t first = world_submit(&w, "acme", tasks(3));
    struct job_spec spec = same(tasks(3), first, AFTER_END);
    spec.retries = 1;
    spec.array.max_running = 1;
    uint64_t second = world_submit(&w, "acme", spec);
    (void)world_decide(&w);
    run_to(first, 2, 1);
    ck_assert_uint_eq(world_decide(&w), 1);
    run_to(second, 2, 1);
    world_verify(&w, NULL);
    world_pass(&w, MINUTE);
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    run_to(second, 2, 0);
    end();
}
END_TEST

START_TEST(one_task_of_a_job_is_enough_where_only_it_is_named)
{
    begin(8);
    uint64_t first = world_submit(&w, "acme", tasks(5));
    struct job_spec spec = after(tasks(1), first, AFTER_SUCCESS);
    ((struct job_after *)spec.after.v)->task = measure_of(3);
    uint64_t second = world_submit(&w, "acme", spec);
    (void)world_decide(&w);
    waits_for(second, "dependency: task 1.3 must succeed; it runs, 0 of 5 tasks done");
    run_to(first, 2, 1);
    ck_assert_uint_eq(world_decide(&w), 0);
    run_to(first, 3, 0);
    ck_assert_uint_eq(world_decide(&w), 1);
    end();
}
END_TEST

START_TEST(what_is_over_is_answered_at_once)
{
    begin(8);
    uint64_t good = world_submit(&w, "acme", tasks(1));
    uint64_t bad = world_submit(&w, "acme", tasks(3));
    (void)world_decide(&w);
    run_to(good, 0, 0);
    run_to(bad, 0, 1);
    run_to(bad, 1, 0);
    run_to(bad, 2, 0);
    uint64_t next = world_submit(&w, "acme", after(after(tasks(1), good, AFTER_SUCCESS), bad, AFTER_FAILURE));
    ck_assert_str_eq(w.quote.would_start, "now");
    ck_assert_uint_eq(world_decide(&w), 1);
    ck_assert(world_run(&w, next, 0));
    ck_assert(refused(after(tasks(1), bad, AFTER_SUCCESS), NULL, "never_fits", "job 2 has not succeeded"));
    ck_assert(refused(after(tasks(1), good, AFTER_FAILURE), NULL, "never_fits", "job 1 has not failed"));
    uint64_t some = world_submit(&w, "acme", same(tasks(3), bad, AFTER_SUCCESS));
    world_verify(&w, NULL);
    ck_assert_uint_eq(world_decide(&w), 0); /* the first of them is lost */
    ck_assert_uint_eq(world_decide(&w), 2);
    struct job_row row = {0};
    ck_assert(core_job_row(w.core, some, w.now, &row));
    ck_assert_uint_eq(row.failed, 1);
    fields_clear(&job_row_fields, &row);
    end();
}
END_TEST

START_TEST(what_nobody_may_wait_for_is_refused_by_name)
{
    begin(8);
    uint64_t first = world_submit(&w, "acme", tasks(5));
    uint64_t foreign = world_submit(&w, "globex", tasks(1));
    ck_assert(refused(after(tasks(1), 99, AFTER_END), NULL, "not_found", "there is no job 99 here"));
    ck_assert(refused(after(tasks(1), foreign, AFTER_END), NULL, "forbidden", "of the same tenant"));
    ck_assert(refused(after(tasks(1), 0, AFTER_END), NULL, "bad_request", "by its number or by its key"));
    ck_assert(refused(same(tasks(1), first, AFTER_END), NULL, "bad_request", "same is for arrays"));
    ck_assert(refused(same(tasks(6), first, AFTER_END), NULL, "not_found", "tasks 0 to 4"));
    struct job_spec spec = after(tasks(1), first, AFTER_END);
    ((struct job_after *)spec.after.v)->task = measure_of(5);
    ck_assert(refused(spec, NULL, "not_found", "tasks 0 to 4"));
    spec = after(tasks(1), 0, AFTER_END);
    MUST(str_set(&((struct job_after *)spec.after.v)->key, "me") == 0);
    ck_assert(refused(spec, "me", "bad_request", "can't wait for itself"));
    spec = after(tasks(1), 0, AFTER_END);
    MUST(str_set(&((struct job_after *)spec.after.v)->key, "who") == 0);
    ck_assert(refused(spec, "me", "not_found", "no job of the key 'who'"));
    struct submit_call call = {.tenant = (char[]){"acme/ml"}, .spec = after(tasks(1), first, AFTER_END)};
    struct fact f;
    fields_clear(&refusal_fields, &w.refusal);
    ck_assert_int_eq(core_check_submit(w.core, &call, 7, "ann", w.now, &f, &w.quote, &w.refusal), CORE_REFUSED);
    ck_assert_str_eq(w.refusal.message, "there is no job 1 here that you may see");
    fields_clear(&job_spec_fields, &call.spec);
    end();
}
END_TEST

START_TEST(a_key_and_the_fields_own_words_do_as_well)
{
    begin(8);
    uint64_t first, second;
    struct job_spec spec = tasks(1);
    ck_assert_int_eq(world_try_submit(&w, "acme", "one", &spec, &first), CORE_FACT);
    spec = after(tasks(1), 0, AFTER_ON_COUNT); /* afterok */
    MUST(str_set(&((struct job_after *)spec.after.v)->key, "one") == 0);
    ck_assert_int_eq(world_try_submit(&w, "acme", "two", &spec, &second), CORE_FACT);
    ck_assert_uint_eq(world_decide(&w), 1);
    run_to(first, 0, 0);
    spec = after(tasks(1), 0, AFTER_SUCCESS); /* the same again: the same job, whatever has become of the other */
    MUST(str_set(&((struct job_after *)spec.after.v)->key, "one") == 0);
    uint64_t again;
    ck_assert_int_eq(world_try_submit(&w, "acme", "two", &spec, &again), CORE_FACT);
    ck_assert_uint_eq(again, second);
    ck_assert_uint_eq(world_decide(&w), 1);
    end();
}
END_TEST

START_TEST(an_end_that_is_on_its_way_is_waited_for)
{
    begin(8);
    uint64_t first = world_submit(&w, "acme", tasks(1));
    (void)world_decide(&w);
    ck_assert(world_run(&w, first, 0));
    struct attempt_state state = {.id = {first, 0, 1}, .ended = true, .record = {.cause = END_EXIT, .run_us = SECOND}};
    struct fact ended, f;
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &ended), CORE_FACT);
    struct submit_call call = {.tenant = (char[]){"acme"}, .spec = after(tasks(1), first, AFTER_SUCCESS)};
    fields_clear(&submit_reply_fields, &w.quote);
    ck_assert_int_eq(core_check_submit(w.core, &call, 0, "root", w.now, &f, &w.quote, &w.refusal), CORE_LATER);
    /* And one that isn't committed yet can't be waited for: it may be refused. */
    struct submit_call other = {.tenant = (char[]){"acme"}, .spec = tasks(1)};
    ck_assert_int_eq(core_check_submit(w.core, &other, 0, "root", w.now, &f, &w.quote, &w.refusal), CORE_FACT);
    ((struct job_after *)call.spec.after.v)->job = w.quote.job;
    fields_clear(&submit_reply_fields, &w.quote);
    struct fact never;
    ck_assert_int_eq(core_check_submit(w.core, &call, 0, "root", w.now, &never, &w.quote, &w.refusal), CORE_LATER);
    world_commit(&w, &ended);
    world_commit(&w, &f);
    fields_clear(&job_spec_fields, &call.spec);
    fields_clear(&job_spec_fields, &other.spec);
    end();
}
END_TEST

/* What holds, whatever happens: a chain never runs out of order, and nothing is left over. */
START_TEST(many_that_wait_for_one_are_woken_by_its_end_alone)
{
    begin(64);
    uint64_t first = world_submit(&w, "acme", tasks(1)), other = world_submit(&w, "acme", tasks(1));
    for (int i = 0; i < 200; i++)
        (void)world_submit(&w, "acme", after(tasks(1), i < 100 ? first : other, AFTER_SUCCESS));
    ck_assert_uint_eq(world_decide(&w), 2);
    run_to(first, 0, 0);
    ck_assert_uint_eq(world_decide(&w), 63);
    ck_assert(world_run(&w, other, 0));
    ck_assert(world_end(&w, other, 0, END_OOM, 0, SECOND));
    ck_assert_uint_eq(world_decide(&w), 1);
    for (uint64_t job = other + 1; job <= other + 200; job++)
        if (job > other + 100)
            ck_assert(world_is(&w, job, "cancelled"));
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core depend");
    TCase *t = tcase_create("depend");
    tcase_add_test(t, a_job_starts_when_the_other_has_succeeded);
    tcase_add_test(t, what_can_never_start_is_cancelled_with_its_cause);
    tcase_add_test(t, a_job_after_a_failure_is_cancelled_when_all_went_well);
    tcase_add_test(t, a_cancelled_job_has_not_succeeded);
    tcase_add_test(t, each_task_may_wait_for_the_one_of_its_index);
    tcase_add_test(t, a_task_that_is_tried_again_is_still_allowed);
    tcase_add_test(t, one_task_of_a_job_is_enough_where_only_it_is_named);
    tcase_add_test(t, what_is_over_is_answered_at_once);
    tcase_add_test(t, what_nobody_may_wait_for_is_refused_by_name);
    tcase_add_test(t, a_key_and_the_fields_own_words_do_as_well);
    tcase_add_test(t, an_end_that_is_on_its_way_is_waited_for);
    tcase_add_test(t, many_that_wait_for_one_are_woken_by_its_end_alone);
    suite_add_tcase(s, t);
    return run_suite(s);
}
