/* Gangs on a whole system of two nodes, with slices of ten seconds: real keepers, and whoever may be killed meanwhile.
 * Root. */
#include <check.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/system/second_node.h"
#include "tests/system/suite.h"
#include "tests/system/system.h"

/* A core costs 0.01 a second. */
#define CENT INT64_C(10000)
#define POLICY                                                                                                       \
    "currency: EUR\n"                                                                                                \
    "admins: [root]\n"                                                                                               \
    "prices:\n"                                                                                                      \
    "  - {from: 2026-01-01, per_hour: {cpu: 36.00}}\n"                                                              \
    "preempt: {reclaim: any, min_run: 1s}\n"                                                                         \
    "tenants:\n"                                                                                                     \
    "  /: {quota: {guaranteed: {cpu: 8}}}\n"                                                                         \
    "  own: {quota: {guaranteed: {cpu: 8}}}\n"                                                                       \
    "  acme: {}\n"                                                                                                   \
    "  poor: {budget: {limit: 0.44, period: total}}\n"

#define SIZE 4 /* of most gangs here: two tasks on each node */
#define FOREVER "while :; do sleep 0.05; done"
#define FIRST_TIME "case $REEVE_ATTEMPT in *.1) "
#define THEN ";; esac; "

static uint64_t submit_large(const char *tenant, unsigned cores, const char *command, const char *more)
{
    char spec[800];
    struct refusal refusal = {0};
    snprintf(spec, sizeof spec,
             "{\"command\":\"%s\",\"resources\":{\"cpu\":%u,\"memory\":\"32Mi\",\"scratch\":\"4Mi\"}%s}", command,
             cores, more);
    uint64_t job = system_submit(tenant, NULL, spec, &refusal);
    ck_assert_msg(job != 0, "refused: %s", refusal.message != NULL ? refusal.message : "?");
    return job;
}

static uint64_t submit_to(const char *tenant, const char *command, const char *more)
{
    return submit_large(tenant, 1, command, more);
}

static uint64_t submit(const char *command, const char *more)
{
    char all[300];
    snprintf(all, sizeof all, ",\"array\":{\"last\":3},\"gang\":4,\"per_node\":2%s", more);
    return submit_to("acme", command, all);
}

/* What is looked for among a job's attempts; NULL, 0: any. */
struct sought {
    uint32_t epoch;
    const char *state, *cause, *node;
};

static unsigned count_of(const struct job_view *v, struct sought s)
{
    const struct attempt_view *a = v->attempts.v;
    unsigned n = 0;
    for (size_t i = 0; i < v->attempts.count; i++)
        n += (s.epoch == 0 || a[i].epoch == s.epoch) && (s.state == NULL || strcmp(a[i].state, s.state) == 0) &&
             (s.node == NULL || strcmp(a[i].node, s.node) == 0) &&
             (s.cause == NULL || (a[i].cause != NULL && strcmp(a[i].cause, s.cause) == 0));
    return n;
}

static unsigned count(uint64_t job, struct sought s)
{
    struct job_view v = system_show(job);
    unsigned n = count_of(&v, s);
    fields_clear(&job_view_fields, &v);
    return n;
}

static void print_attempts(uint64_t job)
{
    struct job_view v = system_show(job);
    const struct attempt_view *a = v.attempts.v;
    for (size_t i = 0; i < v.attempts.count; i++)
        fprintf(stderr, "job %" PRIu64 " task %u attempt %u: %s on %s, %s, %" PRIi64 " spent\n", job, a[i].task,
                a[i].epoch, a[i].state, a[i].node, a[i].cause != NULL ? a[i].cause : "-", a[i].spent_micros);
    fields_clear(&job_view_fields, &v);
}

/* Follows it until there are so many such attempts. */
static void wait_between(uint64_t job, struct sought s, unsigned least, unsigned most)
{
    struct refusal refusal = {0};
    struct wait_call call = {.job = job, .timeout_ms = 1000};
    unsigned n = count(job, s);
    for (bool final = false; n < least || n > most; n = count(job, s)) {
        struct wait_reply reply = {0};
        if (final)
            print_attempts(job);
        ck_assert_msg(!final, "job %" PRIu64 ": %u attempts %u %s, not %u to %u", job, n, s.epoch,
                      s.state != NULL ? s.state : s.cause, least, most);
        ck_assert_int_eq(system_call(&client_methods[CALL_WAIT], &call, &reply, &refusal, 20000), 0);
        final = reply.final;
        call.seen = reply.change;
        fields_clear(&wait_reply_fields, &reply);
    }
}

