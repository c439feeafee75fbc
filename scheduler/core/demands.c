#include <string.h>

#include "scheduler/core/state.h"

static uint64_t hash_of(const struct capacity *need)
{
    uint64_t hash = hash_u64(HASH_START, need->features);
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        hash = hash_u64(hash, need->v[i]);
    return hash;
}

static bool demand_is(const void *object, const void *key)
{
    return memcmp(&((const struct demand *)object)->need, key, sizeof(struct capacity)) == 0;
}

struct demand *demand_get(struct core *c, const struct capacity *need)
{
    c->demands_by_need.is = demand_is;
    struct demand *d = table_find(&c->demands_by_need, hash_of(need), need);
    if (d == NULL) {
        d = core_alloc(sizeof *d);
        d->need = *need;
        table_put(&c->demands_by_need, hash_of(need), d);
        if (c->demands_count == c->demands_size) {
            c->demands_size = c->demands_size == 0 ? 64 : c->demands_size * 2;
            c->demands = core_grow(c->demands, c->demands_size * sizeof(struct demand *));
        }
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
    table_remove(&c->demands_by_need, hash_of(&d->need), &d->need);
    struct demand *last = c->demands[--c->demands_count];
    last->at = d->at;
    c->demands[d->at] = last;
    free(d);
}

bool demand_is_full(const struct core *c, const struct demand *d)
{
    return d->full == c->room;
}

bool demands_fit(struct core *c)
{
    bool some = false;
    for (size_t i = 0; i < c->demands_count; i++) {
        struct demand *d = c->demands[i];
        if (d->waiting == 0 || demand_is_full(c, d))
            continue;
        if (place_find(&c->open, &d->need, NULL) == NULL)
            d->full = c->room;
        else
            some = true;
    }
    return some;
}
