/*
 * 64 clients at once on the real reeved, each with all its submissions on the way before it reads an answer, on a tree
 * of three levels: what is admitted, and what starts, is exactly what the tightest level has room for.
 */
#include <inttypes.h>

#include "tests/run.h"
#include "tests/scheduler/flow.h"

enum { CLIENTS = 64, WISHES = 6, LEVELS = 3, TASKS = 7, CPU_MILLI = 500, PROBES = 10 };

static const char *const paths[LEVELS] = {"acme", "acme/etl", "acme/etl/night"};
enum kind { QUEUED, CPU, MONEY };
static const struct row {
    const char *what;
    enum kind kind;
    uint64_t limits[LEVELS]; /* MONEY: tenths of what one attempt holds */
    uint64_t fits;           /* submissions, of TASKS each; attempts */
} rows[] = {
    {"a queue is tightest at the top", QUEUED, {731, 2000, 1500}, 104},
    {"a queue is tightest in the middle", QUEUED, {2000, 731, 1500}, 104},
    {"a queue is tightest at the leaf", QUEUED, {2000, 1500, 731}, 104},
    {"cores are tightest at the top", CPU, {4999, 9000, 8000}, 9},
    {"cores are tightest in the middle", CPU, {9000, 4999, 8000}, 9},
    {"cores are tightest at the leaf", CPU, {9000, 8000, 4999}, 9},
    {"a budget is tightest at the top", MONEY, {119, 200, 190}, 11},
    {"a budget is tightest in the middle", MONEY, {200, 119, 190}, 11},
    {"a budget is tightest at the leaf", MONEY, {200, 190, 119}, 11},
};

/* ---- the tree ---- */
static void apply_limits(const struct row *row, int64_t hold_micros)
{
    struct apply_call call = {0};
    struct apply_reply reply = {0};
    ck_assert_int_eq(str_set(&call.policy.currency, "EUR"), 0);
    struct price_version *price = list_add(&call.policy.prices, sizeof *price);
    price->from_utc_us = 1;
    ck_assert_int_eq(counts_set(&price->per_hour, "cpu", 36000000), 0);
    for (size_t i = 0; i < LEVELS; i++) {
        struct tenant_rule *t = list_add(&call.policy.tenants, sizeof *t);
        ck_assert_int_eq(str_set(&t->path, paths[i]), 0);
        if (row->kind == QUEUED)
            t->quota.max_queued = row->limits[i];
        else if (row->kind == CPU)
            t->quota.max.cpu_milli = row->limits[i];
        else
            t->budget = (struct budget_rule){.present = true, .period = PERIOD_TOTAL,
                                             .limit_micros = (int64_t)row->limits[i] * hold_micros / 10};
    }
    ask(CALL_APPLY, &call, &reply, NULL);
    fields_clear(&apply_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
}

static struct tenant_row level(size_t i)
{
    struct tenant_call call = {0};
    struct tenant_reply reply = {0};
    ck_assert_int_eq(str_set(&call.tenant, paths[i]), 0);
    ask(CALL_TENANTS, &call, &reply, NULL);
    const struct tenant_row *rows_of = reply.tenants.v;
    struct tenant_row found = {0};
    for (size_t k = 0; k < reply.tenants.count; k++)
        if (strcmp(rows_of[k].path, paths[i]) == 0)
            found = (struct tenant_row){.running = rows_of[k].running, .queued = rows_of[k].queued,
                                        .used.cpu_milli = rows_of[k].used.cpu_milli,
                                        .held_micros = rows_of[k].held_micros};
    fields_clear(&tenant_call_fields, &call);
    fields_clear(&tenant_reply_fields, &reply);
    return found;
}

/* ---- clients ---- */
static void send_wish(int s, int client, int number, int tasks)
{
    char line[512];
    int n = snprintf(line, sizeof line,
                     "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"job.submit\",\"params\":{\"tenant\":\"%s\",\"key\":"
                     "\"w%d-%d\",\"spec\":{\"command\":[\"stay\"],\"time_limit\":\"10s\",\"resources\":{\"cpu\":"
                     "\"0.5\",\"memory\":\"4Mi\"},\"array\":{\"first\":0,\"last\":%d}}}}\n",
                     number, paths[LEVELS - 1], client, number, tasks - 1);
    send_all(s, line, (size_t)n);
}

/* Exits with how many were admitted. What is unavailable is asked again, under its key. */
_Noreturn static void submit_all(int client, int tasks, int ready, int go)
{
    char byte = 0, line[4096];
    int s = dial_clients(), admitted = 0;
    FILE *answers = fdopen(s, "r");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 0)
        _exit(255);
    for (int i = 0; i < WISHES; i++)
        send_wish(s, client, i, tasks);
    for (int due = WISHES; due > 0; due--) {
        if (fgets(line, sizeof line, answers) == NULL)
            _exit(254);
        if (strstr(line, "\"result\"") != NULL) {
            admitted++;
        } else if (strstr(line, "\"unavailable\"") != NULL) {
            const char *id = strstr(line, "\"id\":");
            send_wish(s, client, (int)strtol(id + 5, NULL, 10), tasks);
            due++;
        } else if (strstr(line, "\"queue_full\"") == NULL) {
            fprintf(stderr, "%s", line);
            _exit(253);
        }
    }
    _exit(admitted);
}

