#include <stdio.h>

#include "policies/retry.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/preempt_search.h"

#define SEARCHES_MAX 2             /* in one turn */
#define SEARCH_US INT64_C(1000000) /* between two searches for one promise */

bool preempt_is_used(const struct core *c)
{
    bool some = c->preemptible_live > 0 || (c->preempt.reclaim == RECLAIM_ANY && c->guarantees);
    return some && c->preempt.reclaim != RECLAIM_NEVER && c->limits.reserve_max > 0;
}

bool preempt_is_on(const struct core *c, const struct shape *s)
{
    return s->placeable && preempt_is_used(c);
}

bool preempt_is_refunded(const struct task *t, uint32_t cause)
{
    bool needed_away = cause == END_PREEMPTED || cause == END_MAINTENANCE;
    return retry_is_node_fault(cause) || cause == END_GANG_LOST || (needed_away && !t->job->shape->preemptible);
}

uint64_t preempt_min_run_us(const struct core *c)
{
    return (c->preempt.min_run_ms != 0 ? c->preempt.min_run_ms : PREEMPT_MIN_RUN_DEFAULT_MS) * 1000;
}

/* Nobody else borrows what it is about to use. */
static void use_all(const struct core *c, const struct kept_use *use, bool there)
{
    struct resources all;
    resources_times(&use->shape->resources, use->tasks, &all);
    ledger_with(c->ledger, &use->shape->tenant->line, &all, use->tasks, there);
    free(all.generic.v);
}

static void keep(const struct preempt_asking *a, struct shape *s)
{
    struct plan *p = a->p;
    if (p->kept_count == RESERVE_MAX)
        return;
    p->kept[p->kept_count] = (struct kept_use){s, a->tasks};
    use_all(a->c, &p->kept[p->kept_count++], true);
}

void preempt_undo(struct core *c, struct plan *p)
{
    while (p->kept_count > 0)
        use_all(c, &p->kept[--p->kept_count], false);
}

bool preempt_keep_others(const struct core *c, const struct shape *s, bool there)
{
    struct shape *shapes[RESERVE_MAX];
    size_t count = reserve_waiting_for_victims(c, shapes);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (shapes[i] == s)
            continue;
        use_all(c, &(struct kept_use){shapes[i], reserve_tasks(c, shapes[i])}, there);
        any = true;
    }
    return any;
}

static void stop_some(const struct preempt_asking *a, const struct preempt_offer *o, size_t count)
{
    char who[40];
    snprintf(who, sizeof who, "job %llu", (unsigned long long)entry_job(a->e)->id);
    for (size_t i = 0; i < count; i++) {
        struct fact *f = plan_add(a->p, FACT_ATTEMPT_STOPPING);
        f->stopping = (struct fact_stopping){o->stops[i], END_PREEMPTED, core_text(who)};
        flight_begin(a->c, f);
    }
}

/* Nobody goes for it, yet. true: somebody may soon, or hasn't been asked. */
static bool try_later(const struct preempt_asking *a, struct shape *s)
{
    int64_t now_utc_us = a->p->now.utc_us;
    s->victims_utc_us = now_utc_us + SEARCH_US;
    if (a->again_us == UINT64_MAX)
        return false;
    s->victims_utc_us = now_utc_us + (int64_t)MAX(a->again_us, (uint64_t)SEARCH_US);
    plan_wake_at(a->p, s->victims_utc_us);
    return true;
}

/* What they leave is its from now on. false: there is no place among the promises. */
static bool promise(const struct preempt_asking *a, struct shape *s, const struct preempt_offer *o)
{
    if (a->has_room)
        return s->reserved;
    if (s->gang != 0)
        return reserve_gang_at(a->c, a->p, s, o->places, o->places_count);
    if (s->reserved)
        reserve_at(a->c, a->p, s, o->places[0].node);
    return s->reserved;
}

/* Plans that they go. More than a whole turn takes are stopped turn after turn: those that go already are counted as
 * gone when the rest is looked for, on the same nodes. */
