#include "scheduler/core/state.h"

static int compare(const void *a, const void *b)
{
    const struct timer *x = a, *y = b;
    if (x->due_utc_us != y->due_utc_us)
        return x->due_utc_us < y->due_utc_us ? -1 : 1;
    struct order_rank rx = {.job = x->job->id, .task = x->task != NULL ? x->task->index : UINT32_MAX};
    struct order_rank ry = {.job = y->job->id, .task = y->task != NULL ? y->task->index : UINT32_MAX};
    int order = order_compare_tasks(rx, ry);
    return order != 0 ? order : (int)x->deadline - (int)y->deadline;
}

static struct heap_rank rank(const void *object)
{
    const struct timer *t = object;
    return (struct heap_rank){t->due_utc_us, t->job->id};
}

static const struct heap_kind kind = {compare, offsetof(struct timer, at), rank};

void timer_set(struct core *c, struct timer *t, int64_t due_utc_us)
{
    timer_stop(c, t);
    core_stir(c);
    t->due_utc_us = due_utc_us;
    heap_add(&c->timers, &kind, t);
}

void timer_stop(struct core *c, struct timer *t)
{
    if (t->at != HEAP_NOWHERE)
        heap_remove(&c->timers, &kind, t);
}

struct timer *timer_first(const struct core *c)
{
    return heap_top(&c->timers);
}
