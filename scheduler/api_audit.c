/*
 * Questions about the journal itself: its signed head, and a recount of everything.
 */
#include <errno.h>
#include <stdlib.h>

#include "scheduler/api_inner.h"

enum { ASKERS_MAX = 64, RETRY_MS = 1000 };

void api_head(const struct call *c)
{
    struct head_reply reply = {0};
    struct err err = {0};
    const char *line = NULL;
    int rc = heads_sign(c->api->audit.heads, &reply.seq, &line, &err);
    if (rc == 0 && str_set(&reply.line, line) < 0)
        rc = err_set(&err, -ENOMEM, "out of memory");
    if (rc == 0)
        call_answer(c, &head_reply_fields, &reply);
    else
        rpc_unavailable(c->api->server, c->ticket, err_text(&err), RETRY_MS);
    fields_clear(&head_reply_fields, &reply);
}

/*
 * One recount runs; those who ask while it does wait for the next one, which begins after they asked:
 *
 *   IDLE --ask--> RUNNING for `now` --ask--> RUNNING, `next` waits --done--> RUNNING for `next` | IDLE
 */
struct askers {
    struct rpc_ticket v[ASKERS_MAX];
    size_t count;
};
struct recounts {
    struct api *api;
    struct recount_job *job;
    struct askers now, next;
};

static void recounts_begin(struct recounts *r);

static void answer_all(struct recounts *r, const struct verify_reply *reply, const struct err *why)
{
    for (size_t i = 0; i < r->now.count; i++) {
        if (reply != NULL)
            rpc_answer(r->api->server, &r->now.v[i], &verify_reply_fields, reply);
        else
            rpc_unavailable(r->api->server, &r->now.v[i], err_text(why), RETRY_MS);
    }
    r->now.count = 0;
}

static void on_recounted(void *arg, const struct verify_reply *reply, const struct err *why)
{
    struct recounts *r = arg;
    answer_all(r, reply, why);
    recount_job_free(TAKE_PTR(r->job));
    if (r->next.count > 0)
        recounts_begin(r);
}

static void recounts_begin(struct recounts *r)
{
    struct err err = {0};
    r->now = r->next;
    r->next.count = 0;
    if (recount_begin(&r->job, r->api->setup.loop, &r->api->audit.recount, on_recounted, r, &err) < 0)
        answer_all(r, NULL, &err);
}

void api_verify(const struct call *c)
{
    struct api *a = c->api;
    if (a->recounts == NULL && (a->recounts = calloc(1, sizeof *a->recounts)) == NULL) {
        rpc_unavailable(a->server, c->ticket, "out of memory", RETRY_MS);
        return;
    }
    struct recounts *r = a->recounts;
    r->api = a;
    if (r->next.count == ASKERS_MAX) {
        rpc_unavailable(a->server, c->ticket, "busy: too many wait for a recount", RETRY_MS);
        return;
    }
    r->next.v[r->next.count++] = *c->ticket;
    if (r->job == NULL)
        recounts_begin(r);
}

void api_recounts_free(struct api *a)
{
    if (a->recounts != NULL)
        recount_job_free(a->recounts->job);
    free(TAKE_PTR(a->recounts));
}
