#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"

struct node *open_node(const struct place_item *open)
{
    return (struct node *)(void *)((char *)(uintptr_t)open - offsetof(struct node, open));
}

/* Of nodes one by one: for a shape whose `where` no queued job has. */
static struct node *walk(const struct core *c, const struct shape *s, const struct capacity *want, int64_t end_us)
{
    struct node *best = NULL;
    for (size_t i = 0; i < c->nodes_count; i++) {
        struct node *n = c->nodes[i];
        if (n->open.in_index && end_us <= n->open.until_us && capacity_fits(want, &n->open.free) &&
            (best == NULL || shape_prefers(s, n, best)) && shape_suits(s, n))
            best = n;
    }
    return best;
}

/* Of nodes that are kept for nobody. */
static struct node *find(const struct core *c, const struct shape *s, const struct capacity *want,
                         const struct node *avoid, int64_t end_us)
{
    struct place_query q = {.need = want, .end_us = end_us, .spread = s->spread};
    if (s->pool != NULL)
        return pool_search(s->pool, q, avoid);
    if (s->where != NULL)
        return walk(c, s, want, end_us);
    q.avoid = avoid != NULL ? &avoid->open : NULL;
    struct place_item *found = place_search(&c->open, &q);
    return found != NULL ? open_node(found) : NULL;
}

static struct node *choose_but(const struct core *c, const struct plan *p, const struct shape *s,
                               const struct node *avoid)
{
    struct node *found = find(c, s, &s->need, avoid, forecast_clear_utc_us(c, s, p->now.utc_us));
    return found != NULL ? found : reserve_beside(c, p, s, avoid);
}

struct node *choose_node(const struct core *c, const struct plan *p, const struct shape *s, const struct node *avoid)
{
    struct node *n = reserve_due(c, p, s);
    if (n == NULL)
        n = choose_but(c, p, s, avoid);
    return n == NULL && avoid != NULL ? choose_but(c, p, s, NULL) : n;
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

uint64_t sufficient_room(const struct core *c, const struct shape *s, uint64_t tasks)
{
    struct capacity want;
    uint64_t room = 0;
    if (!shape_need(c, s, &want))
        return 0;
    struct node *const *nodes = s->pool != NULL ? s->pool->nodes : c->nodes;
    size_t count = s->pool != NULL ? s->pool->count : c->nodes_count;
    for (size_t i = 0; i < count && room < tasks; i++)
        if (nodes[i]->size.in_index && (s->pool != NULL || shape_suits(s, nodes[i])))
            room += MIN(capacity_times(&want, &nodes[i]->total), tasks - room);
    return room;
}

const struct node *likely_node(const struct core *c, const struct shape *s)
{
    struct capacity want;
    if (!shape_need(c, s, &want))
        return NULL;
    const struct node *n = find(c, s, &want, NULL, INT64_MIN);
    return n != NULL ? n : sufficient_node(c, s);
}
