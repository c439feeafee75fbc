#include "scheduler/core/estimate.h"
#include "scheduler/core/reserve_inner.h"
#include "tests/run.h"
#include "tests/scheduler/core/why.h"

START_TEST(every_blocker_is_named_at_every_level_with_what_would_help)
{
    begin_limits();
    for (int i = 0; i < 2; i++)
        (void)world_submit(&w, "acme/etl", world_spec(2000, GIB));
    ck_assert_uint_eq(world_decide(&w), 2);
    uint64_t job = world_submit(&w, "acme/etl", world_spec(2000, GIB));
    world_pass(&w, 4 * MINUTE);
    core_node_seen(w.core, "n1", w.now);
    (void)world_decide(&w);
    struct why_reply r = why(job);
    ck_assert_str_eq(r.state, "pending");
    ck_assert_uint_eq(r.pending_ms, 240000);
    ck_assert_uint_eq(r.blockers.count, 3);
    ck_assert_str_eq(blocker(&r, 0)->kind, "quota");
    ck_assert_str_eq(blocker(&r, 0)->where, "acme/etl");
    ck_assert_str_eq(blocker(&r, 0)->text, "quota: acme/etl uses 4 of 4 cpu, needs 2, short 2");
    ck_assert_str_eq(blocker(&r, 1)->text, "quota: acme uses 2 of 2 running, needs 1, short 1");
    ck_assert_str_eq(blocker(&r, 2)->kind, "budget");
    ck_assert_str_eq(
        blocker(&r, 2)->text,
        "budget: acme/etl has 1.40 free (limit 5.00, spent 0.00, held 3.60), needs 1.80, short 0.40");
    ck_assert_int_eq(blocker(&r, 2)->short_by, 400000);
    ck_assert_str_eq(r.change, "quota cpu of acme/etl grows by 2, and quota running of acme grows by 1, "
                               "and budget acme/etl grows by 0.40");
    fields_clear(&why_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(a_row_shows_the_first_blocker)
{
    begin_limits();
    (void)world_submit(&w, "globex", world_spec(16000, GIB));
    (void)world_decide(&w);
    uint64_t job = world_submit(&w, "globex", world_spec(2000, GIB));
    struct job_row row;
    ck_assert(core_job_row(w.core, job, w.now, &row));
    ck_assert_int_eq(row.start_to_utc_us, 0); /* what runs there has no limit */
    ck_assert_str_eq(row.waiting_for,
                     "placement: no node has room now; nearest is n1 with 0 cpu free, needs 2");
    ck_assert_str_eq(w.quote.would_start, row.waiting_for);
    fields_clear(&job_row_fields, &row);
    world_fini(&w);
}
END_TEST

START_TEST(an_estimate_is_an_interval_whose_end_comes_from_limits_and_its_begin_from_what_ended)
{
    begin_limits();
    struct job_spec spec = world_spec(16000, GIB);
    spec.time_limit_ms = 600000;
    uint64_t first = world_submit(&w, "globex", spec);
    (void)world_decide(&w);
    ck_assert(world_run(&w, first, 0));
    uint64_t job = world_submit(&w, "globex", world_spec(1000, GIB));
    struct why_reply r = why(job);
    ck_assert_str_eq(r.estimate, "between 2026-11-24T00:00:00Z and 2026-11-24T00:10:08Z, on n1, if nobody goes first");
    fields_clear(&why_reply_fields, &r);
    world_pass(&w, 5 * MINUTE);
    ck_assert(world_end(&w, first, 0, END_EXIT, 0, (uint64_t)(5 * MINUTE)));
    core_node_seen(w.core, "n1", w.now);
    ck_assert_uint_eq(world_decide(&w), 1);
    spec = world_spec(15000, GIB);
    spec.time_limit_ms = 3600000;
    uint64_t second = world_submit(&w, "globex", spec);
    (void)world_decide(&w);
    ck_assert(world_run(&w, second, 0));
    spec = world_spec(15000, GIB);
    spec.time_limit_ms = 3600000;
    r = why(world_submit(&w, "globex", spec)); /* one half of its limit is a small step up */
    ck_assert_str_eq(r.estimate, "between 2026-11-24T00:05:19Z and 2026-11-24T01:05:08Z, on n1, if nobody goes first");
    fields_clear(&why_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(a_row_and_why_say_when_the_next_of_a_tenant_starts_and_no_other)
{
    begin_limits();
    struct job_spec spec = world_spec(16000, GIB), one = world_spec(1000, GIB);
    spec.time_limit_ms = 600000;
    uint64_t first = world_submit(&w, "globex", spec);
    (void)world_decide(&w);
    ck_assert(world_run(&w, first, 0));
    uint64_t next = world_submit(&w, "globex", one), behind = world_submit(&w, "globex", world_spec(1000, GIB));
    struct job_row row;
    ck_assert(core_job_row(w.core, next, w.now, &row));
    ck_assert_int_eq(row.start_from_utc_us, w.now.utc_us);
    ck_assert_int_eq(row.start_to_utc_us, w.now.utc_us + 10 * MINUTE + 8 * SECOND); /* and grace, and kill */
    fields_clear(&job_row_fields, &row);
    struct why_reply r = why(next);
    ck_assert_int_eq(r.start_to_utc_us, w.now.utc_us + 10 * MINUTE + 8 * SECOND);
    fields_clear(&why_reply_fields, &r);
    ck_assert(core_job_row(w.core, behind, w.now, &row));
    ck_assert_int_eq(row.start_to_utc_us, 0);
    fields_clear(&job_row_fields, &row);
    r = why(behind);
    ck_assert_int_eq(r.start_to_utc_us, 0);
    ck_assert_str_eq(r.estimate, "not before 2026-11-24T00:00:00Z: others of globex go first");
    fields_clear(&why_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(an_estimate_that_is_not_known_says_so)
{
    begin_limits();
    uint64_t first = world_submit(&w, "globex", world_spec(16000, GIB));
    (void)world_decide(&w);
    ck_assert(world_run(&w, first, 0));
    uint64_t job = world_submit(&w, "globex", world_spec(1000, GIB));
    struct why_reply r = why(job);
    ck_assert_ptr_nonnull(strstr(r.estimate, "not known: what runs where it fits may run on for days, or has no time"));
    fields_clear(&why_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(what_no_node_can_hold_any_more_can_never_run)
{
    begin_limits();
    uint64_t job = world_submit(&w, "globex", world_spec(16000, GIB));
    world_hello(&w, "n1", "b", 8, 64 * GIB);
    struct why_reply r = why(job);
    ck_assert_str_eq(blocker(&r, 0)->kind, "never");
    ck_assert_str_eq(r.change, "resources.cpu <= 8");
    fields_clear(&why_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(a_cap_a_pause_and_a_refusal_are_named)
{
    begin_limits();
    struct job_spec spec = world_spec(1000, GIB);
    spec.array = (struct job_array){true, 0, 3, 1};
    uint64_t job = world_submit(&w, "globex", spec);
    (void)world_decide(&w);
    struct why_reply r = why(job);
    ck_assert_str_eq(blocker(&r, 0)->text, "cap: 1 of at most 1 tasks of this job are running");
    fields_clear(&why_reply_fields, &r);
    uint64_t single = world_submit(&w, "globex", world_spec(1000, GIB));
    (void)world_decide(&w);
    ck_assert(world_end(&w, single, 0, END_LAUNCH_FAILED, 0, 0));
    r = why(single);
    ck_assert_str_eq(blocker(&r, 0)->kind, "rate");
    fields_clear(&why_reply_fields, &r);
    uint64_t refused = world_submit(&w, "globex", world_spec(2000, GIB));
    struct fact f;
    ck_assert_uint_eq(core_decide(w.core, w.now, &f, 1, &w.next_boot_us), 1);
    ck_assert_uint_eq(f.placed.id.job, refused);
    world_refuse(&w, &f, "budget");
    r = why(refused);
    ck_assert_str_eq(blocker(&r, 0)->kind, "store");
    ck_assert_ptr_nonnull(strstr(blocker(&r, 0)->text, "(budget)"));
    fields_clear(&why_reply_fields, &r);
    world_fini(&w);
}
END_TEST

START_TEST(nothing_blocks_what_runs_or_is_done)
{
    begin_limits();
    uint64_t job = world_submit(&w, "globex", world_spec(1000, GIB));
    (void)world_decide(&w);
    struct why_reply r = why(job);
    ck_assert_str_eq(r.state, "running");
    ck_assert_uint_eq(r.blockers.count, 0);
    fields_clear(&why_reply_fields, &r);
    ck_assert(world_end(&w, job, 0, END_EXIT, 3, SECOND));
    r = why(job);
    ck_assert_str_eq(r.state, "failed");
    fields_clear(&why_reply_fields, &r);
    struct job_view v = world_view(&w, job);
    ck_assert_int_eq(v.exit_code, 3);
    fields_clear(&job_view_fields, &v);
    ck_assert(!core_why(w.core, &(struct job_call){.job = 99}, w.now, &r));
    world_fini(&w);
}
END_TEST

/* The same functions answer and decide: what `why` says doesn't block starts, and the other way round. */
START_TEST(why_and_decide_agree)
{
    begin_limits();
    for (int i = 0; i < 40; i++) {
        uint64_t job = world_submit(&w, i % 3 ? "globex" : "acme/etl",
                                    world_spec(500 + (uint64_t)(i % 7) * 500, GIB * (uint64_t)(1 + i % 9)));
        struct why_reply r = why(job);
        bool free = r.blockers.count == 0;
        fields_clear(&why_reply_fields, &r);
        (void)world_decide(&w);
        struct attempt_id id = {job, 0, 0};
        ck_assert_msg(free == (world_node_of(&w, &id) != NULL), "job %d", i);
    }
    world_fini(&w);
}
END_TEST

/* A job of an hour on each node of a cell. */
static void begin_full(unsigned nodes)
{
    char name[16];
    begin_limits();
    for (unsigned i = 2; i <= nodes; i++) {
        snprintf(name, sizeof name, "n%u", i);
        world_hello(&w, name, "b", 16, 64 * GIB);
    }
    for (unsigned i = 0; i < nodes; i++) {
        struct job_spec spec = world_spec(16000, GIB);
        spec.time_limit_ms = 3600000;
        (void)world_submit(&w, "globex", spec);
    }
    ck_assert_uint_eq(world_decide(&w), nodes);
}

/* How many of so many submissions are answered with when they could start; *ret_profiles: what that took. */
static unsigned answers_with_a_time(unsigned submissions, uint64_t *ret_profiles)
{
    unsigned with = 0;
    uint64_t before = w.core->reserves->profiles;
    for (unsigned i = 0; i < submissions; i++) {
        (void)world_submit(&w, "globex", world_spec(1000, GIB));
        ck_assert_ptr_nonnull(strstr(w.quote.would_start, "placement: no node has room now; nearest is n"));
        with += strstr(w.quote.would_start, "between ") == w.quote.would_start;
    }
    *ret_profiles = w.core->reserves->profiles - before;
    return with;
}

START_TEST(many_submissions_ask_no_more_of_many_nodes_than_few_of_few)
{
    uint64_t few, many, later;
    begin_full(40);
    ck_assert_uint_eq(answers_with_a_time(20, &few), ESTIMATES_NEW_MAX);
    world_pass(&w, SECOND / 10 - 1);
    ck_assert_uint_eq(answers_with_a_time(20, &later), 0);
    ck_assert_uint_eq(later, 0);
    world_pass(&w, 1);
    ck_assert_uint_eq(answers_with_a_time(3, &later), 3);
    ck_assert_uint_gt(later, 0);
    world_fini(&w);
    begin_full(300);
    ck_assert_uint_eq(answers_with_a_time(500, &many), ESTIMATES_NEW_MAX);
    ck_assert_uint_eq(many, few);
    world_fini(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("core explain");
    TCase *t = tcase_create("facts");
    tcase_add_test(t, every_blocker_is_named_at_every_level_with_what_would_help);
    tcase_add_test(t, a_row_shows_the_first_blocker);
    tcase_add_test(t, an_estimate_is_an_interval_whose_end_comes_from_limits_and_its_begin_from_what_ended);
    tcase_add_test(t, a_row_and_why_say_when_the_next_of_a_tenant_starts_and_no_other);
    tcase_add_test(t, an_estimate_that_is_not_known_says_so);
    tcase_add_test(t, what_no_node_can_hold_any_more_can_never_run);
    tcase_add_test(t, a_cap_a_pause_and_a_refusal_are_named);
    tcase_add_test(t, nothing_blocks_what_runs_or_is_done);
    tcase_add_test(t, why_and_decide_agree);
    tcase_add_test(t, many_submissions_ask_no_more_of_many_nodes_than_few_of_few);
    suite_add_tcase(s, t);
    return run_suite(s);
}