static void wait_count(uint64_t job, struct sought s, unsigned want)
{
    wait_between(job, s, want, want);
}

static void wait_end(uint64_t job, const char *state)
{
    struct wait_reply reply = {0};
    bool ended = system_wait(job, 60000, &reply);
    if (!ended || strcmp(reply.row.state, state) != 0)
        print_attempts(job);
    ck_assert_msg(ended, "job %" PRIu64 " did not end", job);
    ck_assert_str_eq(reply.row.state, state);
    fields_clear(&wait_reply_fields, &reply);
}

/* All attempts of that number were placed by one entry, two on each node. */
static void check_together(uint64_t job, uint32_t epoch)
{
    struct job_view v = system_show(job);
    const struct attempt_view *a = v.attempts.v;
    int64_t at = 0;
    for (size_t i = 0; i < v.attempts.count; i++)
        if (a[i].epoch == epoch) {
            ck_assert(at == 0 || a[i].placed_utc_us == at);
            at = a[i].placed_utc_us;
        }
    ck_assert_uint_eq(count_of(&v, (struct sought){.epoch = epoch, .node = "n1"}), SIZE / 2);
    ck_assert_uint_eq(count_of(&v, (struct sought){.epoch = epoch, .node = "n2"}), SIZE / 2);
    fields_clear(&job_view_fields, &v);
}

/* Each said its own number, and none did twice. */
static void check_logs(uint64_t job, unsigned tasks, uint32_t epoch)
{
    for (uint32_t i = 0; i < tasks; i++) {
        char want[64], *log = system_log(job, i, STREAM_OUT);
        snprintf(want, sizeof want, "%" PRIu64 ".%u.%u\n", job, i, epoch);
        ck_assert_str_eq(log, want);
        free(log);
    }
}

static void cancel(uint64_t job, uint32_t stopping, bool has_task, uint32_t task)
{
    struct job_call call = {.job = job, .has_task = has_task, .task = task};
    struct cancel_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_CANCEL], &call, &reply, &refusal, 20000), 0);
    ck_assert_uint_eq(reply.stopping, stopping);
}

static void change(enum client_method method, uint64_t job, uint32_t attempts)
{
    struct suspend_call call = {.job = job};
    struct suspend_reply reply = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[method], &call, &reply, &refusal, 20000), 0);
    ck_assert_uint_eq(reply.attempts, attempts);
}

static bool n2_is_up(void)
{
    struct node_reply reply = {0};
    struct refusal refusal = {0};
    bool up = false;
    ck_assert_int_eq(system_call(&client_methods[CALL_NODES], NULL, &reply, &refusal, 20000), 0);
    const struct node_row *rows = reply.nodes.v;
    for (size_t i = 0; i < reply.nodes.count; i++)
        up = up || (strcmp(rows[i].node, "n2") == 0 && strcmp(rows[i].state, "up") == 0);
    fields_clear(&node_reply_fields, &reply);
    return up;
}

/* Nothing tells of a node that comes: looked at until it is there. */
static void setup(void)
{
    kill(second_node_agent(), SIGCONT); /* a test that failed may have left it stopped */
    for (int tries = 0; tries < 400 && !n2_is_up(); tries++)
        system_pause_ms(50);
    ck_assert(n2_is_up());
}

START_TEST(it_starts_on_both_nodes_and_ends)
{
    uint64_t job = submit("echo $REEVE_ATTEMPT", "");
    wait_end(job, "succeeded");
    check_together(job, 1);
    check_logs(job, SIZE, 1);
    ck_assert_uint_eq(count(job, (struct sought){.state = "succeeded"}), SIZE);
}
END_TEST

