#include "policies/backfill.h"

#include <string.h>

static void grow(struct backfill *b, size_t need)
{
    if (need <= b->size)
        return;
    b->size = MAX(need, b->size * 2);
    b->v = realloc(b->v, b->size * sizeof b->v[0]);
    BUG(b->v == NULL);
}

static int rising(const void *a, const void *b)
{
    const struct backfill_end *x = a, *y = b;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

static struct capacity left_of(const struct capacity *total, const struct capacity *used)
{
    struct capacity left = *total;
    capacity_take(&left, used);
    return left;
}

void backfill_begin(struct backfill *b, int64_t now_us, const struct capacity *total, const struct capacity *used,
                    struct backfill_end *ends, size_t count)
{
    struct capacity still = *used;
    if (count > 1)
        qsort(ends, count, sizeof ends[0], rising);
    grow(b, count + 8); /* what is held and closed cuts steps */
    b->count = 1;
    b->v[0] = (struct backfill_step){.from_us = now_us, .free = left_of(total, &still)};
    for (size_t i = 0; i < count && ends[i].at_us < INT64_MAX; i++) {
        struct backfill_step *last = &b->v[b->count - 1];
        capacity_take(&still, &ends[i].need);
        if (ends[i].at_us > last->from_us) {
            last = &b->v[b->count++];
            *last = (struct backfill_step){.from_us = ends[i].at_us};
        }
        last->free = left_of(total, &still);
    }
}

void backfill_fini(struct backfill *b)
{
    free(b->v);
    *b = (struct backfill){0};
}

/* The step that an instant, not before the first one, lies in. */
static size_t step_of(const struct backfill *b, int64_t at_us)
{
    size_t low = 0, high = b->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (b->v[middle].from_us <= at_us)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A step begins at that instant; which one. */
static size_t cut(struct backfill *b, int64_t at_us)
{
    size_t i = step_of(b, at_us);
    if (b->v[i].from_us >= at_us)
        return i;
    grow(b, b->count + 1);
    memmove(&b->v[i + 2], &b->v[i + 1], (b->count - i - 1) * sizeof b->v[0]);
    b->v[i + 1] = b->v[i];
    b->v[i + 1].from_us = at_us;
    b->count++;
    return i + 1;
}

static void change(struct backfill *b, int64_t from_us, int64_t to_us, const struct capacity *held)
{
    from_us = MAX(from_us, b->v[0].from_us);
    if (from_us >= to_us || from_us == INT64_MAX)
        return;
    size_t first = cut(b, from_us), end = to_us < INT64_MAX ? cut(b, to_us) : b->count;
    for (size_t i = first; i < end; i++) {
        if (held != NULL)
            capacity_take(&b->v[i].free, held);
        else
            b->v[i].closed = true;
    }
}

void backfill_hold(struct backfill *b, int64_t from_us, int64_t to_us, const struct capacity *need)
{
    change(b, from_us, to_us, need);
}

void backfill_close(struct backfill *b, int64_t from_us, int64_t to_us)
{
    change(b, from_us, to_us, NULL);
}

int64_t backfill_after(int64_t at_us, int64_t length_us)
{
    int64_t sum;
    return __builtin_add_overflow(at_us, length_us, &sum) ? INT64_MAX : sum;
}

static int64_t end_of(const struct backfill *b, size_t i)
{
    return i + 1 < b->count ? b->v[i + 1].from_us : INT64_MAX;
}

int64_t backfill_earliest(const struct backfill *b, const struct backfill_ask *ask, int64_t from_us)
{
    int64_t at_us = MAX(from_us, b->v[0].from_us);
    /* What is in its way ends with a step: that is the next instant worth a try, and nothing before it is. */
    for (size_t i = step_of(b, at_us); i < b->count && at_us < INT64_MAX; i++) {
        const struct backfill_step *s = &b->v[i];
        if (s->from_us >= backfill_after(at_us, ask->run_us))
            break;
        bool shut = s->closed && s->from_us < backfill_after(at_us, ask->clear_us);
        if (shut || !capacity_fits(&ask->need, &s->free))
            at_us = end_of(b, i);
    }
    return at_us;
}

bool backfill_fits(const struct backfill *b, const struct backfill_ask *ask, int64_t at_us)
{
    return backfill_earliest(b, ask, at_us) == MAX(at_us, b->v[0].from_us);
}
