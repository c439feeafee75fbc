#include <errno.h>
#include <string.h>

#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/estimate.h"
#include "scheduler/core/windows.h"

#define LIST_DEFAULT 100
#define LIST_MAX 1000

/* ---- jobs ------------------------------------------------------------------------------------------- */

static bool is_asked_for(const struct job *j, const struct list_call *call, const char *state)
{
    if (j->finished && !call->finished)
        return false;
    if (call->tenant != NULL && !tenant_path_is_below(j->tenant, call->tenant))
        return false;
    return call->state == NULL || strcmp(call->state, state) == 0;
}

static size_t first_after(const struct core *c, uint64_t id)
{
    size_t low = 0, high = c->jobs_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->jobs[middle].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int core_list(const struct core *c, const struct list_call *call,
              bool (*may_see)(void *arg, const char *tenant, const char *user), void *arg, struct core_now now,
              struct list_reply *ret)
{
    uint32_t estimates = ESTIMATES_MAX, limit = call->limit == 0 ? LIST_DEFAULT : MIN(call->limit, LIST_MAX);
    *ret = (struct list_reply){.currency = core_text(c->currency)};
    for (size_t i = first_after(c, call->after); i < c->jobs_count; i++) {
        const struct job *j = c->jobs[i].job;
        if (j == NULL || !is_asked_for(j, call, job_state(j)) || !may_see(arg, j->tenant, j->user))
            continue;
        if (ret->jobs.count == limit) {
            ret->more = true;
            break;
        }
        struct job_row *row = list_add(&ret->jobs, sizeof *row);
        if (row == NULL || !job_row_of(c, j->id, core_utc(c, now), &estimates, row)) {
            fields_clear(&list_reply_fields, ret);
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- tenants ---------------------------------------------------------------------------------------- */

struct tenant_walk {
    const struct core *core;
    const char *top;
    int64_t utc_us;
    struct tenant_reply *ret;
    bool failed;
};

static int64_t bound(int64_t utc_us)
{
    return utc_us == INT64_MIN || utc_us == INT64_MAX ? 0 : utc_us;
}

/* What it carries, or would if it opened now. */
static int64_t carried_by(const struct ledger *l, const char *account, int64_t utc_us, struct account_view *ret)
{
    struct fact opening;
    if (ledger_account(l, account, ret))
        return ret->carried_micros;
    *ret = (struct account_view){0};
    if (!ledger_opening(l, account, utc_us, &opening))
        return 0;
    int64_t carried = opening.budget_opened.carried_micros;
    fact_clear(&opening);
    return carried;
}

struct budget_walk {
    const struct tenant_walk *walk;
    struct tenant_row *row;
};

static bool add_budget(const struct ledger_budget *b, void *arg)
{
    const struct budget_walk *w = arg;
    if (b->rule == NULL)
        return true;
    struct tenant_budget *row = list_add(&w->row->budgets, sizeof *row);
    BUG(row == NULL);
    struct account_view a;
    int64_t carried = carried_by(w->walk->core->ledger, b->account, w->walk->utc_us, &a);
    *row = (struct tenant_budget){
        .name = core_text(b->rule->name),
        .resource = core_text(b->rule->resource),
        .account = core_text(b->account),
        .limit_micros = b->rule->limit_micros + carried,
        .spent_micros = a.spent_micros,
        .held_micros = a.held_micros,
        .free_micros = b->rule->limit_micros + carried - a.spent_micros - a.held_micros,
        .carried_micros = carried,
        .from_utc_us = bound(b->period.from_utc_us),
        .to_utc_us = bound(b->period.to_utc_us),
        .period = b->rule->period,
        .soft = b->rule->soft,
    };
    return true;
}

static void fill_account(const struct tenant_walk *w, const struct tenant_view *v, struct tenant_row *row)
{
    struct budget_walk budgets = {w, row};
    int rc = ledger_each_budget(w->core->ledger, &(struct strs){&row->path, 1}, w->utc_us, add_budget, &budgets);
    BUG(rc < 0);
    row->limit_micros = -1;
    row->account = core_text(v->account);
    if (v->account != NULL) {
        row->spent_micros = v->spent_micros;
        row->held_micros = v->held_micros;
    }
    if (v->rule->budget.present) {
        const struct tenant_budget *first = row->budgets.v;
        row->limit_micros = first->limit_micros;
        row->period_end_utc_us = first->to_utc_us;
    }
    row->free_micros = row->limit_micros >= 0 ? row->limit_micros - row->spent_micros - row->held_micros : 0;
}

static bool add_tenant(const struct tenant_rule *rule, void *arg)
{
    struct tenant_walk *w = arg;
    struct tenant_view v;
    if ((w->top != NULL && !tenant_path_is_below(rule->path, w->top)) ||
        !ledger_tenant(w->core->ledger, rule->path, w->utc_us, &v))
        return true;
    struct tenant_row *row = list_add(&w->ret->tenants, sizeof *row);
    if (row == NULL || fields_copy(&tenant_rule_fields, rule, &row->rule) < 0) {
        w->failed = true;
        return false;
    }
    row->path = core_text(rule->path);
    core_copy_resources(&v.used, &row->used);
    row->running = v.running;
    row->queued = v.queued;
    ledger_borrowed(w->core->ledger, rule->path, &row->borrowed);
    fill_account(w, &v, row);
    return true;
}

int core_tenants(const struct core *c, const char *top, struct core_now now, struct tenant_reply *ret)
{
    *ret = (struct tenant_reply){.currency = core_text(c->currency)};
    struct tenant_walk w = {c, top, core_utc(c, now), ret, false};
    ledger_each_tenant(c->ledger, add_tenant, &w);
    if (!w.failed)
        return 0;
    fields_clear(&tenant_reply_fields, ret);
    return -ENOMEM;
}

/* ---- policy ----------------------------------------------------------------------------------------- */

static bool add_rule(const struct tenant_rule *rule, void *arg)
{
    struct policy_reply *ret = arg;
    const struct tenant_rule bare = {.path = rule->path};
    if (strcmp(rule->path, TENANT_ROOT) == 0 && fields_equal(&tenant_rule_fields, rule, &bare))
        return true; /* always there; named only when something is said about it */
    struct tenant_rule *copy = list_add(&ret->policy.tenants, sizeof *copy);
    return copy != NULL && fields_copy(&tenant_rule_fields, rule, copy) == 0;
}

int core_policy(const struct core *c, struct policy_reply *ret)
{
    *ret = (struct policy_reply){.version = c->policy_version};
    ret->policy.currency = core_text(c->currency);
    if (fields_copy(&billing_rule_fields, &c->billing, &ret->policy.billing) < 0)
        return -ENOMEM;
    core_copy_strs(&c->admins, &ret->policy.admins);
    ret->policy.two_persons = c->two_persons;
    ret->policy.order = c->order;
    ret->policy.preempt = c->preempt;
    ledger_each_tenant(c->ledger, add_rule, ret);
    const struct list *prices = price_book_versions(c->prices);
    for (size_t i = 0; i < prices->count; i++) {
        struct price_version *copy = list_add(&ret->policy.prices, sizeof *copy);
        if (copy == NULL ||
            fields_copy(&price_version_fields, &((const struct price_version *)prices->v)[i], copy) < 0) {
            fields_clear(&policy_reply_fields, ret);
            return -ENOMEM;
        }
    }
    return 0;
}

/* ---- nodes ------------------------------------------------------------------------------------------ */

static void add_use(const struct node *n, struct resources *used)
{
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next) {
        const struct resources *r = &t->job->shape->resources;
        used->cpu_milli += attempt_uses(t).v[CAPACITY_CPU]; /* of what stands still they are others' */
        used->mem_bytes += r->mem_bytes;
        used->scratch_bytes += r->scratch_bytes;
        for (size_t i = 0; i < r->generic.count; i++) {
            const struct count *g = &r->generic.v[i];
            int rc = counts_set(&used->generic, g->name, counts_get(&used->generic, g->name) + g->value);
            BUG(rc < 0);
        }
    }
}

static void add_lacks(const struct node *n, struct strs *to)
{
    for (uint32_t f = 0; f < FEATURE_COUNT; f++) {
        const char *name = names_get(&node_feature_names, f);
        bool has = false;
        for (size_t i = 0; i < n->features.count; i++)
            has = has || strcmp(n->features.v[i], name) == 0;
        int rc = has ? 0 : strs_add(to, name);
        BUG(rc < 0);
    }
}

/* Why it isn't used, or won't be. */
static const char *node_reason(const struct node *n)
{
    if (n->quarantined && !n->lost && !n->drained)
        return n->quarantine_reason;
    if (n->lost || n->drained || n->windows_count == 0)
        return n->lost ? n->lost_reason : n->drain_reason;
    return n->windows[0]->as.reason;
}

static void add_window(const struct node *n, struct node_row *row)
{
    if (n->quarantined)
        row->opens_utc_us = n->quarantine_until_utc_us;
    if (n->windows_count == 0 || n->quarantined)
        return;
    row->window = n->windows[0]->as.window;
    row->closes_utc_us = n->windows[0]->as.from_utc_us;
    row->opens_utc_us = n->windows[0]->as.to_utc_us;
}

int core_nodes(const struct core *c, struct core_now now, struct node_reply *ret)
{
    *ret = (struct node_reply){0};
    for (size_t i = 0; i < c->nodes_count; i++) {
        const struct node *n = c->nodes[i];
        struct node_row *row = list_add(&ret->nodes, sizeof *row);
        if (row == NULL) {
            fields_clear(&node_reply_fields, ret);
            return -ENOMEM;
        }
        row->node = core_text(n->name);
        row->state = core_text(node_state(n, core_utc(c, now)));
        row->reason = core_text(node_reason(n));
        add_window(n, row);
        row->version = core_text(n->version);
        row->boot_id = core_text(n->boot_id);
        core_copy_resources(&n->capacity, &row->capacity);
        add_use(n, &row->used);
        row->running = n->live;
        row->max_attempts = n->max_attempts;
        row->seen_utc_us = n->seen_utc_us;
        core_copy_strs(&n->features, &row->features);
        add_lacks(n, &row->lacks);
    }
    return 0;
}
