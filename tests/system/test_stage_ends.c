/*
 * Inputs and outputs of a sandbox when somebody dies, when the attempt has to end, when the disk is full, and when two
 * attempts of a task meet; and what its helpers are allowed. Root.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/stage_desk.h"

/* ---- somebody dies ---- */

static const struct stage_try out_d[] = {{OUT, "/tmp/d", "/mnt/out/d", 0, NULL}};
static const char makes_d[] = "mkdir -p /tmp/d/e; for i in 1 2 3 4 5 6; do head -c 400000 /dev/zero >/tmp/d/e/$i; done";
static const char out_is_empty[] = "[ -z \"$(ls -A out)\" ]";
static const char d_is_whole[] = "[ $(ls -A out) = d ] && [ $(cat out/d/e/* | wc -c) = 2400000 ]";

static void kill_one(const char *name)
{
    char status[DRIVER_STATUS_MAX];
    pid_t pid = driver_find(&d, name, status);
    ck_assert_msg(pid > 0, "no %s", name);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
}

static const struct death {
    const char *name;
    bool out;
    uint32_t cause;
} deaths[] = {
    {"reeve-mover", false, END_INPUTS},       {"reeve-stager", false, END_INPUTS},
    {"reeve-keeper", false, END_KEEPER_LOST}, {"reeve-mover", true, END_OUTPUTS},
    {"reeve-stager", true, END_OUTPUTS},      {"reeve-keeper", true, END_KEEPER_LOST},
};

START_TEST(whoever_dies_nothing_half_is_seen_and_the_next_attempt_brings_it)
{
    const struct death *row = &deaths[_i];
    begin(many, row->out ? makes_d : "echo ran", row->out ? out_d : bring_d, 1, 20);
    struct attempt_id id = task.id;
    kill_one(row->name);
    if (row->cause == END_KEEPER_LOST)
        finish();
    else
        serve_rest();
    ck_assert_msg(e.record.cause == row->cause, "cause %u, %s", e.record.cause, stage_why_says(report.why));
    ck_assert_str_eq(e.out, "");
    host("[ ! -e out/d ]"); /* but maybe a folder of our own name */
    struct run r = run_of(row->out ? makes_d : "ls /tmp/d/e | wc -l", row->out ? out_d : bring_d, 1);
    r.spec.id = (struct attempt_id){id.job, id.task, id.epoch + 1};
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_DONE);
    serve_all();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    host(row->out ? d_is_whole : out_is_empty);
}
END_TEST

START_TEST(agents_come_and_go)
{
    begin(many, makes_d, out_d, 1, 3);
    for (unsigned life = 0; life < 6; life++) {
        close_p(&g.sock);
        ck_assert(granter_take(&g, &task));
        granter_serve(&g, life + 1);
    }
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    host(d_is_whole);
}
END_TEST

/* The older of two attempts of a task, thought dead, is slow: it has copied all when the later one publishes. */
START_TEST(an_older_attempt_never_replaces_what_a_later_one_published)
{
    static const struct stage_try file[] = {{OUT, "/tmp/f", "/mnt/out/d", 0, NULL}};
    const struct stage_try *tries = _i == 0 ? file : out_d;
    const char *old = _i == 0 ? "head -c 100000 /dev/zero >/tmp/f" : makes_d;
    const char *new = _i == 0 ? "echo new >/tmp/f" : "mkdir /tmp/d; echo new >/tmp/d/f";
    struct task older, later;
    launch(old, tries, 1);
    older = task;
    struct granter old_g = {.sock = -1};
    ck_assert(granter_take(&old_g, &older));
    granter_serve(&old_g, 1);
    struct run r = run_of(new, tries, 1);
    r.spec.id = (struct attempt_id){older.id.job, older.id.task, older.id.epoch + 1};
    ck_assert_int_eq(driver_launch(&d, &r, &later), OP_DONE);
    task = later;
    serve_all();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    task = older;
    g = old_g;
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_OUTPUTS);
    ck_assert_msg(report.why == STAGE_WHY_NEWER || (_i == 1 && report.why != 0), "%s", stage_why_says(report.why));
    host("[ $(ls -A out) = d ]");
    host(_i == 0 ? "[ $(cat out/d) = new ]" : "[ $(cat out/d/f) = new ] && [ $(ls -A out/d) = f ]");
}
END_TEST

/* ---- it has to end ---- */

static void stop(uint32_t grace_ms)
{
    driver_say(&task, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = grace_ms});
}

START_TEST(a_stop_while_inputs_come_is_the_end)
{
    begin(many, "echo ran", bring_d, 1, 8);
    stop(60000);
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
    ck_assert_str_eq(e.out, "");
}
END_TEST

START_TEST(a_stop_while_outputs_go_leaves_nothing)
{
    begin(many, makes_d, out_d, 1, 20);
    stop(60000); /* it doesn't wait for that: it cleans up and is done */
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
    ck_assert_uint_eq(report.why, STAGE_WHY_STOPPED);
    host(out_is_empty);
}
END_TEST

