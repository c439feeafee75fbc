/* The paid end on the whole system, with slices of two seconds: paused, gone on with, told in time, given up; and what
 * is suspended by a person. Root. */
#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/suite.h"
#include "tests/system/system.h"

/* A core costs 0.01 a second. */
#define CENT INT64_C(10000)
#define POLICY                                                                                                       \
    "currency: EUR\n"                                                                                                \
    "admins: [root]\n"                                                                                               \
    "prices:\n"                                                                                                      \
    "  - {from: 2026-01-01, per_hour: {cpu: 36.00}}\n"                                                              \
    "tenants:\n"                                                                                                     \
    "  lab: {budget: {limit: 0.03, period: total}, at_paid_end: pause}\n"                                            \
    "  given: {budget: {limit: 0.03, period: total}, at_paid_end: pause}\n"                                          \
    "  told: {budget: {limit: 0.03, period: total}, at_paid_end: checkpoint}\n"                                      \
    "  hard: {budget: {limit: 0.03, period: total}}\n"                                                                \
    "  rich: {}\n"

static uint64_t submit(const char *tenant, const char *command, const char *more)
{
    char spec[600];
    struct refusal refusal = {0};
    snprintf(spec, sizeof spec, "{\"command\":\"%s\"%s}", command, more);
    uint64_t job = system_submit(tenant, NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    return job;
}

/* All that was paid was used, and nothing else was charged: 100 us are a micro-unit. Less than the shortest slice, of a
 * second, may be left of the limit. */
static int64_t cost_of(uint64_t job, int64_t limit)
{
    struct job_view view = system_show(job);
    const struct attempt_view *a = view.attempts.v;
    int64_t cost = view.row.cost_micros, exact = ((int64_t)a->paid_us + 50) / 100;
    ck_assert_int_le(cost, limit);
    ck_assert_int_gt(cost, limit - CENT);
    ck_assert_int_le(cost, exact);
    ck_assert_int_ge(cost, exact - 1); /* a half is rounded to even */
    fields_clear(&job_view_fields, &view);
    return cost;
}

START_TEST(a_job_is_paused_to_the_cent_and_goes_on)
{
    uint64_t job = submit("lab", "i=0; while [ ! -e /tmp/never ]; do i=$((i+1)); done", "");
    system_wait_state(job, "paused");
    int64_t cost = cost_of(job, 3 * CENT);
    struct job_view view = system_show(job);
    const struct attempt_view *a = view.attempts.v;
    ck_assert_str_eq(a->state, "paused");
    ck_assert_uint_eq(a->paid_us, a->settled_us);
    ck_assert_int_eq(a->hold_micros, 0);
    fields_clear(&job_view_fields, &view);

    kill(system_pid("reeved"), SIGKILL); /* nobody who is started again wakes it, or forgets it */
    kill(system_pid("agent"), SIGKILL);
    system_wait_state(job, "paused");
    ck_assert_int_eq(cost_of(job, 3 * CENT), cost);

    system_set_budget("lab", 5 * CENT);
    system_wait_state(job, "running");
    system_wait_state(job, "paused");
    cost = cost_of(job, 5 * CENT);

    struct cancel_reply cancelled = {0};
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    struct job_call call = {.job = job};
    ck_assert_int_eq(system_call(&client_methods[CALL_CANCEL], &call, &cancelled, &refusal, 20000), 0);
    ck_assert(system_wait(job, 30000, &reply));
    ck_assert_str_eq(reply.row.state, "cancelled");
    ck_assert_int_eq(reply.row.cost_micros, cost); /* to the micro-unit: a stopped process runs no second */
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

static void change(enum client_method method, uint64_t job)
{
    struct suspend_call call = {.job = job};
    struct suspend_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[method], &call, &reply, &refusal, 20000), 0);
    ck_assert_uint_eq(reply.attempts, 1);
}

/* Nothing is held for it any more: its node has said that it stands still. What it has cost by then. */
static int64_t settled(uint64_t job)
{
    struct job_view view = system_show(job);
    const struct attempt_view *a = view.attempts.v;
    bool rests = a->hold_micros == 0;
    int64_t cost = view.row.cost_micros;
    if (rests) {
        ck_assert_str_eq(a->state, "suspended");
        ck_assert_uint_eq(a->paid_us, a->settled_us);
        ck_assert_int_le(cost, ((int64_t)a->paid_us + 50) / 100);
        ck_assert_int_ge(cost, ((int64_t)a->paid_us + 50) / 100 - 1);
    }
    fields_clear(&job_view_fields, &view);
    return rests ? cost : -1;
}

