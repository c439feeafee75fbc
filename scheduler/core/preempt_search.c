#include "scheduler/core/preempt_search.h"

#include <stdlib.h>
#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/windows.h"

#define NODES_MAX 64       /* that are looked at in one search */
#define GANG_NODES_MAX 128 /* for a gang, or as many as it has tasks */

/* Those that may go, of some nodes. */
struct candidates {
    struct node *const *nodes;
    struct preempt_place *places; /* of each node */
    size_t nodes_count;
    struct preempt_candidate *v;
    size_t count, size;
    struct preempt_member *members;
    size_t members_count, members_size;
};

void preempt_offer_free(struct preempt_offer *o)
{
    free(o->stops);
    free(o->victims);
    free(o->places);
    *o = (struct preempt_offer){0};
}

/* ---- who goes already -------------------------------------------------------------------------------- */

static bool is_going(const struct task *t)
{
    return t->stopping != END_NONE || t->going;
}

static void think_of(struct preempt_asking *a, struct task *t)
{
    if (t->away || !task_state_is_live(t->state) || !is_going(t))
        return;
    a->away = core_room(a->away, a->away_count, &a->away_size, 16, sizeof a->away[0]);
    a->away[a->away_count++] = t;
    t->away = true;
    ledger_without(a->c->ledger, task_id(t), true);
}

void preempt_think_away(struct preempt_asking *a, struct node *n)
{
    for (struct task *t = n->tasks; t != NULL; t = t->node_next) {
        bool known = t->away || !is_going(t);
        think_of(a, t);
        if (t->job->gang == 0 || known)
            continue;
        struct gang g = gang_of(t->job, t->index);
        uint32_t at = job_record_from(g.job, g.first);
        for (struct task *other; (other = gang_record(g, &at)) != NULL;)
            think_of(a, other);
    }
}

void preempt_think_back(struct preempt_asking *a, size_t count)
{
    while (a->away_count > count) {
        struct task *t = a->away[--a->away_count];
        t->away = false;
        ledger_without(a->c->ledger, task_id(t), false);
    }
}

/* ---- who may go -------------------------------------------------------------------------------------- */

/* Of its own tenant only what the queue has behind it: what is stopped must not be first again. */
static bool is_candidate(const struct preempt_asking *a, const struct task *t)
{
    const struct job *j = entry_job(a->e);
    if (t->in_flight || t->missing || is_going(t) || (t->state != TASK_RUNNING && t->state != TASK_STARTING))
        return false;
    if (t->job->shape->tenant != j->shape->tenant)
        return a->c->guarantees;
    return age_urgency(t->job) > age_urgency(j);
}

static void add_member(struct candidates *k, const struct task *t)
{
    k->members = core_room(k->members, k->members_count, &k->members_size, 32, sizeof k->members[0]);
    k->members[k->members_count++] = (struct preempt_member){
        task_id(t), t->node->asked > 0 ? t->node->asked - 1 : PREEMPT_ELSEWHERE, attempt_uses(t)};
}

static void add_candidate(struct candidates *k, const struct task *t, size_t first, uint64_t run_us)
{
    const struct shape *s = t->job->shape;
    k->v = core_room(k->v, k->count, &k->size, 32, sizeof k->v[0]);
    k->v[k->count++] = (struct preempt_candidate){.first = first,
                                                  .count = k->members_count - first,
                                                  .path = &s->tenant->line,
                                                  .resources = &s->resources,
                                                  .priority = t->job->priority,
                                                  .preemptible = s->preemptible,
                                                  .run_us = run_us,
                                                  .start_utc_us = t->placed_utc_us};
}

/* Once: by the first of it that lives on a node that is asked. */
static void add_gang(const struct preempt_asking *a, struct candidates *k, const struct task *t)
{
    struct gang g = gang_of(t->job, t->index);
    uint32_t at = job_record_from(g.job, g.first);
    size_t first = k->members_count;
    uint64_t run_us = UINT64_MAX;
    bool met = false;
    for (const struct task *other; (other = gang_record(g, &at)) != NULL;) {
        if (!task_state_is_live(other->state))
            continue;
        if (!is_candidate(a, other) || (!met && other->node->asked > 0 && other != t)) {
            k->members_count = first;
            return;
        }
        met |= other == t;
        run_us = MIN(run_us, task_run_us(other, a->p->now));
        add_member(k, other);
    }
    add_candidate(k, t, first, run_us);
}

static void add_of_node(const struct preempt_asking *a, struct candidates *k, const struct node *n)
{
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next) {
        if (!is_candidate(a, t))
            continue;
        if (t->job->gang != 0) {
            add_gang(a, k, t);
            continue;
        }
        add_member(k, t);
        add_candidate(k, t, k->members_count - 1, task_run_us(t, a->p->now));
    }
}