static void stop_them(const struct preempt_asking *a, struct shape *s, const struct preempt_offer *o)
{
    struct plan *p = a->p;
    size_t room = p->max - p->count;
    bool all = o->stops_count <= room;
    if (!all)
        plan_wake_at(p, p->now.utc_us); /* the next turn has more room */
    if ((!all && o->stops_count <= p->max) || !promise(a, s, o))
        return;
    stop_some(a, o, MIN(o->stops_count, room));
    reserve_set_victims(a->c, s, o->victims, o->victims_count, !all);
    s->victims_utc_us = p->now.utc_us + (all ? SEARCH_US : 0);
}

/* Looks for whom to stop, beside those of an offer that is found. */
static bool find_some(struct preempt_asking *a, struct shape *s, struct preempt_offer *best)
{
    a->p->victim_searches++;
    if (!best->found)
        preempt_search(a, best);
    if (!best->found || best->victims_count == 0)
        return try_later(a, s);
    stop_them(a, s, best);
    return true;
}

/* Has it a promise, or will it have one with whom is found? Not yet: gangs were asked too often of late. */
static bool has_promise(const struct preempt_asking *a, struct shape *s)
{
    if (s->gang == 0)
        reserve_blocked(a->c, a->p, s);
    else if (a->has_room)
        reserve_blocked_gang(a->c, a->p, s, a->tasks);
    return s->reserved || (s->gang != 0 && !a->has_room);
}

static bool ask_for(struct preempt_asking *a, struct shape *s)
{
    struct plan *p = a->p;
    struct node *const *victims;
    struct preempt_offer best = {0};
    bool comes = true;
    if (preempt_goes_on(a))
        return true;
    if (reserve_is_cut(a->c, s))
        preempt_search_again(a, &best);
    if (reserve_victims(a->c, s, &victims) > 0)
        reserve_set_victims(a->c, s, NULL, 0, false);
    if (p->now.utc_us < s->victims_utc_us || p->victim_searches >= SEARCHES_MAX)
        plan_wake_at(p, MAX(s->victims_utc_us, p->now.utc_us + 1));
    else if (has_promise(a, s))
        comes = find_some(a, s, &best);
    else if (s->gang != 0)
        plan_wake_at(p, reserve_gangs_utc_us(a->c));
    else
        comes = false;
    preempt_offer_free(&best);
    return comes;
}

bool preempt_for(struct core *c, struct plan *p, const struct entry *e, struct fact *f, bool has_room)
{
    struct preempt_asking a = {.c = c,
                               .p = p,
                               .e = e,
                               .f = f,
                               .tasks = (uint32_t)fact_placements(f),
                               .has_room = has_room,
                               .again_us = UINT64_MAX};
    struct shape *s = entry_job(e)->shape, *shapes[RESERVE_MAX];
    struct node *const *victims;
    size_t planned = p->count, others = reserve_waiting_for_victims(c, shapes);
    for (size_t i = 0; i < others; i++) {
        size_t count = reserve_victims(c, shapes[i], &victims);
        for (size_t k = 0; k < count; k++)
            preempt_think_away(&a, victims[k]);
    }
    bool some = ask_for(&a, s);
    preempt_think_back(&a, 0);
    free(a.away);
    for (size_t i = planned; i < p->count; i++)
        gang_set_going(c, task_of(c, p->facts[i].stopping.id), true);
    if (reserve_victims(c, s, &victims) > 0)
        keep(&a, s);
    return some;
}

uint32_t preempt_waits(const struct core *c, const struct shape *s, const struct node **ret_node, size_t *ret_nodes)
{
    struct node *const *victims;
    uint32_t count = 0;
    *ret_nodes = 0;
    for (size_t i = 0, all = reserve_victims(c, s, &victims); i < all; i++) {
        uint32_t there = 0;
        for (const struct task *t = victims[i]->tasks; t != NULL; t = t->node_next)
            there += t->stopping == END_PREEMPTED;
        if (there > 0 && (*ret_nodes)++ == 0)
            *ret_node = victims[i];
        count += there;
    }
    return count;
}