START_TEST(a_person_suspends_a_job_and_resumes_it)
{
    uint64_t job = submit("rich", "while :; do :; done", "");
    system_wait_state(job, "running");
    change(CALL_SUSPEND, job);
    system_wait_state(job, "suspended");
    int64_t cost = settled(job);
    ck_assert_int_ge(cost, 0);
    kill(system_pid("reeved"), SIGKILL); /* nobody who is started again wakes it, or forgets it */
    kill(system_pid("agent"), SIGKILL);
    system_wait_state(job, "suspended");
    ck_assert_int_eq(settled(job), cost);
    change(CALL_RESUME, job);
    system_wait_state(job, "running");
    change(CALL_SUSPEND, job);
    system_wait_state(job, "suspended");
    cost = settled(job);

    struct cancel_reply cancelled = {0};
    struct refusal refusal = {0};
    struct wait_reply reply = {0};
    struct job_call call = {.job = job};
    ck_assert_int_eq(system_call(&client_methods[CALL_CANCEL], &call, &cancelled, &refusal, 20000), 0);
    ck_assert(system_wait(job, 30000, &reply));
    ck_assert_str_eq(reply.row.state, "cancelled");
    ck_assert_int_eq(reply.row.cost_micros, cost); /* to the micro-unit: it ran no second more */
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

START_TEST(what_is_paused_for_too_long_is_stopped)
{
    uint64_t job = submit("given", "while :; do :; done", "");
    struct wait_reply reply = {0};
    system_wait_state(job, "paused");
    ck_assert(system_wait(job, 60000, &reply)); /* --pause-max */
    ck_assert_str_eq(reply.row.state, "budget_stopped");
    (void)cost_of(job, 3 * CENT);
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

START_TEST(a_job_is_told_in_time_to_save_what_it_has)
{
    uint64_t job = submit("told", "trap 'echo saved; exit 3' USR1; echo on; while :; do sleep 0.01; done", "");
    struct wait_reply reply = {0};
    ck_assert(system_wait(job, 60000, &reply));
    ck_assert_str_eq(reply.row.state, "failed");
    ck_assert_int_eq(reply.exit_code, 3);
    ck_assert_int_le(reply.row.cost_micros, 3 * CENT);
    char *log = system_log(job, 0, STREAM_OUT);
    ck_assert_str_eq(log, "on\nsaved\n");
    free(log);
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

/* As without any of this; and a job whose own budget is used up waits for nothing. */
START_TEST(others_are_stopped_there)
{
    static const struct {
        const char *tenant, *more;
        int64_t cents;
    } rows[] = {{"hard", "", 3}, {"lab", ",\"budget\":\"0.02\"", 2}};
    system_set_budget("lab", 100 * CENT);
    uint64_t job = submit(rows[_i].tenant, "while :; do :; done", rows[_i].more);
    struct wait_reply reply = {0};
    ck_assert(system_wait(job, 60000, &reply));
    ck_assert_str_eq(reply.row.state, "budget_stopped");
    (void)cost_of(job, rows[_i].cents * CENT);
    fields_clear(&wait_reply_fields, &reply);
}
END_TEST

START_TEST(the_report_equals_the_ledger)
{
    char text[2000];
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s BUILD\n", argv[0]);
        return 2;
    }
    system_start_with(argv[1], POLICY, (const char *const[]){"--slice", "2s", "--pause-max", "30s", NULL});
    Suite *s = suite_create("paid end");
    TCase *t = tcase_create("paid end");
    tcase_set_timeout(t, 150);
    tcase_add_test(t, a_job_is_paused_to_the_cent_and_goes_on);
    tcase_add_test(t, a_person_suspends_a_job_and_resumes_it);
    tcase_add_test(t, what_is_paused_for_too_long_is_stopped);
    tcase_add_test(t, a_job_is_told_in_time_to_save_what_it_has);
    tcase_add_loop_test(t, others_are_stopped_there, 0, 2);
    tcase_add_test(t, the_report_equals_the_ledger);
    suite_add_tcase(s, t);
    return suite_run_on_system(s);
}