/* At once, when the others may not have started yet; or when they run. */
START_TEST(one_fails_and_all_run_again)
{
    static const char *const waits[] = {"", "sleep 0.5; "};
    char command[200];
    snprintf(command, sizeof command,
             FIRST_TIME "if [ $REEVE_TASK = 2 ]; then %sexit 3; fi; " FOREVER THEN "echo $REEVE_ATTEMPT", waits[_i]);
    uint64_t job = submit(command, ",\"retries\":1");
    wait_end(job, "succeeded");
    check_together(job, 1);
    check_together(job, 2);
    check_logs(job, SIZE, 2);
    ck_assert_uint_eq(count(job, (struct sought){.cause = "exit", .epoch = 1}), 1);
    ck_assert_uint_eq(count(job, (struct sought){.cause = "gang", .epoch = 1}), SIZE - 1);
    ck_assert_uint_eq(count(job, (struct sought){.cause = "exit", .epoch = 2}), SIZE);
}
END_TEST

START_TEST(one_fails_for_good_and_all_are_over)
{
    uint64_t job = submit("if [ $REEVE_TASK = 1 ]; then exit 7; fi; " FOREVER, "");
    wait_end(job, "failed");
    ck_assert_uint_eq(count(job, (struct sought){.cause = "gang", .epoch = 1}), SIZE - 1);
    ck_assert_uint_eq(count(job, (struct sought){0}), SIZE);
}
END_TEST

/* Who has succeeded is done; only the others run again. */
START_TEST(who_has_succeeded_does_not_run_again)
{
    uint64_t job = submit("if [ $REEVE_TASK = 0 ]; then echo $REEVE_ATTEMPT; exit 0; fi; " FIRST_TIME
                          "if [ $REEVE_TASK = 2 ]; then sleep 1; exit 3; fi; " FOREVER THEN "true",
                          ",\"retries\":1");
    wait_end(job, "succeeded");
    check_logs(job, 1, 1);
    ck_assert_uint_eq(count(job, (struct sought){.epoch = 2, .state = "succeeded"}), SIZE - 1);
}
END_TEST

START_TEST(a_killed_keeper_costs_nobody_anything)
{
    uint64_t job = submit(FIRST_TIME FOREVER THEN "echo $REEVE_ATTEMPT", "");
    wait_count(job, (struct sought){.epoch = 1, .state = "running"}, SIZE);
    kill(system_keeper(job, (unsigned)_i), SIGKILL);
    wait_end(job, "succeeded");
    check_together(job, 2);
    check_logs(job, SIZE, 2);
    ck_assert_uint_eq(count(job, (struct sought){.epoch = 1, .cause = "keeper_lost"}), 1);
    ck_assert_uint_eq(count(job, (struct sought){.epoch = 1, .cause = "gang_lost"}), SIZE - 1);
    struct job_view v = system_show(job);
    const struct attempt_view *a = v.attempts.v;
    for (size_t i = 0; i < v.attempts.count; i++)
        ck_assert(a[i].epoch == 2 || (a[i].spent_micros == 0 && a[i].hold_micros == 0));
    fields_clear(&job_view_fields, &v);
}
END_TEST

/* Its members live with their keepers: the gang notices nothing. */
START_TEST(killed_agents_and_scheduler_change_nothing)
{
    uint64_t job = submit("sleep 2; echo $REEVE_ATTEMPT", "");
    wait_count(job, (struct sought){.epoch = 1, .state = "running"}, SIZE);
    kill(system_pid("agent"), SIGKILL);
    kill(second_node_agent(), SIGKILL);
    kill(system_pid("reeved"), SIGKILL);
    wait_end(job, "succeeded");
    check_logs(job, SIZE, 1);
    ck_assert_uint_eq(count(job, (struct sought){0}), SIZE);
}
END_TEST

/* Two members are placed on an agent that can't read it yet; whoever is killed then, all run, once. */
START_TEST(killed_between_placement_and_start)
{
    static const struct {
        bool reeved, agent;
    } rows[] = {{true, false}, {false, true}, {true, true}};
    pid_t agent = second_node_agent();
    kill(agent, SIGSTOP);
    uint64_t job = submit("sleep 1; echo $REEVE_ATTEMPT", "");
    wait_count(job, (struct sought){.node = "n1", .state = "running"}, SIZE / 2);
    ck_assert_uint_eq(count(job, (struct sought){.node = "n2", .state = "starting"}), SIZE / 2);
    if (rows[_i].reeved)
        kill(system_pid("reeved"), SIGKILL);
    if (rows[_i].agent)
        kill(agent, SIGKILL);
    system_wait_store(20000);
    kill(agent, SIGCONT);
    wait_end(job, "succeeded");
    check_together(job, 1);
    check_logs(job, SIZE, 1);
    ck_assert_uint_eq(count(job, (struct sought){0}), SIZE);
}
END_TEST

