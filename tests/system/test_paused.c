/*
 * The paid end of real sandboxes: paused exactly there by the keeper alone, gone on with once more is paid, told before
 * the end by a signal. Root.
 */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/system/confine_rows.h"
#include "tests/system/limits.h"
#include "tests/system/suite.h"

#define PAID_US 300000
/* Works, with more and more processes, until a file says that it is enough. */
#define FORKS                                                                                                        \
    "import os,time\n"                                                                                               \
    "for i in range(6): os.fork()\n"                                                                                 \
    "print(flush=True)\n"                                                                                            \
    "while 1:\n"                                                                                                     \
    "  p=os.fork()\n"                                                                                                \
    "  if p==0: os._exit(0)\n"                                                                                       \
    "  os.waitpid(p,0)"

/* The keeper's next word. */
static struct keeper_message hear(struct task *t)
{
    struct keeper_message m;
    ssize_t n = recv(t->link, &m, sizeof m, 0);
    ck_assert_int_eq(n, sizeof m);
    return m;
}

/* In how many states its processes are, the keeper's aside: "T" when all of them are stopped. */
static const char *states(uint64_t job)
{
    static char found[32];
    char pids[65536], path[64], line[512];
    snprintf(pids, sizeof pids, "%s", group_file(job, "cgroup.procs"));
    found[0] = '\0';
    for (char *save, *pid = strtok_r(pids, "\n", &save); pid != NULL; pid = strtok_r(NULL, "\n", &save)) {
        snprintf(path, sizeof path, "/proc/%s/stat", pid);
        FILE *f = fopen(path, "r");
        bool read = f != NULL && fgets(line, sizeof line, f) != NULL;
        if (f != NULL)
            fclose(f);
        const char *at = read ? strrchr(line, ')') : NULL;
        bool keeper = read && strstr(line, "(reeve-keeper") != NULL;
        if (at == NULL || keeper || at[2] == 'Z' || strchr(found, at[2]) != NULL)
            continue; /* one that has ended takes no part */
        size_t len = strlen(found);
        found[len] = at[2];
        found[len + 1] = '\0';
    }
    return found;
}

/* Who waited for a processor finds the signal when it gets one, and before it runs. */
static void until_all_are_stopped(uint64_t job)
{
    while (strcmp(states(job), "T") != 0)
        sched_yield();
}

static struct run paused(const char *const *argv)
{
    struct run r = driver_run(&d, argv);
    r.spec.paid_us = PAID_US;
    r.spec.grace_us = 100000;
    r.spec.pauses_at_paid_end = 1;
    return r;
}

/* Not until it says a byte: where processes begin slowly, it is paused before that. */
static void begin(struct run *r, struct task *t)
{
    ck_assert_msg(driver_launch(&d, r, t) == OP_DONE, "launch: step %s: %s", t->launch.step,
                  strerror(t->launch.error));
    ck_assert(driver_link(t, NULL));
}

static void pay(struct task *t, uint64_t paid_us)
{
    driver_say(t, (struct keeper_message){.op = KEEPER_PAID, .paid_us = paid_us, .pauses = 1});
}

START_TEST(test_all_of_it_stands_still_exactly_at_the_paid_end)
{
    struct run r = paused(python(FORKS));
    struct task t;
    r.spec.pids_max = 1000;
    begin(&r, &t);
    for (int i = 1; i <= 5; i++) { /* forking all the time, and nobody slips through */
        struct keeper_message m = hear(&t);
        ck_assert_uint_eq(m.op, KEEPER_PAUSED);
        ck_assert_uint_eq(m.run_us, (uint64_t)i * PAID_US);
        until_all_are_stopped(t.id.job);
        pay(&t, (uint64_t)(i + 1) * PAID_US);
        m = hear(&t);
        ck_assert_uint_eq(m.op, KEEPER_RESUMED);
        ck_assert_uint_ge(m.run_us, (uint64_t)i * PAID_US);
    }
    ck_assert_uint_eq(hear(&t).op, KEEPER_PAUSED);
    stop(&t);
}
END_TEST

