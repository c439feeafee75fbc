/*
 * http_reply - sending: whole answers, problems, and reports row by row as the peer takes them.
 * Only http*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_HTTP_REPLY_H
#define REEVE_QUOTAS_REPORTS_HTTP_REPLY_H

#include <event2/http.h>

#include "quotas/reports/http_door.h"

void http_reply_problem(struct evhttp_request *req, const struct problem *problem);
/* Sends answer->body. */
void http_reply_body(struct evhttp_request *req, const struct answer *answer);
/* Sends answer->rows, which it takes over; report->streams counts it until its end. A failure midway cuts the
 * connection, so that half a report can't be taken for a whole one. */
int http_reply_rows(struct evhttp_request *req, struct door *door, struct answer *answer) MUST_USE;
void http_reply_not_modified(struct evhttp_request *req);
void http_header(struct evhttp_request *req, const char *name, const char *value);

#endif
