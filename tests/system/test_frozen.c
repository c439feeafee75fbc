/*
 * Attempts that are frozen: they stand still, they can be killed, and whatever ends an attempt ends them in its time.
 * One program for v1, hybrid and v2. Root.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/confine_rows.h"
#include "tests/system/limits.h"
#include "tests/system/suite.h"

START_TEST(test_a_frozen_job_stands_still_and_goes_on)
{
    struct run r = driver_run(&d, python("import time\nfor i in range(5): print(i,flush=True); time.sleep(0.05)"));
    struct task t;
    start(&r, &t);
    until_done(OP_FREEZE, t.id);
    until_done(OP_FREEZE, t.id); /* again: nothing new */
    const char *events = group_file(t.id.job, "cgroup.events"), *state = "";
    if (events[0] != '\0')
        ck_assert_ptr_nonnull(strstr(events, "frozen 1"));
    else
        ck_assert_str_eq(state = group_file(t.id.job, "freezer.state"), "FROZEN");
    until_done(OP_THAW, t.id);
    driver_end(&d, &t, &e);
    ck_assert_str_eq(e.out, "\n1\n2\n3\n4\n");
    ck_assert_uint_eq(driver_ask(&d, OP_FREEZE, t.id).status, OP_GONE);
}
END_TEST

START_TEST(test_the_frozen_can_be_killed)
{
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task t;
    start(&r, &t);
    until_done(OP_FREEZE, t.id);
    stop(&t);
}
END_TEST

/* --- what becomes due --------------------------------------------------------------------------------------------- */

static uint64_t boot_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void freeze_until(struct attempt_id id, uint64_t until_boot_us)
{
    struct op_reply reply = {.status = OP_BUSY};
    while (reply.status == OP_BUSY)
        reply = driver_ask_until(&d, OP_FREEZE, id, until_boot_us);
    ck_assert_uint_eq(reply.status, OP_DONE);
}

/* Nobody asks for anything until it has ended: the warden does it all. */
static void ends_by_itself(struct task *t, uint32_t cause)
{
    driver_drain(t, &e);
    ck_assert_msg(e.record.cause == cause, "cause %u, not %u", e.record.cause, cause);
    stop(t);
}

#define STUBBORN "import signal,time\nsignal.signal(15,signal.SIG_IGN)\nprint(flush=True)\ntime.sleep(600)"

START_TEST(test_a_time_limit_ends_the_frozen)
{
    struct run r = driver_run(&d, python(STUBBORN));
    struct task t;
    r.spec.time_limit_us = 1000000;
    r.spec.grace_us = 100000;
    start_before(&r, &t, &r.spec.time_limit_us);
    freeze_until(t.id, boot_us() + r.spec.time_limit_us);
    ends_by_itself(&t, END_TIME_LIMIT);
    ck_assert_uint_ge(e.record.run_us, r.spec.time_limit_us);
}
END_TEST

START_TEST(test_a_lease_ends_the_frozen)
{
    struct run r = driver_run(&d, python(STUBBORN));
    struct task t;
    r.spec.lease_us = 1000000;
    start_before(&r, &t, &r.spec.lease_us);
    freeze_until(t.id, boot_us() + r.spec.lease_us);
    ends_by_itself(&t, END_LEASE);
}
END_TEST

START_TEST(test_what_was_due_before_is_done_at_once)
{
    struct run r = driver_run(&d, python(STUBBORN));
    struct task t;
    r.spec.paid_us = 1;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE); /* it may have ended before it is frozen: both are right */
    ck_assert(driver_link(&t, NULL));
    enum op_status status = driver_ask_until(&d, OP_FREEZE, t.id, 0).status;
    ck_assert(status == OP_DONE || status == OP_BUSY);
    ends_by_itself(&t, END_BUDGET);
}
END_TEST

START_TEST(test_a_stop_and_a_thaw_cancel_the_frozen)
{
    struct run r = driver_run(&d, python(STUBBORN));
    struct task t;
    start(&r, &t);
    freeze_until(t.id, UINT64_MAX);
    driver_say(&t, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = 0});
    until_done(OP_THAW, t.id);
    ends_by_itself(&t, END_CANCELLED);
}
END_TEST

/* Its time is not over: it goes on, and is frozen again for as long as is asked. */
START_TEST(test_a_freeze_that_is_over_lets_it_go_on)
{
    struct run r = driver_run(&d, shell("echo; sleep 0.2; echo on"));
    struct task t;
    start(&r, &t);
    for (int i = 0; i < 3; i++)
        freeze_until(t.id, boot_us() + 50000);
    ends_by_itself(&t, END_EXIT);
    ck_assert_str_eq(e.out, "on\n");
}
END_TEST

/* Agent and warden killed: what is frozen stands still until a warden is there, which thaws it; the lease ended it. */
START_TEST(test_a_warden_that_was_killed_leaves_nobody_frozen)
{
    struct run r = driver_run(&d, python(STUBBORN));
    struct task t;
    r.spec.lease_us = 1000000;
    start_before(&r, &t, &r.spec.lease_us);
    freeze_until(t.id, UINT64_MAX);
    driver_kill_warden(&d);
    driver_start_warden(&d);
    (void)driver_able(&d);
    ends_by_itself(&t, END_LEASE);
}
END_TEST

/* Longer than any answer would be. */
START_TEST(test_no_freeze_is_for_ever)
{
    struct run r = driver_run(&d, shell("echo; sleep 60"));
    struct task t;
    start(&r, &t);
    static const uint64_t untils[] = {UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63, 0, 1};
    for (size_t i = 0; i < COUNT_OF(untils); i++) {
        struct op_reply reply = driver_ask_until(&d, OP_FREEZE, t.id, untils[i]);
        ck_assert(reply.status == OP_DONE || reply.status == OP_BUSY);
    }
    stop(&t);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_frozen: needs root\n");
        return 1;
    }
    const TTest *const tests[] = {
        test_a_frozen_job_stands_still_and_goes_on,
        test_the_frozen_can_be_killed,
        test_a_time_limit_ends_the_frozen,
        test_a_lease_ends_the_frozen,
        test_what_was_due_before_is_done_at_once,
        test_a_stop_and_a_thaw_cancel_the_frozen,
        test_a_freeze_that_is_over_lets_it_go_on,
        test_a_warden_that_was_killed_leaves_nobody_frozen,
        test_no_freeze_is_for_ever,
    };
    Suite *s = suite_create("frozen");
    TCase *t = tcase_create("frozen");
    tcase_add_checked_fixture(t, limits_setup, limits_teardown);
    tcase_set_timeout(t, 120);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    return run_suite(s);
}