START_TEST(test_what_was_paused_ends_as_if_nothing_had_been)
{
    struct run r = paused(python("import time\nfor i in range(9): print(i,flush=True); time.sleep(0.1)"));
    struct task t;
    begin(&r, &t);
    ck_assert_uint_eq(hear(&t).op, KEEPER_PAUSED);
    pay(&t, 60000000);
    driver_end(&d, &t, &e);
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    ck_assert_int_eq(e.record.exit_code, 0);
    ck_assert_str_eq(e.out, "0\n1\n2\n3\n4\n5\n6\n7\n8\n");
    ck_assert_uint_ge(e.record.run_us, PAID_US);
}
END_TEST

/* Its run time is what was paid to the microsecond, however long it was paused and whoever ends it. */
START_TEST(test_the_paused_end_by_stop_and_by_lease)
{
    struct run r = paused(shell("trap '' TERM; echo; while :; do sleep 0.01; done"));
    struct task t;
    if (_i == 1)
        r.spec.lease_us = 1000000;
    begin(&r, &t);
    ck_assert_uint_eq(hear(&t).op, KEEPER_PAUSED);
    if (_i == 0)
        driver_say(&t, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = 600000});
    driver_end(&d, &t, &e);
    ck_assert_uint_eq(e.record.cause, _i == 0 ? END_CANCELLED : END_LEASE);
    ck_assert_int_eq(e.record.signal, SIGKILL);
    ck_assert_uint_eq(e.record.run_us, PAID_US);
}
END_TEST

/* Agent and warden killed: the keeper does it alone, and tells whoever comes. */
START_TEST(test_nobody_needs_to_be_there)
{
    struct run r = paused(shell("echo; while :; do :; done"));
    struct task t;
    struct keeper_message hello = {0};
    begin(&r, &t);
    driver_kill_warden(&d);
    close(t.link);
    t.link = -1;
    while (hello.pauses != 1)
        ck_assert(driver_link(&t, &hello)); /* until its time has come */
    ck_assert_uint_eq(hello.run_us, PAID_US);
    driver_start_warden(&d);
    (void)driver_able(&d); /* it is there: nothing was thawed, and nothing runs */
    until_all_are_stopped(t.id.job);
    pay(&t, 2 * PAID_US);
    ck_assert_uint_eq(hear(&t).op, KEEPER_RESUMED);
    ck_assert_uint_eq(hear(&t).op, KEEPER_PAUSED);
    stop(&t);
}
END_TEST

/* Suspended in the middle of what is paid: it stands still there, what was paid beyond is given back, and nothing that
 * is late wakes it. */
START_TEST(test_the_suspended_stand_still_at_once_and_go_on_when_told)
{
    struct run r = paused(python(FORKS));
    struct task t;
    r.spec.pids_max = 1000;
    r.spec.paid_us = 1000 * PAID_US;
    r.spec.pauses_at_paid_end = (uint32_t)_i;
    begin(&r, &t);
    uint64_t run_us = 0;
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t number = 2 * i + 1, pauses = (uint32_t)_i;
        struct keeper_message say = {.op = KEEPER_PAID, .paid_us = 1000 * PAID_US};
        say.pauses = pauses | number << KEEPER_SUSPENDS_SHIFT;
        driver_say(&t, say);
        struct keeper_message m = hear(&t);
        ck_assert_uint_eq(m.op, KEEPER_PAUSED);
        ck_assert_uint_ge(m.run_us, run_us);
        ck_assert_uint_eq(m.paid_us, m.run_us);
        run_us = m.run_us;
        until_all_are_stopped(t.id.job);
        say.paid_us *= 2; /* of the same suspension, and of what was before it */
        driver_say(&t, say);
        say.pauses = pauses | (number - 1) << KEEPER_SUSPENDS_SHIFT;
        driver_say(&t, say);
        say.paid_us = run_us + 500 * PAID_US; /* less than was paid once */
        say.pauses = pauses | (number + 1) << KEEPER_SUSPENDS_SHIFT;
        driver_say(&t, say);
        m = hear(&t);
        ck_assert_uint_eq(m.op, KEEPER_RESUMED);
        ck_assert_uint_ge(m.run_us, run_us);
        ck_assert_uint_eq(m.paid_us, run_us + 500 * PAID_US);
        ck_assert_uint_eq(m.pauses >> KEEPER_SUSPENDS_SHIFT, number + 1);
    }
    stop(&t);
}
END_TEST

