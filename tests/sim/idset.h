/*
 * idset - a set of attempt ids, each with a number: open addressing, grown at half. For what a world must find fast.
 */
#ifndef REEVE_TESTS_SIM_IDSET_H
#define REEVE_TESTS_SIM_IDSET_H

#include <stdlib.h>

#include "base/attempt.h"

struct idset_slot {
    struct attempt_id id; /* job 0: empty */
    uint64_t number;
};
struct idset {
    struct idset_slot *v;
    size_t count, size;
};

static inline size_t idset_home(const struct idset *s, struct attempt_id id)
{
    uint64_t hash = (id.job * UINT64_C(0x9e3779b97f4a7c15)) ^ ((uint64_t)id.task << 32 | id.epoch);
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return (size_t)(hash >> 20) & (s->size - 1);
}

/* Where it is, or the empty slot where it would be. */
static inline struct idset_slot *idset_slot(const struct idset *s, struct attempt_id id)
{
    size_t at = idset_home(s, id);
    while (s->v[at].id.job != 0 && !attempt_id_equal(s->v[at].id, id))
        at = (at + 1) & (s->size - 1);
    return &s->v[at];
}

static inline const uint64_t *idset_find(const struct idset *s, struct attempt_id id) /* NULL: not there */
{
    const struct idset_slot *slot = s->size == 0 ? NULL : idset_slot(s, id);
    return slot == NULL || slot->id.job == 0 ? NULL : &slot->number;
}

static inline void idset_put(struct idset *s, struct attempt_id id, uint64_t number)
{
    if (s->count * 2 >= s->size) {
        struct idset grown = {.count = s->count, .size = s->size == 0 ? 64 : s->size * 2};
        grown.v = calloc(grown.size, sizeof grown.v[0]);
        if (grown.v == NULL)
            abort();
        for (size_t i = 0; i < s->size; i++)
            if (s->v[i].id.job != 0)
                *idset_slot(&grown, s->v[i].id) = s->v[i];
        free(s->v);
        *s = grown;
    }
    struct idset_slot *slot = idset_slot(s, id);
    s->count += slot->id.job == 0;
    *slot = (struct idset_slot){id, number};
}

static inline void idset_fini(struct idset *s)
{
    free(s->v);
    *s = (struct idset){0};
}

#endif
