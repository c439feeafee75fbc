#include "scheduler/agents.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io/log.h"
#include "base/parse.h"

enum { BUCKETS = 1024, NODE_NAME_MAX = 63 };

struct link {
    struct link *next;   /* by name, once its hello is durable */
    struct link *next_id; /* by connection */
    struct rpc_conn *conn;
    char node[NODE_NAME_MAX + 1]; /* "" until its hello is durable */
};

struct agents {
    struct agents_setup setup;
    struct rpc_server *server;
    struct core *core;
    struct turn *turn;
    uint64_t term;
    struct link *buckets[BUCKETS]; /* by name */
    struct link *by_id[BUCKETS];
    struct agents_stats stats;
};

/* ---- links by name ---- */
static struct link **bucket(struct agents *a, const char *node)
{
    uint32_t hash = 2166136261u;
    for (; *node != '\0'; node++)
        hash = (hash ^ (uint8_t)*node) * 16777619u;
    return &a->buckets[hash % BUCKETS];
}

static struct link *link_find(struct agents *a, const char *node)
{
    struct link *l = *bucket(a, node);
    while (l != NULL && strcmp(l->node, node) != 0)
        l = l->next;
    return l;
}

static void link_unname(struct agents *a, struct link *l)
{
    if (l->node[0] == '\0')
        return;
    struct link **at = bucket(a, l->node);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    l->node[0] = '\0';
    a->stats.links--;
}

static struct link *link_by_id(struct agents *a, uint64_t conn_id)
{
    struct link *l = a->by_id[conn_id % BUCKETS];
    while (l != NULL && rpc_conn_id(l->conn) != conn_id)
        l = l->next_id;
    return l;
}

static void link_free(struct agents *a, struct link *l)
{
    link_unname(a, l);
    struct link **at = &a->by_id[rpc_conn_id(l->conn) % BUCKETS];
    while (*at != l)
        at = &(*at)->next_id;
    *at = l->next_id;
    rpc_conn_set_data(l->conn, NULL);
    free(l);
}

/* Closing our own end doesn't come back through on_close. */
static void link_close(struct agents *a, struct link *l)
{
    struct rpc_conn *conn = l->conn;
    link_free(a, l);
    rpc_close(conn);
}

static void link_name(struct agents *a, struct link *l, const char *node)
{
    struct link *old = link_find(a, node);
    if (old == l)
        return;
    if (old != NULL) {
        log_line(LOG_WARN, "node.replaced", "node=%s", log_quote(node));
        link_close(a, old);
    }
    link_unname(a, l);
    snprintf(l->node, sizeof l->node, "%s", node);
    l->next = *bucket(a, node);
    *bucket(a, node) = l;
    a->stats.links++;
}

static void on_open(void *arg, struct rpc_conn *conn)
{
    struct agents *a = arg;
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL)
        return; /* its calls are refused: no link */
    l->conn = conn;
    l->next_id = a->by_id[rpc_conn_id(conn) % BUCKETS];
    a->by_id[rpc_conn_id(conn) % BUCKETS] = l;
    rpc_conn_set_data(conn, l);
}

static void on_close(void *arg, struct rpc_conn *conn, const char *why)
{
    struct agents *a = arg;
    struct link *l = rpc_conn_data(conn);
    if (l == NULL)
        return;
    if (l->node[0] != '\0')
        log_line(LOG_WARN, "node.link_lost", "node=%s why=%s", log_quote(l->node), log_quote(why));
    link_free(a, l);
}

/* ---- what a node should do ---- */
static bool link_send(struct agents *a, struct link *l, enum node_call call, const void *params)
{
    a->stats.sent_total++;
    if (rpc_notify(l->conn, &node_calls[call], params) == 0)
        return true;
    log_line(LOG_WARN, "node.link_slow", "node=%s", log_quote(l->node));
    link_close(a, l); /* it will say hello again and hear everything anew */
    return false;
}