/* The end of one, then reeved is killed: the others are still told, by whoever starts next. */
START_TEST(killed_between_the_end_of_one_and_of_the_others)
{
    uint64_t job = submit(FIRST_TIME "trap '' TERM; if [ $REEVE_TASK = 0 ]; then sleep 1; exit 3; fi; " FOREVER THEN
                                     "echo $REEVE_ATTEMPT",
                          ",\"retries\":1");
    wait_count(job, (struct sought){.epoch = 1, .cause = "exit"}, 1);
    kill(system_pid("reeved"), SIGKILL);
    wait_end(job, "succeeded");
    check_together(job, 2);
    check_logs(job, SIZE, 2);
    ck_assert_uint_eq(count(job, (struct sought){.epoch = 1, .cause = "gang"}), SIZE - 1);
}
END_TEST

/* A lease that ends: what the silent node had stops itself, and takes those on the other node along. */
START_TEST(a_silent_node_takes_all_of_it_along)
{
    uint64_t job = submit(FIRST_TIME FOREVER THEN "echo $REEVE_ATTEMPT", ",\"lease\":\"fast\"");
    wait_count(job, (struct sought){.epoch = 1, .state = "running"}, SIZE);
    pid_t agent = second_node_agent();
    kill(agent, SIGSTOP);
    wait_count(job, (struct sought){.epoch = 1, .node = "n1", .cause = "gang_lost"}, SIZE / 2);
    ck_assert_uint_eq(count(job, (struct sought){.epoch = 2}), 0); /* no room for two more on the other node */
    kill(agent, SIGCONT);
    wait_end(job, "succeeded");
    check_together(job, 2);
    check_logs(job, SIZE, 2);
}
END_TEST

START_TEST(cancelled_as_a_whole_whoever_is_named)
{
    uint64_t job = submit(FOREVER, ",\"retries\":3");
    wait_count(job, (struct sought){.state = "running"}, SIZE);
    cancel(job, SIZE, _i == 1, 2);
    wait_end(job, "cancelled");
    ck_assert_uint_eq(count(job, (struct sought){.cause = "cancelled"}), SIZE);
    ck_assert_uint_eq(count(job, (struct sought){0}), SIZE);
}
END_TEST

START_TEST(suspended_as_a_whole)
{
    uint64_t job = submit(FOREVER, "");
    wait_count(job, (struct sought){.state = "running"}, SIZE);
    change(CALL_SUSPEND, job, SIZE);
    wait_count(job, (struct sought){.state = "suspended"}, SIZE);
    kill(system_pid("reeved"), SIGKILL);
    kill(second_node_agent(), SIGKILL);
    system_wait_store(20000);
    ck_assert_uint_eq(count(job, (struct sought){.state = "suspended"}), SIZE);
    change(CALL_RESUME, job, SIZE);
    wait_count(job, (struct sought){.state = "running"}, SIZE);
    change(CALL_SUSPEND, job, SIZE);
    wait_count(job, (struct sought){.state = "suspended"}, SIZE);
    cancel(job, SIZE, false, 0);
    wait_end(job, "cancelled");
    ck_assert_uint_eq(count(job, (struct sought){0}), SIZE);
}
END_TEST

START_TEST(stopped_as_a_whole_within_its_budget)
{
    uint64_t job = submit_to("poor", FOREVER, ",\"array\":{\"last\":3},\"gang\":4,\"per_node\":2");
    wait_end(job, "budget_stopped");
    struct job_view v = system_show(job);
    ck_assert_uint_eq(v.attempts.count, SIZE);
    ck_assert_uint_ge(count_of(&v, (struct sought){.cause = "budget"}), 1); /* the others follow it */
    ck_assert_int_le(v.row.cost_micros, 44 * CENT);
    ck_assert_int_gt(v.row.cost_micros, 20 * CENT);
    fields_clear(&job_view_fields, &v);
}
END_TEST

