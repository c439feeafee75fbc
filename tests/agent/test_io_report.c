/* The report of how the disk is shared: what it says of who moved, waits or is held; when nothing is to be said; where
 * it can't be written. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/core/io_status.h"
#include "agent/io_metrics.h"
#include "agent/attempt.h"
#include "agent/io_report.h"
#include "agent/metering.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "tests/promtool.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct scratch scratch;
static struct loop *loop;
static struct fair *fair;
static struct io_report *report;
static struct io_status status;

static void go(void *owner, uint64_t token, const struct fq_grant *grant)
{
    (void)owner, (void)token;
    fair_done(fair, grant, grant->bytes);
}

static void setup(void)
{
    struct err err = {0};
    scratch = scratch_new();
    ck_assert_int_eq(chdir(scratch.dir), 0);
    ck_assert_int_eq(mkdir("node", 0700), 0);
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(fair_new(&fair, loop, NULL, &err), 0);
    ck_assert_int_eq(io_report_new(&report, loop, fair, "8:1", "as measured", &err), 0);
}

static void teardown(void)
{
    fields_clear(&io_status_fields, &status);
    io_report_free(report);
    fair_free(fair);
    loop_free(loop);
    ck_assert_int_eq(chdir("/"), 0);
    scratch_remove(&scratch);
}

static arbiter_id open_stream(const char *tenant)
{
    arbiter_id id;
    struct arbiter_stream s = {.tenant = tenant, .job = 1, .out_max = 8, .go = go};
    ck_assert_int_eq(arbiter_open(fair_arbiter(fair), &s, &id), 0);
    return id;
}

static void move(arbiter_id id, enum io_dir dir, uint64_t bytes)
{
    ck_assert_int_eq(fair_post(fair, id, &(struct fq_request){.dir = dir, .bytes = bytes}), 0);
    struct timer *t;
    ck_assert_int_eq(timer_new(&t, loop, (void (*)(void *))loop_stop, loop), 0);
    timer_set_us(t, 0);
    ck_assert_int_eq(loop_run(loop, NULL), 0);
    timer_free(t);
}

static void read_report(void)
{
    struct buf text = {0};
    struct err err = {0};
    fields_clear(&io_status_fields, &status);
    ck_assert_msg(file_read(IO_STATUS_PATH, 1 << 20, &text, &err) == 0, "%s", err.text);
    ck_assert_msg(json_read(&io_status_fields, buf_text(&text), text.len, JSON_LENIENT, &status, &err) == 0, "%s",
                  err.text);
    buf_fini(&text);
}

static const struct io_tenant *tenant(size_t i)
{
    ck_assert_uint_lt(i, status.tenants.count);
    return &((const struct io_tenant *)status.tenants.v)[i];
}

START_TEST(it_says_who_moved_and_who_is_held)
{
    arbiter_id much = open_stream("much"), little = open_stream("little"), held = open_stream("held");
    open_stream("idle");
    const struct share_given slow = {"held", {.weight = 7, .limits.bytes_per_s = 1}};
    ck_assert_int_eq(fair_shares(fair, &slow, 1), 0);
    move(much, IO_READ, 1 << 20);
    move(little, IO_WRITE, 4096);
    move(held, IO_WRITE, 1);
    move(held, IO_WRITE, 1000);
    fair_direct(fair, "little", IO_READ, 1, 8192);
    ck_assert(io_report_write(report));
    read_report();
    ck_assert_str_eq(status.device, "8:1");
    ck_assert_str_eq(status.model, "as measured");
    ck_assert_uint_gt(status.window_us, 0);
    ck_assert_uint_eq(status.tenants.count, 3);
    ck_assert_str_eq(tenant(0)->tenant, "much");
    ck_assert_uint_eq(tenant(0)->read_bytes, 1 << 20);
    ck_assert_uint_eq(tenant(0)->weight, IO_WEIGHT_DEFAULT);
    ck_assert_str_eq(tenant(1)->tenant, "little");
    ck_assert_uint_eq(tenant(1)->written_bytes, 4096);
    ck_assert_uint_eq(tenant(1)->direct_read_bytes, 8192);
    ck_assert_str_eq(tenant(2)->tenant, "held");
    ck_assert_uint_eq(tenant(2)->weight, 7);
    ck_assert_uint_eq(tenant(2)->bytes_per_s, 1);
    ck_assert_uint_eq(tenant(2)->standing, FQ_LIMITED);
    ck_assert_uint_gt(tenant(2)->limited_us, 0);
    ck_assert_uint_eq(tenant(2)->limited_by, FQ_LIMIT_BYTES);
    ck_assert_uint_gt(tenant(2)->part_ppm, 0); /* it waits, however long this took */
    ck_assert_uint_eq(tenant(0)->operations, 2);    /* it came alone: chunks of 512 KiB */
    ck_assert_uint_gt(status.service_p99_us, 0);
    ck_assert_uint_eq(status.stuck, 0);
}
END_TEST

