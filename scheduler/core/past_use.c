#include <errno.h>

#include "scheduler/core/claims.h"
#include "scheduler/core/state.h"

/*
 * What tenants used, fading (policies/fade.h). The slice that an attempt holds counts at once, ahead of its use, so
 * that a burst can't win before it has used anything; it is taken back when the slice is settled, and what was used
 * counts in its place. What ended by the platform's fault wasn't used by anybody.
 */

/* In no order: sums don't care. NULL: an empty place. */
static struct tenant *tenant_at(const struct core *c, size_t i)
{
    return c->tenants.slots[i].object;
}

void past_use_above(struct tenant *t, uint64_t amount, bool more)
{
    for (; t != NULL; t = t->parent) {
        BUG(!more && t->whole.faded < amount);
        t->whole.faded += more ? amount : -amount;
    }
}

void past_use_recount(struct core *c)
{
    for (size_t i = 0; i < c->tenants.size; i++)
        if (tenant_at(c, i) != NULL)
            tenant_at(c, i)->whole.faded = 0;
    for (size_t i = 0; i < c->tenants.size; i++)
        if (tenant_at(c, i) != NULL)
            past_use_above(tenant_at(c, i), tenant_at(c, i)->own.faded, true);
}

/* Everybody's at once: the sum of parts that were cut is never above the whole that was cut. */
static void to_epoch(struct core *c, int64_t utc_us)
{
    uint64_t weight = fade_weight(&c->fade, utc_us);
    for (size_t i = 0; i < c->tenants.size; i++)
        if (tenant_at(c, i) != NULL)
            tenant_at(c, i)->own.faded = fade_to(tenant_at(c, i)->own.faded, weight);
    for (size_t i = 0; i < c->nodes_count; i++)
        for (struct task *t = c->nodes[i]->tasks; t != NULL; t = t->node_next)
            t->ahead = fade_to(t->ahead, weight);
    c->fade.epoch_utc_us = utc_us;
    past_use_recount(c);
    claims_rebuild(c);
}

uint64_t past_use_of(const struct core *c, const struct shape *s, uint64_t us, int64_t utc_us)
{
    return fade_amount(&c->fade, order_share(&s->need, &c->total, &order_unweighted, 0), us, utc_us);
}

void past_use_count(struct tenant *t, uint64_t amount, bool more)
{
    BUG(!more && t->own.faded < amount);
    t->own.faded += more ? amount : -amount;
    past_use_above(t, amount, more);
}

void past_use(struct core *c, struct task *t, uint64_t used_us, uint64_t ahead_us, int64_t utc_us)
{
    const struct shape *s = t->job->shape;
    if (fade_is_due(&c->fade, utc_us))
        to_epoch(c, utc_us);
    past_use_count(s->tenant, t->ahead, false);
    t->ahead = past_use_of(c, s, ahead_us, utc_us);
    past_use_count(s->tenant, t->ahead + past_use_of(c, s, used_us, utc_us), true);
    claims_refresh(c, s->tenant);
}

void past_use_rule(struct core *c, int64_t utc_us)
{
    uint64_t half_life_ms = c->order.half_life_ms != 0 ? c->order.half_life_ms : FADE_HALF_LIFE_DEFAULT_MS;
    if (c->fade.half_life_us == half_life_ms * 1000)
        return;
    to_epoch(c, utc_us);
    c->fade.half_life_us = half_life_ms * 1000;
}

int past_use_verify(const struct core *c, struct err *err)
{
    for (size_t i = 0; i < c->tenants.size; i++)
        if (tenant_at(c, i) != NULL)
            tenant_at(c, i)->recount_ahead = tenant_at(c, i)->recount_faded = 0;
    for (size_t i = 0; i < c->nodes_count; i++)
        for (const struct task *t = c->nodes[i]->tasks; t != NULL; t = t->node_next)
            t->job->shape->tenant->recount_ahead += t->ahead;
    for (size_t i = 0; i < c->tenants.size; i++)
        for (struct tenant *t = tenant_at(c, i), *up = t; up != NULL; up = up->parent)
            up->recount_faded += t->own.faded;
    for (size_t i = 0; i < c->tenants.size; i++) {
        const struct tenant *t = tenant_at(c, i);
        if (t != NULL && (t->own.faded < t->recount_ahead || t->whole.faded != t->recount_faded))
            return err_set(err, -EUCLEAN, "tenant %s: its past use is not that of all below it", t->path);
    }
    return 0;
}
