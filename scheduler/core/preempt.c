#include <stdio.h>

#include "policies/preempt.h"
#include "policies/retry.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/windows.h"

#define NODES_MAX 64              /* that are looked at in one search */
#define SEARCHES_MAX 2            /* in one turn */
#define SEARCH_US INT64_C(1000000) /* between two searches for one promise */

/* What some node would have to give. */
struct offer {
    struct node *node; /* NULL: none */
    struct preempt_candidate *v;
    size_t count;
    struct preempt_answer answer;
};
struct asking {
    struct core *c;
    struct plan *p;
    const struct entry *e;
    struct fact *f;
    bool has_room;
    uint64_t again_us;
    struct node *away[RESERVE_MAX]; /* of which the ledger is thought without what goes */
    size_t away_count;
};

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

static void free_offer(struct offer *o)
{
    free(o->v);
    *o = (struct offer){0};
}

/* ---- one node ---------------------------------------------------------------------------------------- */

/* Of its own tenant only what the queue has behind it: what is stopped must not be first again. */
static bool is_candidate(const struct asking *a, const struct task *t)
{
    const struct job *j = a->e->job;
    if (t->in_flight || t->missing || (t->state != TASK_RUNNING && t->state != TASK_STARTING))
        return false;
    if (t->job->shape->tenant != j->shape->tenant)
        return a->c->guarantees;
    return age_urgency(t->job) > age_urgency(j);
}

static struct preempt_candidate candidate_of(const struct asking *a, const struct task *t)
{
    const struct shape *s = t->job->shape;
    return (struct preempt_candidate){.id = task_id(t),
                                      .path = &s->tenant->line,
                                      .resources = &s->resources,
                                      .need = attempt_uses(t),
                                      .priority = t->job->priority,
                                      .preemptible = s->preemptible,
                                      .run_us = task_run_us(t, a->p->now),
                                      .start_utc_us = t->placed_utc_us};
}

static bool is_going(const struct task *t)
{
    return t->stopping != END_NONE || t->going;
}

/* What is being stopped on a node is gone, or is there again. */
static void without_going(const struct core *c, const struct node *n, bool gone)
{
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next)
        if (is_going(t))
            ledger_without(c->ledger, task_id(t), gone);
}

/* The nodes where somebody goes for anybody, each once. */
static size_t nodes_of_victims(const struct core *c, struct node **ret)
{
    struct shape *shapes[RESERVE_MAX];
    size_t count = 0, all = reserve_waiting_for_victims(c, shapes);
    for (size_t i = 0; i < all; i++) {
        struct node *n = reserve_victims(c, shapes[i]);
        size_t k = 0;
        while (k < count && ret[k] != n)
            k++;
        ret[k] = n;
        count += k == count;
    }
    return count;
}

static bool is_thought_away(const struct asking *a, const struct node *n)
{
    for (size_t i = 0; i < a->away_count; i++)
        if (a->away[i] == n)
            return true;
    return false;
}

static void add_used(struct capacity *free, const struct task *t)
{
    struct capacity uses = attempt_uses(t);
    capacity_add(free, &uses);
}

static struct capacity free_of(const struct asking *a, const struct node *n)
{
    struct capacity free = n->open.free, kept;
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next)
        if (is_going(t))
            add_used(&free, t);
    reserve_kept(a->c, n, a->e->job->shape, &kept);
    capacity_take(&free, &kept);
    return free;
}

static bool could_help(const struct asking *a, const struct node *n)
{
    const struct shape *s = a->e->job->shape;
    const struct node *avoid = a->e->task != NULL ? a->e->task->avoid : NULL;
    if (!node_is_usable(n) || n->tasks == NULL)
        return false;
    int64_t gone_utc_us = a->p->now.utc_us + forecast_stop_us(a->c, END_PREEMPTED);
    return a->has_room || (n != avoid && forecast_clear_utc_us(a->c, s, gone_utc_us) <= windows_close_utc_us(n) &&
                           capacity_fits(&s->need, &n->total) && shape_suits(s, n));
}

/* Takes the place of the best offer, if it is better: stops fewer, or less important ones. */
static void ask_node(struct asking *a, struct node *n, struct offer *best)
{
    const struct core *c = a->c;
    struct capacity free = free_of(a, n);
    struct offer o = {.node = n, .v = core_alloc(MAX(n->live, 1) * sizeof(struct preempt_candidate))};
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next)
        if (!is_going(t) && is_candidate(a, t))
            o.v[o.count++] = candidate_of(a, t);
    struct preempt_ask ask = {a->f,
                              a->e->job->priority,
                              &a->e->job->shape->need,
                              a->has_room ? NULL : &free,
                              c->preempt.reclaim,
                              preempt_min_run_us(c)};
    bool away = is_thought_away(a, n);
    if (!away)
        without_going(c, n, true);
    bool found = preempt_choose(c->ledger, &ask, o.v, o.count, &o.answer);
    if (!away)
        without_going(c, n, false);
    a->again_us = MIN(a->again_us, o.answer.again_us);
    bool better = found && (best->node == NULL || o.answer.count < best->answer.count ||
                            (o.answer.count == best->answer.count && o.answer.highest < best->answer.highest));
    free_offer(better ? best : &o);
    if (better)
        *best = o;
}

