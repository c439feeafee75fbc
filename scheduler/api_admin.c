#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "base/io/zone.h"
#include "scheduler/api_inner.h"
#include "scheduler/metrics.h"

/* ---- tenants ---- */
/* Keeps the rows that the caller may see, in their order. */
static void tenants_filter(const struct call *c, struct list *rows)
{
    struct tenant_row *v = rows->v;
    size_t kept = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (core_user_may(c->api->core, c->caller.user, c->caller.uid, v[i].path))
            v[kept++] = v[i];
        else
            fields_clear(&tenant_row_fields, &v[i]);
    }
    rows->count = kept;
}

void api_tenants(const struct call *c)
{
    const struct tenant_call *call = c->params;
    struct tenant_reply reply = {0};
    const char *top = call->tenant == NULL ? TENANT_ROOT : call->tenant;
    int rc = core_tenants(c->api->core, top, call_now(c), &reply);
    if (rc == 0 && !c->caller.admin)
        tenants_filter(c, &reply.tenants);
    if (rc < 0 && rc != -ENOENT)
        rpc_unavailable(c->api->server, c->ticket, "out of memory", 1000);
    else if (call->tenant != NULL && reply.tenants.count == 0)
        call_refuse(c, "not_found", "tenant", "there is no such tenant that you may see", NULL);
    else
        call_answer(c, &tenant_reply_fields, &reply);
    fields_clear(&tenant_reply_fields, &reply);
}

/* ---- the policy ---- */
/* The core knows no files: it is offered the tables of the zones that this policy names. */
static void offer_zones(struct core *core, const struct policy_file *policy)
{
    struct strs names = {0};
    struct list zones = {0};
    int rc = policy_zones(policy, &names);
    for (size_t i = 0; rc == 0 && i < names.count && i < ZONES_MAX; i++) {
        struct zone_table *z = list_add(&zones, sizeof *z);
        struct err err = {0};
        if (z != NULL && zone_read(names.v[i], z, &err) < 0) { /* the core refuses what it wasn't offered */
            log_line(LOG_WARN, "zone.unreadable", "zone=%s why=%s", log_quote(names.v[i]), log_quote(err_text(&err)));
            zones.count--;
        }
    }
    core_offer_zones(core, &zones);
    for (size_t i = 0; i < zones.count; i++)
        fields_clear(&zone_table_fields, &((struct zone_table *)zones.v)[i]);
    free(zones.v);
    for (size_t i = 0; i < names.count; i++)
        free(names.v[i]);
    free(names.v);
}