static struct attempt attempts[IO_JOBS_MAX + 2];

static void say(void *arg, struct io_report *r)
{
    struct attempt_moved m;
    for (size_t i = 0; i < *(size_t *)arg; i++)
        if (metering_rise(&attempts[i], &m))
            io_report_moved(r, &m);
}

static const struct io_job *job(size_t i)
{
    ck_assert_uint_lt(i, status.jobs.count);
    return &((const struct io_job *)status.jobs.v)[i];
}

static void report_again(void)
{
    fields_clear(&io_status_fields, &status);
    fair_direct(fair, "acme", IO_READ, 1, 1 << 20); /* something moves */
    ck_assert(io_report_write(report));
    read_report();
}

START_TEST(the_jobs_that_moved_most_come_first_their_tasks_together)
{
    size_t count = 3;
    attempts[0] = (struct attempt){.tenant = "acme", .id = {7, 0, 1}};
    attempts[1] = (struct attempt){.tenant = "other", .id = {8, 0, 1}};
    attempts[2] = (struct attempt){.tenant = "acme", .id = {7, 1, 1}};
    open_stream("acme");
    io_report_ask(report, say, &count);
    attempts[0].account.at.moved.bytes[IO_READ] = 3000;
    attempts[2].account.at.kernel.bytes[IO_WRITE] = 2000;
    attempts[1].account.at.kernel.bytes[IO_READ] = 9000; /* granted, what its mover hasn't said yet */
    report_again();
    ck_assert_uint_eq(status.jobs.count, 2);
    ck_assert_uint_eq(job(0)->job, 8);
    ck_assert_str_eq(job(0)->tenant, "other");
    ck_assert_uint_eq(job(0)->direct_read_bytes, 9000);
    ck_assert_uint_eq(job(1)->job, 7);
    ck_assert_uint_eq(job(1)->read_bytes, 3000);
    ck_assert_uint_eq(job(1)->direct_written_bytes, 2000);
    attempts[1].account.at.moved.bytes[IO_READ] = 9000; /* now it has */
    attempts[1].account.at.kernel.bytes[IO_READ] = 9500;
    report_again();
    ck_assert_uint_eq(status.jobs.count, 1);
    ck_assert_uint_eq(job(0)->read_bytes, 9000);
    ck_assert_uint_eq(job(0)->direct_read_bytes, 0);
}
END_TEST

START_TEST(no_more_jobs_are_said_than_have_room)
{
    size_t count = COUNT_OF(attempts);
    open_stream("acme");
    io_report_ask(report, say, &count);
    for (size_t i = 0; i < count; i++) {
        attempts[i] = (struct attempt){.tenant = "acme", .id = {i + 1, 0, 1}};
        attempts[i].account.at.moved.bytes[IO_WRITE] = i + 1;
    }
    report_again();
    ck_assert_uint_eq(status.jobs.count, IO_JOBS_MAX);
    ck_assert_uint_eq(job(0)->job, count);
}
END_TEST

/* The value of the line that begins so; NULL: there is none. */
static const char *metric(const struct buf *text, const char *line)
{
    for (const char *at = buf_text(text); (at = strstr(at, line)) != NULL; at++)
        if (at == buf_text(text) || at[-1] == '\n')
            return at + strlen(line);
    return NULL;
}

static void has(const struct buf *text, const char *line)
{
    ck_assert_msg(metric(text, line) != NULL, "no %s", line);
}

