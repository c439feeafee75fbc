/*
 * http_conns - the open connections of one door, and a bound on them.
 *
 *   accepted --(one too many: the one that has been silent longest goes)--> open --> closed
 *
 * libevent 2.1 has no bound of its own and tells nobody of a connection before its first request; so each gets its
 * bufferevent from here, and is adopted in the same round of the loop, before anything can come in on it. One that is
 * being sent a report is never closed for another: there are fewer reports at once than connections.
 * Only http*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_HTTP_CONNS_H
#define REEVE_QUOTAS_REPORTS_HTTP_CONNS_H

#include <event2/http.h>

#include "base/err.h"
#include "base/io/loop.h"
#include "quotas/reports/report.h"

struct http_conns;

/* Hangs itself into the server: free the server first. Counts in report->connections. */
int http_conns_new(struct http_conns **ret, struct loop *loop, struct evhttp *server, uint64_t max,
                   struct report *report, struct err *err) MUST_USE;
void http_conns_free(struct http_conns *c); /* NULL is fine */
/* A request came: it is the youngest now. */
void http_conns_touch(struct http_conns *c, struct evhttp_connection *conn);
/* fn when the connection closes, and until then it is busy; NULL: not any more. */
void http_conns_hook(struct http_conns *c, struct evhttp_connection *conn,
                     void (*fn)(struct evhttp_connection *conn, void *arg), void *arg);

#endif
