#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/spread.h"

struct node *open_node(const struct place_item *open)
{
    return (struct node *)(void *)((char *)(uintptr_t)open - offsetof(struct node, open));
}

/* ---- a job's own cap on a node ----------------------------------------------------------------------- */

static uint32_t tasks_there(const struct plan *p, const struct job *j, const struct node *n)
{
    uint32_t count = 0;
    for (const struct task *t = n->tasks; j != NULL && t != NULL; t = t->node_next)
        count += t->job == j;
    for (size_t i = 0; j != NULL && p != NULL && i < p->log_count; i++)
        count += p->rows.log[i].node == n && p->rows.log[i].job == j;
    return count;
}

uint32_t node_may_take_so_many(const struct plan *p, const struct job *j, const struct shape *s, const struct node *n)
{
    if (s->per_node == 0)
        return UINT32_MAX;
    uint32_t there = tasks_there(p, j, n);
    return s->per_node > there ? s->per_node - there : 0;
}

bool node_may_take(const struct plan *p, const struct job *j, const struct shape *s, const struct node *n)
{
    return s->per_node == 0 || node_may_take_so_many(p, j, s, n) > 0;
}

/* ---- where to ---------------------------------------------------------------------------------------- */

/* What is looked for. */
struct choice {
    const struct core *c;
    const struct plan *p;
    const struct job *j;
    const struct shape *s;
    const struct capacity *want;
    int64_t end_us;
};

static bool open_may(const struct place_item *item, const void *arg)
{
    const struct choice *k = arg;
    return node_may_take(k->p, k->j, k->s, open_node(item));
}

static bool pool_may(const struct place_item *item, const void *arg)
{
    const struct choice *k = arg;
    return node_may_take(k->p, k->j, k->s, pool_node_of(item));
}

/* Of nodes one by one: for a shape whose `where` no queued job has. */
static struct node *walk(const struct choice *k)
{
    struct node *best = NULL;
    for (size_t i = 0; i < k->c->nodes_count; i++) {
        struct node *n = k->c->nodes[i];
        if (n->open.in_index && k->end_us <= n->open.until_us && capacity_fits(k->want, &n->open.free) &&
            (best == NULL || shape_prefers(k->s, n, best)) && shape_suits(k->s, n) &&
            node_may_take(k->p, k->j, k->s, n))
            best = n;
    }
    return best;
}

static struct node *find_in(const struct choice *k, struct pool *pool, const struct node *avoid)
{
    struct place_query q = {.need = k->want, .end_us = k->end_us, .spread = k->s->spread, .arg = k};
    if (k->s->per_node != 0)
        q.may = pool_may;
    return pool_search(pool, q, avoid);
}

/* Of nodes that are kept for nobody: where the fewest of its job are, if it wants that. */
static struct node *find(const struct choice *k, const struct node *avoid)
{
    struct spread_walk w = {0};
    struct node *n = NULL;
    for (struct pool *pool; n == NULL && k->s->over != NULL && (pool = spread_next(k->c, k->j, &w)) != NULL;)
        n = find_in(k, pool, avoid);
    if (n != NULL || k->s->pool != NULL)
        return n != NULL ? n : find_in(k, k->s->pool, avoid);
    struct place_query q = {.need = k->want, .end_us = k->end_us, .spread = k->s->spread, .arg = k};
    if (k->s->per_node != 0)
        q.may = open_may;
    if (k->s->where != NULL)
        return walk(k);
    q.avoid = avoid != NULL ? &avoid->open : NULL;
    struct place_item *found = place_search(&k->c->open, &q);
    return found != NULL ? open_node(found) : NULL;
}

static struct node *choose_but(const struct choice *k, const struct node *avoid)
{
    struct node *found = find(k, avoid);
    return found != NULL ? found : reserve_beside(k->c, k->p, k->j, k->s, avoid);
}

struct node *choose_node(const struct core *c, const struct plan *p, const struct job *j, const struct shape *s,
                         const struct node *avoid)
{
    const struct choice k = {c, p, j, s, &s->need, forecast_clear_utc_us(c, s, p->now.utc_us)};
    struct node *n = reserve_due(c, p, s);
    if (n != NULL && !node_may_take(p, j, s, n))
        n = NULL;
    if (n == NULL)
        n = choose_but(&k, avoid);
    return n == NULL && avoid != NULL ? choose_but(&k, NULL) : n;
}

bool node_starts(const struct core *c, const struct plan *p, const struct job *j, const struct shape *s, struct node *n)
{
    if (!capacity_fits(&s->need, &n->open.free) || !node_may_take(p, j, s, n))
        return false;
    if (n->reserved > 0)
        return reserve_starts_now(c, p, s, n);
    return n->open.in_index && forecast_clear_utc_us(c, s, p->now.utc_us) <= n->open.until_us;
}

const struct node *sufficient_node(const struct core *c, const struct shape *s)
{
    struct capacity want;
    const struct node *best = NULL;
    if (!shape_need(c, s, &want))
        return NULL;
    if (s->where == NULL) {
        struct place_item *found = place_find(&c->sizes, &want, NULL);
        return found != NULL ? (struct node *)(void *)((char *)found - offsetof(struct node, size)) : NULL;
    }
    for (size_t i = 0; i < c->nodes_count; i++) {
        const struct node *n = c->nodes[i];
        if (n->size.in_index && capacity_fits(&want, &n->total) &&
            (best == NULL || place_compare(&n->size, &best->size) < 0) && shape_suits(s, n))
            best = n;
    }
    return best;
}

static uint64_t room_of(const struct shape *s, const struct capacity *want, struct node *const *nodes, size_t count,
                        uint64_t tasks)
{
    uint64_t room = 0;
    for (size_t i = 0; i < count && room < tasks; i++) {
        if (!nodes[i]->size.in_index || (s->pool == NULL && !shape_suits(s, nodes[i])))
            continue;
        uint64_t here = capacity_times(want, &nodes[i]->total);
        here = s->per_node != 0 ? MIN(here, s->per_node) : here;
        room += MIN(here, tasks - room);
    }
    return room;
}

uint64_t sufficient_room(const struct core *c, const struct shape *s, uint64_t tasks)
{
    struct capacity want;
    uint64_t room = 0;
    if (!shape_need(c, s, &want))
        return 0;
    if (s->within == NULL || s->within_or_any) {
        struct node *const *nodes = s->pool != NULL ? s->pool->nodes : c->nodes;
        return room_of(s, &want, nodes, s->pool != NULL ? s->pool->count : c->nodes_count, tasks);
    }
    const struct topology *t = topology_of(c, s);
    for (size_t i = 0; i < t->count && room < tasks; i++)
        room = MAX(room, room_of(s, &want, t->groups[i].nodes, t->groups[i].count, tasks));
    return room;
}

const struct node *likely_node(const struct core *c, const struct shape *s)
{
    struct capacity want;
    if (!shape_need(c, s, &want))
        return NULL;
    const struct shape any = {.spread = s->spread, .pool = s->pool, .where = s->where, .parsed = s->parsed};
    const struct node *n = find(&(struct choice){c, NULL, NULL, &any, &want, INT64_MIN}, NULL);
    return n != NULL ? n : sufficient_node(c, s);
}
