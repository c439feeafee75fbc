#include "scheduler/core/state.h"

/*
 * Whose turn it is. At each level of the tree the claims that have ready tasks stand in a heap: those of the children,
 * and one of the tenant itself for its own jobs. Who is next is found by going down from the root, first claim by first
 * claim.
 */

/* A tenant's own jobs compete with its children under its own name: a path that sorts before all of theirs. */
static int compare(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    return order_compare_tenants(x->share, x->tenant->path, y->share, y->tenant->path);
}

static const struct heap_kind claims = {compare, offsetof(struct claim, at)};

static void reshare(const struct core *c, struct tenant *t)
{
    t->whole.share = order_share(&t->whole.used, &c->total, t->weight);
    t->own.share = order_share(&t->own.used, &c->total, 1);
}

void claims_reweigh(const struct core *c, struct tenant *t)
{
    reshare(c, t);
    if (t->own.at != HEAP_NOWHERE)
        heap_moved(&t->claims, &claims, &t->own);
    if (t->whole.at != HEAP_NOWHERE)
        heap_moved(&t->parent->claims, &claims, &t->whole);
}

static void change_from(const struct core *c, struct tenant *t, const struct capacity *what, bool more)
{
    for (; t != NULL; t = t->parent) {
        (more ? capacity_add : capacity_take)(&t->whole.used, what);
        claims_reweigh(c, t);
    }
}

void claims_use(const struct core *c, struct tenant *t, const struct capacity *need, bool more)
{
    (more ? capacity_add : capacity_take)(&t->own.used, need);
    change_from(c, t, need, more);
}

static void enter(struct tenant *t)
{
    for (; t->parent != NULL && t->whole.at == HEAP_NOWHERE; t = t->parent)
        heap_add(&t->parent->claims, &claims, &t->whole);
}

static void leave(struct tenant *t)
{
    for (; t->parent != NULL && t->whole.at != HEAP_NOWHERE; t = t->parent) {
        heap_remove(&t->parent->claims, &claims, &t->whole);
        if (t->parent->claims.count > 0)
            break;
    }
}

void claims_wake(struct tenant *t)
{
    if (t->own.at == HEAP_NOWHERE)
        heap_add(&t->claims, &claims, &t->own);
    enter(t);
}

void claims_rest(struct tenant *t)
{
    heap_remove(&t->claims, &claims, &t->own);
    if (t->claims.count == 0)
        leave(t);
}

void claims_leave(const struct core *c, struct tenant *t)
{
    leave(t);
    change_from(c, t->parent, &t->whole.used, false);
}

void claims_enter(const struct core *c, struct tenant *t)
{
    change_from(c, t->parent, &t->whole.used, true);
    reshare(c, t);
    if (t->claims.count > 0)
        enter(t);
}

struct tenant *claims_next(const struct core *c)
{
    struct tenant *t = c->root;
    while (t->claims.count > 0) {
        const struct claim *first = t->claims.v[0];
        if (first->own)
            return t;
        t = first->tenant;
    }
    return NULL;
}

static void reshare_one(void *arg, struct tenant *t)
{
    reshare(arg, t);
}

static void rebuild_one(void *arg, struct tenant *t)
{
    (void)arg;
    heap_rebuild(&t->claims, &claims);
}

void claims_rebuild(struct core *c)
{
    tenants_each(c, reshare_one, c);
    tenants_each(c, rebuild_one, NULL);
}
