#include "scheduler/core/apply.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"

/*
 * While an attempt stands still at its paid end its memory and all else stay its own, but its cores are its node's
 * again (not those that are its alone, which the node keeps from others). It goes on when there is money and its node
 * has the cores; from when there is money on nothing new is placed there, so others can't keep them from it for longer
 * than they run. Its tenant's quota and share count it as before.
 */
struct capacity attempt_cores(const struct task *t)
{
    const struct shape *s = t->job->shape;
    return (struct capacity){.v = {[CAPACITY_CPU] = s->pinned ? 0 : s->need.v[CAPACITY_CPU]}};
}

struct capacity attempt_uses(const struct task *t)
{
    struct capacity uses = t->job->shape->need, cores = attempt_cores(t);
    if (t->paused)
        capacity_take(&uses, &cores);
    return uses;
}

bool attempt_has_cores(const struct task *t)
{
    struct capacity cores = attempt_cores(t);
    return capacity_fits(&cores, &t->node->open.free);
}

void attempt_want_cores(struct core *c, struct task *t, bool wants)
{
    if (t->wants_cores == wants)
        return;
    t->wants_cores = wants;
    t->node->cores_wanted += wants ? 1 : UINT32_MAX;
    node_refresh(c, t->node);
}

void attempt_set_paused(struct core *c, struct task *t, bool paused, int64_t since_utc_us)
{
    struct capacity cores = attempt_cores(t);
    if (paused != t->paused && t->node != NULL) {
        reserve_node_changed(c, t->node);
        node_use(c, t->node, &cores, !paused);
    }
    if (!paused && t->node != NULL)
        attempt_want_cores(c, t, false);
    t->job->paused += (uint32_t)paused - (uint32_t)t->paused;
    t->paused = paused;
    t->paused_utc_us = since_utc_us;
}

/* ---- one turn --------------------------------------------------------------------------------------- */

void plan_resume(struct core *c, struct plan *p, struct task *t)
{
    struct capacity cores = attempt_cores(t);
    p->rows.resumed = core_room(p->rows.resumed, p->resumed_count, &p->rows.resumed_size, 16, sizeof(struct task *));
    p->rows.resumed[p->resumed_count++] = t;
    node_use(c, t->node, &cores, true);
}

void plan_resume_undo(struct core *c, struct plan *p)
{
    while (p->resumed_count > 0) {
        struct task *t = p->rows.resumed[--p->resumed_count];
        struct capacity cores = attempt_cores(t);
        node_use(c, t->node, &cores, false);
    }
}
