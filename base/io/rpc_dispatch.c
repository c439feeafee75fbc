/*
 * rpc_dispatch - what one line means: a request for a handler, an answer for a waiting call, or a broken call that is
 * told so. A broken line costs the connection only when calls of ours wait on it: it may have been their answer, and
 * nobody would wait for ever. Otherwise the framing is intact and the next line is tried.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io/rpc_conn.h"
#include "base/io/rpc_text.h"

static void answer_broken(struct rpc_conn *c, const char *id, int code, const char *why)
{
    rpc_text_error(&c->out, id, code, why, NULL);
    rpc_conn_wrote(c, true);
}

/* ---- requests --------------------------------------------------------------------------------------------- */

static size_t find_method(const struct rpc_handlers *h, const char *name)
{
    for (size_t i = 0; i < h->count; i++)
        if (h->methods[i].name != NULL && strcmp(h->methods[i].name, name) == 0 && h->handlers[i] != NULL)
            return i;
    return SIZE_MAX;
}

/* Reads the parameters and calls the handler; -EINVAL with the place in err. */
static int run_handler(struct rpc_conn *c, const struct json_message *msg, size_t len, size_t index, struct err *err)
{
    const struct rpc_handlers *h = &c->door->h;
    const struct method *m = &h->methods[index];
    struct rpc_ticket ticket = {.conn = c->id, .bytes = (uint32_t)len};
    memcpy(ticket.id, msg->id, sizeof ticket.id);
    void *params = m->params != NULL ? calloc(1, m->params->size) : NULL;
    if (m->params != NULL && params == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    static const struct fields nothing = {.what = "parameters"}; /* of a method without any: each is one too many */
    int rc = json_part_read(msg->params, m->params != NULL ? m->params : &nothing, JSON_STRICT, params, err);
    if (rc == 0) {
        if (ticket.id[0] != '\0')
            c->owed++;
        h->handlers[index](c->door->arg, c, &ticket, m, params);
    }
    if (params != NULL)
        fields_clear(m->params, params);
    free(params);
    return rc;
}

static void on_request(struct rpc_conn *c, const struct json_message *msg, size_t len)
{
    struct err err = {0};
    int code = RPC_BAD_PARAMS;
    int rc;
    size_t index = find_method(&c->door->h, msg->method);
    if (index == SIZE_MAX) {
        rc = err_set(&err, -ENOSYS, "no such method: %s", msg->method);
        code = RPC_NO_METHOD;
    } else {
        rc = run_handler(c, msg, len, index, &err);
    }
    if (rc == -ENOMEM)
        code = RPC_INTERNAL;
    if (rc < 0 && msg->id[0] != '\0')
        answer_broken(c, msg->id, code, err.text);
}

/* ---- answers ---------------------------------------------------------------------------------------------- */

/* Takes the call out; its m is NULL when there is none of that id. */
static struct rpc_pending take_pending(struct rpc_calls *calls, uint64_t id)
{
    size_t low = calls->head, high = calls->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (calls->v[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == calls->count || calls->v[low].id != id)
        return (struct rpc_pending){0};
    struct rpc_pending found = calls->v[low];
    calls->v[low].m = NULL;
    while (calls->head < calls->count && calls->v[calls->head].m == NULL)
        calls->head++;
    if (calls->head == calls->count)
        calls->head = calls->count = 0;
    return found;
}

static void on_answer(struct rpc_conn *c, const struct json_message *msg)
{
    uint64_t id = 0;
    char end;
    if (sscanf(msg->id, "%" SCNu64 "%c", &id, &end) != 1)
        return;
    struct rpc_pending call = take_pending(&c->calls, id);
    if (call.m == NULL) /* late, or never asked */
        return;
    struct err err = {0};
    struct refusal refusal = {0};
    const struct fields *f = call.m->result;
    void *result = calloc(1, f != NULL ? f->size : 1);
    int rc = result != NULL ? rpc_text_outcome(msg, f, result, &refusal, &err)
                            : err_set(&err, -ENOMEM, "out of memory");
    if (rc > 0) {
        rc = err_set(&err, strcmp(refusal.code, "unavailable") == 0 ? -EAGAIN : -EPERM, "%s: %s", refusal.code,
                     refusal.message != NULL ? refusal.message : "refused");
        fields_clear(&refusal_fields, &refusal);
    }
    call.on_reply(call.arg, rc == 0 ? result : NULL, rc == 0 ? NULL : &err);
    if (f != NULL && result != NULL)
        fields_clear(f, result);
    free(result);
}

void rpc_calls_fail(struct rpc_calls *calls, const char *why)
{
    struct err err = {0};
    (void)err_set(&err, -ECONNRESET, "the connection ended: %s", why);
    while (calls->head < calls->count) {
        struct rpc_pending call = calls->v[calls->head++];
        if (call.m != NULL)
            call.on_reply(call.arg, NULL, &err);
    }
    calls->head = calls->count = 0;
}

/* ---- one line --------------------------------------------------------------------------------------------- */

void rpc_dispatch(struct rpc_conn *c, const char *line, size_t len)
{
    while (len > 0 && isspace((unsigned char)*line)) {
        line++;
        len--;
    }
    if (len == 0)
        return; /* an empty line: somebody types */
    if (*line == '[') {
        answer_broken(c, "", RPC_NOT_A_CALL, "batches are not understood; send one call per line");
        return;
    }
    struct err err = {0};
    struct json_message msg = {0};
    int rc = json_message_parse(line, len, &msg, &err);
    if (rc < 0) {
        answer_broken(c, "", rc == -EPROTO ? RPC_NOT_A_CALL : rc == -EBADMSG ? RPC_NOT_JSON : RPC_INTERNAL, err.text);
        if (c->calls.head < c->calls.count)
            rpc_conn_last_words(c);
        return;
    }
    if (msg.method != NULL)
        on_request(c, &msg, len);
    else
        on_answer(c, &msg);
    json_message_fini(&msg);
}

void rpc_refusal(const struct err *err, struct refusal *ret)
{
    const char *colon = strchr(err->text, ':');
    char code[64];
    snprintf(code, sizeof code, "%.*s", colon != NULL ? (int)MIN(colon - err->text, 63) : 0, err->text);
    refusal_set(ret, code, NULL, colon != NULL ? colon + 1 + (colon[1] == ' ') : err->text, NULL);
}
