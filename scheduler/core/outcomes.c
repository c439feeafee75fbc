#include "scheduler/core/outcomes.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static uint32_t slot_from(const struct outcomes *o, uint64_t index)
{
    uint32_t low = 0, high = o->count;
    if (high == 0 || o->v[high - 1].last < index)
        return high; /* they end about in order */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (o->v[middle].last < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct outcome *outcomes_from(const struct outcomes *o, uint64_t index)
{
    uint32_t at = slot_from(o, index);
    return at < o->count ? &o->v[at] : NULL;
}

const struct outcome *outcomes_at(const struct outcomes *o, uint64_t index)
{
    const struct outcome *r = outcomes_from(o, index);
    return r != NULL && r->first <= index ? r : NULL;
}

bool outcomes_touch(const struct outcomes *o, uint32_t first, uint32_t last)
{
    const struct outcome *r = outcomes_from(o, first);
    return r != NULL && r->first <= last;
}

uint64_t outcomes_beyond(const struct outcomes *o, uint64_t index)
{
    for (uint32_t at = slot_from(o, index); at < o->count && o->v[at].first <= index; at++)
        index = (uint64_t)o->v[at].last + 1;
    return index;
}

static void insert(struct outcomes *o, uint32_t at, struct outcome r)
{
    if (o->count == o->size) {
        o->size = o->size == 0 ? 1 : o->size * 2;
        o->v = realloc(o->v, o->size * sizeof o->v[0]);
        BUG(o->v == NULL);
    }
    memmove(&o->v[at + 1], &o->v[at], (o->count - at) * sizeof o->v[0]);
    o->v[at] = r;
    o->count++;
}

static void take_out(struct outcomes *o, uint32_t at)
{
    o->count--;
    memmove(&o->v[at], &o->v[at + 1], (o->count - at) * sizeof o->v[0]);
}

void outcomes_add(struct outcomes *o, uint32_t first, uint32_t last, uint32_t how)
{
    uint32_t at = slot_from(o, first);
    BUG(at < o->count && o->v[at].first <= last);
    bool joins_before = at > 0 && o->v[at - 1].how == how && o->v[at - 1].last + 1 == first;
    bool joins_behind = at < o->count && o->v[at].how == how && last + 1 == o->v[at].first;
    if (joins_before && joins_behind) {
        o->v[at - 1].last = o->v[at].last;
        take_out(o, at);
    } else if (joins_before) {
        o->v[at - 1].last = last;
    } else if (joins_behind) {
        o->v[at].first = first;
    } else {
        insert(o, at, (struct outcome){first, last, how});
    }
}

struct fact_outcome outcome_fact(const struct outcome *o)
{
    return (struct fact_outcome){.first = o->first,
                                 .count = o->last - o->first + 1,
                                 .failed = o->how == OUTCOME_FAILURE,
                                 .left_out = o->how == OUTCOME_LEFT_OUT};
}

uint32_t outcome_of_fact(const struct fact_outcome *f)
{
    return f->failed ? OUTCOME_FAILURE : f->left_out ? OUTCOME_LEFT_OUT : OUTCOME_SUCCESS;
}

void outcomes_copy(const struct outcomes *from, struct outcomes *to)
{
    *to = (struct outcomes){0};
    if (from->count == 0)
        return;
    to->v = malloc(from->count * sizeof to->v[0]);
    BUG(to->v == NULL);
    memcpy(to->v, from->v, from->count * sizeof to->v[0]);
    to->count = to->size = from->count;
}

void outcomes_fini(struct outcomes *o)
{
    free(o->v);
    *o = (struct outcomes){0};
}
