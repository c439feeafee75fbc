/*
 * flow - the real reeved with a private Redis, a node that only speaks the protocol, and clients on the socket. One of
 * each per program.
 */
#ifndef REEVE_TESTS_SCHEDULER_FLOW_H
#define REEVE_TESTS_SCHEDULER_FLOW_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/parse.h"
#include "quotas/store/store.h"
#include "tests/scheduler/fake_agent.h"
#include "tests/scheduler/redis_child.h"
#include "tests/scratch.h"

static struct scratch scratch;
static struct redis_child redis;
static struct agent_seen *seen;
static char dir[128], client_socket[160], agent_socket[160];
static pid_t reeved, agent, drain;

/* ---- reeved ---- */
static inline void program_path(char out[512])
{
    char self[480];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(len, 0);
    self[len] = '\0';
    for (int up = 0; up < 3; up++) /* BUILD/tests/scheduler/test_flow */
        *strrchr(self, '/') = '\0';
    snprintf(out, 512, "%s/reeved", self);
}

/* Reads what reeved logs until it ends; tells when it is ready. */
_Noreturn static inline void drain_log(int from, int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char path[160], line[8192];
    snprintf(path, sizeof path, "%s/reeved.log", scratch.dir);
    FILE *in = fdopen(from, "r"), *out = fopen(path, "a");
    while (in != NULL && out != NULL && fgets(line, sizeof line, in) != NULL) {
        fputs(line, out);
        fflush(out);
        if (strstr(line, " reeved.ready ") != NULL && write(ready, "r", 1) != 1)
            break;
    }
    _exit(0);
}

