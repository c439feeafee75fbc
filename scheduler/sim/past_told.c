/* How long tasks ran, of a past. */
#include <stdlib.h>

#include "scheduler/sim/past.h"

#define NOBODY_KNOWS_US (UINT64_C(600) * 1000000) /* of a task without a limit whose tenant never finished anything */

void told_add(struct past *p, const struct told *t)
{
    if (p->told_count == p->told_size) {
        p->told_size = p->told_size == 0 ? 1024 : p->told_size * 2;
        p->told = realloc(p->told, p->told_size * sizeof p->told[0]);
        if (p->told == NULL)
            abort();
    }
    p->told[p->told_count++] = *t;
}

static int compare(const struct told *x, uint64_t job, uint32_t task)
{
    if (x->job != job)
        return x->job < job ? -1 : 1;
    return x->task < task ? -1 : x->task > task;
}

static int by_attempt(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    int rc = compare(x, y->job, y->task);
    return rc != 0 ? rc : x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

/* Of one task: those that ended by themselves; when there are none, the longest. */
static size_t keep(struct told *to, const struct told *from, size_t count)
{
    size_t kept = 0;
    struct told longest = from[0];
    for (size_t i = 0; i < count; i++) {
        if (from[i].run_us > longest.run_us)
            longest = from[i];
        if (!from[i].cut)
            to[kept++] = from[i];
    }
    if (kept == 0)
        to[kept++] = longest;
    return kept;
}

void told_sort(struct past *p)
{
    size_t kept = 0;
    if (p->told_count > 1)
        qsort(p->told, p->told_count, sizeof p->told[0], by_attempt);
    for (size_t i = 0, end; i < p->told_count; i = end) {
        for (end = i + 1; end < p->told_count && compare(&p->told[end], p->told[i].job, p->told[i].task) == 0;)
            end++;
        kept += keep(&p->told[kept], &p->told[i], end - i);
    }
    p->told_count = kept;
}

const struct told *past_told(const struct past *p, uint64_t job, uint32_t task, size_t *ret_count)
{
    size_t low = 0, high = p->told_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&p->told[middle], job, task) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < p->told_count && compare(&p->told[end], job, task) == 0)
        end++;
    *ret_count = end - low;
    return &p->told[low];
}

uint64_t past_guess_us(const struct past *p, const struct sim_job *j, const struct told *cut)
{
    uint64_t seen_us = cut != NULL ? cut->run_us : 0;
    const struct past_mean *mean = j->tenant < p->means_count ? &p->means[j->tenant] : NULL;
    uint64_t guess_us = j->limit_us;
    if (guess_us == 0)
        guess_us = mean != NULL && mean->count > 0 ? mean->sum_us / mean->count : NOBODY_KNOWS_US;
    return MAX(MAX(guess_us, seen_us), 1);
}