/* What is told is at most what a fact said that is safe by now. */
struct paid_max {
    uint64_t us;
    struct measure io_bytes; /* absent: no bound */
};
static const struct paid_max all_paid = {.us = UINT64_MAX};

/* false: the link could not keep up and is gone. */
static bool link_duty(struct agents *a, struct link *l, struct attempt_id id, bool has_it, struct paid_max max)
{
    struct run_call run = {0};
    uint64_t paid_us = 0;
    uint32_t cause = END_NONE;
    bool kept = true;
    struct paid_call paid;
    enum agent_duty duty = core_duty(a->core, id, has_it, &run, &paid_us, &cause);
    switch (duty) {
    case DUTY_RUN:
        run.term = a->term;
        run.paid_us = MIN(run.paid_us, max.us);
        run.io_paid_bytes = measure_fewer(run.io_paid_bytes, max.io_bytes);
        kept = link_send(a, l, NODE_RUN, &run);
        break;
    case DUTY_PAID:
        paid = core_paid(a->core, id, paid_us, core_is_final(a->core, id));
        paid.term = a->term;
        kept = link_send(a, l, NODE_PAID, &paid);
        break;
    case DUTY_STOP:
        kept = link_send(a, l, NODE_STOP, &(struct stop_call){.id = id, .term = a->term, .cause = cause,
                                                              .grace_ms = core_stop_grace_ms(a->core, cause)});
        break;
    case DUTY_FORGET:
        kept = link_send(a, l, NODE_FORGET, &(struct forget_call){.id = id, .term = a->term});
        break;
    }
    fields_clear(&run_call_fields, &run);
    return kept;
}

/* Whoever is told to run something that was asked to stop, or to stand still, hears both, in that order. */
static void link_tell(struct agents *a, struct link *l, struct attempt_id id, bool has_it, struct paid_max max)
{
    struct run_call run = {0};
    uint64_t paid_us;
    uint32_t cause = END_NONE;
    if (!link_duty(a, l, id, has_it, max) || has_it)
        return;
    if (core_duty(a->core, id, true, &run, &paid_us, &cause) == DUTY_STOP || core_is_suspended(a->core, id))
        (void)link_duty(a, l, id, true, max);
    fields_clear(&run_call_fields, &run);
}

/* Whoever knows it already takes it again; whoever is too old to know what it means drops it. */
static void link_shares(struct agents *a, struct link *l, const char *tenant)
{
    struct shares_call call;
    core_shares(a->core, l->node, tenant, &call);
    call.term = a->term;
    if (call.whole || call.tenants.count > 0)
        (void)link_send(a, l, NODE_SHARES, &call);
    fields_clear(&shares_call_fields, &call);
}

/* The policy is another. What is told is the state, which may be a commit further than what is durable: shares move no
 * money, and the next term's policy is told anew. */
static void shares_changed(struct agents *a)
{
    for (size_t i = 0; a->term != 0 && i < BUCKETS; i++)
        for (struct link *l = a->buckets[i], *next; l != NULL; l = next) {
            next = l->next;
            link_shares(a, l, NULL);
        }
}

/* These two say what the durable fact says: the state may already be a commit further. */
static void node_run(struct agents *a, const struct fact_placed *f)
{
    struct link *l = a->term == 0 ? NULL : link_find(a, f->node);
    if (l == NULL)
        return;
    struct attempt_id id = f->id;
    const char *tenant = NULL;
    uint32_t uid;
    if (core_job_owner(a->core, id.job, &tenant, &uid))
        link_shares(a, l, tenant);
    l = link_find(a, f->node); /* it may have been too slow for that */
    if (l != NULL)
        link_tell(a, l, id, false, (struct paid_max){f->paid_us, f->io_paid_bytes});
}

