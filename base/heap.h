/*
 * heap - a heap of objects that know their place in it, so that any of them can leave or move.
 * Contract: the order must be total (ties broken by ids), so that what comes out never depends on what went in when.
 *           An object's place is HEAP_NOWHERE while it is in no heap.
 * Ranks:    most comparisons are settled by two numbers that lie in the heap itself, so that what is far down there is
 *           compared without being looked at. They are asked for when an object comes in or moves.
 * Purity:   pure. Lack of memory aborts in heap_add; heap_reserve says so beforehand.
 */
#ifndef REEVE_BASE_HEAP_H
#define REEVE_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define HEAP_NOWHERE UINT32_MAX

/* The least first; of equals it is the second that counts. */
struct heap_rank {
    int64_t first;
    uint64_t second;
};
struct heap_kind {
    int (*compare)(const void *a, const void *b); /* < 0: a comes out first */
    size_t place;                                 /* offset of the object's uint32_t place */
    struct heap_rank (*rank)(const void *object); /* never at odds with compare(), which settles ties; NULL: all tie */
};
struct heap_slot {
    struct heap_rank rank;
    void *object;
};
struct heap {
    struct heap_slot *v;
    uint32_t count, size;
};

void heap_fini(struct heap *h);
int heap_reserve(struct heap *h, uint32_t size) MUST_USE; /* -ENOMEM */
static inline void *heap_top(const struct heap *h) /* NULL: empty */
{
    return h->count == 0 ? NULL : h->v[0].object;
}
static inline struct heap_rank heap_top_rank(const struct heap *h) /* it isn't empty, and its kind has ranks */
{
    return h->v[0].rank;
}
static inline int heap_compare_ranks(struct heap_rank a, struct heap_rank b)
{
    if (a.first != b.first)
        return a.first < b.first ? -1 : 1;
    return a.second < b.second ? -1 : a.second > b.second;
}
void heap_expect(const struct heap *h); /* one will come in: its place is on its way meanwhile */
void heap_add(struct heap *h, const struct heap_kind *kind, void *object);
void heap_remove(struct heap *h, const struct heap_kind *kind, void *object);
void heap_moved(struct heap *h, const struct heap_kind *kind, void *object); /* its rank has changed */
/* Takes out all objects of which `out` says so. It is asked once about each, in any order. */
void heap_take_out(struct heap *h, const struct heap_kind *kind, bool (*out)(void *arg, void *object), void *arg);
void heap_rebuild(struct heap *h, const struct heap_kind *kind);             /* many ranks have changed */

#endif
