/* What the scheduler has forgotten of a job is taken from the reports. */
#include <check.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/loop.h"
#include "cli/show_past.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct scratch scratch;
static struct cli cli;
static pid_t reports;

/* ---- the reports: task 3 of any job had two attempts, the second with two lines of charges --------------------- */

static struct rpc_server *server;

static void add_line(struct attempt_view *a, uint64_t from_us, uint64_t us, int64_t micros)
{
    struct charge *c = list_add(&a->charges, sizeof *c);
    *c = (struct charge){.from_run_us = from_us, .run_us = us, .micros = micros};
    ck_assert_int_eq(str_set(&c->resource, "cpu"), 0);
}

static struct attempt_view *add_attempt(struct job_view *v, uint32_t epoch, uint64_t settled_us)
{
    struct attempt_view *a = list_add(&v->attempts, sizeof *a);
    *a = (struct attempt_view){.task = 3, .epoch = epoch, .settled_us = settled_us};
    return a;
}

static void on_show(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                    const void *params)
{
    (void)arg, (void)conn, (void)params;
    struct job_view past = {.left_out_utc_us = 77};
    (void)add_attempt(&past, 1, 0);
    struct attempt_view *a = add_attempt(&past, 2, 20);
    add_line(a, 0, 10, 4);
    add_line(a, 10, 10, 5);
    rpc_answer(server, ticket, m->result, &past);
    fields_clear(&job_view_fields, &past);
}

static _Noreturn void answer(const char *path, int ready)
{
    static const rpc_handler handlers[REPORT_METHOD_COUNT] = {[REPORT_SHOW] = on_show};
    static const struct rpc_handlers table = {.methods = report_methods, .handlers = handlers,
                                              .count = REPORT_METHOD_COUNT};
    struct loop *loop;
    struct err err = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (loop_new(&loop, &err) < 0 || rpc_listen(&server, loop, path, 0600, 8, &table, NULL, &err) < 0 ||
        write(ready, "", 1) != 1)
        _exit(2);
    _exit(loop_run(loop, &err) < 0 ? 2 : 0);
}

static void reports_begin(void)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    reports = fork();
    if (reports == 0)
        answer(cli.report_path, ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
}

static void setup(void)
{
    scratch = scratch_new();
    cli_init(&cli);
    cli.command = "show";
    cli.dir = scratch.dir;
    cli_find_sockets(&cli);
    ck_assert_int_eq(mkdir(scratch_path(&scratch, "report"), 0700), 0);
}

static void teardown(void)
{
    cli_fini(&cli);
    if (reports > 0) {
        kill(reports, SIGKILL);
        waitpid(reports, NULL, 0);
    }
    scratch_remove(&scratch);
}

static const struct job_call one_task = {.job = 9, .has_task = true, .task = 3}, whole_job = {.job = 9};

/* ---- the view ---------------------------------------------------------------------------------------------------- */

static struct job_view view_of(const char *task)
{
    struct job_view v = {0};
    ck_assert_int_eq(str_set(&v.task, task), 0);
    return v;
}

static const struct attempt_view *attempt(const struct job_view *v, size_t i)
{
    ck_assert_uint_lt(i, v->attempts.count);
    return &((const struct attempt_view *)v->attempts.v)[i];
}

START_TEST(a_task_without_attempts_has_those_of_the_reports)
{
    struct job_view v = view_of("succeeded");
    reports_begin();
    ck_assert(show_past_fill(&cli, &one_task, &v));
    ck_assert_uint_eq(v.attempts.count, 2);
    ck_assert_uint_eq(attempt(&v, 1)->epoch, 2);
    fields_clear(&job_view_fields, &v);
}
END_TEST

START_TEST(older_attempts_come_before_those_that_are_known)
{
    struct job_view v = view_of("running");
    reports_begin();
    (void)add_attempt(&v, 2, 0);
    ck_assert(show_past_fill(&cli, &one_task, &v));
    ck_assert_uint_eq(v.attempts.count, 2);
    ck_assert_uint_eq(attempt(&v, 0)->epoch, 1);
    ck_assert_uint_eq(attempt(&v, 1)->charges.count, 0); /* the scheduler's own: nothing was settled */
    fields_clear(&job_view_fields, &v);
}
END_TEST

START_TEST(lines_from_before_a_restart_are_the_reports)
{
    struct job_view v = {0};
    reports_begin();
    add_line(add_attempt(&v, 2, 20), 10, 10, 5);
    ck_assert(show_past_lacks_lines(attempt(&v, 0)));
    ck_assert(show_past_fill(&cli, &whole_job, &v));
    ck_assert_uint_eq(v.attempts.count, 1); /* of a whole job no attempt more */
    ck_assert_uint_eq(attempt(&v, 0)->charges.count, 2);
    ck_assert(!show_past_lacks_lines(attempt(&v, 0)));
    fields_clear(&job_view_fields, &v);
}
END_TEST

START_TEST(no_line_at_all_is_lacking_too)
{
    struct job_view v = {0};
    reports_begin();
    (void)add_attempt(&v, 2, 20);
    ck_assert(show_past_fill(&cli, &whole_job, &v));
    ck_assert_uint_eq(attempt(&v, 0)->charges.count, 2);
    fields_clear(&job_view_fields, &v);
}
END_TEST

START_TEST(when_it_was_left_out_is_asked_for)
{
    struct job_view v = view_of("left_out");
    reports_begin();
    ck_assert(show_past_fill(&cli, &one_task, &v));
    ck_assert_int_eq(v.left_out_utc_us, 77);
    fields_clear(&job_view_fields, &v);
}
END_TEST

START_TEST(without_reports_it_is_known_what_is_missing)
{
    struct job_view v = view_of("running");
    (void)add_attempt(&v, 1, 20);
    ck_assert(!show_past_fill(&cli, &one_task, &v));
    ck_assert_uint_eq(v.attempts.count, 1);
    ck_assert(show_past_lacks_lines(attempt(&v, 0)));
    fields_clear(&job_view_fields, &v);
}
END_TEST

START_TEST(nobody_is_asked_for_what_is_whole)
{
    struct job_view v = view_of("running");
    add_line(add_attempt(&v, 1, 20), 0, 20, 9);
    ck_assert(show_past_fill(&cli, &one_task, &v)); /* there are no reports */
    ck_assert(show_past_fill(&cli, &whole_job, &v));
    fields_clear(&job_view_fields, &v);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("show_past");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_task_without_attempts_has_those_of_the_reports);
    tcase_add_test(t, older_attempts_come_before_those_that_are_known);
    tcase_add_test(t, lines_from_before_a_restart_are_the_reports);
    tcase_add_test(t, no_line_at_all_is_lacking_too);
    tcase_add_test(t, when_it_was_left_out_is_asked_for);
    tcase_add_test(t, without_reports_it_is_known_what_is_missing);
    tcase_add_test(t, nobody_is_asked_for_what_is_whole);
    Suite *s = suite_create("cli/show_past");
    suite_add_tcase(s, t);
    return run_suite(s);
}