/* In the middle of the time that is paid: what else it is to pay for is used up. */
START_TEST(test_the_halted_stand_still_at_once_and_go_on_when_told_what_is_paid)
{
    struct run r = paused(python(FORKS));
    struct task t;
    r.spec.pids_max = 1000;
    r.spec.paid_us = 1000 * PAID_US;
    r.spec.pauses_at_paid_end = 0;
    begin(&r, &t);
    for (int i = 0; i < 3; i++) {
        driver_say(&t, (struct keeper_message){.op = KEEPER_HALT});
        struct keeper_message m = hear(&t);
        ck_assert_uint_eq(m.op, KEEPER_PAUSED);
        ck_assert_uint_eq(m.paid_us, m.run_us);
        until_all_are_stopped(t.id.job);
        pay(&t, 1000 * PAID_US);
        ck_assert_uint_eq(hear(&t).op, KEEPER_RESUMED);
    }
    stop(&t);
}
END_TEST

START_TEST(test_a_program_is_told_before_its_paid_end)
{
    struct run r = driver_run(&d, shell("trap 'echo saved; exit 7' USR1; echo; while :; do sleep 0.01; done"));
    struct task t;
    r.spec.paid_us = 60000000;
    start(&r, &t);
    driver_say(&t, (struct keeper_message){.op = KEEPER_PAID, .paid_us = 60000000, .signal_us = 1});
    driver_end(&d, &t, &e);
    ck_assert_uint_eq(e.record.cause, END_EXIT);
    ck_assert_int_eq(e.record.exit_code, 7);
    ck_assert_str_eq(e.out, "saved\n");
}
END_TEST

START_TEST(test_a_program_that_does_not_listen_dies_of_it)
{
    struct run r = driver_run(&d, shell("echo; while :; do :; done"));
    struct task t;
    r.spec.paid_us = 60000000;
    start(&r, &t);
    driver_say(&t, (struct keeper_message){.op = KEEPER_PAID, .paid_us = 60000000, .signal_us = 1});
    driver_end(&d, &t, &e);
    ck_assert_uint_eq(e.record.cause, END_SIGNAL);
    ck_assert_int_eq(e.record.signal, SIGUSR1);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_paused: needs root\n");
        return 1;
    }
    Suite *s = suite_create("paused");
    TCase *t = tcase_create("paused");
    tcase_add_checked_fixture(t, limits_setup, limits_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_all_of_it_stands_still_exactly_at_the_paid_end);
    tcase_add_test(t, test_what_was_paused_ends_as_if_nothing_had_been);
    tcase_add_loop_test(t, test_the_paused_end_by_stop_and_by_lease, 0, 2);
    tcase_add_test(t, test_nobody_needs_to_be_there);
    tcase_add_loop_test(t, test_the_suspended_stand_still_at_once_and_go_on_when_told, 0, 2);
    tcase_add_test(t, test_the_halted_stand_still_at_once_and_go_on_when_told_what_is_paid);
    tcase_add_test(t, test_a_program_is_told_before_its_paid_end);
    tcase_add_test(t, test_a_program_that_does_not_listen_dies_of_it);
    suite_add_tcase(s, t);
    return run_suite(s);
}
