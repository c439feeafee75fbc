#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/sim/workload.h"
#include "tests/run.h"

#define SECOND INT64_C(1000000)

static struct workload read_swf(const char *text, enum tenant_by by)
{
    struct workload w;
    struct err err = {0};
    ck_assert_msg(workload_swf(text, strlen(text), by, &w, &err) == 0, "%s", err_text(&err));
    return w;
}

START_TEST(a_line_of_a_log_is_a_job)
{
    struct workload w = read_swf(
        "; MaxProcs: 240\n"
        "    2        8     26  31039   30 310.5    -1   30  37980   512  1   7   3  -1  4  1 -1 -1\n"
        "    1        8     34     50    2  31405    -1   -1     -1    -1  0   1   1  -1 -1  1 -1 -1\r\n"
        "\n"
        "    4        0     34     -1    2  31405    -1   -1     -1    -1  5   1   1  -1 -1  1 -1 -1\n"
        "    3        3     34      1   -1  31405    -1    1     -1    -1  1   1   1  -1 -1  1 -1 -1", TENANT_BY_USER);
    ck_assert_uint_eq(w.processors, 240);
    ck_assert_uint_eq(w.count, 3);
    ck_assert_uint_eq(w.left_out, 1);
    ck_assert_int_eq(w.jobs[0].submit_us, 3 * SECOND); /* sorted; who came together stays in order */
    const struct sim_job *j = &w.jobs[1];
    ck_assert_int_eq(j->submit_us, 8 * SECOND);
    ck_assert_uint_eq(j->run_us, 31039 * 1000000ull);
    ck_assert_uint_eq(j->limit_us, 37980 * 1000000ull);
    ck_assert_uint_eq(j->cpu_milli, 30000);
    ck_assert_uint_eq(j->mem_bytes, 30ull * 512 * 1024);
    ck_assert_str_eq(w.tenants.v[j->tenant], "user7");
    ck_assert(!j->fails && w.jobs[2].fails);
    ck_assert_uint_eq(w.jobs[2].cpu_milli, 2000); /* as allocated, when it isn't known what was asked for */
    ck_assert_uint_eq(w.jobs[2].limit_us, 0);
    workload_fini(&w);
}
END_TEST

static const struct { enum tenant_by by; const char *tenant; } columns[] = {
    {TENANT_BY_USER, "user7"}, {TENANT_BY_GROUP, "group3"}, {TENANT_BY_QUEUE, "queue4"}};

START_TEST(a_tenant_is_a_column)
{
    struct workload w = read_swf("2 8 26 31039 30 310.5 -1 30 37980 512 1 7 3 -1 4 1 -1 -1\n", columns[_i].by);
    ck_assert_str_eq(w.tenants.v[w.jobs[0].tenant], columns[_i].tenant);
    workload_fini(&w);
}
END_TEST

static const char *const bad_logs[] = {
    "1 2 3\n", "1 2 x 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18\n", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 -\n",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18x\n", "hello\n",
    "1 9223372036854 0 10 1 1 -1 1 99 -1 1 1 1 1 1 1 -1 -1\n", /* in a year that has no name */
};

START_TEST(what_is_no_log_is_refused_with_its_line)
{
    struct workload w;
    struct err err = {0};
    char text[256];
    snprintf(text, sizeof text, "; a comment\n%s", bad_logs[_i]);
    ck_assert_int_eq(workload_swf(text, strlen(text), TENANT_BY_USER, &w, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "line 2: "));
}
END_TEST

