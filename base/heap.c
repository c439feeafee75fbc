#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

/* Four below each: half as many levels as with two, and the four ranks lie together. */
#define BELOW 4

void heap_fini(struct heap *h)
{
    free(h->v);
    *h = (struct heap){0};
}

int heap_reserve(struct heap *h, uint32_t size)
{
    if (size <= h->size)
        return 0;
    struct heap_slot *v = reallocarray(h->v, size, sizeof h->v[0]);
    if (v == NULL)
        return -ENOMEM;
    h->v = v;
    h->size = size;
    return 0;
}

static uint32_t *place_of(const struct heap_kind *kind, void *object)
{
    return (uint32_t *)(void *)((char *)object + kind->place);
}

static struct heap_slot slot_of(const struct heap_kind *kind, void *object)
{
    return (struct heap_slot){kind->rank != NULL ? kind->rank(object) : (struct heap_rank){0}, object};
}

static void put(struct heap *h, const struct heap_kind *kind, uint32_t at, struct heap_slot slot)
{
    h->v[at] = slot;
    *place_of(kind, slot.object) = at;
}

static bool is_before(const struct heap_kind *kind, const struct heap_slot *a, const struct heap_slot *b)
{
    int order = heap_compare_ranks(a->rank, b->rank);
    if (order != 0)
        return order < 0;
    return kind->compare(a->object, b->object) < 0;
}

static void rise(struct heap *h, const struct heap_kind *kind, uint32_t at, struct heap_slot slot)
{
    while (at > 0 && is_before(kind, &slot, &h->v[(at - 1) / BELOW])) {
        put(h, kind, at, h->v[(at - 1) / BELOW]);
        at = (at - 1) / BELOW;
    }
    put(h, kind, at, slot);
}

/* So many, the first ones, have others below them. */
static uint32_t inner(const struct heap *h)
{
    return (h->count + BELOW - 2) / BELOW;
}

static void sink(struct heap *h, const struct heap_kind *kind, uint32_t at, struct heap_slot slot)
{
    while (at < inner(h)) {
        uint32_t least = at * BELOW + 1, end = MIN(least + BELOW, h->count);
        for (uint32_t i = least + 1; i < end; i++)
            if (is_before(kind, &h->v[i], &h->v[least]))
                least = i;
        if (!is_before(kind, &h->v[least], &slot))
            break;
        put(h, kind, at, h->v[least]);
        at = least;
    }
    put(h, kind, at, slot);
}

static void settle(struct heap *h, const struct heap_kind *kind, uint32_t at, struct heap_slot slot)
{
    if (at > 0 && is_before(kind, &slot, &h->v[(at - 1) / BELOW]))
        rise(h, kind, at, slot);
    else
        sink(h, kind, at, slot);
}

void heap_expect(const struct heap *h)
{
    if (h->count == 0 || h->count == h->size)
        return;
    __builtin_prefetch(&h->v[h->count], 1);
    __builtin_prefetch(&h->v[(h->count - 1) / BELOW]);
}

void heap_add(struct heap *h, const struct heap_kind *kind, void *object)
{
    BUG(*place_of(kind, object) != HEAP_NOWHERE);
    if (h->count == h->size) {
        int rc = heap_reserve(h, h->size == 0 ? 4 : h->size * 2);
        BUG(rc < 0);
    }
    h->count++;
    rise(h, kind, h->count - 1, slot_of(kind, object));
}

void heap_remove(struct heap *h, const struct heap_kind *kind, void *object)
{
    uint32_t at = *place_of(kind, object);
    BUG(at >= h->count || h->v[at].object != object);
    h->count--;
    *place_of(kind, object) = HEAP_NOWHERE;
    if (at < h->count)
        settle(h, kind, at, h->v[h->count]);
}

void heap_moved(struct heap *h, const struct heap_kind *kind, void *object)
{
    settle(h, kind, *place_of(kind, object), slot_of(kind, object));
}

static void order(struct heap *h, const struct heap_kind *kind)
{
    for (uint32_t i = inner(h); i-- > 0;)
        sink(h, kind, i, h->v[i]);
}

void heap_rebuild(struct heap *h, const struct heap_kind *kind)
{
    for (uint32_t i = 0; i < h->count; i++)
        h->v[i] = slot_of(kind, h->v[i].object);
    order(h, kind);
}

void heap_take_out(struct heap *h, const struct heap_kind *kind, bool (*out)(void *arg, void *object), void *arg)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        void *object = h->v[i].object;
        if (out(arg, object))
            *place_of(kind, object) = HEAP_NOWHERE;
        else
            put(h, kind, kept++, h->v[i]);
    }
    if (kept == h->count)
        return;
    h->count = kept;
    order(h, kind);
}