static void node_paid(struct agents *a, const struct fact_renewed *f)
{
    struct attempt_id id = f->id;
    bool ended = true;
    const char *node = core_attempt_node(a->core, &id, &ended);
    struct link *l = node == NULL || ended || a->term == 0 ? NULL : link_find(a, node);
    if (l == NULL)
        return;
    struct paid_call paid = core_paid(a->core, f->id, f->paid_us, f->final);
    paid.suspends = f->suspends;
    paid.io_paid_bytes = f->io_paid_bytes;
    paid.term = a->term;
    (void)link_send(a, l, NODE_PAID, &paid);
}

static void node_duty(struct agents *a, const char *node, struct attempt_id id, bool has_it)
{
    struct link *l = node == NULL || a->term == 0 ? NULL : link_find(a, node);
    if (l != NULL)
        link_tell(a, l, id, has_it, all_paid);
}

static void tell_to_stop(void *arg, struct attempt_id id)
{
    struct agents *a = arg;
    struct attempt_id found = id;
    bool ended;
    node_duty(a, core_attempt_node(a->core, &found, &ended), id, true);
}

void agents_on_fact(struct agents *a, const struct fact *f)
{
    struct attempt_id id;
    struct fact room;
    bool ended;
    core_each_taken_along(a->core, f, tell_to_stop, a);
    switch ((enum fact_kind)f->kind) {
    case FACT_ATTEMPT_PLACED:
    case FACT_GANG_PLACED:
        for (size_t i = 0; i < fact_placements(f); i++)
            node_run(a, &fact_placement(f, i, &room)->placed);
        break;
    case FACT_HOLD_RENEWED:
        node_paid(a, &f->renewed);
        break;
    case FACT_ATTEMPT_STOPPING:
        id = f->stopping.id;
        node_duty(a, core_attempt_node(a->core, &id, &ended), f->stopping.id, true);
        break;
    case FACT_ATTEMPT_SUSPENDED:
        node_duty(a, f->suspended.node, f->suspended.id, true);
        break;
    case FACT_ATTEMPT_REACHED:
        node_duty(a, f->reached.node, f->reached.id, true);
        break;
    case FACT_ATTEMPT_ENDED: /* ends that the node didn't report itself */
        if (f->ended.record.cause == END_NODE_LOST || f->ended.record.cause == END_KEEPER_LOST ||
            f->ended.record.cause == END_LEASE)
            node_duty(a, f->ended.node, f->ended.id, true);
        break;
    case FACT_POLICY_SET: case FACT_TENANT_MOVED:
        shares_changed(a);
        break;
    case FACT_NONE: case FACT_TERM_TAKEN: case FACT_JOB_SUBMITTED: case FACT_TASKS_CANCELLED:
    case FACT_JOB_CHANGED:
    case FACT_TASK_HELD: case FACT_TASK_RELEASED: case FACT_ATTEMPT_RUNNING: case FACT_ATTEMPT_UNREACHABLE:
    case FACT_NODE_JOINED: case FACT_NODE_LOST: case FACT_NODE_DRAINED: case FACT_SNAPSHOT_JOB: case FACT_SNAPSHOT_CELL:
    case FACT_BUDGET_OPENED: case FACT_BUDGET_CROSSED: case FACT_LEDGER_ADJUSTED: case FACT_PERIOD_CLOSED:
    case FACT_POLICY_PROPOSED: case FACT_POLICY_DROPPED: case FACT_ACCOUNTS_CLOSED:
    case FACT_WINDOW_SET: case FACT_WINDOW_DROPPED: case FACT_NODE_QUARANTINED:
    case FACT_KIND_COUNT:
        break;
    }
}

/* ---- requests of nodes ---- */
struct agent_request {
    struct request base;
    struct agents *agents;
    struct rpc_ticket ticket;
    bool answers;             /* somebody waits for the answer */
    char node[NODE_NAME_MAX + 1];
    struct hello_call hello;
    struct attempt_state state;
};

