/*
 * http_door - the inside of the HTTP server: its doors, and one request. Only http*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_HTTP_DOOR_H
#define REEVE_QUOTAS_REPORTS_HTTP_DOOR_H

#include <event2/http.h>

#include "quotas/reports/http.h"
#include "quotas/reports/http_conns.h"

struct door {
    struct http *http;
    struct evhttp *server;
    struct evconnlistener *listener; /* the server's */
    struct http_conns *conns;
    bool tcp;
};

struct http {
    struct loop *loop;
    struct report *report;
    struct door local, tcp;
    struct timer *accept_again;
    char *socket_path;
};

/* evhttp's callback; arg is the door. */
void http_on_request(struct evhttp_request *req, void *arg);

#endif
