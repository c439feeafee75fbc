#include <string.h>

#include "scheduler/core/claims.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/state.h"

static uint64_t hash_of(const struct demand *d)
{
    const struct capacity *need = &d->need;
    uint64_t hash = key_u64(d->pool != NULL ? d->pool->hash : KEY_START, need->features);
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        hash = key_u64(hash, need->v[i]);
    return hash;
}

static bool demand_is(const void *object, const void *key)
{
    const struct demand *a = object, *b = key;
    return a->pool == b->pool && memcmp(&a->need, &b->need, sizeof a->need) == 0;
}

struct demand *demand_get(struct core *c, const struct capacity *need, struct pool *pool)
{
    const struct demand key = {.need = *need, .pool = pool};
    c->demands_by_need.is = demand_is;
    struct demand *d = table_find(&c->demands_by_need, hash_of(&key), &key);
    if (d == NULL) {
        d = core_alloc(sizeof *d);
        *d = key;
        table_put(&c->demands_by_need, hash_of(d), d);
        c->demands = core_room(c->demands, c->demands_count, &c->demands_size, 64, sizeof(struct demand *));
        d->at = c->demands_count;
        c->demands[c->demands_count++] = d;
    }
    d->shapes++;
    return d;
}

void demand_put(struct core *c, struct demand *d)
{
    if (--d->shapes > 0)
        return;
    BUG(d->waiting > 0);
    table_remove(&c->demands_by_need, hash_of(d), d);
    struct demand *last = c->demands[--c->demands_count];
    last->at = d->at;
    c->demands[d->at] = last;
    free(d);
}

bool demand_is_full(const struct core *c, const struct demand *d)
{
    return d->full == c->room;
}

bool demand_has_room(const struct core *c, const struct demand *d)
{
    struct place_query q = {.need = &d->need, .end_us = INT64_MIN};
    bool open = d->pool != NULL ? pool_search(d->pool, q, NULL) != NULL : place_search(&c->open, &q) != NULL;
    return open || reserve_has_room(c, &d->need, d->pool);
}

bool demands_fit(struct core *c)
{
    bool some = false;
    for (size_t i = 0; i < c->demands_count; i++) {
        struct demand *d = c->demands[i];
        if (d->waiting == 0 || demand_is_full(c, d))
            continue;
        if (demand_has_room(c, d))
            some = true;
        else
            d->full = c->room;
    }
    return some;
}

uint32_t demands_spent(const struct core *c)
{
    struct capacity least;
    uint32_t spent = 0;
    memset(&least, 0xff, sizeof least);
    for (size_t i = 0; i < c->demands_count; i++) {
        const struct demand *d = c->demands[i];
        for (size_t k = 0; d->waiting > 0 && k < CAPACITY_DIMS; k++)
            least.v[k] = d->need.v[k] > 0 ? MIN(least.v[k], d->need.v[k]) : least.v[k];
    }
    for (size_t k = 0; k < CAPACITY_DIMS; k++) {
        uint64_t most = MAX(c->open.root != NULL ? c->open.root->most.v[k] : 0, reserve_most(c, k));
        if (least.v[k] != UINT64_MAX && least.v[k] > most)
            spent |= UINT32_C(1) << k;
    }
    return spent;
}