START_TEST(an_event_is_a_job)
{
    static const char text[] =
        "-dt 59 -e submit_batch_job | -J j2 -sim-walltime 0 --uid=user1 -t 2-01:00:30 -n 12 --ntasks-per-node=6 "
        "-A account2 -p normal -q normal --mem=1000 pseudo.job\n"
        "-dt 49 -e submit_batch_job | -J j1 -sim-walltime 1201 --uid=user1 -t 30 -n 1 -A account1 "
        "-p normal pseudo.job\n";
    struct workload w;
    struct err err = {0};
    ck_assert_msg(workload_events(text, strlen(text), TENANT_BY_GROUP, &w, &err) == 0, "%s", err_text(&err));
    ck_assert_uint_eq(w.count, 2);
    ck_assert_int_eq(w.jobs[0].submit_us, 49 * SECOND);
    ck_assert_uint_eq(w.jobs[0].run_us, 1201 * 1000000ull);
    ck_assert_uint_eq(w.jobs[0].limit_us, 1800 * 1000000ull);
    ck_assert_str_eq(w.tenants.v[w.jobs[0].tenant], "account1");
    ck_assert_uint_eq(w.jobs[1].limit_us, (2 * 86400 + 3600 + 30) * 1000000ull);
    ck_assert_uint_eq(w.jobs[1].run_us, w.jobs[1].limit_us); /* until its limit */
    ck_assert_uint_eq(w.jobs[1].cpu_milli, 12000);
    ck_assert_uint_eq(w.jobs[1].mem_bytes, 2ull * 1000 << 20);
    workload_fini(&w);
}
END_TEST

static const char *const bad_events[] = {
    "-dt x -e submit_batch_job | -n 1 -A a --uid=u -t 5 -sim-walltime 5\n",
    "-dt 1 -e cancel_job | -J j1\n",
    "-dt 1 -e submit_batch_job | -n 0 -A a --uid=u -t 5 -sim-walltime 5\n",
    "-dt 1 -e submit_batch_job | -n 1 --uid=u -t 5 -sim-walltime 5\n",
    "-dt 1 -e submit_batch_job | -n 1 -A a --uid=u -t soon -sim-walltime 5\n",
    "-dt 1 -e submit_batch_job | -n 1 -A ../x --uid=u -t 5 -sim-walltime 5\n",
};

START_TEST(what_is_no_event_is_refused_with_its_line)
{
    struct workload w;
    struct err err = {0};
    ck_assert_int_eq(workload_events(bad_events[_i], strlen(bad_events[_i]), TENANT_BY_GROUP, &w, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "line 1: "));
}
END_TEST

START_TEST(a_seed_is_one_load)
{
    struct load_options o = {
        .seed = 7, .jobs = 5000, .tenants = 4, .per_hour = 3600, .mean_run_s = 100, .cores_max = 8};
    struct workload a, b;
    struct err err = {0};
    ck_assert_int_eq(workload_load(&o, &a, &err), 0);
    ck_assert_int_eq(workload_load(&o, &b, &err), 0);
    ck_assert_uint_eq(a.count, 5000);
    ck_assert_int_eq(memcmp(a.jobs, b.jobs, a.count * sizeof a.jobs[0]), 0);
    workload_fini(&b);
    o.seed = 8;
    ck_assert_int_eq(workload_load(&o, &b, &err), 0);
    ck_assert_int_ne(memcmp(a.jobs, b.jobs, a.count * sizeof a.jobs[0]), 0);
    /* About one a second. */
    ck_assert_int_gt(a.jobs[4999].submit_us, 4500 * SECOND);
    ck_assert_int_lt(a.jobs[4999].submit_us, 5500 * SECOND);
    for (size_t i = 0; i < a.count; i++)
        if (a.jobs[i].limit_us <= a.jobs[i].run_us || a.jobs[i].cpu_milli > 8000)
            ck_abort_msg("job %zu", i);
    workload_fini(&a);
    workload_fini(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sim/workload");
    TCase *t = tcase_create("workload");
    tcase_add_test(t, a_line_of_a_log_is_a_job);
    tcase_add_loop_test(t, a_tenant_is_a_column, 0, COUNT_OF(columns));
    tcase_add_loop_test(t, what_is_no_log_is_refused_with_its_line, 0, COUNT_OF(bad_logs));
    tcase_add_test(t, an_event_is_a_job);
    tcase_add_loop_test(t, what_is_no_event_is_refused_with_its_line, 0, COUNT_OF(bad_events));
    tcase_add_test(t, a_seed_is_one_load);
    suite_add_tcase(s, t);
    return run_suite(s);
}