/* All is copied, and somebody else has the folder locked. */
START_TEST(who_waits_for_the_folder_asks_before_it_publishes)
{
    char path[80], status[DRIVER_STATUS_MAX];
    snprintf(path, sizeof path, "%s/out", base);
    int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(flock(lock, LOCK_EX), 0);
    begin("true", makes_d, out_d, 1, 0);
    struct mover_message m;
    for (uint64_t written = 0; written < 2400000;) {
        ck_assert(granter_hear(&g, &m));
        if (m.op == MOVER_WANT)
            granter_grant(&g, m.want, 0, m.bytes);
        else
            written = m.totals.bytes[MOVER_WRITE];
    }
    while (report.files < 8) /* it has said all before it asks for the lock; there is no other way to hear of it */
        (void)driver_stage(&task, &report);
    stop(60000);
    close_p(&g.sock);
    ck_assert(granter_take(&g, &task)); /* the keeper has read that by now */
    ck_assert_int_gt(driver_find(&d, "reeve-stager", status), 0);
    close(lock);
    finish();
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
    ck_assert_uint_eq(report.why, STAGE_WHY_STOPPED);
    host(out_is_empty);
}
END_TEST

START_TEST(the_time_limit_covers_what_is_brought)
{
    host(many);
    struct run r = run_of(_i == 0 ? "echo ran" : makes_d, _i == 0 ? bring_d : out_d, 1);
    r.spec.time_limit_us = 300000;
    r.spec.grace_us = 100000;
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_DONE);
    (void)granter_take(&g, &task); /* and grants nothing; it may be over by now */
    finish();
    ck_assert_uint_eq(e.record.cause, END_TIME_LIMIT);
    ck_assert_uint_ge(e.record.run_us, 300000);
    ck_assert_str_eq(e.out, "");
    host("[ ! -e out/d ]");
}
END_TEST

START_TEST(who_pauses_at_the_paid_end_goes_on_where_it_was)
{
    struct keeper_message m = {0};
    host(many);
    struct run r = run_of("ls /tmp/d/e | wc -l", bring_d, 1);
    r.spec.paid_us = 200000;
    r.spec.pauses_at_paid_end = 1;
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_DONE);
    ck_assert(granter_take(&g, &task));
    while (m.op != KEEPER_PAUSED) { /* maybe before it has wanted so much */
        struct pollfd at[] = {{task.link, POLLIN, 0}, {g.grants < 5 ? g.sock : -1, POLLIN, 0}};
        ck_assert_int_gt(poll(at, COUNT_OF(at), -1), 0);
        if (at[0].revents != 0)
            ck_assert(fd_recv_packet(task.link, &m, sizeof m, NULL, NULL) == (ssize_t)sizeof m);
        else
            ck_assert(granter_answer(&g, 5));
    }
    ck_assert_uint_eq(m.run_us, 200000);
    driver_say(&task, (struct keeper_message){.op = KEEPER_PAID, .paid_us = 60000000, .pauses = 1});
    serve_rest();
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    ck_assert_str_eq(e.out, "6\n");
}
END_TEST

/* ---- the floor ---- */

START_TEST(helpers_have_no_privilege)
{
    static const char *const names[] = {"reeve-mover", "reeve-stager"};
    static const char *const has[] = {"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
                                      "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n",
                                      "NoNewPrivs:\t1\n", "Seccomp:\t2\n"};
    char status[DRIVER_STATUS_MAX];
    begin(many, "true", bring_d, 1, 2);
    for (size_t k = 0; k < COUNT_OF(names); k++) {
        unsigned real, effective, saved, fs;
        ck_assert_int_gt(driver_find(&d, names[k], status), 0);
        for (size_t i = 0; i < COUNT_OF(has); i++)
            ck_assert_msg(strstr(status, has[i]) != NULL, "%s: %s is not in\n%s", names[k], has[i], status);
        ck_assert_int_eq(sscanf(strstr(status, "Uid:"), "Uid: %u %u %u %u", &real, &effective, &saved, &fs), 4);
        ck_assert_uint_eq(effective, fs);
        ck_assert_uint_eq(real, saved);
        ck_assert_uint_eq(real, effective + 1 + (unsigned)k); /* not the job's: it can't be signalled by it */
    }
    serve_rest();
}
END_TEST

START_TEST(a_request_that_does_not_fit_is_refused)
{
    static const struct stage_try none[] = {{IN, "/mnt/in/a", "/tmp/a", 0, NULL}};
    struct run r = run_of("true", none, 1);
    r.spec.stages = _i == 0 ? STAGE_NEEDS + 1 : STAGE_INPUTS;
    r.spec.reserved = _i == 1 ? 1 : 0;
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_BAD_REQUEST);
    driver_drop(&task);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        puts("skip: needs root");
        return 0;
    }
    Suite *s = suite_create("stage_ends");
    TCase *t = tcase_create("ends");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, whoever_dies_nothing_half_is_seen_and_the_next_attempt_brings_it, 0, (int)COUNT_OF(deaths));
    tcase_add_test(t, agents_come_and_go);
    tcase_add_loop_test(t, an_older_attempt_never_replaces_what_a_later_one_published, 0, 2);
    tcase_add_test(t, a_stop_while_inputs_come_is_the_end);
    tcase_add_test(t, a_stop_while_outputs_go_leaves_nothing);
    tcase_add_test(t, who_waits_for_the_folder_asks_before_it_publishes);
    tcase_add_loop_test(t, the_time_limit_covers_what_is_brought, 0, 2);
    tcase_add_test(t, who_pauses_at_the_paid_end_goes_on_where_it_was);
    tcase_add_test(t, helpers_have_no_privilege);
    tcase_add_loop_test(t, a_request_that_does_not_fit_is_refused, 0, 2);
    suite_add_tcase(s, t);
    return stage_desk_run(s);
}
