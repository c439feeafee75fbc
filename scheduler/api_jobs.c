#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "scheduler/api_inner.h"

/* ---- job.submit ---- */
static enum request_step submit_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                        size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    fields_clear(&submit_reply_fields, &w->reply.submit);
    int answer =
        core_check_submit(core, w->params, w->caller.uid, w->caller.user, now, out, &w->reply.submit, &refusal);
    if (answer == CORE_FACT && out->kind == FACT_JOB_SUBMITTED)
        w->reply.submit.job = out->submitted.job;
    return wish_step(w, answer, out, &refusal, ret_count);
}

/* The key was there already with the same body: this is that job. */
static void submit_existed(struct wish *w)
{
    struct submit_reply *reply = &w->reply.submit;
    struct job_row row = {0};
    uint64_t job = 0;
    if (parse_u64(w->base.detail, 1, UINT64_MAX, &job, NULL) < 0) {
        wish_unavailable(&w->base, "the outcome is not known yet: ask again with the same key");
        return;
    }
    reply->job = job;
    reply->existed = true;
    free(TAKE_PTR(reply->would_start));
    if (core_job_row(w->api->core, job, turn_now(w->api->turn), &row)) {
        reply->tasks = row.tasks;
        reply->quote_micros = row.quote_micros;
        if (row.waiting_for != NULL && str_set(&reply->would_start, row.waiting_for) < 0)
            reply->would_start = NULL;
    }
    fields_clear(&job_row_fields, &row);
    rpc_answer(w->api->server, &w->ticket, &submit_reply_fields, reply);
}

/* Same key, other body: which fields differ is what the caller needs to see. */
static void submit_conflict(struct wish *w)
{
    const struct submit_call *call = w->params;
    struct job_view view = {0};
    struct buf text = {0};
    uint64_t job = 0;
    if (parse_u64(w->base.detail, 1, UINT64_MAX, &job, NULL) < 0 ||
        !core_job_view(w->api->core, &(struct job_call){.job = job}, turn_now(w->api->turn), &view)) {
        wish_refused_by_store(w);
        return;
    }
    buf_addf(&text, "the key '%s' belongs to job %" PRIu64 ", which differs in: ", call->key == NULL ? "" : call->key,
             job);
    fields_diff(&job_spec_fields, &view.spec, &call->spec, &text);
    struct refusal refusal = {0};
    refusal_set(&refusal, "key_conflict", "key", buf_text(&text), "use a new key for another job");
    wish_refused(w, &refusal);
    buf_fini(&text);
    fields_clear(&job_view_fields, &view);
}

static bool submit_settled(struct request *r)
{
    struct wish *w = (struct wish *)r;
    if (strcmp(r->refusal, "key_exists") == 0)
        submit_existed(w);
    else if (strcmp(r->refusal, "key_conflict") == 0)
        submit_conflict(w);
    else
        wish_settled(r);
    return false;
}

static const struct request_ops submit_ops = {false, submit_propose, submit_settled, wish_unavailable, wish_free};

static void submit_dry(const struct call *c)
{
    struct core *core = c->api->core;
    struct fact fact = {0};
    struct submit_reply reply = {0};
    struct refusal refusal = {0};
    struct core_now now = call_now(c);
    int answer = core_check_submit(core, c->params, c->caller.uid, c->caller.user, now, &fact, &reply, &refusal);
    if (answer == CORE_FACT) {
        reply.job = 0;
        call_answer(c, &submit_reply_fields, &reply);
        if (fact.kind != FACT_NONE)
            core_refused(core, &fact, "dropped", "", now);
    } else if (answer == CORE_REFUSED) {
        c->api->refusals_total++;
        rpc_refuse(c->api->server, c->ticket, &refusal);
    } else {
        rpc_unavailable(c->api->server, c->ticket, "busy", 100);
    }
    fact_clear(&fact);
    fields_clear(&submit_reply_fields, &reply);
    fields_clear(&refusal_fields, &refusal);
}

void api_submit(const struct call *c)
{
    const struct submit_call *call = c->params;
    if (call->dry_run)
        submit_dry(c);
    else
        wish_post(c, &submit_ops, &submit_call_fields, &submit_reply_fields);
}

