#include "quotas/reports/http_conns.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>

struct conn {
    struct conn *older, *younger;
    struct http_conns *all;
    struct bufferevent *unborn;     /* held until adopted */
    struct evhttp_connection *conn; /* since then */
    void (*fn)(struct evhttp_connection *conn, void *arg);
    void *arg;
};

struct http_conns {
    struct event *adopt;
    struct conn *oldest, *youngest;
    uint64_t max, open;
    struct report *report;
};

static void take_out(struct conn *c)
{
    struct http_conns *all = c->all;
    *(c->older != NULL ? &c->older->younger : &all->oldest) = c->younger;
    *(c->younger != NULL ? &c->younger->older : &all->youngest) = c->older;
    c->older = c->younger = NULL;
}

static void put_youngest(struct conn *c)
{
    struct http_conns *all = c->all;
    c->older = all->youngest;
    *(all->youngest != NULL ? &all->youngest->younger : &all->oldest) = c;
    all->youngest = c;
}

static void forget(struct conn *c)
{
    take_out(c);
    c->all->open--;
    c->all->report->connections--;
    free(c);
}

static void on_close(struct evhttp_connection *conn, void *arg)
{
    struct conn *c = arg;
    void (*fn)(struct evhttp_connection *, void *) = c->fn;
    void *fn_arg = c->arg;
    forget(c);
    if (fn != NULL)
        fn(conn, fn_arg);
}

/* The callbacks' argument of a server's bufferevent is the connection; a connection that is gone has taken them off. */
static void adopt_one(struct conn *c)
{
    void *conn = NULL;
    bufferevent_getcb(c->unborn, NULL, NULL, NULL, &conn);
    bufferevent_decref(c->unborn);
    c->unborn = NULL;
    c->conn = conn;
    if (conn == NULL)
        forget(c);
    else
        evhttp_connection_set_closecb(conn, on_close, c);
}

static void drop_oldest(struct http_conns *all)
{
    for (struct conn *c = all->oldest; c != NULL; c = c->younger)
        if (c->conn != NULL && c->fn == NULL) {
            all->report->connections_dropped_total++;
            evhttp_connection_free(c->conn); /* calls on_close */
            return;
        }
}

static void adopt(evutil_socket_t fd, short what, void *arg)
{
    struct http_conns *all = arg;
    (void)fd, (void)what;
    for (struct conn *c = all->oldest, *next; c != NULL; c = next) {
        next = c->younger;
        if (c->unborn != NULL)
            adopt_one(c);
    }
    while (all->open > all->max) {
        uint64_t before = all->open;
        drop_oldest(all);
        if (all->open == before)
            return; /* all of them busy */
    }
}

static struct bufferevent *make_bufferevent(struct event_base *base, void *arg)
{
    struct http_conns *all = arg;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    struct conn *c = bev != NULL ? calloc(1, sizeof *c) : NULL;
    if (c == NULL)
        return bev; /* not counted rather than not served */
    c->all = all;
    c->unborn = bev;
    bufferevent_incref(bev);
    put_youngest(c);
    all->open++;
    all->report->connections++;
    event_active(all->adopt, EV_TIMEOUT, 0);
    return bev;
}

int http_conns_new(struct http_conns **ret, struct loop *loop, struct evhttp *server, uint64_t max,
                   struct report *report, struct err *err)
{
    struct http_conns *c = calloc(1, sizeof *c);
    if (c == NULL || (c->adopt = event_new(loop_base(loop), -1, 0, adopt, c)) == NULL) {
        free(c);
        return err_set(err, -ENOMEM, "no memory");
    }
    c->max = max;
    c->report = report;
    evhttp_set_bevcb(server, make_bufferevent, c);
    *ret = c;
    return 0;
}

void http_conns_free(struct http_conns *c)
{
    if (c == NULL)
        return;
    adopt(-1, 0, c); /* what is left was never adopted, and is gone with the server */
    event_free(c->adopt);
    free(c);
}

static struct conn *find(const struct http_conns *all, const struct evhttp_connection *conn)
{
    struct conn *c = all->youngest;
    while (c != NULL && c->conn != conn)
        c = c->older;
    return c;
}

void http_conns_touch(struct http_conns *all, struct evhttp_connection *conn)
{
    struct conn *c = find(all, conn);
    if (c == NULL)
        return;
    take_out(c);
    put_youngest(c);
}

void http_conns_hook(struct http_conns *all, struct evhttp_connection *conn,
                     void (*fn)(struct evhttp_connection *conn, void *arg), void *arg)
{
    struct conn *c = find(all, conn);
    if (c == NULL) {
        evhttp_connection_set_closecb(conn, fn, arg);
        return;
    }
    c->fn = fn;
    c->arg = arg;
}
