/*
 * echo_server - a real server in a child process, for the tests of both sides of rpc. It answers, refuses, calls back,
 * closes in mid-answer; what it sees of connections comes back as lines through a pipe, so that no test has to wait
 * by the clock. It ends with SIGTERM and must exit 0 (under ASan: without a leak).
 */
#ifndef REEVE_TESTS_ECHO_SERVER_H
#define REEVE_TESTS_ECHO_SERVER_H

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/rpc.h"
#include "tests/scratch.h"

struct echo {
    char *text;
    uint64_t n;
};
static const struct field echo_rows[] = {
    FIELD_ROW(echo, 1, "text", FIELD_STR, text, .flags = FIELD_ESCAPED, .max = 4 << 20),
    FIELD_ROW(echo, 2, "n", FIELD_U64, n, .flags = FIELD_ALWAYS),
};
static const struct fields echo_fields = FIELDS_TABLE("echo", echo, echo_rows);

enum { ECHO, LATER, RELEASE, REFUSE, BUSY, HANG_UP, BIG, CALL_BACK, SILENT, NOT_HANDLED, ECHO_METHODS };
static const struct method echo_methods[ECHO_METHODS] = {
    [ECHO] = {.name = "echo", .params = &echo_fields, .result = &echo_fields},
    [LATER] = {.name = "later", .params = &echo_fields, .result = &echo_fields}, /* answered by release */
    [RELEASE] = {.name = "release", .params = NULL, .result = NULL},
    [REFUSE] = {.name = "refuse", .params = &echo_fields, .result = &echo_fields},
    [BUSY] = {.name = "busy", .params = NULL, .result = NULL},
    [HANG_UP] = {.name = "hang_up", .params = NULL, .result = NULL},
    [BIG] = {.name = "big", .params = &echo_fields, .result = &echo_fields}, /* n bytes of text */
    [CALL_BACK] = {.name = "call_back", .params = &echo_fields, .result = &echo_fields},
    [SILENT] = {.name = "silent", .params = NULL, .result = NULL},
    [NOT_HANDLED] = {.name = "not_handled", .params = NULL, .result = NULL},
};

struct echo_server {
    pid_t pid;
    int events; /* lines: "open", "close <why>", "reply <what>" */
    char path[256];
};

/* ---- the child's side ------------------------------------------------------------------------------------- */

static struct {
    struct rpc_server *server;
    struct loop *loop;
    struct rpc_ticket late[16], called_back;
    size_t late_count;
    int events;
} child;

static inline void child_tell(const char *what, const char *why)
{
    char line[600];
    int n = snprintf(line, sizeof line, "%s %s\n", what, why);
    if (write(child.events, line, (size_t)n) != n)
        _exit(3);
}

static inline void on_echo(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                           const void *params)
{
    (void)arg;
    (void)c;
    rpc_answer(child.server, t, m->result, params);
}

static inline void on_later(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                            const void *params)
{
    (void)arg;
    (void)c;
    (void)m;
    (void)params;
    child.late[child.late_count++ % COUNT_OF(child.late)] = *t;
    child_tell("later", "");
}

static inline void on_release(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                              const void *params)
{
    (void)arg;
    (void)c;
    (void)m;
    (void)params;
    struct echo e = {.n = 7};
    for (size_t i = 0; i < child.late_count; i++) {
        rpc_answer(child.server, &child.late[i], &echo_fields, &e);
        rpc_answer(child.server, &child.late[i], &echo_fields, &e); /* sic: twice is the handler's slip, not a crash */
    }
    child.late_count = 0;
    rpc_answer(child.server, t, NULL, NULL);
}

static inline void on_refuse(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                             const void *params)
{
    (void)arg;
    (void)c;
    (void)m;
    const struct echo *e = params;
    struct refusal r = {0};
    refusal_set(&r, "budget", "acme/etl", e->text != NULL ? e->text : "no", "ask for less");
    rpc_refuse(child.server, t, &r);
    fields_clear(&refusal_fields, &r);
}

static inline void on_busy(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                           const void *params)
{
    (void)arg;
    (void)c;
    (void)m;
    (void)params;
    rpc_unavailable(child.server, t, "store unavailable", 250);
}

static inline void on_hang_up(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                              const void *params)
{
    (void)arg;
    (void)t;
    (void)m;
    (void)params;
    rpc_close(c);
}

static inline void on_big(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                          const void *params)
{
    (void)arg;
    (void)c;
    const struct echo *e = params;
    struct echo big = {.text = malloc(e->n + 1), .n = e->n};
    memset(big.text, 'x', e->n);
    big.text[e->n] = '\0';
    rpc_answer(child.server, t, m->result, &big);
    free(big.text);
}