/* ---- where ------------------------------------------------------------------------------------------- */

static struct preempt_place place_of(const struct preempt_asking *a, const struct node *n)
{
    const struct job *j = entry_job(a->e);
    struct preempt_place place = {.free = n->open.free,
                                  .most = node_may_take_so_many(a->p, j, j->shape, n)};
    struct capacity kept;
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next)
        if (is_going(t)) {
            struct capacity uses = attempt_uses(t);
            capacity_add(&place.free, &uses);
        }
    reserve_kept(a->c, n, j->shape, &kept);
    capacity_take(&place.free, &kept);
    return place;
}

/* Could somebody's going there help? */
static bool could_help(const struct preempt_asking *a, const struct node *n)
{
    const struct shape *s = entry_job(a->e)->shape;
    const struct node *avoid = a->e->of_task ? entry_task(a->e)->avoid : NULL;
    if (!node_is_usable(n) || (n->tasks == NULL && (a->has_room || s->gang == 0)))
        return false;
    int64_t gone_utc_us = a->p->now.utc_us + forecast_stop_us(a->c, END_PREEMPTED);
    return a->has_room || (n != avoid && forecast_clear_utc_us(a->c, s, gone_utc_us) <= windows_close_utc_us(n) &&
                           capacity_fits(&s->need, &n->total) && shape_suits(s, n));
}

static bool choose(struct preempt_asking *a, struct candidates *k, struct preempt_answer *ret)
{
    const struct core *c = a->c;
    struct preempt_ask ask = {.placed = a->f,
                              .priority = entry_job(a->e)->priority,
                              .need = entry_job(a->e)->shape->need,
                              .places = k->places,
                              .places_count = a->has_room ? 0 : k->nodes_count,
                              .reclaim = c->preempt.reclaim,
                              .min_run_us = preempt_min_run_us(c)};
    return preempt_choose(c->ledger, &ask, k->members, k->v, k->count, ret);
}

/* ---- one offer --------------------------------------------------------------------------------------- */

static void add_victims(struct preempt_offer *o, struct node *n)
{
    for (size_t i = 0; i < o->victims_count; i++)
        if (o->victims[i] == n)
            return;
    o->victims[o->victims_count++] = n;
}

