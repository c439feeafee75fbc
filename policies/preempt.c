#include "policies/preempt.h"

#include <string.h>

#include "quotas/ledger_names.h"

#define RESOURCES_MAX (CAPACITY_DIMS + 1) /* scratch is one of its own here */

/* One resource that the task needs and that is shared out by guarantees. */
struct shared {
    size_t index;
    const char *name;
    int64_t need;
};
struct choice {
    struct ledger *l;
    const struct preempt_ask *ask;
    const struct strs *path;
    struct preempt_candidate *v;
    size_t count;
    struct shared shared[RESOURCES_MAX];
    size_t shared_count;
    bool within[TENANT_DEPTH_MAX + 1]; /* by place in path */
    int64_t left[TENANT_DEPTH_MAX + 1][RESOURCES_MAX]; /* before anybody goes */
    struct capacity free;
};

/* ---- what is known before ---------------------------------------------------------------------------- */

static void begin(struct choice *k)
{
    const struct fact_placed *p = &k->ask->placed->placed;
    uint64_t need;
    const char *name;
    for (size_t i = 0; (name = ledger_resource(&p->resources, i, &need)) != NULL; i++)
        if (k->shared_count < RESOURCES_MAX && need > 0 && ledger_share(k->l, TENANT_ROOT, i, name).total > 0)
            k->shared[k->shared_count++] = (struct shared){i, name, (int64_t)need};
    for (size_t i = 0; i < k->path->count; i++) {
        k->within[i] = k->shared_count > 0;
        for (size_t r = 0; r < k->shared_count; r++) {
            const struct shared *s = &k->shared[r];
            k->left[i][r] = ledger_left(k->l, k->path->v[i], s->index, s->name);
            k->within[i] &= k->left[i][r] >= s->need;
        }
    }
}

/* How many tenants two ways to the root have in common. */
static size_t common_of(const struct strs *a, const struct strs *b)
{
    size_t n = 0;
    while (n < a->count && n < b->count && strcmp(a->v[a->count - 1 - n], b->v[b->count - 1 - n]) == 0)
        n++;
    return n;
}

static bool is_same_tenant(const struct choice *k, const struct preempt_candidate *v)
{
    return v->common == k->path->count && v->common == v->path->count;
}

/* The newest of the lowest priority goes first, borrowers before a tenant's own. */
static int compare(const void *a, const void *b)
{
    const struct preempt_candidate *x = a, *y = b;
    if (x->reclaimed != y->reclaimed)
        return x->reclaimed ? -1 : 1;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    if (x->start_utc_us != y->start_utc_us)
        return x->start_utc_us > y->start_utc_us ? -1 : 1;
    if (x->id.job != y->id.job)
        return x->id.job > y->id.job ? -1 : 1;
    return x->id.task > y->id.task ? -1 : x->id.task < y->id.task;
}

/* ---- who may go -------------------------------------------------------------------------------------- */

/* Has everybody from its tenant up to y borrowed some of one resource that the task needs and this one uses? */
static bool is_borrowed(const struct choice *k, const struct preempt_candidate *v)
{
    for (size_t r = 0; r < k->shared_count; r++) {
        const struct shared *s = &k->shared[r];
        size_t i = ledger_resource_get(v->resources, s->index, s->name) > 0 ? 0 : SIZE_MAX;
        while (i < v->path->count - v->common && ledger_left(k->l, v->path->v[i], s->index, s->name) < 0)
            i++;
        if (i == v->path->count - v->common)
            return true;
    }
    return false;
}

static bool may_go(const struct choice *k, const struct preempt_candidate *v)
{
    const struct preempt_ask *ask = k->ask;
    if (ask->reclaim == RECLAIM_NEVER || (!v->preemptible && (!v->reclaimed || ask->reclaim != RECLAIM_ANY)))
        return false;
    if (is_same_tenant(k, v))
        return v->priority < ask->priority;
    if (!v->reclaimed)
        return false;
    return k->within[k->path->count - 1 - v->common] && is_borrowed(k, v);
}