static void check_waits_for_room(uint64_t job)
{
    struct job_call call = {.job = job};
    struct why_reply why = {0};
    struct refusal refusal = {0};
    ck_assert_int_eq(system_call(&client_methods[CALL_WHY], &call, &why, &refusal, 20000), 0);
    const struct blocker *b = why.blockers.v;
    ck_assert_uint_eq(why.blockers.count, 1);
    ck_assert_str_eq(b->kind, "placement");
    ck_assert_int_eq(b->need, 8);
    ck_assert_int_eq(b->free, 3);
    fields_clear(&why_reply_fields, &why);
}

/* The others say that they are over soon: what is kept for it is theirs until then. */
START_TEST(one_too_large_for_now_waits_and_keeps_nobody_from_starting)
{
    uint64_t filler = submit_to("acme", FOREVER, ",\"array\":{\"last\":4}");
    wait_count(filler, (struct sought){.state = "running"}, 5);
    uint64_t gang = submit_to("acme", "echo $REEVE_ATTEMPT", ",\"array\":{\"last\":7},\"gang\":8");
    check_waits_for_room(gang);
    for (int i = 0; i < 3; i++)
        wait_end(submit_to("acme", "true", ",\"array\":{\"last\":3},\"time_limit\":\"10s\""), "succeeded");
    check_waits_for_room(gang);
    ck_assert_uint_eq(count(gang, (struct sought){0}), 0);
    cancel(filler, 5, false, 0);
    wait_end(gang, "succeeded");
    check_logs(gang, 8, 1);
}
END_TEST

static void check_said(uint64_t job, uint32_t task, const char *want)
{
    char *log = system_log(job, task, STREAM_OUT);
    ck_assert_str_eq(log, want);
    free(log);
}

static uint32_t left_out(uint64_t job)
{
    struct job_view v = system_show(job);
    uint32_t tasks = v.row.left_out;
    ck_assert_uint_eq(v.row.failed, 0);
    fields_clear(&job_view_fields, &v);
    return tasks;
}

/* Room for three of eight: these begin, whoever is killed then, and the others are over. */
START_TEST(one_that_may_begins_with_fewer)
{
    uint64_t filler = submit_to("acme", FOREVER, ",\"array\":{\"last\":4}");
    wait_count(filler, (struct sought){.state = "running"}, 5);
    uint64_t gang = submit_to("acme", "sleep 1; echo $REEVE_TASK of $REEVE_GANG",
                              ",\"array\":{\"last\":7},\"gang\":8,\"gang_min\":2");
    wait_count(gang, (struct sought){.epoch = 1}, 3);
    ck_assert_uint_eq(left_out(gang), 5);
    if (_i == 1)
        kill(system_pid("reeved"), SIGKILL);
    cancel(filler, 5, false, 0); /* room for all: nobody is taken in again */
    wait_end(gang, "succeeded");
    ck_assert_uint_eq(left_out(gang), 5);
    ck_assert_uint_eq(count(gang, (struct sought){0}), 3);
    check_said(gang, 0, "0 of 3\n");
    check_said(gang, 2, "2 of 3\n");
    wait_end(filler, "cancelled");
}
END_TEST

/* It doesn't wait for the node that is gone. */
START_TEST(one_that_may_goes_on_with_the_node_that_is_left)
{
    uint64_t job = submit(FIRST_TIME FOREVER THEN "echo $REEVE_TASK of $REEVE_GANG",
                          ",\"lease\":\"fast\",\"gang_min\":2");
    wait_count(job, (struct sought){.epoch = 1, .state = "running"}, SIZE);
    pid_t agent = second_node_agent();
    kill(agent, SIGSTOP);
    wait_end(job, "succeeded");
    kill(agent, SIGCONT);
    ck_assert_uint_eq(left_out(job), 2);
    ck_assert_uint_eq(count(job, (struct sought){.epoch = 2, .node = "n1"}), 2);
    check_said(job, 0, "0 of 2\n");
    check_said(job, 1, "1 of 2\n");
}
END_TEST

/* Each alone, and none where the others are. */
START_TEST(tasks_of_an_array_are_spread_over_both_nodes)
{
    uint64_t job = submit_to("acme", "sleep 1", ",\"array\":{\"last\":3},\"spread\":\"node\"");
    wait_end(job, "succeeded");
    ck_assert_uint_eq(count(job, (struct sought){.node = "n1"}), 2);
    ck_assert_uint_eq(count(job, (struct sought){.node = "n2"}), 2);
}
END_TEST

