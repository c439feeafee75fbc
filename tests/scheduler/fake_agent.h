/*
 * fake_agent - a node that speaks the protocol and runs nothing, in a process of its own. It survives the scheduler and
 * says hello again, like a real one. A job whose command is "stay" runs until it is stopped; every other ends at once.
 * What it saw is in shared memory: above all, whether the scheduler ever let two attempts of one task live.
 */
#ifndef REEVE_TESTS_SCHEDULER_FAKE_AGENT_H
#define REEVE_TESTS_SCHEDULER_FAKE_AGENT_H

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/rpc.h"

enum { AGENT_ATTEMPTS_MAX = 8192, AGENT_RETRY_MS = 5, AGENT_CPU_MILLI = 16000 };

struct agent_seen {
    _Atomic uint64_t hellos, runs, ended, forgets, stops, paid;
    _Atomic uint64_t overlaps; /* a second live attempt of a task */
    _Atomic uint64_t revived;  /* an attempt ordered again after its end was acknowledged */
    _Atomic uint64_t stale;    /* orders of an old term */
    _Atomic uint64_t weight;   /* acme's of the node's disk, 0: none of its own */
    _Atomic uint64_t runs_without_it; /* orders of acme before the node knew its weight, since it has had one */
};

/* What every attempt wrote to stdout. Asked for stderr it gives the same, so that a test sees who was asked. */
#define FAKE_LOG "hello\n"
#define FAKE_LOG_BYTES (sizeof FAKE_LOG - 1)

struct fake_attempt {
    struct attempt_id id;
    enum { FAKE_LIVE, FAKE_ENDED, FAKE_DONE } phase;
    bool stays, told_running;
    struct exit_record record;
    int64_t started_utc_us;
};

struct fake_agent {
    const char *socket;
    struct loop *loop;
    struct rpc_conn *conn;
    struct timer *retry, *beat;
    bool welcome; /* hello was answered */
    uint64_t term;
    struct fake_attempt attempts[AGENT_ATTEMPTS_MAX]; /* never removed: done ones are remembered */
    size_t count;
    struct agent_seen *seen;
};

/* What an answer was for; one per call. */
struct fake_call {
    struct fake_agent *agent;
    size_t attempt;
    bool ended;
};

static inline void fake_report(struct fake_agent *a, size_t i);

static inline void fake_on_reported(void *arg, const void *result, const struct err *err)
{
    (void)err;
    struct fake_call *call = arg;
    struct fake_agent *a = call->agent;
    struct fake_attempt *t = &a->attempts[call->attempt];
    bool told = result != NULL;
    if (told && call->ended && t->phase == FAKE_ENDED) {
        t->phase = FAKE_DONE;
        a->seen->ended++;
    } else if (told && !call->ended) {
        t->told_running = true;
        if (!t->stays && t->phase == FAKE_LIVE) {
            t->phase = FAKE_ENDED;
            t->record = (struct exit_record){
                .cause = END_EXIT, .run_us = 2000000 + t->id.job, .started_utc_us = t->started_utc_us,
                .out_bytes = FAKE_LOG_BYTES};
        }
        if (t->phase == FAKE_ENDED)
            fake_report(a, call->attempt);
    } else if (a->conn != NULL && a->welcome && t->phase != FAKE_DONE) {
        fake_report(a, call->attempt); /* unavailable: ask again */
    }
    free(call);
}

static inline void fake_report(struct fake_agent *a, size_t i)
{
    if (a->conn == NULL || !a->welcome)
        return;
    struct fake_attempt *t = &a->attempts[i];
    struct fake_call *call = malloc(sizeof *call);
    *call = (struct fake_call){a, i, t->phase == FAKE_ENDED};
    struct attempt_state s = {
        .id = t->id, .ended = call->ended, .started_utc_us = t->started_utc_us, .record = t->record};
    if (rpc_call(a->conn, &agent_calls[AGENT_STATE], &s, fake_on_reported, call) < 0)
        free(call);
}

