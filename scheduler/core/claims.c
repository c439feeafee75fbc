#include "quotas/ledger_names.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/state.h"

/*
 * Whose turn it is. At each level of the tree the claims that have ready tasks stand in a heap: those of the children,
 * and one of the tenant itself for its own jobs. Who is next is found by going down from the root, first claim by first
 * claim. What the order looks at is kept in each claim's rank; whoever changes it (use, rules, what a claim's best task
 * needs) has it written anew, from there up to the root.
 */
static int compare(const void *a, const void *b)
{
    return order_compare_claims(&((const struct claim *)a)->rank, &((const struct claim *)b)->rank);
}

#define FIRST_MAX (INT64_C(1) << 62) /* that has a rank of its own: 2^22 times the cell */

static struct heap_rank rank_of(const void *object)
{
    const struct order_claim *r = &((const struct claim *)object)->rank;
    int64_t first = (int64_t)MIN(r->first, (uint64_t)FIRST_MAX);
    return (struct heap_rank){r->within ? first - FIRST_MAX - 1 : first, first < FIRST_MAX ? r->second : 0};
}

static const struct heap_kind claims = {compare, offsetof(struct claim, at), rank_of};

/* ---- rank ------------------------------------------------------------------------------------------- */

/* The shape of the task that a claim would start next. NULL: it has none. */
static const struct shape *head_of(const struct claim *k)
{
    const struct tenant *t = k->tenant;
    for (const struct claim *first = k; first != NULL && !first->own; first = heap_top(&t->claims))
        t = first->tenant;
    return heap_top(&t->shapes);
}

/* A tenant's own jobs have what it is guaranteed beside its children. Scratch is memory on a node and counted so. */
static int64_t own_left(const struct core *c, const struct claim *k, size_t resource, const char *name)
{
    int64_t nominal = ledger_share_at(k->tenant->place, resource, name).nominal;
    size_t dim = 0;
    while (dim < CAPACITY_DIMS && !str_same(capacity_name(&c->names, dim), name))
        dim++;
    return dim < CAPACITY_DIMS ? nominal - (int64_t)k->used.v[dim] : nominal;
}

/* Does a task of this shape (NULL: there is none) stay within what the claim is guaranteed, of every resource that
 * somebody is guaranteed? */
static bool is_within(const struct core *c, const struct claim *k, const struct shape *s)
{
    bool within = s != NULL, asked = false;
    uint64_t need;
    const char *name;
    for (size_t i = 0; within && (name = ledger_resource(&s->resources, i, &need)) != NULL; i++) {
        if (need == 0 || ledger_share_at(c->root->place, i, name).total == 0)
            continue;
        int64_t left = k->own ? own_left(c, k, i, name) : ledger_left_at(k->tenant->place, i, name);
        within = left >= (int64_t)need;
        asked = true;
    }
    return within && asked;
}

/* As if its best task were of this shape. */
static struct order_claim rank_with(const struct core *c, const struct claim *k, const struct shape *s)
{
    const struct tenant *t = k->tenant;
    uint64_t share = order_share(&k->used, &c->total, k->own ? &order_unweighted : &t->weights,
                                 !k->own && t->children > 0 ? c->spent : 0);
    uint64_t past = k->own ? k->faded : k->faded / MAX(t->weight, 1);
    bool by_past = c->order.by == ORDER_BY_FAIR_TREE;
    return (struct order_claim){.within = is_within(c, k, s),
                                .first = by_past ? past : share,
                                .second = by_past ? share : past,
                                .path = t->path};
}

static void rank(const struct core *c, struct claim *k)
{
    k->rank = rank_with(c, k, c->guarantees ? head_of(k) : NULL);
}

static void rerank(const struct core *c, struct claim *k, struct heap *heap)
{
    rank(c, k);
    if (k->at != HEAP_NOWHERE)
        heap_moved(heap, &claims, k);
}

void claims_refresh(const struct core *c, struct tenant *t)
{
    rerank(c, &t->own, &t->claims);
    for (; t->parent != NULL; t = t->parent)
        rerank(c, &t->whole, &t->parent->claims);
}

static void weigh(const struct core *c, struct tenant *t)
{
    const struct tenant_rule *rule = ledger_rule(c->ledger, t->path);
    for (size_t i = 0; i < CAPACITY_DIMS; i++) {
        const char *name = capacity_name(&c->names, i);
        uint64_t special = rule != NULL && name != NULL ? counts_get(&rule->weights, name) : 0;
        t->weights.v[i] = special != 0 ? (uint32_t)special : t->weight;
    }
}

/* Children first: what a claim's best task is depends on the order below it. */
static void rebuild(const struct core *c, struct tenant *t)
{
    weigh(c, t);
    rank(c, &t->own);
    heap_rebuild(&t->claims, &claims);
    rank(c, &t->whole);
}

struct row {
    struct tenant **v;
    size_t count;
};

static void add_to_row(void *arg, struct tenant *t)
{
    struct row *r = arg;
    r->v[r->count++] = t;
}

