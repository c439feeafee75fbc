/* What is free on nodes that are kept for somebody, and whether the promises are in order. */
#include <errno.h>

#include "scheduler/core/reserve_inner.h"

int64_t reserve_longest_us(const struct core *c, const struct capacity *need, const struct pool *pool)
{
    const struct reserves *all = c->reserves;
    int64_t longest_us = INT64_MIN;
    struct node *n;
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; (n = reservation_node(&all->v[i], k)) != NULL; k++)
            if (node_is_usable(n) && capacity_fits(need, &n->open.free) && (pool == NULL || pool_has(pool, n)))
                longest_us = MAX(longest_us, n->open.until_us);
    return longest_us;
}

uint64_t reserve_most(const struct core *c, size_t dim)
{
    const struct reserves *all = c->reserves;
    uint64_t most = 0;
    struct node *n;
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; (n = reservation_node(&all->v[i], k)) != NULL; k++)
            if (node_is_usable(n))
                most = MAX(most, n->open.free.v[dim]);
    return most;
}

/* Room that is there now comes first. */
static bool is_freer(const struct capacity *need, const struct node *n, const struct node *than)
{
    bool fits = capacity_fits(need, &n->open.free), other = capacity_fits(need, &than->open.free);
    return fits != other ? fits : n->open.free.v[CAPACITY_CPU] > than->open.free.v[CAPACITY_CPU];
}

const struct node *reserve_freest(const struct core *c, const struct shape *s, const struct capacity *need)
{
    const struct reserves *all = c->reserves;
    const struct node *best = NULL;
    const struct node *n;
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; (n = reservation_node(&all->v[i], k)) != NULL; k++)
            if (node_is_usable(n) && capacity_fits(need, &n->total) &&
                (best == NULL || is_freer(need, n, best)) && shape_suits(s, n))
                best = n;
    return best;
}

static size_t count_of_node(const struct reserves *all, const struct node *n)
{
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += reservation_tasks(&all->v[i], n) > 0;
    return count;
}

int reserve_verify(const struct core *c, struct err *err)
{
    const struct reserves *all = c->reserves;
    for (size_t i = 0; i < all->count; i++) {
        const struct shape *s = all->v[i].shape;
        if (!s->reserved || s->refs == 0 || reservation_of(c, s) != &all->v[i])
            return err_set(err, -EUCLEAN, "tenant %s: a reservation that its shape doesn't know", s->tenant->path);
    }
    for (size_t i = 0; i < c->nodes_count; i++)
        if (c->nodes[i]->reserved != count_of_node(all, c->nodes[i]))
            return err_set(err, -EUCLEAN, "node %s: its count of reservations is wrong", c->nodes[i]->name);
    return 0;
}