static uint64_t clients_run(int tasks)
{
    int ready[2], go[2];
    uint64_t admitted = 0;
    char byte;
    ck_assert(pipe(ready) == 0 && pipe(go) == 0);
    pid_t pids[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        pids[i] = fork();
        ck_assert_int_ge(pids[i], 0);
        if (pids[i] == 0) {
            close(go[1]);
            submit_all(i, tasks, ready[1], go[0]);
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(go[1]); /* all of them are connected: go */
    for (int i = 0; i < CLIENTS; i++) {
        int status = 0;
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) <= WISHES, "a client ended with %x", (unsigned)status);
        admitted += (uint64_t)WEXITSTATUS(status);
    }
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    return admitted;
}

/* Redis counts what the journal says, tenant by tenant. */
static void redis_agrees(void)
{
    struct verify_reply reply = {0};
    ask(CALL_VERIFY, NULL, &reply, NULL);
    ck_assert_msg(reply.differences_total == 0, "%s", reply.differences.count > 0 ? reply.differences.v[0] : "?");
    ck_assert_uint_ge(reply.tenants, LEVELS);
    fields_clear(&verify_reply_fields, &reply);
}

/* ---- queues ---- */
START_TEST(exactly_as_much_is_admitted_as_the_tightest_queue_takes)
{
    const struct row *row = &rows[_i];
    apply_limits(row, 0);
    uint64_t admitted = clients_run(TASKS);
    ck_assert_msg(admitted == row->fits, "%s: %" PRIu64 " admitted, %" PRIu64 " fit", row->what, admitted, row->fits);
    for (size_t i = 0; i < LEVELS; i++) {
        struct tenant_row t = level(i);
        ck_assert_uint_eq(t.queued + t.running, row->fits * TASKS);
        ck_assert_uint_le(t.queued, row->limits[i]);
    }
    redis_agrees();
}
END_TEST

/* ---- what starts ---- */
/* What one attempt holds, where there is money enough. */
static int64_t hold_of_one(void)
{
    apply_limits(&(struct row){.kind = MONEY, .limits = {10, 10, 10}}, INT64_C(1000000000));
    uint64_t job = submit("stay", "one");
    wait_until_it_runs(job);
    int64_t held = level(0).held_micros;
    ck_assert_int_gt(held, 0);
    ask(CALL_CANCEL, &(struct job_call){.job = job}, &(struct cancel_reply){0}, NULL);
    wait_for(job, "cancelled");
    ck_assert_int_eq(level(0).held_micros, 0);
    return held;
}

/* Each is committed in a turn of its own, and each turn decides. */
static void turns_pass(void)
{
    for (int i = 0; i < PROBES; i++) {
        char key[32];
        snprintf(key, sizeof key, "probe-%d", i);
        struct submit_call call = job_call("stay", key);
        struct submit_reply reply = {0};
        ck_assert_int_eq(str_set(&call.tenant, paths[LEVELS - 1]), 0);
        ask(CALL_SUBMIT, &call, &reply, NULL);
        ask(CALL_CANCEL, &(struct job_call){.job = reply.job}, &(struct cancel_reply){0}, NULL);
        fields_clear(&submit_call_fields, &call);
        fields_clear(&submit_reply_fields, &reply);
    }
}

START_TEST(exactly_as_much_starts_as_the_tightest_level_has_room_for)
{
    const struct row *row = &rows[_i];
    agent = fake_agent_start(agent_socket, seen);
    int64_t hold = row->kind == MONEY ? hold_of_one() : 0;
    uint64_t before = seen->runs;
    apply_limits(row, hold);
    ck_assert_uint_eq(clients_run(1), CLIENTS * WISHES);
    while (level(0).running < row->fits)
        ask(CALL_STATUS, NULL, &(struct status_reply){0}, NULL);
    turns_pass();
    for (size_t i = 0; i < LEVELS; i++) {
        struct tenant_row t = level(i);
        ck_assert_msg(t.running == row->fits, "%s: %" PRIu64 " run, %" PRIu64 " fit", row->what, t.running, row->fits);
        ck_assert_uint_eq(t.queued, CLIENTS * WISHES - row->fits);
        ck_assert_uint_eq(t.used.cpu_milli, row->fits * CPU_MILLI);
        ck_assert_int_eq(t.held_micros, (int64_t)row->fits * hold);
    }
    redis_agrees();
    while (seen->runs - before < row->fits)
        poll(NULL, 0, 1); /* the node is another process: what it heard is in shared memory */
    ck_assert_uint_eq(seen->runs - before, row->fits);
}
END_TEST

/* No node yet: what is submitted stays where it is. */
static void set_up_alone(void)
{
    scratch = scratch_new();
    ck_assert_int_eq(chmod(scratch.dir, 0711), 0);
    snprintf(dir, sizeof dir, "%s/cell", scratch.dir);
    snprintf(client_socket, sizeof client_socket, "%s/reeve.sock", dir);
    snprintf(agent_socket, sizeof agent_socket, "%s/agent/agent.sock", dir);
    redis_start(&redis, scratch.dir);
    reeved_start(NULL);
    seen = fake_agent_seen();
}

static void tear_down_alone(void)
{
    if (agent > 0) {
        kill(agent, SIGKILL);
        waitpid(agent, NULL, 0);
    }
    reeved_end(SIGKILL);
    redis_stop(&redis);
    scratch_remove(&scratch);
}

int main(void)
{
    Suite *suite = suite_create("admitted");
    TCase *t = tcase_create("admitted");
    tcase_add_checked_fixture(t, set_up_alone, tear_down_alone);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, exactly_as_much_is_admitted_as_the_tightest_queue_takes, 0, 3);
    tcase_add_loop_test(t, exactly_as_much_starts_as_the_tightest_level_has_room_for, 3, COUNT_OF(rows));
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