static inline struct fake_attempt *fake_find(struct fake_agent *a, struct attempt_id id)
{
    for (size_t i = 0; i < a->count; i++)
        if (attempt_id_equal(a->attempts[i].id, id))
            return &a->attempts[i];
    return NULL;
}

static inline bool fake_term_holds(struct fake_agent *a, uint64_t term)
{
    if (term < a->term) {
        a->seen->stale++;
        return false;
    }
    a->term = term;
    return true;
}

static inline void fake_on_run(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                               const void *params)
{
    (void)conn, (void)t, (void)m;
    struct fake_agent *a = arg;
    const struct run_call *run = params;
    if (!fake_term_holds(a, run->term))
        return;
    struct fake_attempt *known = fake_find(a, run->id);
    if (known != NULL) {
        a->seen->revived += known->phase == FAKE_DONE;
        return;
    }
    for (size_t i = 0; i < a->count; i++)
        if (a->attempts[i].id.job == run->id.job && a->attempts[i].id.task == run->id.task &&
            a->attempts[i].phase == FAKE_LIVE)
            a->seen->overlaps++;
    if (a->count == AGENT_ATTEMPTS_MAX)
        abort();
    struct fake_attempt *x = &a->attempts[a->count++];
    *x = (struct fake_attempt){.id = run->id, .phase = FAKE_LIVE, .started_utc_us = clock_utc_us(),
                               .stays = run->spec.command.count > 0 && strcmp(run->spec.command.v[0], "stay") == 0};
    a->seen->runs++;
    a->seen->runs_without_it += a->seen->weight == 0;
    fake_report(a, a->count - 1);
}

static inline void fake_on_paid(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                                const void *params)
{
    (void)conn, (void)t, (void)m;
    struct fake_agent *a = arg;
    a->seen->paid += fake_term_holds(a, ((const struct paid_call *)params)->term);
}

static inline void fake_on_stop(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                                const void *params)
{
    (void)conn, (void)t, (void)m;
    struct fake_agent *a = arg;
    const struct stop_call *stop = params;
    if (!fake_term_holds(a, stop->term))
        return;
    a->seen->stops++;
    struct fake_attempt *x = fake_find(a, stop->id);
    if (x == NULL) { /* it never got here: it has ended all the same */
        x = &a->attempts[a->count++];
        *x = (struct fake_attempt){.id = stop->id, .phase = FAKE_LIVE};
    }
    if (x->phase != FAKE_LIVE)
        return;
    x->phase = FAKE_ENDED;
    x->record = (struct exit_record){.cause = stop->cause, .signal = SIGTERM, .run_us = 1500000};
    fake_report(a, (size_t)(x - a->attempts));
}

static inline void fake_on_forget(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                                  const void *params)
{
    (void)conn, (void)t, (void)m;
    struct fake_agent *a = arg;
    const struct forget_call *forget = params;
    struct fake_attempt *x = fake_find(a, forget->id);
    if (!fake_term_holds(a, forget->term) || x == NULL)
        return;
    x->phase = FAKE_DONE;
    a->seen->forgets++;
}

static inline void fake_on_shares(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                                  const void *params)
{
    (void)conn, (void)t, (void)m;
    struct fake_agent *a = arg;
    const struct shares_call *call = params;
    const struct io_share *v = call->tenants.v;
    if (!fake_term_holds(a, call->term))
        return;
    if (call->whole)
        a->seen->weight = 0;
    for (size_t i = 0; i < call->tenants.count; i++)
        if (strcmp(v[i].tenant, "acme") == 0)
            a->seen->weight = v[i].is.weight;
}

static inline void fake_on_log(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                               const void *params)
{
    (void)arg, (void)m;
    const struct log_call *call = params;
    uint8_t text[] = FAKE_LOG;
    struct log_reply reply = {.data = {text, FAKE_LOG_BYTES}, .size = FAKE_LOG_BYTES, .end = true,
                              .epoch = call->epoch};
    rpc_conn_answer(conn, t, &log_reply_fields, &reply);
}

static const rpc_handler fake_handlers[NODE_CALL_COUNT] = {
    [NODE_RUN] = fake_on_run,       [NODE_PAID] = fake_on_paid, [NODE_STOP] = fake_on_stop,
    [NODE_FORGET] = fake_on_forget, [NODE_LOG] = fake_on_log,   [NODE_SHARES] = fake_on_shares,
};

