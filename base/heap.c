#include "base/heap.h"

#include <errno.h>
#include <stdlib.h>

void heap_fini(struct heap *h)
{
    free(h->v);
    *h = (struct heap){0};
}

int heap_reserve(struct heap *h, uint32_t size)
{
    if (size <= h->size)
        return 0;
    void **v = reallocarray(h->v, size, sizeof h->v[0]);
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

static void put(struct heap *h, const struct heap_kind *kind, uint32_t at, void *object)
{
    h->v[at] = object;
    *place_of(kind, object) = at;
}

static void rise(struct heap *h, const struct heap_kind *kind, uint32_t at)
{
    void *object = h->v[at];
    while (at > 0 && kind->compare(object, h->v[(at - 1) / 2]) < 0) {
        put(h, kind, at, h->v[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(h, kind, at, object);
}

/* The next step asks about two of these four: they are on their way while this one asks about their parents. */
static void expect_below(const struct heap *h, uint32_t child)
{
    for (uint32_t i = 2 * child + 1; i < 2 * child + 5 && i < h->count; i++)
        __builtin_prefetch(h->v[i]);
}

static void sink(struct heap *h, const struct heap_kind *kind, uint32_t at)
{
    void *object = h->v[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        expect_below(h, child);
        if (child + 1 < h->count && kind->compare(h->v[child + 1], h->v[child]) < 0)
            child++;
        if (kind->compare(object, h->v[child]) <= 0)
            break;
        put(h, kind, at, h->v[child]);
        at = child;
    }
    put(h, kind, at, object);
}

void heap_add(struct heap *h, const struct heap_kind *kind, void *object)
{
    BUG(*place_of(kind, object) != HEAP_NOWHERE);
    if (h->count == h->size) {
        int rc = heap_reserve(h, h->size == 0 ? 4 : h->size * 2);
        BUG(rc < 0);
    }
    h->v[h->count] = object;
    h->count++;
    rise(h, kind, h->count - 1);
}

void heap_remove(struct heap *h, const struct heap_kind *kind, void *object)
{
    uint32_t at = *place_of(kind, object);
    BUG(at >= h->count || h->v[at] != object);
    void *last = h->v[--h->count];
    *place_of(kind, object) = HEAP_NOWHERE;
    if (last == object)
        return;
    put(h, kind, at, last);
    heap_moved(h, kind, last);
}

void heap_moved(struct heap *h, const struct heap_kind *kind, void *object)
{
    rise(h, kind, *place_of(kind, object));
    sink(h, kind, *place_of(kind, object));
}

void heap_rebuild(struct heap *h, const struct heap_kind *kind)
{
    for (uint32_t i = h->count / 2; i-- > 0;)
        sink(h, kind, i);
}

void heap_take_out(struct heap *h, const struct heap_kind *kind, bool (*out)(void *arg, void *object), void *arg)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < h->count; i++) {
        void *object = h->v[i];
        if (out(arg, object))
            *place_of(kind, object) = HEAP_NOWHERE;
        else
            put(h, kind, kept++, object);
    }
    if (kept == h->count)
        return;
    h->count = kept;
    heap_rebuild(h, kind);
}