/* ---- the search -------------------------------------------------------------------------------------- */

static void search(struct asking *a, struct offer *best)
{
    const struct core *c = a->c;
    const struct shape *s = a->e->job->shape;
    bool pooled = s->pool != NULL && !a->has_room;
    struct node *const *nodes = pooled ? s->pool->nodes : c->nodes;
    size_t count = pooled ? s->pool->count : c->nodes_count;
    size_t from = count > NODES_MAX ? c->turn * NODES_MAX % count : 0;
    for (size_t i = 0; i < MIN(count, (size_t)NODES_MAX); i++) {
        struct node *n = nodes[(from + i) % count];
        if (could_help(a, n))
            ask_node(a, n, best);
        if (best->node != NULL && best->answer.count == 0)
            return;
    }
}

/* Does somebody go there, and is that enough? */
static bool goes_on(struct asking *a, struct node *n)
{
    struct offer o = {0};
    if (n != NULL && could_help(a, n))
        ask_node(a, n, &o);
    bool enough = o.node != NULL && o.answer.count == 0;
    free_offer(&o);
    a->again_us = UINT64_MAX;
    return enough;
}

/* Nobody else borrows what it is about to use. */
static void keep(struct asking *a, struct shape *s)
{
    struct plan *p = a->p;
    if (p->kept_count == RESERVE_MAX)
        return;
    ledger_with(a->c->ledger, &s->tenant->line, &s->resources, true);
    p->kept[p->kept_count++] = s;
}

void preempt_undo(struct core *c, struct plan *p)
{
    while (p->kept_count > 0) {
        const struct shape *s = p->kept[--p->kept_count];
        ledger_with(c->ledger, &s->tenant->line, &s->resources, false);
    }
}

static void stop_all(struct asking *a, const struct offer *o)
{
    char who[40];
    snprintf(who, sizeof who, "job %llu", (unsigned long long)a->e->job->id);
    for (size_t i = 0; i < o->count; i++) {
        if (!o->v[i].chosen)
            continue;
        struct fact *f = plan_add(a->p, FACT_ATTEMPT_STOPPING);
        f->stopping = (struct fact_stopping){o->v[i].id, END_PREEMPTED, core_text(who)};
        flight_begin(a->c, f);
    }
}

/* Nobody goes for it, yet. true: somebody may soon, or hasn't been asked. */
static bool try_later(struct asking *a, struct shape *s)
{
    int64_t now_utc_us = a->p->now.utc_us;
    s->victims_utc_us = now_utc_us + SEARCH_US;
    if (a->again_us == UINT64_MAX)
        return false;
    s->victims_utc_us = now_utc_us + (int64_t)MAX(a->again_us, (uint64_t)SEARCH_US);
    plan_wake_at(a->p, s->victims_utc_us);
    return true;
}

/* Looks for whom to stop, and plans it. */
static bool find_some(struct asking *a, struct shape *s)
{
    struct plan *p = a->p;
    struct offer best = {0};
    p->victim_searches++;
    search(a, &best);
    if (best.node == NULL)
        return try_later(a, s);
    if (best.answer.count <= p->max - p->count) {
        stop_all(a, &best);
        reserve_set_victims(a->c, s, best.node);
        s->victims_utc_us = p->now.utc_us + SEARCH_US;
        if (!a->has_room)
            reserve_at(a->c, p, s, best.node);
    }
    free_offer(&best);
    return true;
}

static bool ask_for(struct asking *a, struct shape *s)
{
    struct plan *p = a->p;
    struct node *victims = reserve_victims(a->c, s);
    if (goes_on(a, victims))
        return true;
    if (victims != NULL)
        reserve_set_victims(a->c, s, NULL);
    if (p->now.utc_us < s->victims_utc_us || p->victim_searches >= SEARCHES_MAX) {
        plan_wake_at(p, MAX(s->victims_utc_us, p->now.utc_us + 1));
        return true;
    }
    reserve_blocked(a->c, p, s);
    return s->reserved && find_some(a, s);
}

bool preempt_for(struct core *c, struct plan *p, const struct entry *e, struct fact *f, bool has_room)
{
    struct asking a = {c, p, e, f, has_room, UINT64_MAX, {NULL}, 0};
    struct shape *s = e->job->shape;
    a.away_count = nodes_of_victims(c, a.away);
    for (size_t i = 0; i < a.away_count; i++)
        without_going(c, a.away[i], true);
    size_t planned = p->count;
    bool some = ask_for(&a, s);
    for (size_t i = 0; i < a.away_count; i++)
        without_going(c, a.away[i], false);
    for (size_t i = planned; i < p->count; i++)
        task_of(c, p->facts[i].stopping.id)->going = true;
    if (reserve_victims(c, s) != NULL)
        keep(&a, s);
    return some;
}

uint32_t preempt_waits(const struct core *c, const struct shape *s, const struct node **ret_node)
{
    const struct node *victims = reserve_victims(c, s);
    uint32_t count = 0;
    if (victims == NULL)
        return 0;
    *ret_node = victims;
    for (const struct task *t = victims->tasks; t != NULL; t = t->node_next)
        count += t->stopping == END_PREEMPTED;
    return count;
}