START_TEST(prometheus_hears_of_the_disk_and_of_each_tenant)
{
    struct buf text = {0};
    io_metrics_text(fair_arbiter(fair), "8:1", &text);
    promtool_check(buf_text(&text)); /* also without a single tenant */
    buf_fini(&text);
    arbiter_id much = open_stream("much"), held = open_stream("held");
    open_stream("a\"b\\c\nd"); /* no path is like this; a label that breaks out would make up metrics */
    const struct share_given slow = {"held", {.weight = 7, .limits.ops_per_s = 1}};
    ck_assert_int_eq(fair_shares(fair, &slow, 1), 0);
    move(much, IO_READ, 1 << 20); /* in chunks: it waited once */
    move(held, IO_WRITE, 1);
    move(held, IO_WRITE, 1000);
    fair_direct(fair, "much", IO_READ, 3, 12288);
    io_metrics_text(fair_arbiter(fair), "8:1", &text);
    promtool_check(buf_text(&text));
    has(&text, "reeve_io_tenant_weight{device=\"8:1\",tenant=\"held\"} 7\n");
    has(&text, "reeve_io_tenant_moved_bytes_total{device=\"8:1\",tenant=\"much\",direction=\"read\"} 1048576\n");
    has(&text, "reeve_io_tenant_direct_bytes_total{device=\"8:1\",tenant=\"much\",direction=\"read\"} 12288\n");
    has(&text, "reeve_io_tenant_direct_operations_total{device=\"8:1\",tenant=\"much\",direction=\"read\"} 3\n");
    has(&text, "reeve_io_tenant_limited_total{device=\"8:1\",tenant=\"held\",by=\"operations\"} 1\n");
    has(&text, "reeve_io_tenant_limited_total{device=\"8:1\",tenant=\"held\",by=\"bytes\"} 0\n");
    has(&text, "reeve_io_tenant_state{device=\"8:1\",tenant=\"held\",state=\"limited\"} 1\n");
    has(&text, "reeve_io_tenant_state{device=\"8:1\",tenant=\"much\",state=\"idle\"} 1\n");
    has(&text, "reeve_io_tenant_weight{device=\"8:1\",tenant=\"a?b?c?d\"} 100\n");
    has(&text, "reeve_io_wait_seconds_count{device=\"8:1\"} 2\n");
    has(&text, "reeve_io_service_seconds_bucket{device=\"8:1\",le=\"+Inf\"} 3\n");
    has(&text, "reeve_io_stuck_operations{device=\"8:1\"} 0\n");
    has(&text, "reeve_io_jobs_kernel_bytes_total{device=\"8:1\",direction=\"read\"} 0\n");
    has(&text, "reeve_io_jobs_billed_bytes_total{device=\"8:1\",of=\"disk\"} 0\n");
    buf_fini(&text);
}
END_TEST

START_TEST(the_metrics_file_goes_with_its_agent)
{
    struct io_metrics *m = NULL;
    struct err err = {0};
    arbiter_id one = open_stream("one");
    ck_assert_int_eq(io_metrics_new(&m, loop, fair, "8:1", &err), 0);
    move(one, IO_READ, 4096); /* a turn: its first one is due at once */
    move(one, IO_READ, 4096);
    ck_assert_int_eq(access(IO_METRICS_PATH, R_OK), 0);
    io_metrics_free(m);
    ck_assert_int_eq(access(IO_METRICS_PATH, F_OK), -1);
    ck_assert_int_eq(mkdir(IO_METRICS_PATH ".new", 0700), 0); /* it can't be written */
    ck_assert_int_eq(io_metrics_new(&m, loop, fair, "8:1", &err), 0);
    move(one, IO_READ, 4096);
    move(one, IO_READ, 4096);
    ck_assert_int_eq(access(IO_METRICS_PATH, F_OK), -1);
    io_metrics_free(m);
}
END_TEST

START_TEST(each_is_of_its_own_interval_and_quiet_is_said_once)
{
    arbiter_id one = open_stream("one");
    move(one, IO_READ, 8192);
    ck_assert(io_report_write(report));
    move(one, IO_READ, 4096);
    ck_assert(io_report_write(report));
    read_report();
    ck_assert_uint_eq(tenant(0)->read_bytes, 4096);
    ck_assert(io_report_write(report));
    read_report();
    ck_assert_uint_eq(status.tenants.count, 0);
    ck_assert(!io_report_write(report));
    move(one, IO_READ, 4096);
    ck_assert(io_report_write(report));
}
END_TEST