static inline void fake_on_hello(void *arg, const void *result, const struct err *err)
{
    (void)err;
    struct fake_agent *a = arg;
    if (result == NULL) {
        if (a->conn != NULL)
            rpc_close(a->conn);
        a->conn = NULL;
        timer_set_ms(a->retry, AGENT_RETRY_MS);
        return;
    }
    const struct hello_reply *reply = result;
    a->seen->hellos++;
    a->term = reply->term > a->term ? reply->term : a->term;
    a->welcome = true;
    timer_set_ms(a->beat, reply->beat_ms);
    for (size_t i = 0; i < a->count; i++)
        if (a->attempts[i].phase == FAKE_ENDED || (a->attempts[i].phase == FAKE_LIVE && !a->attempts[i].told_running))
            fake_report(a, i);
}

static inline void fake_on_open(void *arg, struct rpc_conn *conn)
{
    struct fake_agent *a = arg;
    char node[] = "n1", boot[] = "boot-1", instance[] = "i1", version[] = "fake";
    struct hello_call hello = {.node = node,
                               .boot_id = boot,
                               .instance = instance,
                               .version = version,
                               .term_seen = a->term,
                               .capacity = {AGENT_CPU_MILLI, (uint64_t)64 << 30, (uint64_t)64 << 30, {0}}};
    for (size_t i = 0; i < a->count; i++) {
        const struct fake_attempt *t = &a->attempts[i];
        struct attempt_state *s = t->phase == FAKE_DONE ? NULL : list_add(&hello.attempts, sizeof *s);
        if (s != NULL)
            *s = (struct attempt_state){.id = t->id,
                                        .ended = t->phase == FAKE_ENDED,
                                        .started_utc_us = t->started_utc_us,
                                        .record = t->record};
    }
    if (rpc_call(conn, &agent_calls[AGENT_HELLO], &hello, fake_on_hello, a) < 0)
        abort();
    free(hello.attempts.v);
}

static inline void fake_on_close(void *arg, struct rpc_conn *conn, const char *why)
{
    (void)conn, (void)why;
    struct fake_agent *a = arg;
    a->conn = NULL;
    a->welcome = false;
    timer_cancel(a->beat);
    timer_set_ms(a->retry, AGENT_RETRY_MS);
}

static inline void fake_connect(void *arg)
{
    struct fake_agent *a = arg;
    struct rpc_handlers h = {node_calls, fake_handlers, NODE_CALL_COUNT, fake_on_open, fake_on_close};
    if (a->conn == NULL && rpc_connect(&a->conn, a->loop, a->socket, &h, a, NULL) < 0) {
        a->conn = NULL;
        timer_set_ms(a->retry, AGENT_RETRY_MS);
    }
}

static inline void fake_on_beaten(void *arg, const void *result, const struct err *err)
{
    (void)arg, (void)result, (void)err;
}

static inline void fake_beat(void *arg)
{
    struct fake_agent *a = arg;
    if (a->conn == NULL || !a->welcome)
        return;
    struct beat_call beat = {.boot_us = clock_boot_us()};
    if (rpc_call(a->conn, &agent_calls[AGENT_BEAT], &beat, fake_on_beaten, a) == 0)
        timer_set_ms(a->beat, 1000);
}

static inline struct agent_seen *fake_agent_seen(void)
{
    void *shared = mmap(NULL, sizeof(struct agent_seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
    return shared;
}

static inline pid_t fake_agent_start(const char *socket, struct agent_seen *seen)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static struct fake_agent a;
    a.socket = socket;
    a.seen = seen;
    if (loop_new(&a.loop, NULL) < 0 || timer_new(&a.retry, a.loop, fake_connect, &a) < 0 ||
        timer_new(&a.beat, a.loop, fake_beat, &a) < 0)
        _exit(1);
    timer_set_ms(a.retry, 0);
    _exit(loop_run(a.loop, NULL) == 0 ? 0 : 1);
}

#endif
