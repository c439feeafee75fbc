#include <string.h>

#include "scheduler/core/claims.h"
#include "scheduler/core/plan.h"

/*
 * What waits for a limit, and where: a shape that somebody's quota or budget keeps from starting stands in the list of
 * that tenant and is asked again when something below it was given back; a tenant that has as many attempts as it may
 * is passed over with all below it. So a turn costs what has changed since the last one, not all that waits.
 *
 * Given back is whatever may make the ledger's answer another: an end, a renewal, a hold that was refused by the store,
 * a credit, an account that opens. A change of policy and the end of a period or of a price free everybody.
 * What no event announces (rates of a minute, a job's own budget) is asked again each turn.
 */
void blocked_forget(const struct core *c, struct shape *s)
{
    if (s->blocked_at == NULL)
        return;
    age_go_on(&s->age_pause, c->turn_utc_us);
    if (s->blocked_prev != NULL)
        s->blocked_prev->blocked_next = s->blocked_next;
    else
        s->blocked_at->blocked_shapes = s->blocked_next;
    if (s->blocked_next != NULL)
        s->blocked_next->blocked_prev = s->blocked_prev;
    s->blocked_at = NULL;
    s->blocked_prev = s->blocked_next = NULL;
}

static void block_shape(struct core *c, struct shape *s, struct tenant *where, int64_t utc_us)
{
    queue_park(c, s);
    age_stop(c, &s->age_pause, utc_us);
    s->blocked_at = where;
    s->blocked_next = where->blocked_shapes;
    if (where->blocked_shapes != NULL)
        where->blocked_shapes->blocked_prev = s;
    where->blocked_shapes = s;
}

static int64_t next_price_utc_us(const struct core *c, int64_t utc_us)
{
    const struct list *versions = price_book_versions(c->prices);
    for (size_t i = 0; i < versions->count; i++) {
        const struct price_version *v = &((const struct price_version *)versions->v)[i];
        if (v->from_utc_us > utc_us)
            return v->from_utc_us;
    }
    return INT64_MAX;
}

struct block blocked_where(const struct core *c, const struct ledger_blocker *b)
{
    if (b->verdict == LEDGER_QUOTA || b->verdict == LEDGER_BORROW)
        return (struct block){.where = tenant_find(c, b->where),
                              .all = b->verdict == LEDGER_QUOTA && strcmp(b->resource, "running") == 0 &&
                                     b->used >= b->limit}; /* else a gang wants more than is left: others need less */
    char path[LEDGER_TENANT_MAX];
    if (b->verdict == LEDGER_BUDGET && !c->price_classes) /* else it depends on the node */
        return (struct block){.where = tenant_find(c, ledger_account_tenant(b->where, path)), .money = true};
    return (struct block){0};
}

void blocked_at(struct core *c, struct shape *s, struct block b, int64_t utc_us)
{
    if (b.all) {
        age_stop(c, &b.where->age_pause, utc_us);
        claims_stop(c, b.where);
        return;
    }
    if (b.money) {
        int64_t until = MIN(tenant_accounts_end(c, s->tenant, utc_us), next_price_utc_us(c, utc_us));
        c->blocked_until_utc_us = MIN(c->blocked_until_utc_us, until);
    }
    block_shape(c, s, b.where, utc_us);
}

static void free_at(struct core *c, struct tenant *t)
{
    age_go_on(&t->age_pause, c->turn_utc_us);
    claims_go_on(c, t);
    while (t->blocked_shapes != NULL)
        queue_unpark(c, t->blocked_shapes);
}

void blocked_free(struct core *c, struct tenant *t)
{
    for (; t != NULL; t = t->parent)
        free_at(c, t);
}

void blocked_free_all(struct core *c)
{
    for (size_t i = 0; i < c->tenants.size; i++)
        if (c->tenants.slots[i].object != NULL)
            free_at(c, c->tenants.slots[i].object);
    c->blocked_until_utc_us = INT64_MAX;
}

void blocked_before(struct core *c, const struct fact *f)
{
    const struct task *t = f->kind == FACT_ATTEMPT_ENDED   ? task_of(c, f->ended.id)
                           : f->kind == FACT_HOLD_RENEWED ? task_of(c, f->renewed.id)
                                                          : NULL;
    if (t != NULL)
        blocked_free(c, t->job->shape->tenant);
    if (f->kind == FACT_LEDGER_ADJUSTED || f->kind == FACT_BUDGET_OPENED || f->kind == FACT_ACCOUNTS_CLOSED ||
        f->kind == FACT_POLICY_SET || f->kind == FACT_TENANT_MOVED)
        blocked_free_all(c);
}

void blocked_look(struct core *c, const struct plan *p)
{
    if (c->blocked_until_utc_us <= p->now.utc_us)
        blocked_free_all(c);
}
