#include <errno.h>
#include <string.h>

#include "scheduler/core/claims.h"
#include "scheduler/core/forecast.h"
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

/* ---- who waits with it -------------------------------------------------------------------------------- */

static int by_clear(const void *a, const void *b)
{
    const struct shape *x = a, *y = b;
    if (x->clear_us != y->clear_us)
        return x->clear_us < y->clear_us ? -1 : 1;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static struct heap_rank clear_rank(const void *object)
{
    const struct shape *s = object;
    return (struct heap_rank){s->clear_us, s->hash};
}

static const struct heap_kind waiting = {by_clear, offsetof(struct shape, waits_at), clear_rank};

void demand_waits(struct core *c, struct shape *s, bool waits)
{
    if (s->demand == NULL)
        return;
    if (!waits) {
        heap_remove(&s->demand->waiting, &waiting, s);
        c->demands_waiting -= s->demand->waiting.count == 0;
        return;
    }
    c->demands_waiting += s->demand->waiting.count == 0;
    s->clear_us = forecast_ask(c, s).clear_us;
    heap_add(&s->demand->waiting, &waiting, s);
}

void demand_renamed(struct shape *s)
{
    if (s->waits_at != HEAP_NOWHERE)
        heap_moved(&s->demand->waiting, &waiting, s);
}

void demands_policy(struct core *c)
{
    for (size_t i = 0; i < c->demands_count; i++) {
        struct heap *h = &c->demands[i]->waiting;
        for (uint32_t k = 0; k < h->count; k++) {
            struct shape *s = h->v[k].object;
            s->clear_us = forecast_ask(c, s).clear_us;
        }
        heap_rebuild(h, &waiting);
    }
}

/* ---- what is asked ------------------------------------------------------------------------------------- */

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
    BUG(d->waiting.count > 0);
    heap_fini(&d->waiting);
    table_remove(&c->demands_by_need, hash_of(d), d);
    struct demand *last = c->demands[--c->demands_count];
    last->at = d->at;
    c->demands[d->at] = last;
    free(d);
}

/* ---- whether there is room ------------------------------------------------------------------------------ */

/* Until then whoever starts now needs a node to be open, the soonest of those who wait. */
static int64_t soonest_utc_us(const struct demand *d, int64_t utc_us)
{
    return backfill_after(utc_us, ((const struct shape *)heap_top(&d->waiting))->clear_us);
}

/* As was seen before and still holds: what has room closes no later than it did. */
static bool is_shut(const struct core *c, const struct demand *d, int64_t clear_utc_us)
{
    return d->full == c->room || (d->shut == c->room && clear_utc_us > d->until_utc_us);
}

bool demand_is_full(const struct core *c, const struct shape *s, int64_t utc_us)
{
    return is_shut(c, s->demand, backfill_after(utc_us, s->clear_us));
}

/* When the last node with room closes; INT64_MIN: none has any. */
static int64_t longest_utc_us(const struct core *c, const struct demand *d)
{
    int64_t open_us = d->pool != NULL ? pool_longest_us(d->pool, &d->need) : place_longest_us(&c->open, &d->need);
    return MAX(open_us, reserve_longest_us(c, &d->need, d->pool));
}

bool demand_has_room(const struct core *c, const struct shape *s, int64_t utc_us)
{
    int64_t until_us = longest_utc_us(c, s->demand);
    return until_us != INT64_MIN && until_us >= backfill_after(utc_us, s->clear_us);
}

bool demands_fit(struct core *c, int64_t utc_us)
{
    bool some = false;
    for (size_t i = 0; c->demands_waiting > 0 && i < c->demands_count; i++) {
        struct demand *d = c->demands[i];
        if (d->waiting.count == 0 || is_shut(c, d, soonest_utc_us(d, utc_us)))
            continue;
        d->until_utc_us = longest_utc_us(c, d);
        d->shut = c->room;
        if (d->until_utc_us == INT64_MIN)
            d->full = c->room;
        else
            some |= d->until_utc_us >= soonest_utc_us(d, utc_us);
    }
    return some;
}

static bool is_in_place(const struct heap_slot *slot)
{
    struct heap_rank rank = clear_rank(slot->object);
    return rank.first == slot->rank.first && rank.second == slot->rank.second;
}

int demands_verify(const struct core *c, struct err *err)
{
    size_t some = 0;
    for (size_t i = 0; i < c->demands_count; i++) {
        const struct heap *h = &c->demands[i]->waiting;
        some += h->count > 0;
        for (uint32_t k = 0; k < h->count; k++)
            if (!is_in_place(&h->v[k]))
                return err_set(err, -EUCLEAN, "demands: who waits is in order by what it was before");
    }
    return some == c->demands_waiting ? 0 : err_set(err, -EUCLEAN, "demands: somebody waits with %zu, %zu were counted",
                                                    some, c->demands_waiting);
}

uint32_t demands_spent(const struct core *c)
{
    struct capacity least;
    uint32_t spent = 0;
    memset(&least, 0xff, sizeof least);
    for (size_t i = 0; i < c->demands_count; i++) {
        const struct demand *d = c->demands[i];
        for (size_t k = 0; d->waiting.count > 0 && k < CAPACITY_DIMS; k++)
            least.v[k] = d->need.v[k] > 0 ? MIN(least.v[k], d->need.v[k]) : least.v[k];
    }
    for (size_t k = 0; k < CAPACITY_DIMS; k++) {
        uint64_t most = MAX(c->open.root != NULL ? c->open.root->most.v[k] : 0, reserve_most(c, k));
        if (least.v[k] != UINT64_MAX && least.v[k] > most)
            spent |= UINT32_C(1) << k;
    }
    return spent;
}