static inline void reeved_start(const char *user)
{
    char program[512];
    program_path(program);
    int log[2], ready[2];
    ck_assert_int_eq(pipe2(log, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    reeved = fork();
    ck_assert_int_ge(reeved, 0);
    if (reeved == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(log[1], 2);
        execl(program, "reeved", "--dir", dir, "--redis", redis.url, "--cell", "flow", user == NULL ? NULL : "--user",
              user, (char *)NULL);
        _exit(127);
    }
    drain = fork();
    ck_assert_int_ge(drain, 0);
    if (drain == 0) {
        close(log[1]);
        drain_log(log[0], ready[1]);
    }
    close(log[0]);
    close(log[1]);
    close(ready[1]);
    char byte;
    ck_assert_msg(read(ready[0], &byte, 1) == 1, "reeved did not become ready; see its log");
    close(ready[0]);
}

static inline int reeved_end(int signo)
{
    int status = 0;
    kill(reeved, signo);
    waitpid(reeved, &status, 0);
    waitpid(drain, NULL, 0); /* the pipe has ended */
    reeved = drain = 0;
    return status;
}

/* ---- calls ---- */
static inline struct rpc_client *client(void)
{
    struct rpc_client *c = NULL;
    struct err err = {0};
    ck_assert_msg(rpc_client_open(&c, client_socket, &err) == 0, "%s", err_text(&err));
    return c;
}

/* 0 and the result, 1 and the refusal's code in `code`. Where no refusal is expected, a store that took too long (this
 * machine has much to do) is asked again, as any client does. */
#define ASK_TRIES 100
static inline int ask(enum client_method method, const void *params, void *result, char code[64])
{
    struct rpc_client *c = client();
    struct refusal refusal = {0};
    struct err err = {0};
    int rc = -1;
    for (int tries = 0; tries < ASK_TRIES; tries++) {
        fields_clear(&refusal_fields, &refusal);
        rc = rpc_client_call(c, &client_methods[method], params, 20000, result, &refusal, &err);
        ck_assert_msg(rc >= 0, "%s: %s", client_methods[method].name, err_text(&err));
        if (rc == 0 || code != NULL || strcmp(refusal.code, "unavailable") != 0)
            break;
        poll(NULL, 0, 100);
    }
    if (code != NULL)
        snprintf(code, 64, "%s", rc == 1 ? refusal.code : "");
    else
        ck_assert_msg(rc == 0, "%s: %s: %s", client_methods[method].name, refusal.code, refusal.message);
    fields_clear(&refusal_fields, &refusal);
    rpc_client_close(c);
    return rc;
}

static inline void set_policy_of(int64_t limit_micros, uint32_t io_weight)
{
    struct apply_call call = {0};
    struct apply_reply reply = {0};
    ck_assert_int_eq(str_set(&call.policy.currency, "EUR"), 0);
    struct price_version *price = list_add(&call.policy.prices, sizeof *price);
    price->from_utc_us = 1;
    ck_assert_int_eq(counts_set(&price->per_hour, "cpu", 36000000), 0); /* 0.01 a core-second */
    struct tenant_rule *t = list_add(&call.policy.tenants, sizeof *t);
    ck_assert_int_eq(str_set(&t->path, "acme"), 0);
    t->budget = (struct budget_rule){.present = true, .limit_micros = limit_micros, .period = PERIOD_TOTAL};
    t->io.weight = io_weight;
    ck_assert_int_eq(strs_add(&t->users, "uid:70001"), 0);
    ask(CALL_APPLY, &call, &reply, NULL);
    fields_clear(&apply_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
}

static inline void set_policy(int64_t limit_micros)
{
    set_policy_of(limit_micros, 0);
}

static inline struct submit_call job_call(const char *command, const char *key)
{
    struct submit_call call = {.spec = {.time_limit_ms = 10000}};
    ck_assert_int_eq(str_set(&call.tenant, "acme"), 0);
    ck_assert_int_eq(str_set(&call.key, key), 0);
    ck_assert_int_eq(strs_add(&call.spec.command, command), 0);
    call.spec.resources.cpu_milli = 500;
    call.spec.resources.mem_bytes = 64 << 20;
    return call;
}

static inline uint64_t submit(const char *command, const char *key)
{
    struct submit_call call = job_call(command, key);
    struct submit_reply reply = {0};
    ask(CALL_SUBMIT, &call, &reply, NULL);
    uint64_t job = reply.job;
    ck_assert_uint_gt(job, 0);
    fields_clear(&submit_call_fields, &call);
    fields_clear(&submit_reply_fields, &reply);
    return job;
}

/* As often as it takes: what a client with a key does. false: refused. */
static inline bool submit_again(const char *key)
{
    struct submit_call call = job_call("/bin/true", key);
    bool acknowledged = false, refused = false;
    while (!acknowledged && !refused) {
        struct rpc_client *c = NULL;
        struct submit_reply reply = {0};
        struct refusal refusal = {0};
        if (rpc_client_open(&c, client_socket, NULL) < 0) {
            poll(NULL, 0, 2); /* nobody listens while it starts again */
            continue;
        }
        int rc = rpc_client_call(c, &client_methods[CALL_SUBMIT], &call, 2000, &reply, &refusal, NULL);
        acknowledged = rc == 0 && reply.job > 0;
        refused = rc == 1 && strcmp(refusal.code, "unavailable") != 0;
        if (rc == 1 && !refused)
            poll(NULL, 0, 10);
        fields_clear(&submit_reply_fields, &reply);
        fields_clear(&refusal_fields, &refusal);
        rpc_client_close(c);
    }
    fields_clear(&submit_call_fields, &call);
    return acknowledged;
}

/* Follows the job until `state`, or until it is final. */
static inline void wait_for(uint64_t job, const char *state)
{
    char now[32] = "";
    struct wait_call call = {.job = job, .timeout_ms = 5000};
    for (bool final = false; strcmp(now, state) != 0 && !final;) {
        struct wait_reply reply = {0};
        ask(CALL_WAIT, &call, &reply, NULL);
        snprintf(now, sizeof now, "%s", reply.row.state);
        call.seen = reply.change;
        final = reply.final;
        fields_clear(&wait_reply_fields, &reply);
    }
    ck_assert_str_eq(now, state);
}

/* A job is called running from its placement on; here its node has said so, too. */
static inline void wait_until_it_runs(uint64_t job)
{
    for (bool runs = false; !runs;) {
        struct job_view view = {0};
        struct wait_reply reply = {0};
        ask(CALL_SHOW, &(struct job_call){.job = job}, &view, NULL);
        const struct attempt_view *a = view.attempts.v;
        runs = view.attempts.count == 1 && strcmp(a->state, "running") == 0;
        if (!runs)
            ask(CALL_WAIT, &(struct wait_call){.job = job, .seen = view.change, .timeout_ms = 5000}, &reply, NULL);
        ck_assert(!reply.final);
        fields_clear(&wait_reply_fields, &reply);
        fields_clear(&job_view_fields, &view);
    }
}

struct books {
    int64_t spent, held;
};

static inline struct books books_of(const char *tenant)
{
    struct tenant_call call = {0};
    struct tenant_reply reply = {0};
    ck_assert_int_eq(str_set(&call.tenant, tenant), 0);
    ask(CALL_TENANTS, &call, &reply, NULL);
    ck_assert_uint_eq(reply.tenants.count, 1);
    const struct tenant_row *row = reply.tenants.v;
    struct books b = {row->spent_micros, row->held_micros};
    fields_clear(&tenant_call_fields, &call);
    fields_clear(&tenant_reply_fields, &reply);
    return b;
}

/* The accounts as Redis has them. */
static inline struct books redis_books(void)
{
    struct store_sync *store = NULL;
    struct list accounts = {0};
    struct books b = {0};
    ASK_STORE(store_sync_open(&store, redis.url, "flow", NULL));
    ASK_STORE(store_accounts(store, &accounts, NULL));
    const struct store_account *a = accounts.v;
    for (size_t i = 0; i < accounts.count; i++)
        if (strncmp(a[i].name, "acme@", 5) == 0) {
            b.spent += a[i].spent_micros;
            b.held += a[i].held_micros;
        }
    store_accounts_clear(&accounts);
    store_sync_close(store);
    return b;
}

static inline int64_t job_cost(uint64_t job)
{
    struct job_call call = {.job = job};
    struct job_view view = {0};
    ask(CALL_SHOW, &call, &view, NULL);
    int64_t cost = view.row.cost_micros, charged = 0;
    const struct attempt_view *a = view.attempts.v;
    for (size_t i = 0; i < view.attempts.count; i++)
        for (size_t k = 0; k < a[i].charges.count; k++)
            charged += ((const struct charge *)a[i].charges.v)[k].micros;
    ck_assert_int_eq(charged, cost);
    fields_clear(&job_view_fields, &view);
    return cost;
}

/* Journal, ledger, counters and holds, as reeved recounts them while it lives; of so many accounts or more. */
static inline void recount_agrees(uint64_t accounts_min)
{
    struct verify_reply reply = {0};
    ask(CALL_VERIFY, NULL, &reply, NULL);
    ck_assert_msg(reply.differences_total == 0, "%s", reply.differences.count > 0 ? reply.differences.v[0] : "?");
    ck_assert_uint_ge(reply.accounts, accounts_min);
    fields_clear(&verify_reply_fields, &reply);
}

/* ---- bytes ---- */
static inline int dial_clients(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, client_socket, MIN(strlen(client_socket), sizeof address.sun_path - 1));
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(s, (struct sockaddr *)&address, sizeof address), 0);
    return s;
}

static inline void send_all(int s, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(s, bytes, len, MSG_NOSIGNAL);
        ck_assert_int_gt(n, 0);
        bytes += n;
        len -= (size_t)n;
    }
}

/* ---- fixture ---- */
static inline void set_up(void)
{
    scratch = scratch_new();
    ck_assert_int_eq(chmod(scratch.dir, 0711), 0);
    snprintf(dir, sizeof dir, "%s/cell", scratch.dir);
    snprintf(client_socket, sizeof client_socket, "%s/reeve.sock", dir);
    snprintf(agent_socket, sizeof agent_socket, "%s/agent/agent.sock", dir);
    redis_start(&redis, scratch.dir);
    reeved_start(NULL);
    seen = fake_agent_seen();
    agent = fake_agent_start(agent_socket, seen);
    set_policy(INT64_C(1000000000));
}

static inline void tear_down(void)
{
    kill(agent, SIGKILL);
    waitpid(agent, NULL, 0);
    if (reeved > 0)
        reeved_end(SIGKILL);
    redis_stop(&redis);
    scratch_remove(&scratch);
}

#endif
