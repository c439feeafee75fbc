#include "quotas/reports/http_reply.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io/log.h"
#include "quotas/reports/http.h"

#define CHUNK_BYTES 32768

static const char *reason_of(int status)
{
    return status == 200 ? "OK" : status == 304 ? "Not Modified" : problem_title(status);
}

void http_header(struct evhttp_request *req, const char *name, const char *value)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    evhttp_remove_header(headers, name);
    evhttp_add_header(headers, name, value);
}

static void content_type(struct evhttp_request *req, const char *type)
{
    http_header(req, "Content-Type", type != NULL ? type : "application/json");
}

static void send_text(struct evhttp_request *req, int status, const struct buf *text)
{
    struct evbuffer *body = evbuffer_new();
    if (body == NULL || text->failed || evbuffer_add(body, buf_text(text), text->len) < 0) {
        status = 500;
        http_header(req, "Content-Type", "text/plain");
    }
    evhttp_send_reply(req, status, reason_of(status), body);
    if (body != NULL)
        evbuffer_free(body);
}

void http_reply_problem(struct evhttp_request *req, const struct problem *problem)
{
    struct buf body = {0};
    problem_write(problem, &body);
    buf_add_str(&body, "}\n");
    content_type(req, "application/problem+json");
    if (problem->retry_after_s != 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", problem->retry_after_s);
        http_header(req, "Retry-After", seconds);
    }
    send_text(req, problem->status, &body);
    buf_fini(&body);
}

void http_reply_body(struct evhttp_request *req, const struct answer *answer)
{
    content_type(req, answer->content_type);
    send_text(req, answer->status != 0 ? answer->status : 200, &answer->body);
}

void http_reply_not_modified(struct evhttp_request *req)
{
    evhttp_send_reply(req, 304, reason_of(304), NULL);
}

/* ---- row by row ------------------------------------------------------------------------------------------------ */
/*
 *   sending --chunk taken--> sending ... --last chunk--> done
 *      |-- peer gone (on_close) --> done
 *      '-- rows fail or time is up --> cut: the connection is closed by a timer, outside libevent's own callbacks
 *
 * libevent 2.1: when a peer goes away while we are sending, the request may have been taken off its connection; then it
 * is ours and evhttp_send_reply_end() frees it. Otherwise the connection frees it.
 */
struct stream {
    struct evhttp_request *req;
    struct rows *rows;
    struct door *door;
    struct timer *timer;
    bool cut;
    struct evbuffer *chunk;
    struct buf text;
};

static void stream_free(struct stream *s)
{
    if (s->rows != NULL)
        s->rows->free(s->rows);
    timer_free(s->timer);
    if (s->chunk != NULL)
        evbuffer_free(s->chunk);
    buf_fini(&s->text);
    s->door->http->report->streams--;
    free(s);
}

static void on_close(struct evhttp_connection *conn, void *arg)
{
    struct stream *s = arg;
    (void)conn;
    if (evhttp_request_get_connection(s->req) == NULL)
        evhttp_send_reply_end(s->req);
    stream_free(s);
}

/* Half a report must not look like a whole one. */
static void cut(struct stream *s, const char *why)
{
    log_line(LOG_WARN, "report.cut", "why=%s", log_quote(why));
    s->cut = true;
    timer_set_ms(s->timer, 0);
}

static void on_timer(void *arg)
{
    struct stream *s = arg;
    if (!s->cut)
        log_line(LOG_WARN, "report.cut", "why=\"the peer takes too long\"");
    evhttp_connection_free(evhttp_request_get_connection(s->req)); /* calls on_close */
}

static void finish(struct stream *s)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(s->req);
    if (conn != NULL)
        http_conns_hook(s->door->conns, conn, NULL, NULL);
    evhttp_send_reply_end(s->req);
    stream_free(s);
}

static void send_chunk(struct evhttp_connection *conn, void *arg)
{
    struct stream *s = arg;
    struct err err = {0};
    int r = 1;
    (void)conn;
    if (s->cut)
        return;
    buf_reset(&s->text);
    while (r == 1 && s->text.len < CHUNK_BYTES)
        r = s->rows->next(s->rows, &s->text, &err);
    if (r >= 0 && (s->text.failed || evbuffer_add(s->chunk, buf_text(&s->text), s->text.len) < 0))
        r = err_set(&err, -ENOMEM, "no memory");
    if (r < 0) {
        cut(s, err_text(&err));
        return;
    }
    if (r == 1) {
        evhttp_send_reply_chunk_with_cb(s->req, s->chunk, send_chunk, s);
        return;
    }
    if (s->text.len > 0)
        evhttp_send_reply_chunk(s->req, s->chunk);
    finish(s);
}

int http_reply_rows(struct evhttp_request *req, struct door *door, struct answer *answer)
{
    content_type(req, answer->content_type);
    if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
        answer->rows->free(answer->rows);
        answer->rows = NULL;
        evhttp_send_reply(req, 200, reason_of(200), NULL);
        return 0;
    }
    struct stream *s = calloc(1, sizeof *s);
    struct evbuffer *chunk = evbuffer_new();
    if (s == NULL || chunk == NULL || timer_new(&s->timer, door->http->loop, on_timer, s) < 0) {
        free(s);
        if (chunk != NULL)
            evbuffer_free(chunk);
        return -ENOMEM;
    }
    s->req = req;
    s->chunk = chunk;
    s->rows = TAKE_PTR(answer->rows);
    s->door = door;
    door->http->report->streams++;
    timer_set_ms(s->timer, HTTP_STREAM_MS);
    http_conns_hook(door->conns, evhttp_request_get_connection(req), on_close, s);
    evhttp_send_reply_start(req, 200, reason_of(200));
    send_chunk(NULL, s);
    return 0;
}