static int kept_by_name(const void *a, const void *b)
{
    return strcmp(((const struct kept *)a)->node->name, ((const struct kept *)b)->node->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

static void fill(const struct preempt_asking *a, const struct candidates *k, struct preempt_offer *o)
{
    bool gang = entry_job(a->e)->gang != 0;
    o->stops = core_alloc((k->count + 1) * sizeof o->stops[0]);
    o->victims = core_alloc((k->nodes_count + 1) * sizeof o->victims[0]);
    o->places = core_alloc((k->nodes_count + 1) * sizeof o->places[0]);
    for (size_t i = 0; i < k->nodes_count; i++) {
        bool goes = !gang;
        for (const struct task *t = k->nodes[i]->tasks; t != NULL && !goes; t = t->node_next)
            goes = is_going(t);
        if (goes)
            add_victims(o, k->nodes[i]);
        if (!a->has_room && k->places[i].tasks > 0)
            o->places[o->places_count++] = (struct kept){k->nodes[i], k->places[i].tasks};
    }
    if (o->places_count > 1)
        qsort(o->places, o->places_count, sizeof o->places[0], kept_by_name);
    for (size_t i = 0; i < k->count; i++) {
        if (!k->v[i].chosen)
            continue;
        o->stops[o->stops_count++] = k->v[i].id;
        for (size_t m = k->v[i].first; m < k->v[i].first + k->v[i].count; m++)
            if (k->members[m].place != PREEMPT_ELSEWHERE)
                add_victims(o, k->nodes[k->members[m].place]);
    }
    if (o->victims_count > 1)
        qsort(o->victims, o->victims_count, sizeof o->victims[0], by_name);
}

static bool is_better(const struct preempt_offer *o, const struct preempt_offer *best)
{
    if (!best->found || o->answer.count != best->answer.count)
        return !best->found || o->answer.count < best->answer.count;
    return o->answer.highest < best->answer.highest;
}

/* Takes the place of the best offer, if it is better. */
static void ask_nodes(struct preempt_asking *a, struct node *const *nodes, size_t count, struct preempt_offer *best)
{
    size_t away = a->away_count;
    struct preempt_offer o = {0};
    struct candidates k = {.nodes = nodes, .nodes_count = count};
    k.places = core_alloc((count + 1) * sizeof k.places[0]);
    for (size_t i = 0; i < count; i++) {
        k.places[i] = place_of(a, nodes[i]);
        nodes[i]->asked = (uint32_t)i + 1;
    }
    for (size_t i = 0; i < count; i++)
        add_of_node(a, &k, nodes[i]);
    for (size_t i = 0; i < count; i++)
        preempt_think_away(a, nodes[i]);
    o.found = choose(a, &k, &o.answer);
    a->again_us = MIN(a->again_us, o.answer.again_us);
    if (o.found && is_better(&o, best)) {
        fill(a, &k, &o);
        preempt_offer_free(best);
        *best = o;
    }
    preempt_think_back(a, away);
    for (size_t i = 0; i < count; i++)
        nodes[i]->asked = 0;
    free(k.places);
    free(k.v);
    free(k.members);
}

/* Where what is stopped for it would let it start: for a gang where that has its promise. */
static struct node *goes_on_at(const struct preempt_asking *a, size_t i)
{
    const struct shape *s = entry_job(a->e)->shape;
    struct node *const *victims;
    size_t count = reserve_victims(a->c, s, &victims);
    if (s->gang != 0 && !a->has_room)
        return count > 0 ? reserve_place(a->c, s, i) : NULL;
    return i < count ? victims[i] : NULL;
}

bool preempt_goes_on(struct preempt_asking *a)
{
    struct candidates k = {0};
    struct preempt_answer answer;
    bool open = true;
    while (goes_on_at(a, k.nodes_count) != NULL)
        k.nodes_count++;
    k.places = core_alloc((k.nodes_count + 1) * sizeof k.places[0]);
    for (size_t i = 0; i < k.nodes_count; i++) {
        struct node *n = goes_on_at(a, i);
        open &= could_help(a, n);
        k.places[i] = place_of(a, n);
    }
    bool enough = open && k.nodes_count > 0 && choose(a, &k, &answer);
    free(k.places);
    return enough;
}

void preempt_search_again(struct preempt_asking *a, struct preempt_offer *best)
{
    size_t count = 0, open = 0;
    while (goes_on_at(a, count) != NULL)
        count++;
    struct node **nodes = core_alloc((count + 1) * sizeof(struct node *));
    for (size_t i = 0; i < count; i++) {
        nodes[i] = goes_on_at(a, i);
        open += could_help(a, nodes[i]);
    }
    if (open == count && count > 0)
        ask_nodes(a, nodes, count, best);
    free(nodes);
}

/* ---- the search -------------------------------------------------------------------------------------- */

/* Those that could help, of a row, from where this turn begins; at most so many are looked at. */
static size_t some_of(const struct preempt_asking *a, struct node *const *nodes, size_t count, size_t most,
                      struct node **ret)
{
    size_t from = count > most ? a->c->turn * most % count : 0, some = 0;
    for (size_t i = 0; i < MIN(count, most); i++) {
        struct node *n = nodes[(from + i) % count];
        if (could_help(a, n))
            ret[some++] = n;
    }
    return some;
}

/* One node after the other. */
static void search_nodes(struct preempt_asking *a, struct node *const *nodes, size_t count, struct preempt_offer *best)
{
    for (size_t i = 0; i < count && !(best->found && best->answer.count == 0); i++)
        ask_nodes(a, &nodes[i], 1, best);
}

/* One group after the other, from where this turn begins. */
static void search_groups(struct preempt_asking *a, size_t most, struct node **some, struct preempt_offer *best)
{
    const struct topology *t = topology_of(a->c, entry_job(a->e)->shape);
    size_t asked = 0;
    for (size_t i = 0; i < t->count && asked < most && !(best->found && best->answer.count == 0); i++) {
        const struct group *g = &t->groups[(a->c->turn + i) % t->count];
        size_t count = some_of(a, g->nodes, g->count, most, some);
        asked += MIN(g->count, most);
        if (count > 0)
            ask_nodes(a, some, count, best);
    }
}

void preempt_search(struct preempt_asking *a, struct preempt_offer *best)
{
    const struct core *c = a->c;
    const struct shape *s = entry_job(a->e)->shape;
    bool pooled = s->pool != NULL && !a->has_room;
    struct node *const *nodes = pooled ? s->pool->nodes : c->nodes;
    size_t count = pooled ? s->pool->count : c->nodes_count;
    size_t most = s->gang == 0 ? NODES_MAX : MAX((size_t)a->tasks, GANG_NODES_MAX);
    struct node **some = core_alloc((most + 1) * sizeof(struct node *));
    if (s->gang != 0 && s->within != NULL && !a->has_room)
        search_groups(a, most, some, best);
    if (s->gang == 0 || s->within == NULL || a->has_room || (s->within_or_any && !best->found)) {
        size_t found = some_of(a, nodes, count, most, some);
        if (s->gang == 0)
            search_nodes(a, some, found, best);
        else if (found > 0)
            ask_nodes(a, some, found, best);
    }
    free(some);
}
