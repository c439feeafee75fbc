#include "quotas/reports/http_relay.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/rpc.h"
#include "quotas/reports/http_reply.h"
#include "quotas/reports/tell.h"

#define KEY_MAX 200

struct relay {
    struct report *report;
    struct door *door;          /* while there is a peer */
    struct evhttp_request *req; /* NULL: the peer is gone */
    const struct method *method;
};

static const struct method *find_method(const char *name)
{
    for (size_t i = 0; i < CLIENT_METHOD_COUNT; i++)
        if (strcmp(client_methods[i].name, name) == 0)
            return &client_methods[i];
    return NULL;
}

/* ---- the answer ------------------------------------------------------------------------------------------------- */
static void on_close(struct evhttp_connection *conn, void *arg)
{
    struct relay *r = arg;
    (void)conn;
    if (evhttp_request_get_connection(r->req) == NULL) /* taken off its connection: then it is ours (http_reply.c) */
        evhttp_request_free(r->req);
    r->req = NULL;
}

static void reply(const struct relay *r, const void *result)
{
    struct answer answer = {0};
    if (r->method->result == &text_reply_fields) {
        answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
        buf_add_str(&answer.body, ((const struct text_reply *)result)->text);
    } else if (json_write(r->method->result, result, &answer.body) == 0) {
        buf_add_str(&answer.body, "\n");
    }
    http_reply_body(r->req, &answer);
    buf_fini(&answer.body);
}

/* A refusal's code says what became of it: the same wherever it is asked. */
static int refused(const struct err *err, struct problem *problem)
{
    static const struct {
        const char *code;
        int status;
    } codes[] = {{"bad_request", 400}, {"forbidden", 403}, {"not_found", 404}, {"no_tenant", 404},
                 {"key_conflict", 422}};
    struct refusal refusal = {0};
    int status = 409;
    rpc_refusal(err, &refusal);
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (refusal.code != NULL && strcmp(codes[i].code, refusal.code) == 0)
            status = codes[i].status;
    problem_set(problem, status, refusal.where, refusal.hint, "%s",
                refusal.message != NULL ? refusal.message : "refused");
    fields_clear(&refusal_fields, &refusal);
    return -EINVAL;
}

static int failed(const struct err *err, struct problem *problem)
{
    if (err->code == -EPERM)
        return refused(err, problem);
    if (err->code == -ENOSYS)
        return problem_set(problem, 501, NULL, NULL, "this scheduler can't do it");
    problem->retry_after_s = 1;
    return problem_set(problem, 503, NULL, "the same again, with the same Idempotency-Key",
                       "what became of it is not known: %s", err_text(err));
}

static void on_reply(void *arg, const void *result, const struct err *err)
{
    struct relay *r = arg;
    struct problem problem = {0};
    r->report->relays--;
    if (r->req != NULL) {
        struct evhttp_connection *conn = evhttp_request_get_connection(r->req);
        if (conn != NULL)
            http_conns_hook(r->door->conns, conn, NULL, NULL);
        if (result != NULL) {
            reply(r, result);
        } else {
            failed(err, &problem);
            r->report->refused_total++;
            http_reply_problem(r->req, &problem);
        }
    }
    free(r);
}

/* ---- what is asked ---------------------------------------------------------------------------------------------- */
static char **text_field(const struct fields *f, void *object, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->rows[i].kind == FIELD_STR && strcmp(f->rows[i].name, name) == 0)
            return (char **)(void *)((char *)object + f->rows[i].offset);
    return NULL;
}

static const char *find_key(struct evhttp_request *req)
{
    const char *key = evhttp_find_header(evhttp_request_get_input_headers(req), "Idempotency-Key");
    if (key == NULL || key[0] == '\0' || strlen(key) > KEY_MAX)
        return NULL;
    for (const char *at = key; *at != '\0'; at++)
        if (*at < '!' || *at > '~')
            return NULL;
    return key;
}

/* The body with the key in it: so one table checks all, and a body with a key of its own is refused as naming it twice.
 */
