#include "scheduler/core/reserve.h"

struct node *open_node(const struct place_item *open)
{
    return (struct node *)(void *)((char *)(uintptr_t)open - offsetof(struct node, open));
}

static struct node *choose_but(const struct core *c, const struct plan *p, const struct shape *s,
                               const struct node *avoid)
{
    struct place_item *found = place_find_until(&c->open, &s->need, avoid != NULL ? &avoid->open : NULL,
                                                reserve_clear_utc_us(c, s, p->now.utc_us));
    return found != NULL ? open_node(found) : reserve_beside(c, p, s, avoid);
}

struct node *choose_node(const struct core *c, const struct plan *p, const struct shape *s, const struct node *avoid)
{
    struct node *n = reserve_due(c, p, s);
    if (n == NULL)
        n = choose_but(c, p, s, avoid);
    return n == NULL && avoid != NULL ? choose_but(c, p, s, NULL) : n;
}

const struct node *likely_node(const struct core *c, const struct shape *s)
{
    struct capacity want;
    if (!shape_need(c, s, &want))
        return NULL;
    struct place_item *found = place_find(&c->open, &want, NULL);
    if (found != NULL)
        return open_node(found);
    found = place_find(&c->sizes, &want, NULL);
    return found != NULL ? (struct node *)(void *)((char *)found - offsetof(struct node, size)) : NULL;
}
