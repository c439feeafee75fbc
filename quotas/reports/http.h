/*
 * http - the HTTP doors: a UNIX socket, where the kernel says who asks, and on request a TCP port on 127.0.0.1, where
 * every request needs a token. Nothing is changed here; what is POSTed goes on to reeved (http_relay.h).
 *
 * Bounds: 16 KiB of headers, HTTP_STREAMS_MAX reports being sent at once, HTTP_CONNECTIONS_MAX open
 *         connections of each door (one more, and the one silent for longest goes), HTTP_IDLE_S for a peer that neither
 *         sends nor takes, HTTP_STREAM_MS for a whole report (it keeps a snapshot of the books alive).
 */
#ifndef REEVE_QUOTAS_REPORTS_HTTP_H
#define REEVE_QUOTAS_REPORTS_HTTP_H

#include "base/io/loop.h"
#include "quotas/reports/report.h"

#define HTTP_STREAMS_MAX 16
#define HTTP_CONNECTIONS_MAX 128
#define HTTP_IDLE_S 30
#define HTTP_STREAM_MS 300000

struct http;

int http_new(struct http **ret, struct loop *loop, struct report *report, struct err *err) MUST_USE;
/* Replaces a socket left behind; mode 0666. */
int http_listen_unix(struct http *h, const char *path, struct err *err) MUST_USE;
/* port 0: the kernel chooses. */
int http_listen_tcp(struct http *h, uint16_t port, uint16_t *ret_port, struct err *err) MUST_USE;
void http_free(struct http *h); /* unlinks the socket; NULL is fine */

#endif
