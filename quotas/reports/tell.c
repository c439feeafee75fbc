#include "quotas/reports/tell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/log.h"
#include "base/io/rpc.h"

#define RETRY_MS 1000

struct tell {
    struct loop *loop;
    char *path;
    struct rpc_conn *conn;
    bool open;
    struct timer *timer;
    uint64_t archived, told;
};

static void flush(struct tell *t)
{
    if (!t->open || t->told == t->archived)
        return;
    struct archived_call call = {.seq = t->archived};
    if (rpc_notify(t->conn, &client_methods[CALL_ARCHIVED], &call) == 0)
        t->told = t->archived;
}

static void on_open(void *arg, struct rpc_conn *conn)
{
    struct tell *t = arg;
    t->conn = conn;
    t->open = true;
    t->told = 0; /* another reeved may have come up */
    flush(t);
}

static void on_close(void *arg, struct rpc_conn *conn, const char *why)
{
    struct tell *t = arg;
    (void)conn;
    if (t->open)
        log_line(LOG_WARN, "report.reeved_away", "why=%s", log_quote(why));
    t->conn = NULL;
    t->open = false;
    timer_set_ms(t->timer, RETRY_MS);
}

static void connect_again(void *arg)
{
    struct tell *t = arg;
    static const struct rpc_handlers handlers = {.on_open = on_open, .on_close = on_close};
    struct err err = {0};
    if (t->conn == NULL && rpc_connect(&t->conn, t->loop, t->path, &handlers, t, &err) < 0) {
        t->conn = NULL;
        timer_set_ms(t->timer, RETRY_MS);
    }
}

int tell_new(struct tell **ret, struct loop *loop, const char *socket_path, struct err *err)
{
    struct tell *t = calloc(1, sizeof *t);
    if (t == NULL || (t->path = strdup(socket_path)) == NULL || timer_new(&t->timer, loop, connect_again, t) < 0) {
        tell_free(t);
        return err_set(err, -ENOMEM, "no memory");
    }
    t->loop = loop;
    timer_set_ms(t->timer, 0);
    *ret = t;
    return 0;
}

void tell_free(struct tell *t)
{
    if (t == NULL)
        return;
    if (t->conn != NULL)
        rpc_close(t->conn);
    if (t->timer != NULL)
        timer_free(t->timer);
    free(t->path);
    free(t);
}

void tell_archived(struct tell *t, uint64_t seq)
{
    t->archived = seq;
    flush(t);
}

int tell_call(struct tell *t, const struct method *method, const void *params,
              void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg)
{
    return t->open ? rpc_call(t->conn, method, params, on_reply, arg) : -ENOTCONN;
}

int tell_read_log(struct tell *t, const struct node_log_call *call,
                  void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg)
{
    return tell_call(t, &client_methods[CALL_NODE_LOG], call, on_reply, arg);
}
