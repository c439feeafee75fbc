/*
 * What ends a sandbox from outside, each in its time and with its signals: time limit, paid end, lease, stop. Root.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/system/confine_rows.h"
#include "tests/system/limits.h"
#include "tests/system/suite.h"

/* A program that says when it is ready for the end that it is given: once more, with twice the time, where that came
 * before. Until Check's own limit. */
static void do_ready(struct run *r)
{
    for (driver_do(&d, r, &e); strncmp(e.out, "ready\n", 6) != 0; driver_do(&d, r, &e))
        r->spec.time_limit_us *= 2;
}

static void check_limit_ms(const struct run *r, uint64_t least, uint64_t most)
{
    check_run_ms(r->spec.time_limit_us / 1000 + least, r->spec.time_limit_us / 1000 + most);
}

START_TEST(test_fork_bomb_is_held_and_killed)
{
    struct run r = driver_run(&d, python("import os,signal\nsignal.signal(15,signal.SIG_IGN)\n"
                                         "print('ready',flush=True)\nwhile True:\n try: "
                                         "os.fork()\n except OSError: pass"));
    r.spec.time_limit_us = 1000000;
    r.spec.grace_us = 100000;
    do_ready(&r);
    check_end(END_TIME_LIMIT, 0, SIGKILL);
    check_limit_ms(&r, 100, 1100);
    ck_assert_uint_le(measured(e.usage.pids_peak), r.spec.pids_max);
}
END_TEST

START_TEST(test_time_limit_says_term_first)
{
    struct run r = driver_run(&d, shell("trap 'echo told; exit 3' TERM; echo ready; while :; do sleep 0.01; done"));
    r.spec.time_limit_us = 200000;
    r.spec.grace_us = 30000000;
    do_ready(&r);
    check_end(END_TIME_LIMIT, 3, 0);
    check_limit_ms(&r, 0, 2800);
    ck_assert_str_eq(e.out, "ready\ntold\n");
}
END_TEST

START_TEST(test_time_limit_then_kills)
{
    struct run r = driver_run(&d, shell("trap '' TERM; echo ready; while :; do sleep 5; done"));
    r.spec.time_limit_us = 500000;
    r.spec.grace_us = 200000;
    do_ready(&r);
    check_end(END_TIME_LIMIT, 0, SIGKILL);
    check_limit_ms(&r, 200, 1200);
}
END_TEST

START_TEST(test_paid_end_kills_exactly_there)
{
    struct run r = driver_run(&d, shell("trap '' TERM; while :; do :; done"));
    r.spec.paid_us = 300000;
    r.spec.grace_us = 10000000;
    driver_do(&d, &r, &e);
    check_end(END_BUDGET, 0, SIGKILL);
    check_run_ms(300, 600);
}
END_TEST

/* The keeper may hear of more too late, after its end has come: then again, with twice the time until there. */
#define END_MOST_US 10000000
static void end_later(struct run *r, uint64_t *end_us, void (*say_later)(struct task *t, uint64_t end_us))
{
    struct task t;
    for (bool late = true; late; *end_us *= late ? 2 : 1) {
        ck_assert_uint_eq(driver_launch(&d, r, &t), OP_DONE);
        ck_assert(driver_link(&t, NULL));
        say_later(&t, *end_us);
        driver_end(&d, &t, &e);
        ck_assert_uint_ge(e.record.run_us, *end_us);
        late = e.record.run_us < *end_us + 450000 && *end_us < END_MOST_US;
    }
}

static void pay_more(struct task *t, uint64_t paid_us)
{
    driver_say(t, (struct keeper_message){.op = KEEPER_PAID, .paid_us = paid_us + 500000});
    driver_say(t, (struct keeper_message){.op = KEEPER_PAID, .paid_us = 100000});
}

START_TEST(test_paid_time_moves_forward_only)
{
    struct run r = driver_run(&d, shell("trap '' TERM; while :; do :; done"));
    r.spec.paid_us = 400000;
    r.spec.grace_us = 0;
    end_later(&r, &r.spec.paid_us, pay_more);
    check_end(END_BUDGET, 0, SIGKILL);
    check_run_ms(r.spec.paid_us / 1000 + 500, r.spec.paid_us / 1000 + 1000);
}
END_TEST

static uint64_t boot_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void renew(struct task *t, uint64_t lease_us)
{
    driver_say(t, (struct keeper_message){.op = KEEPER_LEASE, .lease_boot_us = boot_now_us() + lease_us + 500000});
}

START_TEST(test_lease_ends_unless_renewed)
{
    struct run r = driver_run(&d, shell("sleep 30"));
    r.spec.lease_us = 300000;
    r.spec.grace_us = 0;
    driver_do(&d, &r, &e);
    check_end(END_LEASE, 0, SIGKILL);
    check_run_ms(300, 800);
    r = driver_run(&d, shell("sleep 50"));
    r.spec.lease_us = 500000;
    r.spec.grace_us = 0;
    end_later(&r, &r.spec.lease_us, renew);
    check_end(END_LEASE, 0, SIGKILL);
    check_run_ms(r.spec.lease_us / 1000 + 450, r.spec.lease_us / 1000 + 1100);
}
END_TEST

START_TEST(test_stop_gives_grace_and_keeps_its_cause)
{
    struct run r = driver_run(&d, shell("trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"));
    struct task t;
    start(&r, &t);
    driver_say(&t, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = 10000});
    driver_end(&d, &t, &e);
    check_end(END_CANCELLED, 5, 0);
}
END_TEST

START_TEST(test_stop_kills_after_the_grace)
{
    struct run r = driver_run(
        &d,
        python(
            "import signal\nsignal.signal(15,signal.SIG_IGN)\nprint('r',flush=True)\nwhile True: signal.pause()"));
    struct task t;
    start(&r, &t);
    driver_say(&t, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = 200});
    driver_end(&d, &t, &e);
    check_end(END_CANCELLED, 0, SIGKILL);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_ends: needs root\n");
        return 1;
    }
    const TTest *const tests[] = {
        test_fork_bomb_is_held_and_killed,
        test_time_limit_says_term_first,
        test_time_limit_then_kills,
        test_paid_end_kills_exactly_there,
        test_paid_time_moves_forward_only,
        test_lease_ends_unless_renewed,
        test_stop_gives_grace_and_keeps_its_cause,
        test_stop_kills_after_the_grace,
    };
    Suite *s = suite_create("ends");
    TCase *t = tcase_create("ends");
    tcase_add_checked_fixture(t, limits_setup, limits_teardown);
    tcase_set_timeout(t, 120);
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    return run_suite(s);
}