static void request_free(struct request *r)
{
    struct agent_request *q = (struct agent_request *)r;
    fields_clear(&hello_call_fields, &q->hello);
    fields_clear(&attempt_state_fields, &q->state);
    free(q);
}

static void request_unavailable(struct request *r, const char *why)
{
    struct agent_request *q = (struct agent_request *)r;
    if (q->answers)
        rpc_unavailable(q->agents->server, &q->ticket, why, AGENT_BEAT_MS);
}

static void report_post(struct agents *a, const char *node, const struct rpc_ticket *ticket,
                        const struct attempt_state *s);

static enum request_step hello_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                       size_t room, size_t *ret_count)
{
    (void)room;
    struct agent_request *q = (struct agent_request *)r;
    struct refusal refusal = {0};
    switch (core_check_hello(core, &q->hello, now, out, &refusal)) {
    case CORE_FACT:
        *ret_count = out->kind == FACT_NONE ? 0 : 1;
        return REQUEST_FACTS;
    case CORE_REFUSED:
        rpc_refuse(q->agents->server, &q->ticket, &refusal);
        fields_clear(&refusal_fields, &refusal);
        return REQUEST_ANSWERED;
    default:
        return REQUEST_LATER;
    }
}

static bool listed(const struct hello_call *call, struct attempt_id id)
{
    const struct attempt_state *s = call->attempts.v;
    for (size_t i = 0; i < call->attempts.count; i++)
        if (attempt_id_equal(s[i].id, id))
            return true;
    return false;
}

struct reconcile {
    struct agents *agents;
    const struct agent_request *request;
    const char *node;
};

static void reconcile_live(void *arg, struct attempt_id id)
{
    struct reconcile *x = arg;
    struct link *l = link_find(x->agents, x->node);
    if (l != NULL && !turn_placement_pending(x->agents->turn, id))
        link_tell(x->agents, l, id, x->request != NULL ? listed(&x->request->hello, id) : true, all_paid);
}

/* Everything the node lists is a report too; what the core no longer has is forgotten there. */
static void reconcile_listed(struct agents *a, const struct agent_request *q)
{
    const struct attempt_state *s = q->hello.attempts.v;
    for (size_t i = 0; i < q->hello.attempts.count; i++) {
        struct attempt_id id = s[i].id;
        bool ended = true;
        if (core_attempt_node(a->core, &id, &ended) == NULL || ended)
            node_duty(a, q->node, s[i].id, true);
        else if (s[i].ended || s[i].started_utc_us != 0)
            report_post(a, q->node, NULL, &s[i]);
    }
}

static bool hello_settled(struct request *r)
{
    struct agent_request *q = (struct agent_request *)r;
    struct agents *a = q->agents;
    struct link *l = link_by_id(a, q->ticket.conn);
    if (l == NULL)
        return false;
    if (r->refusal[0] != '\0') {
        rpc_unavailable(a->server, &q->ticket, r->refusal, AGENT_BEAT_MS);
        return false;
    }
    link_name(a, l, q->node);
    rpc_answer(a->server, &q->ticket, &hello_reply_fields,
               &(struct hello_reply){.term = a->term, .beat_ms = AGENT_BEAT_MS});
    log_line(LOG_INFO, "node.hello", "node=%s attempts=%zu version=%s", log_quote(q->node), q->hello.attempts.count,
             log_quote(q->hello.version));
    link_shares(a, l, NULL);
    struct reconcile x = {a, q, q->node};
    core_each_attempt(a->core, q->node, reconcile_live, &x);
    reconcile_listed(a, q);
    return false;
}

static const struct request_ops hello_ops = {true, hello_propose, hello_settled, request_unavailable, request_free};

static enum request_step report_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                        size_t room, size_t *ret_count)
{
    (void)room;
    struct agent_request *q = (struct agent_request *)r;
    int answer = q->state.ended ? core_check_ended(core, q->node, &q->state, now, out)
                                : core_check_running(core, q->node, &q->state, now, out);
    if (answer != CORE_FACT)
        return REQUEST_LATER;
    *ret_count = out->kind == FACT_NONE ? 0 : 1;
    return REQUEST_FACTS;
}