static enum request_step apply_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                       size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    fields_clear(&apply_reply_fields, &w->reply.apply);
    offer_zones(core, &((const struct apply_call *)w->params)->policy);
    int answer = core_check_policy(core, w->params, w->caller.user, w->caller.uid, now, out, &w->reply.apply,
                                   &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static const struct request_ops apply_ops = {false, apply_propose, wish_settled, wish_unavailable, wish_free};

static enum request_step move_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                      size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    fields_clear(&apply_reply_fields, &w->reply.apply);
    int answer = core_check_move(core, w->params, w->caller.user, now, out, &w->reply.apply, &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static const struct request_ops move_ops = {false, move_propose, wish_settled, wish_unavailable, wish_free};

/* A mere question about a change. */
struct dry {
    struct fact fact;
    struct apply_reply reply;
    struct refusal refusal;
};

static void answer_dry(const struct call *c, int answer, struct dry *d)
{
    if (answer == CORE_FACT)
        call_answer(c, &apply_reply_fields, &d->reply);
    else if (answer == CORE_REFUSED)
        rpc_refuse(c->api->server, c->ticket, &d->refusal);
    else
        rpc_unavailable(c->api->server, c->ticket, "busy: another change is being committed", 100);
    if (answer == CORE_FACT && d->fact.kind != FACT_NONE)
        core_refused(c->api->core, &d->fact, "dropped", "", call_now(c));
    fact_clear(&d->fact);
    fields_clear(&apply_reply_fields, &d->reply);
    fields_clear(&refusal_fields, &d->refusal);
}

static void apply_dry(const struct call *c)
{
    struct dry d = {0};
    int answer = core_check_policy(c->api->core, c->params, c->caller.user, c->caller.uid, call_now(c), &d.fact,
                                   &d.reply, &d.refusal);
    answer_dry(c, answer, &d);
}

static void move_dry(const struct call *c)
{
    struct dry d = {0};
    int answer = core_check_move(c->api->core, c->params, c->caller.user, call_now(c), &d.fact, &d.reply, &d.refusal);
    answer_dry(c, answer, &d);
}

void api_move(const struct call *c)
{
    const struct move_call *call = c->params;
    if (call->dry_run)
        move_dry(c);
    else
        wish_post(c, &move_ops, &move_call_fields, &apply_reply_fields);
}

void api_apply(const struct call *c)
{
    const struct apply_call *call = c->params;
    if (call->dry_run)
        apply_dry(c);
    else
        wish_post(c, &apply_ops, &apply_call_fields, &apply_reply_fields);
}

void api_policy(const struct call *c)
{
    struct policy_reply reply = {0};
    if (core_policy(c->api->core, &reply) == 0)
        call_answer(c, &policy_reply_fields, &reply);
    else
        rpc_unavailable(c->api->server, c->ticket, "out of memory", 1000);
    fields_clear(&policy_reply_fields, &reply);
}

/* ---- two persons ---- */
void api_proposals(const struct call *c)
{
    struct proposals_reply reply = {0};
    if (core_proposals(c->api->core, &reply) == 0)
        call_answer(c, &proposals_reply_fields, &reply);
    else
        rpc_unavailable(c->api->server, c->ticket, "out of memory", 1000);
    fields_clear(&proposals_reply_fields, &reply);
}

static enum request_step approve_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                         size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    fields_clear(&apply_reply_fields, &w->reply.apply);
    int answer = core_check_approve(core, w->params, w->caller.user, w->caller.uid, now, out, &w->reply.apply,
                                    &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static const struct request_ops approve_ops = {false, approve_propose, wish_settled, wish_unavailable, wish_free};

void api_approve(const struct call *c)
{
    wish_post(c, &approve_ops, &approve_call_fields, &apply_reply_fields);
}

static enum request_step drop_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                      size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    int answer = core_check_drop(core, w->params, w->caller.user, now, out, &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static const struct request_ops drop_ops = {false, drop_propose, wish_settled, wish_unavailable, wish_free};

void api_drop(const struct call *c)
{
    wish_post(c, &drop_ops, &drop_call_fields, NULL);
}

/* ---- nodes ---- */
void api_nodes(const struct call *c)
{
    struct node_reply reply = {0};
    if (core_nodes(c->api->core, call_now(c), &reply) == 0)
        call_answer(c, &node_reply_fields, &reply);
    else
        rpc_unavailable(c->api->server, c->ticket, "out of memory", 1000);
    fields_clear(&node_reply_fields, &reply);
}

static enum request_step drain_propose(struct request *r, struct core *core, struct core_now now, struct fact *out,
                                       size_t room, size_t *ret_count)
{
    (void)room;
    struct wish *w = (struct wish *)r;
    struct refusal refusal = {0};
    int answer = core_check_drain(core, w->params, w->caller.user, now, out, &refusal);
    return wish_step(w, answer, out, &refusal, ret_count);
}

static const struct request_ops drain_ops = {false, drain_propose, wish_settled, wish_unavailable, wish_free};

void api_drain(const struct call *c)
{
    wish_post(c, &drain_ops, &drain_call_fields, NULL);
}

/* ---- the cell ---- */
static bool may_see(void *arg, const char *tenant)
{
    const struct call *c = arg;
    return c->caller.admin || core_user_may(c->api->core, c->caller.user, c->caller.uid, tenant);
}

void api_top(const struct call *c)
{
    struct api *a = c->api;
    struct turn_stats turn;
    struct top_reply reply = {0};
    struct call asked = *c;
    const struct top_call *call = c->params;
    if (call->tenant != NULL &&
        (ledger_rule(core_ledger(a->core), call->tenant) == NULL || !may_see(&asked, call->tenant))) {
        call_refuse(c, "not_found", "tenant", "there is no such tenant that you may see", NULL);
        return;
    }
    turn_stats(a->turn, &turn);
    if (core_top(a->core, call, may_see, &asked, call_now(c), &reply) == 0 &&
        str_set(&reply.cell, a->setup.cell) == 0 && str_set(&reply.store, turn.store) == 0) {
        reply.uptime_ms = (clock_boot_us() - a->started_boot_us) / 1000;
        call_answer(c, &top_reply_fields, &reply);
    } else {
        rpc_unavailable(a->server, c->ticket, "out of memory", 1000);
    }
    fields_clear(&top_reply_fields, &reply);
}

void api_status(const struct call *c)
{
    struct api *a = c->api;
    struct turn_stats turn;
    struct core_stats core;
    struct policy_reply policy = {0};
    turn_stats(a->turn, &turn);
    core_stats(a->core, &core);
    if (core_policy(a->core, &policy) < 0)
        policy.version = 0;
    struct status_reply reply = {
        .term = turn.term, .seq = turn.seq, .durable = turn.durable, .jobs = core.jobs, .queued = core.queued,
        .live = core.starting + core.running + core.unreachable, .nodes = core.nodes, .policy_version = policy.version,
        .uptime_ms = (clock_boot_us() - a->started_boot_us) / 1000,
    };
    if (str_set(&reply.cell, a->setup.cell) == 0 && str_set(&reply.writer, a->setup.writer) == 0 &&
        str_set(&reply.version, REEVE_VERSION) == 0 && str_set(&reply.store, turn.store) == 0)
        call_answer(c, &status_reply_fields, &reply);
    else
        rpc_unavailable(a->server, c->ticket, "out of memory", 1000);
    fields_clear(&status_reply_fields, &reply);
    fields_clear(&policy_reply_fields, &policy);
}

void api_archived(const struct call *c)
{
    const struct archived_call *call = c->params;
    turn_archived(c->api->turn, call->seq);
    call_answer(c, NULL, NULL);
}

void api_metrics(const struct call *c)
{
    struct api *a = c->api;
    struct metrics_input in = {.waiters = waiters_count(a->setup.waiters), .relays = a->relays,
                               .refusals_total = a->refusals_total, .calls_total = a->calls_total};
    turn_stats(a->turn, &in.turn);
    in.ready = in.turn.state == TURN_READY;
    in.signed_seq = heads_seq(a->audit.heads);
    core_stats(a->core, &in.core);
    agents_stats(a->setup.agents, &in.agents);
    struct buf text = {0};
    metrics_write(&in, &text);
    struct text_reply reply = {.text = buf_take(&text)};
    if (reply.text != NULL)
        call_answer(c, &text_reply_fields, &reply);
    else
        rpc_unavailable(a->server, c->ticket, "out of memory", 1000);
    fields_clear(&text_reply_fields, &reply);
    buf_fini(&text);
}