void claims_rebuild(struct core *c)
{
    struct row r = {core_alloc((c->tenants.count + 1) * sizeof(struct tenant *)), 0};
    tenants_each(c, add_to_row, &r); /* parents first */
    c->inner = core_grow(c->inner, (c->tenants.count + 1) * sizeof(struct tenant *));
    c->inner_count = 0;
    while (r.count > 0) {
        struct tenant *t = r.v[--r.count];
        rebuild(c, t);
        if (t->children > 0 && t->parent != NULL)
            c->inner[c->inner_count++] = t;
    }
    free(r.v);
}

/* ---- use -------------------------------------------------------------------------------------------- */

static void change_above(struct tenant *t, const struct capacity *what, bool more)
{
    for (; t != NULL; t = t->parent)
        (more ? capacity_add : capacity_take)(&t->whole.used, what);
}

void claims_use(const struct core *c, struct tenant *t, const struct capacity *need, bool more)
{
    (more ? capacity_add : capacity_take)(&t->own.used, need);
    change_above(t, need, more);
    claims_refresh(c, t);
}

/* Tenants with children are ranked without the resources that are spent: when those are others, all of them anew. */
void claims_look(struct core *c)
{
    uint32_t spent = c->inner_count > 0 ? demands_spent(c) : c->spent;
    if (spent == c->spent)
        return;
    c->spent = spent;
    for (size_t i = 0; i < c->inner_count; i++)
        rerank(c, &c->inner[i]->whole, &c->inner[i]->parent->claims);
}

/* ---- who takes part --------------------------------------------------------------------------------- */

static void enter(struct tenant *t)
{
    for (; t->parent != NULL && t->whole.at == HEAP_NOWHERE && !t->stopped; t = t->parent)
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

void claims_wake(const struct core *c, struct tenant *t)
{
    if (t->own.at == HEAP_NOWHERE)
        heap_add(&t->claims, &claims, &t->own);
    enter(t);
    if (c->guarantees)
        claims_refresh(c, t);
}

void claims_rest(const struct core *c, struct tenant *t)
{
    heap_remove(&t->claims, &claims, &t->own);
    if (t->claims.count == 0)
        leave(t);
    if (c->guarantees)
        claims_refresh(c, t);
}

void claims_stop(const struct core *c, struct tenant *t)
{
    leave(t);
    t->stopped = true;
    if (c->guarantees && t->parent != NULL)
        claims_refresh(c, t->parent);
}

void claims_go_on(const struct core *c, struct tenant *t)
{
    if (!t->stopped)
        return;
    t->stopped = false;
    if (t->claims.count > 0)
        enter(t);
    if (c->guarantees)
        claims_refresh(c, t);
}

void claims_end(struct tenant *t)
{
    past_use_count(t, t->own.faded, false);
    t->parent->children--;
}

void claims_leave(struct tenant *t)
{
    leave(t);
    change_above(t->parent, &t->whole.used, false);
    past_use_above(t->parent, t->whole.faded, false);
    t->parent->children--;
}

void claims_enter(struct core *c, struct tenant *t)
{
    t->parent->children++;
    change_above(t->parent, &t->whole.used, true);
    past_use_above(t->parent, t->whole.faded, true);
    if (t->claims.count > 0)
        enter(t);
    claims_rebuild(c); /* what is guaranteed and borrowed went along */
}

static size_t depth_of(const struct tenant *t)
{
    size_t depth = 0;
    for (; t->parent != NULL; t = t->parent)
        depth++;
    return depth;
}

/* They meet where claims of one heap lead to them: a tenant as a whole, or its own jobs beside its children. */
static bool is_before(const struct core *c, const struct shape *first, const struct shape *second)
{
    const struct tenant *a = first->tenant, *b = second->tenant;
    const struct claim *x = &a->own, *y = &b->own;
    size_t i = depth_of(a), k = depth_of(b);
    for (; i > k; i--, a = a->parent)
        x = &a->whole;
    for (; k > i; k--, b = b->parent)
        y = &b->whole;
    for (; a != b; a = a->parent, b = b->parent) {
        x = &a->whole;
        y = &b->whole;
    }
    struct order_claim rank = rank_with(c, x, c->guarantees ? first : NULL);
    struct order_claim other = rank_with(c, y, c->guarantees ? second : NULL);
    return order_compare_claims(&rank, &other) < 0;
}

bool claims_before(const struct core *c, const struct shape *first, const struct shape *second)
{
    const struct shape *ahead = heap_top(&second->tenant->shapes);
    return is_before(c, first, second) || (c->guarantees && ahead != NULL && is_before(c, first, ahead));
}

struct tenant *claims_next(const struct core *c)
{
    const struct claim *first = c->root->stopped ? NULL : heap_top(&c->root->claims);
    while (first != NULL && !first->own)
        first = heap_top(&first->tenant->claims);
    return first != NULL ? first->tenant : NULL;
}