/* ---- does it fit ------------------------------------------------------------------------------------- */

/* The place in path from which on upwards nobody may borrow more than before. */
static size_t lowest_common(const struct choice *k)
{
    size_t common = SIZE_MAX;
    for (size_t i = 0; i < k->count; i++)
        if (k->v[i].chosen && k->v[i].reclaimed)
            common = MIN(common, k->v[i].common);
    return common == SIZE_MAX ? 0 : k->path->count - 1 - common;
}

static bool nobody_borrows_more(const struct choice *k)
{
    for (size_t i = lowest_common(k); i < k->path->count; i++)
        for (size_t r = 0; r < k->shared_count; r++) {
            const struct shared *s = &k->shared[r];
            if (ledger_left(k->l, k->path->v[i], s->index, s->name) < MIN(k->left[i][r], 0))
                return false;
        }
    return true;
}

static bool fits(const struct choice *k, bool some_go)
{
    const struct preempt_ask *ask = k->ask;
    struct ledger_blocker blocker;
    if ((ask->free != NULL && !capacity_fits(ask->need, &k->free)) ||
        ledger_check(k->l, ask->placed, &blocker) != LEDGER_FITS)
        return false;
    if (!some_go)
        return true;
    ledger_apply(k->l, ask->placed);
    bool same = nobody_borrows_more(k);
    ledger_revert(k->l, ask->placed);
    return same;
}

/* ---- the choice -------------------------------------------------------------------------------------- */

static void take(struct choice *k, struct preempt_candidate *v, bool goes)
{
    v->chosen = goes;
    ledger_without(k->l, v->id, goes);
    (goes ? capacity_add : capacity_take)(&k->free, &v->need);
}

static bool take_some(struct choice *k, struct preempt_answer *ret)
{
    bool enough = fits(k, false);
    for (size_t i = 0; i < k->count && !enough; i++) {
        struct preempt_candidate *v = &k->v[i];
        if (!may_go(k, v))
            continue;
        if (v->run_us < k->ask->min_run_us) {
            ret->again_us = MIN(ret->again_us, k->ask->min_run_us - v->run_us);
            continue;
        }
        take(k, v, true);
        enough = fits(k, true);
    }
    return enough;
}

static void give_back(struct choice *k)
{
    for (size_t i = k->count; i-- > 0;) {
        struct preempt_candidate *v = &k->v[i];
        if (!v->chosen)
            continue;
        take(k, v, false);
        if (!fits(k, true))
            take(k, v, true);
    }
}

bool preempt_choose(struct ledger *l, const struct preempt_ask *ask, struct preempt_candidate *v, size_t count,
                    struct preempt_answer *ret)
{
    struct choice k = {.l = l, .ask = ask, .path = &ask->placed->placed.path, .v = v, .count = count};
    *ret = (struct preempt_answer){.highest = INT32_MIN, .again_us = UINT64_MAX};
    BUG(k.path->count > COUNT_OF(k.within));
    begin(&k);
    if (ask->free != NULL)
        k.free = *ask->free;
    for (size_t i = 0; i < count; i++) {
        v[i].chosen = false;
        v[i].common = common_of(k.path, v[i].path);
        v[i].reclaimed = v[i].common < k.path->count && v[i].common < v[i].path->count;
    }
    if (count > 1)
        qsort(v, count, sizeof v[0], compare);
    bool enough = take_some(&k, ret);
    if (enough)
        give_back(&k);
    for (size_t i = 0; i < count; i++) {
        if (!v[i].chosen)
            continue;
        take(&k, &v[i], false);
        v[i].chosen = enough;
        ret->count += enough;
        ret->highest = enough ? MAX(ret->highest, v[i].priority) : ret->highest;
    }
    return enough;
}
