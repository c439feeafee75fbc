#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "scheduler/api_inner.h"

enum { RETRY_MS = 500 };

/* ---- answering ---- */
void call_answer(const struct call *c, const struct fields *f, const void *result)
{
    rpc_answer(c->api->server, c->ticket, f, result);
}

static void refuse(struct api *a, const struct rpc_ticket *t, struct refusal *r)
{
    a->refusals_total++;
    rpc_refuse(a->server, t, r);
    fields_clear(&refusal_fields, r);
}

void call_refuse(const struct call *c, const char *code, const char *where, const char *message, const char *hint)
{
    struct refusal r = {0};
    refusal_set(&r, code, where, message, hint);
    refuse(c->api, c->ticket, &r);
}

struct core_now call_now(const struct call *c)
{
    return turn_now(c->api->turn);
}

bool call_may_job(const struct call *c, uint64_t job)
{
    const char *tenant = NULL;
    uint32_t uid;
    const struct core *core = c->api->core;
    if (core_job_owner(core, job, &tenant, &uid) &&
        (c->caller.admin || core_user_may(core, c->caller.user, c->caller.uid, tenant)))
        return true;
    char text[80];
    snprintf(text, sizeof text, "there is no job %" PRIu64 " here that you may see", job);
    call_refuse(c, "not_found", "job", text, "finished jobs are in the history: reeve history");
    return false;
}

/* ---- wishes ---- */
void wish_free(struct request *r)
{
    struct wish *w = (struct wish *)r;
    if (w->params != NULL)
        fields_clear(w->params_fields, w->params);
    if (w->reply_fields != NULL)
        fields_clear(w->reply_fields, &w->reply);
    w->api->waiting[w->caller.uid % USER_SLOTS] -= w->weight;
    free(w->params);
    free(w);
}

void wish_unavailable(struct request *r, const char *why)
{
    struct wish *w = (struct wish *)r;
    rpc_unavailable(w->api->server, &w->ticket, why, RETRY_MS);
}

void wish_post(const struct call *c, const struct request_ops *ops, const struct fields *params,
               const struct fields *reply)
{
    uint32_t *waiting = &c->api->waiting[c->caller.uid % USER_SLOTS];
    uint32_t weight = 1 + c->ticket->bytes / API_WISH_BYTES;
    if (*waiting + weight > API_WISHES_PER_USER) {
        rpc_unavailable(c->api->server, c->ticket, "busy: too many of your requests are waiting", RETRY_MS);
        return;
    }
    struct wish *w = calloc(1, sizeof *w);
    void *copy = calloc(1, params->size);
    if (w == NULL || copy == NULL || fields_copy(params, c->params, copy) < 0) {
        free(copy);
        free(w);
        rpc_unavailable(c->api->server, c->ticket, "out of memory", RETRY_MS);
        return;
    }
    *w = (struct wish){.base = {.ops = ops}, .api = c->api, .ticket = *c->ticket, .caller = c->caller,
                       .params_fields = params, .reply_fields = reply, .params = copy, .weight = weight};
    *waiting += weight;
    turn_post(c->api->turn, &w->base);
}

enum request_step wish_refused(struct wish *w, struct refusal *refusal)
{
    refuse(w->api, &w->ticket, refusal);
    return REQUEST_ANSWERED;
}

enum request_step wish_step(struct wish *w, int answer, const struct fact *fact, struct refusal *refusal,
                            size_t *ret_count)
{
    switch (answer) {
    case CORE_FACT:
        *ret_count = fact->kind == FACT_NONE ? 0 : 1;
        return REQUEST_FACTS;
    case CORE_REFUSED:
        return wish_refused(w, refusal);
    default:
        return REQUEST_LATER;
    }
}

/* What the store's codes mean to people. %s is the detail: an account, a tenant. */
static const struct store_code {
    const char *code, *message, *hint;
} store_codes[] = {
    {"budget", "not enough money is free on %s", "wait for running jobs to end, or ask for a larger budget"},
    {"quota", "%s would use more at once than its quota allows", "wait for running jobs to end, or ask for less"},
    {"queue_full", "%s has as many tasks waiting as it may", "wait until some have started"},
    {"no_tenant", "there is no tenant %s", NULL},
    {"key_conflict", "the idempotency key is taken by another request (job %s)", "use a new key for another job"},
};

void wish_refused_by_store(struct wish *w)
{
    char message[256];
    const char *hint = NULL;
    snprintf(message, sizeof message, "refused at commit: %s %s", w->base.refusal, w->base.detail);
    for (size_t i = 0; i < COUNT_OF(store_codes); i++) {
        if (strcmp(store_codes[i].code, w->base.refusal) != 0)
            continue;
        const char *at = strstr(store_codes[i].message, "%s");
        snprintf(message, sizeof message, "%.*s%s%s", (int)(at - store_codes[i].message), store_codes[i].message,
                 w->base.detail[0] == '\0' ? "the tenant" : w->base.detail, at + 2);
        hint = store_codes[i].hint;
    }
    struct refusal r = {0};
    refusal_set(&r, w->base.refusal, w->base.detail[0] == '\0' ? NULL : w->base.detail, message, hint);
    refuse(w->api, &w->ticket, &r);
}