static bool report_settled(struct request *r)
{
    struct agent_request *q = (struct agent_request *)r;
    if (!q->answers)
        return false;
    if (r->refusal[0] != '\0')
        rpc_unavailable(q->agents->server, &q->ticket, r->refusal, AGENT_BEAT_MS);
    else
        rpc_answer(q->agents->server, &q->ticket, NULL, NULL);
    return false;
}

static const struct request_ops report_ops = {true, report_propose, report_settled, request_unavailable, request_free};

static struct agent_request *request_new(struct agents *a, const struct request_ops *ops, const char *node,
                                         const struct rpc_ticket *ticket)
{
    struct agent_request *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->base.ops = ops;
    q->agents = a;
    q->answers = ticket != NULL;
    if (ticket != NULL)
        q->ticket = *ticket;
    snprintf(q->node, sizeof q->node, "%s", node);
    return q;
}

static void report_post(struct agents *a, const char *node, const struct rpc_ticket *ticket,
                        const struct attempt_state *s)
{
    struct agent_request *q = request_new(a, &report_ops, node, ticket);
    if (q != NULL && fields_copy(&attempt_state_fields, s, &q->state) == 0) {
        turn_post(a->turn, &q->base);
        return;
    }
    if (ticket != NULL)
        rpc_unavailable(a->server, ticket, "out of memory", AGENT_BEAT_MS);
    free(q);
}

/* ---- calls ---- */
static void refuse(struct agents *a, const struct rpc_ticket *t, const char *code, const char *where,
                   const char *message)
{
    struct refusal r = {0};
    refusal_set(&r, code, where, message, NULL);
    rpc_refuse(a->server, t, &r);
    fields_clear(&refusal_fields, &r);
}

static bool peer_may(const struct agents *a, const struct rpc_conn *conn)
{
    uid_t uid = rpc_peer(conn)->uid;
    return uid == 0 || uid == geteuid() || uid == a->setup.agent_uid;
}

/* The link of a caller that may call; refuses otherwise. */
static struct link *caller(struct agents *a, struct rpc_conn *conn, const struct rpc_ticket *t, bool needs_hello)
{
    struct link *l = rpc_conn_data(conn);
    if (!peer_may(a, conn))
        refuse(a, t, "forbidden", NULL, "only the agents' user may call this");
    else if (l == NULL)
        rpc_unavailable(a->server, t, "out of memory", AGENT_BEAT_MS);
    else if (needs_hello && l->node[0] == '\0')
        refuse(a, t, "state", NULL, "say node.hello first");
    else
        return l;
    return NULL;
}

static void on_hello(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                     const void *params)
{
    (void)m;
    struct agents *a = arg;
    const struct hello_call *call = params;
    struct err err = {0};
    if (caller(a, conn, t, false) == NULL)
        return;
    a->stats.hellos_total++;
    if (parse_name(call->node, NODE_NAME_MAX, &err) < 0) {
        refuse(a, t, "bad_request", "node", err_text(&err));
        return;
    }
    if (turn_term_seen(a->turn, call->term_seen) < 0) {
        refuse(a, t, "bad_request", "term_seen", "this term can't have been given out by any scheduler");
        return;
    }
    struct agent_request *q = request_new(a, &hello_ops, call->node, t);
    if (q != NULL && fields_copy(&hello_call_fields, call, &q->hello) == 0) {
        turn_post(a->turn, &q->base);
        return;
    }
    rpc_unavailable(a->server, t, "out of memory", AGENT_BEAT_MS);
    free(q);
}

