#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/api_inner.h"

enum { RELAYS_MAX = 4096, RETRY_MS = 1000 };

void api_wait(const struct call *c)
{
    const struct wait_call *call = c->params;
    if (call_may_job(c, call->job) && waiters_add(c->api->setup.waiters, c->ticket, call) < 0)
        rpc_unavailable(c->api->server, c->ticket, "busy: too many clients wait for jobs", RETRY_MS);
}

/* ---- log.read: the node has the bytes, we only pass them on; that there are none we know ourselves ---- */
struct relay {
    struct api *api;
    struct rpc_ticket ticket;
    bool over; /* the attempt: what its node doesn't have now it will never have */
};

static void refuse_as(const struct relay *r, const struct err *err)
{
    struct refusal refusal = {0};
    rpc_refusal(err, &refusal);
    rpc_refuse(r->api->server, &r->ticket, &refusal);
    fields_clear(&refusal_fields, &refusal);
}

static void on_log(void *arg, const void *result, const struct err *err)
{
    struct relay *r = arg;
    if (result != NULL)
        rpc_answer(r->api->server, &r->ticket, &log_reply_fields, result);
    else if (r->over && err->code == -EPERM && strncmp(err->text, "not_found:", 10) == 0)
        refuse_as(r, err);
    else
        rpc_unavailable(r->api->server, &r->ticket, err_text(err), RETRY_MS);
    r->api->relays--;
    free(r);
}

static void relay_log(const struct call *c, const char *node, const struct log_call *call, bool over)
{
    struct relay *r = c->api->relays < RELAYS_MAX ? calloc(1, sizeof *r) : NULL;
    if (r == NULL) {
        rpc_unavailable(c->api->server, c->ticket, "busy: too many logs are being read", RETRY_MS);
        return;
    }
    *r = (struct relay){c->api, *c->ticket, over};
    c->api->relays++;
    int rc = agents_log(c->api->setup.agents, node, call, on_log, r);
    if (rc == 0)
        return;
    char text[128];
    snprintf(text, sizeof text, rc == -ENOTCONN ? "node %s has the log and is not connected" : "node %s is busy", node);
    rpc_unavailable(c->api->server, c->ticket, text, RETRY_MS);
    c->api->relays--;
    free(r);
}

void api_log(const struct call *c)
{
    struct log_call call = *(const struct log_call *)c->params; /* no owned parts in it */
    struct attempt_id id = {call.job, call.task, call.epoch};
    bool ended = false;
    if (!call_may_job(c, call.job))
        return;
    if (!core_has_task(c->api->core, call.job, call.task)) {
        call_refuse(c, "not_found", "task", "this job has no such task", NULL);
        return;
    }
    const char *node = core_attempt_node(c->api->core, &id, &ended);
    if (node == NULL && core_attempt_is_past(c->api->core, id)) {
        call_refuse(c, "not_found", "task", "only the reports know this attempt any more", "reeve logs asks them");
        return;
    }
    if (node == NULL) {
        call_refuse(c, "state", "task", "this task has not started on any node yet",
                    "reeve why says what it waits for");
        return;
    }
    call.epoch = id.epoch;
    if (ended && core_log_is_empty(c->api->core, id, call.stream)) {
        struct log_reply nothing = log_empty(&call, id.epoch);
        call_answer(c, &log_reply_fields, &nothing);
        return;
    }
    relay_log(c, node, &call, false);
}

/* Who may read it has been asked where the job is still known. */
void api_node_log(const struct call *c)
{
    const struct node_log_call *call = c->params;
    relay_log(c, call->node, &call->log, true);
}