bool wish_settled(struct request *r)
{
    struct wish *w = (struct wish *)r;
    if (r->refusal[0] != '\0')
        wish_refused_by_store(w);
    else
        rpc_answer(w->api->server, &w->ticket, w->reply_fields, w->reply_fields == NULL ? NULL : &w->reply);
    return false;
}

/* ---- the table ---- */
static const struct api_method {
    call_fn fn;
    bool report; /* reportd's user may call it too */
} methods[CLIENT_METHOD_COUNT] = {
    [CALL_SUBMIT] = {api_submit, false},  [CALL_LIST] = {api_list, false},     [CALL_SHOW] = {api_show, false},
    [CALL_WHY] = {api_why, false},        [CALL_CANCEL] = {api_cancel, false}, [CALL_RELEASE] = {api_release, false},
    [CALL_WAIT] = {api_wait, false},      [CALL_LOG] = {api_log, false},       [CALL_TENANTS] = {api_tenants, false},
    [CALL_APPLY] = {api_apply, false},    [CALL_POLICY] = {api_policy, false}, [CALL_NODES] = {api_nodes, false},
    [CALL_DRAIN] = {api_drain, false},    [CALL_STATUS] = {api_status, false}, [CALL_ARCHIVED] = {api_archived, true},
    [CALL_METRICS] = {api_metrics, true}, [CALL_NODE_LOG] = {api_node_log, true},
    [CALL_MOVE] = {api_move, false},
    [CALL_HEAD] = {api_head, false},      [CALL_VERIFY] = {api_verify, false},
    [CALL_PROPOSALS] = {api_proposals, false}, [CALL_APPROVE] = {api_approve, false}, [CALL_DROP] = {api_drop, false},
    [CALL_ADJUST] = {api_adjust, false},  [CALL_HOLD] = {api_hold, false},     [CALL_PRIORITY] = {api_priority, false},
    [CALL_REQUEUE] = {api_requeue, false}, [CALL_WINDOWS] = {api_windows, false},
    [CALL_SUSPEND] = {api_suspend, false}, [CALL_RESUME] = {api_resume, false},
    [CALL_WINDOW_SET] = {api_window_set, false}, [CALL_WINDOW_DROP] = {api_window_drop, false},
    [CALL_TOP] = {api_top, false},
};

static struct caller caller_of(const struct api *a, const struct rpc_conn *conn)
{
    struct caller c = {.uid = rpc_peer(conn)->uid};
    users_name(c.uid, c.user);
    c.admin = c.uid == 0 || c.uid == geteuid() || core_user_is_admin(a->core, c.user, c.uid);
    return c;
}

static void on_call(void *arg, struct rpc_conn *conn, const struct rpc_ticket *ticket, const struct method *m,
                    const void *params)
{
    struct api *a = arg;
    size_t i = (size_t)(m - client_methods);
    struct call c = {a, ticket, params, caller_of(a, conn)};
    a->calls_total[i]++;
    if (m->admin && !c.caller.admin && !(methods[i].report && c.caller.uid == a->setup.report_uid)) {
        char text[160];
        snprintf(text, sizeof text, "%s is for admins, and '%s' is none", m->name, c.caller.user);
        call_refuse(&c, "forbidden", NULL, text, NULL);
        return;
    }
    methods[i].fn(&c);
}

/* The other half is for nodes, the journal and the store. */
static size_t connections_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 64;
    return MAX(MIN((size_t)limit.rlim_cur / 2, (size_t)API_CONNECTIONS_MAX), (size_t)1);
}

int api_new(struct api **ret, const struct api_setup *setup, struct err *err)
{
    static rpc_handler handlers[CLIENT_METHOD_COUNT];
    struct api *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    a->setup = *setup;
    a->started_boot_us = clock_boot_us();
    for (size_t i = 0; i < CLIENT_METHOD_COUNT; i++)
        handlers[i] = on_call;
    struct rpc_handlers h = {client_methods, handlers, CLIENT_METHOD_COUNT, NULL, NULL};
    size_t connections = connections_max();
    int rc = rpc_listen(&a->server, setup->loop, setup->socket_path, 0666, connections, &h, a, err);
    if (rc < 0) {
        free(a);
        return rc;
    }
    rpc_server_per_user(a->server, MIN(connections / 4, (size_t)API_CONNECTIONS_PER_USER));
    *ret = a;
    return 0;
}

void api_free(struct api *a)
{
    if (a == NULL)
        return;
    api_recounts_free(a);
    rpc_server_free(a->server);
    free(a);
}

void api_start(struct api *a, struct core *core, struct turn *turn, const struct api_audit *audit)
{
    a->audit = *audit;
    a->core = core;
    a->turn = turn;
}

struct rpc_server *api_server(struct api *a)
{
    return a->server;
}