/* A node that doesn't say when it counted did so now. */
static void beat_taken(struct agents *a, const char *node, const struct attempt_beat *beat, struct core_now now)
{
    core_attempt_seen(a->core, node, beat->id, beat->run_us, now);
    core_attempt_stands(a->core, node, beat->id, beat->suspends, beat->stands, now);
    core_attempt_staging(a->core, node, beat->id, &beat->staging);
    core_attempt_told(a->core, node, beat->id, &beat->usage);
    core_attempt_used(a->core, node, beat->id,
                      (struct use_point){.run_us = beat->used_at_us != 0 ? beat->used_at_us : beat->run_us,
                                         .cpu_us = beat->usage.cpu_us,
                                         .mem_peak_bytes = beat->usage.mem_peak_bytes,
                                         .io_bytes = beat->usage.io_bytes});
}

static void on_beat(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                    const void *params)
{
    (void)m;
    struct agents *a = arg;
    const struct beat_call *call = params;
    const struct attempt_beat *beats = call->attempts.v;
    struct link *l = caller(a, conn, t, true);
    if (l == NULL)
        return;
    a->stats.beats_total++;
    struct core_now now = turn_now(a->turn);
    core_node_seen(a->core, l->node, now);
    for (size_t i = 0; i < call->attempts.count; i++)
        beat_taken(a, l->node, &beats[i], now);
    rpc_answer(a->server, t, &beat_reply_fields, &(struct beat_reply){.term = a->term});
    turn_wake(a->turn);
}

static void on_state(void *arg, struct rpc_conn *conn, const struct rpc_ticket *t, const struct method *m,
                     const void *params)
{
    (void)m;
    struct agents *a = arg;
    struct link *l = caller(a, conn, t, true);
    if (l == NULL)
        return;
    a->stats.reports_total++;
    report_post(a, l->node, t, params);
}

static const rpc_handler handlers[AGENT_CALL_COUNT] = {
    [AGENT_HELLO] = on_hello,
    [AGENT_BEAT] = on_beat,
    [AGENT_STATE] = on_state,
};

int agents_new(struct agents **ret, const struct agents_setup *setup, struct err *err)
{
    struct agents *a = calloc(1, sizeof *a);
    if (a == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    a->setup = *setup;
    struct rpc_handlers h = {agent_calls, handlers, AGENT_CALL_COUNT, on_open, on_close};
    /* Everybody who can reach the folder may connect; who may call is decided by the kernel's word for it. */
    int rc = rpc_listen(&a->server, setup->loop, setup->socket_path, 0666, AGENTS_MAX, &h, a, err);
    if (rc < 0) {
        free(a);
        return rc;
    }
    rpc_server_trust(a->server);
    *ret = a;
    return 0;
}

void agents_free(struct agents *a)
{
    if (a == NULL)
        return;
    rpc_server_free(a->server);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct link *l = a->by_id[i], *next; l != NULL; l = next) {
            next = l->next_id;
            free(l);
        }
    free(a);
}

void agents_start(struct agents *a, struct core *core, struct turn *turn)
{
    a->core = core;
    a->turn = turn;
}

void agents_set_term(struct agents *a, uint64_t term)
{
    a->term = term;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct link *l = a->buckets[i], *next; l != NULL; l = next) {
            next = l->next;
            char node[NODE_NAME_MAX + 1]; /* a link that can't keep up is closed on the way */
            memcpy(node, l->node, sizeof node);
            link_shares(a, l, NULL);
            struct reconcile x = {a, NULL, node};
            core_each_attempt(a->core, node, reconcile_live, &x);
        }
}

int agents_log(struct agents *a, const char *node, const struct log_call *call,
               void (*on_reply)(void *arg, const void *result, const struct err *err), void *arg)
{
    struct link *l = link_find(a, node);
    return l == NULL ? -ENOTCONN : rpc_call(l->conn, &node_calls[NODE_LOG], call, on_reply, arg);
}

void agents_stats(const struct agents *a, struct agents_stats *ret)
{
    *ret = a->stats;
}