/* Both nodes are full of what acme has borrowed, alone or as one gang; reeved, killed meanwhile, asks for nobody else.
 */
START_TEST(a_gang_of_a_higher_right_takes_both_nodes_from_a_borrower)
{
    static const struct {
        const char *borrower;
        bool reeved;
    } rows[] = {{"", false}, {",\"gang\":8", false}, {",\"gang\":8", true}};
    char more[100];
    snprintf(more, sizeof more, ",\"array\":{\"last\":7}%s", rows[_i].borrower);
    uint64_t borrower = submit_to("acme", FIRST_TIME FOREVER THEN "true", more);
    wait_count(borrower, (struct sought){.epoch = 1, .state = "running"}, 8);
    uint64_t own = submit_large("own", 2, "sleep 1; echo $REEVE_ATTEMPT",
                                ",\"array\":{\"last\":3},\"gang\":4,\"per_node\":2");
    if (rows[_i].reeved) {
        wait_between(borrower, (struct sought){.epoch = 1, .cause = "preempted"}, 1, 8);
        kill(system_pid("reeved"), SIGKILL);
    }
    wait_end(own, "succeeded");
    check_together(own, 1);
    check_logs(own, SIZE, 1);
    ck_assert_uint_eq(count(own, (struct sought){0}), SIZE);
    wait_end(borrower, "succeeded");
    ck_assert_uint_eq(count(borrower, (struct sought){0}), 16);
    struct job_view v = system_show(borrower);
    const struct attempt_view *a = v.attempts.v;
    ck_assert_uint_eq(count_of(&v, (struct sought){.epoch = 1, .cause = "preempted"}), 8);
    for (size_t i = 0; i < v.attempts.count; i++) /* it isn't preemptible: the platform pays what wasn't settled */
        ck_assert(a[i].epoch == 2 || a[i].hold_micros == 0);
    fields_clear(&job_view_fields, &v);
}
END_TEST

START_TEST(the_money_adds_up)
{
    char text[2000], command[4500];
    ck_assert_msg(system_books_equal(20000, text, sizeof text), "%s", text);
    snprintf(command, sizeof command, "%s --dir %s ledger verify 2>&1", system_program(), system_dir());
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    ck_assert_msg(pclose(f) == 0, "%s", text);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s BUILD\n", argv[0]);
        return 2;
    }
    system_start_with(argv[1], POLICY, (const char *const[]){"--slice", "10s", NULL});
    second_node_start(argv[1]);
    Suite *s = suite_create("gang");
    TCase *t = tcase_create("gang");
    tcase_set_timeout(t, 150);
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, it_starts_on_both_nodes_and_ends);
    tcase_add_loop_test(t, one_fails_and_all_run_again, 0, 2);
    tcase_add_test(t, one_fails_for_good_and_all_are_over);
    tcase_add_test(t, who_has_succeeded_does_not_run_again);
    tcase_add_loop_test(t, a_killed_keeper_costs_nobody_anything, 0, 2);
    tcase_add_test(t, killed_agents_and_scheduler_change_nothing);
    tcase_add_loop_test(t, killed_between_placement_and_start, 0, 3);
    tcase_add_test(t, killed_between_the_end_of_one_and_of_the_others);
    tcase_add_test(t, a_silent_node_takes_all_of_it_along);
    tcase_add_loop_test(t, cancelled_as_a_whole_whoever_is_named, 0, 2);
    tcase_add_test(t, suspended_as_a_whole);
    tcase_add_test(t, stopped_as_a_whole_within_its_budget);
    tcase_add_test(t, one_too_large_for_now_waits_and_keeps_nobody_from_starting);
    tcase_add_loop_test(t, one_that_may_begins_with_fewer, 0, 2);
    tcase_add_test(t, tasks_of_an_array_are_spread_over_both_nodes);
    tcase_add_test(t, one_that_may_goes_on_with_the_node_that_is_left);
    tcase_add_loop_test(t, a_gang_of_a_higher_right_takes_both_nodes_from_a_borrower, 0, 3);
    tcase_add_test(t, the_money_adds_up);
    suite_add_tcase(s, t);
    int code = run_suite(s);
    second_node_stop();
    return system_stop() ? code : 1;
}