static inline void on_call_back_reply(void *arg, const void *result, const struct err *err)
{
    (void)arg;
    child_tell("reply", result != NULL ? ((const struct echo *)result)->text : err_text(err));
    if (result != NULL)
        rpc_answer(child.server, &child.called_back, &echo_fields, result);
}

static inline void on_call_back(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                                const void *params)
{
    (void)arg;
    (void)m;
    child.called_back = *t;
    if (rpc_call(c, &echo_methods[ECHO], params, on_call_back_reply, NULL) < 0)
        child_tell("reply", "can't call");
}

static inline void on_silent(void *arg, struct rpc_conn *c, const struct rpc_ticket *t, const struct method *m,
                             const void *params)
{
    (void)arg;
    (void)c;
    (void)t;
    (void)m;
    (void)params;
}

static inline void on_child_open(void *arg, struct rpc_conn *c)
{
    (void)arg;
    bool parent = rpc_peer(c)->pid == getppid();
    child_tell("open", !parent ? "stranger" : rpc_peer(c)->uid == getuid() ? "parent" : "parent as another");
}

static inline void on_child_close(void *arg, struct rpc_conn *c, const char *why)
{
    (void)arg;
    (void)c;
    child_tell("close", why);
}

static const rpc_handler echo_handlers[ECHO_METHODS] = {
    [ECHO] = on_echo,       [LATER] = on_later,     [RELEASE] = on_release, [REFUSE] = on_refuse,
    [BUSY] = on_busy,       [HANG_UP] = on_hang_up, [BIG] = on_big,         [CALL_BACK] = on_call_back,
    [SILENT] = on_silent,   [NOT_HANDLED] = NULL,
};
static const struct rpc_handlers echo_table = {
    .methods = echo_methods,
    .handlers = echo_handlers,
    .count = ECHO_METHODS,
    .on_open = on_child_open,
    .on_close = on_child_close,
};

/* ---- the test's side -------------------------------------------------------------------------------------- */

static inline void tell_ready(void *arg)
{
    (void)arg;
    child_tell("ready", ""); /* from within the loop: SIGTERM stops it from now on */
}

/* Set before the start: rpc_server_per_user(), rpc_server_trust(). */
static size_t echo_per_user;
static bool echo_trusts;

static inline int child_main(const char *path, uint32_t line_ms, size_t connections_max)
{
    struct err err = {0};
    if (loop_new(&child.loop, &err) < 0 ||
        rpc_listen(&child.server, child.loop, path, 0600, connections_max, &echo_table, NULL, &err) < 0) {
        child_tell("failed", err.text);
        return 2;
    }
    rpc_server_limits(child.server, line_ms, RPC_OUT_MAX);
    rpc_server_per_user(child.server, echo_per_user);
    if (echo_trusts)
        rpc_server_trust(child.server);
    struct timer *ready;
    if (timer_new(&ready, child.loop, tell_ready, NULL) < 0)
        return 2;
    timer_set_us(ready, 0);
    int rc = loop_run(child.loop, &err);
    timer_free(ready);
    rpc_server_free(child.server);
    loop_free(child.loop);
    return rc < 0 ? 2 : 0;
}

/* The next line of the server's events; fails the test after ten seconds. */
static inline const char *echo_server_event(const struct echo_server *s)
{
    static char line[600];
    size_t at = 0;
    while (at < sizeof line - 1) {
        struct pollfd p = {.fd = s->events, .events = POLLIN};
        ck_assert_msg(poll(&p, 1, 10000) == 1, "the server says nothing");
        if (read(s->events, line + at, 1) != 1 || line[at] == '\n')
            break;
        at++;
    }
    line[at] = '\0';
    return line;
}

static inline void echo_server_expect(const struct echo_server *s, const char *event)
{
    ck_assert_str_eq(echo_server_event(s), event);
}

static inline struct echo_server echo_server_start(const char *path, uint32_t line_ms, size_t connections_max)
{
    struct echo_server s = {0};
    int ends[2];
    snprintf(s.path, sizeof s.path, "%s", path);
    ck_assert_int_eq(pipe(ends), 0);
    s.pid = fork();
    ck_assert_int_ge(s.pid, 0);
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test ends without its teardown */
        close(ends[0]);
        child.events = ends[1];
        exit(child_main(path, line_ms, connections_max));
    }
    close(ends[1]);
    s.events = ends[0];
    echo_server_expect(&s, "ready ");
    return s;
}

static inline void echo_server_stop(struct echo_server *s)
{
    int status = -1;
    kill(s->pid, SIGTERM);
    ck_assert_int_eq(waitpid(s->pid, &status, 0), s->pid);
    close(s->events);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server ended with status 0x%x", (unsigned)status);
    ck_assert_msg(access(s->path, F_OK) < 0, "the server left its socket behind");
}

#endif