/* An attempt's bytes are told with a beat, after the second in which they moved. */
START_TEST(what_is_told_after_all_is_quiet_is_said)
{
    struct io_window told = {.from_utc_us = 1};
    io_report_check(report, &told);
    ck_assert(io_report_write(report));
    ck_assert(!io_report_write(report));
    told.sums.kernel_read_bytes = told.sums.billed_bytes = 4096;
    ck_assert(io_report_write(report));
    read_report();
    ck_assert_uint_eq(status.check.sums.kernel_read_bytes, 4096);
    ck_assert(!io_report_write(report));
}
END_TEST

START_TEST(who_moved_is_old_when_nobody_says_it_anew)
{
    arbiter_id one = open_stream("one");
    move(one, IO_READ, 8192);
    ck_assert(io_report_write(report));
    read_report();
    const int64_t old_us = (int64_t)IO_STATUS_OLD_MS * 1000;
    ck_assert(!io_status_is_old(&status, status.utc_us + old_us - 1));
    ck_assert(io_status_is_old(&status, status.utc_us + old_us));
    ck_assert(io_report_write(report));
    read_report();
    ck_assert_uint_eq(status.tenants.count, 0); /* that stays true, and isn't said again */
    ck_assert(!io_status_is_old(&status, status.utc_us + 10 * old_us));
}
END_TEST

START_TEST(where_it_cant_be_written_nothing_else_is_lost)
{
    arbiter_id one = open_stream("one");
    ck_assert_int_eq(symlink("elsewhere", IO_STATUS_PATH ".new"), 0); /* it follows nobody's link */
    move(one, IO_READ, 8192);
    ck_assert(io_report_write(report));
    ck_assert_int_eq(access("node/elsewhere", F_OK), -1);
    move(one, IO_READ, 8192);
    ck_assert(io_report_write(report));
    read_report(); /* the link was taken away */
}
END_TEST

START_TEST(its_table_is_sound_and_names_are_the_queues)
{
    struct err err = {0};
    ck_assert_msg(fields_check_table(&io_status_fields, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(io_standing_names.count, FQ_STUCK + 1);
    ck_assert_str_eq(names_get(&io_standing_names, FQ_IDLE), "idle");
    ck_assert_str_eq(names_get(&io_standing_names, FQ_READY), "ready");
    ck_assert_str_eq(names_get(&io_standing_names, FQ_FULL), "full");
    ck_assert_str_eq(names_get(&io_standing_names, FQ_LIMITED), "limited");
    ck_assert_str_eq(names_get(&io_standing_names, FQ_STUCK), "stuck");
    ck_assert_uint_eq(io_limit_names.count, FQ_LIMIT_COUNT);
    ck_assert_str_eq(names_get(&io_limit_names, FQ_LIMIT_BYTES), "bytes");
    ck_assert_str_eq(names_get(&io_limit_names, FQ_LIMIT_OPS), "operations");
    ck_assert_str_eq(names_get(&io_limit_names, FQ_LIMIT_TIME), "time");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/io_report");
    TCase *t = tcase_create("io_report");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, it_says_who_moved_and_who_is_held);
    tcase_add_test(t, the_jobs_that_moved_most_come_first_their_tasks_together);
    tcase_add_test(t, no_more_jobs_are_said_than_have_room);
    tcase_add_test(t, each_is_of_its_own_interval_and_quiet_is_said_once);
    tcase_add_test(t, what_is_told_after_all_is_quiet_is_said);
    tcase_add_test(t, who_moved_is_old_when_nobody_says_it_anew);
    tcase_add_test(t, where_it_cant_be_written_nothing_else_is_lost);
    tcase_add_test(t, prometheus_hears_of_the_disk_and_of_each_tenant);
    tcase_add_test(t, the_metrics_file_goes_with_its_agent);
    tcase_add_test(t, its_table_is_sound_and_names_are_the_queues);
    suite_add_tcase(s, t);
    return run_suite(s);
}