/* ---- questions ---- */
struct viewer {
    const struct call *call;
    bool all_users;
};

static bool may_see(void *arg, const char *tenant, const char *user)
{
    const struct viewer *v = arg;
    const struct caller *who = &v->call->caller;
    if (!v->all_users && strcmp(user, who->user) != 0)
        return false;
    return who->admin || core_user_may(v->call->api->core, who->user, who->uid, tenant);
}

void api_list(const struct call *c)
{
    const struct list_call *call = c->params;
    struct viewer viewer = {c, call->all_users};
    struct list_reply reply = {0};
    if (core_list(c->api->core, call, may_see, &viewer, call_now(c), &reply) == 0)
        call_answer(c, &list_reply_fields, &reply);
    else
        rpc_unavailable(c->api->server, c->ticket, "out of memory", 1000);
    fields_clear(&list_reply_fields, &reply);
}

static void no_such_task(const struct call *c)
{
    call_refuse(c, "not_found", "task", "this job has no such task", NULL);
}

void api_show(const struct call *c)
{
    const struct job_call *call = c->params;
    struct job_view view = {0};
    if (!call_may_job(c, call->job))
        return;
    if (core_job_view(c->api->core, call, call_now(c), &view))
        call_answer(c, &job_view_fields, &view);
    else
        no_such_task(c);
    fields_clear(&job_view_fields, &view);
}

void api_why(const struct call *c)
{
    const struct job_call *call = c->params;
    struct why_reply reply = {0};
    if (!call_may_job(c, call->job))
        return;
    if (core_why(c->api->core, call, call_now(c), &reply))
        call_answer(c, &why_reply_fields, &reply);
    else
        no_such_task(c);
    fields_clear(&why_reply_fields, &reply);
}

/* ---- job.cancel, job.release ---- */
enum { CANCEL_ROUND = 64 }; /* facts at a time: a job of a million tasks leaves room for others */

static enum request_step cancel_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                        size_t room, size_t *ret_count)
{
    struct wish *w = (struct wish *)r;
    struct cancel_reply round = {0};
    struct refusal refusal = {0};
    size_t max = MIN(room, (size_t)CANCEL_ROUND), count = 0;
    int answer = core_check_cancel(core, w->params, w->caller.user, now, out, max, &count, &round, &refusal);
    if (answer == CORE_LATER)
        return REQUEST_LATER;
    if (answer == CORE_REFUSED && w->more) { /* an earlier round has done it all */
        fields_clear(&refusal_fields, &refusal);
        count = 0;
    } else if (answer == CORE_REFUSED) {
        return wish_refused(w, &refusal);
    }
    w->more = count == max;
    w->reply.cancel.cancelled += round.cancelled;
    w->reply.cancel.stopping += round.stopping;
    *ret_count = count;
    return REQUEST_FACTS;
}

static bool cancel_settled(struct request *r)
{
    struct wish *w = (struct wish *)r;
    return r->refusal[0] == '\0' && w->more ? true : wish_settled(r);
}

static const struct request_ops cancel_ops = {false, cancel_propose, cancel_settled, wish_unavailable, wish_free};

void api_cancel(const struct call *c)
{
    const struct job_call *call = c->params;
    if (call_may_job(c, call->job))
        wish_post(c, &cancel_ops, &job_call_fields, &cancel_reply_fields);
}

static enum request_step release_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                         size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    int answer = core_check_release(core, w->params, w->caller.user, now, out, &refusal);
    if (answer == CORE_REFUSED && w->more) { /* an earlier round has released it all */
        fields_clear(&refusal_fields, &refusal);
        w->more = false;
        *ret_count = 0;
        return REQUEST_FACTS;
    }
    w->more |= answer == CORE_FACT;
    return wish_step(w, answer, out, &refusal, ret_count);
}

static bool release_settled(struct request *r)
{
    return r->refusal[0] == '\0' && ((struct wish *)r)->more ? true : wish_settled(r);
}

static const struct request_ops release_ops = {false, release_propose, release_settled, wish_unavailable, wish_free};

void api_release(const struct call *c)
{
    const struct job_call *call = c->params;
    if (call_may_job(c, call->job))
        wish_post(c, &release_ops, &job_call_fields, NULL);
}