static int read_body(struct evhttp_request *req, const struct fields *f, void *object, struct problem *problem)
{
    struct evbuffer *body = evhttp_request_get_input_buffer(req);
    const char *key = find_key(req), *type = evhttp_find_header(evhttp_request_get_input_headers(req), "Content-Type");
    size_t len = evbuffer_get_length(body);
    const char *bytes = len > 0 ? (const char *)evbuffer_pullup(body, -1) : "";
    size_t blank = 0;
    struct buf text = {0};
    struct err err = {0};
    if (key == NULL)
        return problem_set(problem, 400, "Idempotency-Key", "1 to 200 visible ASCII characters, new for each change",
                           "needs a header Idempotency-Key");
    if (type == NULL || strncmp(type, "application/json", 16) != 0)
        return problem_set(problem, 415, NULL, "Content-Type: application/json", "the body must be JSON");
    while (blank < len && strchr(" \t\r\n", bytes[blank]) != NULL)
        blank++;
    if (blank == len || bytes[blank] != '{')
        return problem_set(problem, 400, NULL, NULL, "the body is no JSON object");
    bytes += blank + 1;
    len -= blank + 1;
    buf_add_str(&text, "{\"key\":");
    json_put_text(&text, key);
    size_t empty = 0;
    while (empty < len && strchr(" \t\r\n", bytes[empty]) != NULL)
        empty++;
    buf_add_str(&text, empty < len && bytes[empty] == '}' ? "" : ",");
    buf_add(&text, bytes, len);
    int r = text.failed ? -ENOMEM : json_read(f, buf_text(&text), text.len, JSON_STRICT, object, &err);
    buf_fini(&text);
    return r == 0 ? 0 : problem_set(problem, r == -ENOMEM ? 503 : 400, NULL, NULL, "%s", err_text(&err));
}

/* Whose, and in whose name. */
static int check_object(const struct ask *ask, const struct fields *f, void *object, struct problem *problem)
{
    char **tenant = text_field(f, object, "tenant"), **reason = text_field(f, object, "reason");
    struct buf named = {0};
    if (tenant == NULL || *tenant == NULL)
        return problem_set(problem, 400, "tenant", "a tenant's path", "tenant: is missing");
    int r = ask_tenant(ask, *tenant, problem);
    if (r < 0 || reason == NULL)
        return r;
    buf_addf(&named, "%s [%s]", *reason != NULL ? *reason : "", ask->viewer->name);
    r = named.failed || str_set(reason, buf_text(&named)) < 0 ? problem_set(problem, 503, NULL, NULL, "no memory") : 0;
    buf_fini(&named);
    return r;
}

static int send_on(struct door *door, struct evhttp_request *req, const struct method *m, const void *params,
                   struct problem *problem)
{
    struct report *report = door->http->report;
    struct relay *r = report->relays < RELAYS_MAX ? calloc(1, sizeof *r) : NULL;
    problem->retry_after_s = 1;
    if (r == NULL)
        return problem_set(problem, 503, NULL, NULL, "too many questions to the scheduler are under way");
    *r = (struct relay){report, door, req, m};
    if (report->tell == NULL || tell_call(report->tell, m, params, on_reply, r) < 0) {
        free(r);
        return problem_set(problem, 503, NULL, NULL, "the scheduler is away");
    }
    report->relays++;
    http_conns_hook(door->conns, evhttp_request_get_connection(req), on_close, r);
    return 0;
}

int http_relay(struct door *door, struct evhttp_request *req, const char *method, const struct ask *ask,
               struct problem *problem)
{
    const struct method *m = find_method(method);
    int r = 0;
    if (m == NULL)
        return problem_set(problem, 501, NULL, NULL, "this version can't do it");
    if (m->params == NULL)
        return send_on(door, req, m, NULL, problem);
    CLEANUP(free_p) void *object = calloc(1, m->params->size);
    if (object == NULL)
        return problem_set(problem, 503, NULL, NULL, "no memory");
    r = read_body(req, m->params, object, problem);
    if (r < 0)
        return r;
    r = check_object(ask, m->params, object, problem);
    if (r == 0)
        r = send_on(door, req, m, object, problem);
    fields_clear(m->params, object);
    return r;
}
