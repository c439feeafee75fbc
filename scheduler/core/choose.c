#include "scheduler/core/state.h"

struct node *open_node(const struct place_item *open)
{
    return (struct node *)(void *)((char *)(uintptr_t)open - offsetof(struct node, open));
}

struct node *choose_node(const struct core *c, const struct entry *e, const struct shape *s)
{
    const struct node *avoid = e->task != NULL ? e->task->avoid : NULL;
    struct place_item *found = place_find(&c->open, &s->need, avoid != NULL ? &avoid->open : NULL);
    if (found == NULL && avoid != NULL)
        found = place_find(&c->open, &s->need, NULL);
    return found != NULL ? open_node(found) : NULL;
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
