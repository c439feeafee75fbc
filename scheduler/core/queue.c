#include "scheduler/core/claims.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/state.h"

/* Of one job the tasks that were started before come first: they have waited longest. */
static struct order_rank rank_of(const struct entry *e)
{
    const struct task *t = entry_task(e);
    return (struct order_rank){entry_job(e)->urgency, entry_job(e)->id, t != NULL ? t->index : UINT32_MAX};
}

static int compare_entries(const void *a, const void *b)
{
    return order_compare_tasks(rank_of(a), rank_of(b));
}

/* By their ranks alone: no two shapes have the same job first. */
static int compare_shapes(const void *a, const void *b)
{
    const struct shape *x = a, *y = b;
    return heap_compare_ranks(x->head, y->head);
}

static struct heap_rank entry_rank(const void *object)
{
    const struct entry *e = object;
    return (struct heap_rank){entry_job(e)->urgency, entry_job(e)->id};
}

static struct heap_rank shape_rank(const void *object)
{
    return ((const struct shape *)object)->head;
}

static const struct heap_kind entries = {compare_entries, offsetof(struct entry, at), entry_rank};
static const struct heap_kind shapes = {compare_shapes, offsetof(struct shape, at), shape_rank};

struct entry *queue_first(const struct shape *s)
{
    return heap_top(&s->ready);
}

/* Another shape of its tenant may come first now, which may be within a guarantee or not. */
static void new_head(const struct core *c, struct tenant *t)
{
    if (c->guarantees)
        claims_refresh(c, t);
}

static void parked(const struct core *c, struct tenant *t)
{
    if (t->shapes.count == 0)
        claims_rest(c, t);
    else
        new_head(c, t);
}

void queue_park(struct core *c, struct shape *s)
{
    heap_remove(&s->tenant->shapes, &shapes, s);
    parked(c, s->tenant);
}

void queue_park_some(struct core *c, struct tenant *t, bool (*out)(void *arg, void *shape), void *arg)
{
    heap_take_out(&t->shapes, &shapes, out, arg);
    parked(c, t);
}

/* Its entries are others, or what it has lost, which counts beside other shapes (age_urgency). The heap itself knows
 * whose turn it is; that job may be far away, and isn't looked at yet. */
static void take_head(struct shape *s)
{
    if (s->ready.count == 0)
        return;
    s->head = heap_top_rank(&s->ready);
    s->head.first += s->age_pause.us;
}

void queue_unpark(struct core *c, struct shape *s)
{
    if (s->blocked_at != NULL) { /* it has lost more: else its head is as it was */
        blocked_forget(c, s);
        take_head(s);
    }
    heap_add(&s->tenant->shapes, &shapes, s);
    claims_wake(c, s->tenant);
}

static void shape_moved(const struct core *c, struct shape *s)
{
    heap_moved(&s->tenant->shapes, &shapes, s);
    new_head(c, s->tenant);
}

/* Is it a gang of which some may have succeeded? */
static bool is_rest(const struct entry *e)
{
    return e->of_task && entry_job(e)->gang != 0;
}

void queue_push(struct core *c, struct entry *e)
{
    struct shape *s = entry_job(e)->shape;
    heap_add(&s->ready, &entries, e);
    s->rests += is_rest(e);
    bool first = e->at == 0; /* else nobody looks at who is */
    if (first)
        take_head(s);
    if (s->ready.count == 1)
        demand_waits(c, s, true);
    if (s->at == HEAP_NOWHERE)
        queue_unpark(c, s);
    else if (first)
        shape_moved(c, s);
}

void queue_drop(struct core *c, struct entry *e)
{
    if (e->at == HEAP_NOWHERE)
        return;
    struct shape *s = entry_job(e)->shape;
    /* An empty shape has no rank: it leaves its tenant's heap before its last entry leaves it. */
    if (s->ready.count == 1 && s->at != HEAP_NOWHERE)
        queue_park(c, s);
    bool first = e->at == 0;
    heap_remove(&s->ready, &entries, e);
    s->rests -= is_rest(e);
    if (first)
        take_head(s);
    if (s->ready.count == 0)
        demand_waits(c, s, false);
    if (s->ready.count == 0)
        blocked_forget(c, s);
    if (first && s->at != HEAP_NOWHERE)
        shape_moved(c, s);
}

bool job_may_start(const struct job *j, uint32_t tasks)
{
    return !j->on_hold && (j->max_running == 0 || j->live + tasks <= j->max_running);
}

bool task_is_ready(const struct task *t)
{
    const struct job *j = t->job;
    if (j->gang != 0) {
        struct gang g = gang_of(j, t->index);
        return gang_lead(g) == t && gang_is_ready(g);
    }
    return t->state == TASK_QUEUED && t->timer.at == HEAP_NOWHERE && job_may_start(j, 1) && depend_ready(j, t->index);
}

bool job_is_ready(const struct job *j)
{
    bool waits = j->aside->wait != NULL && j->aside->wait->at != HEAP_NOWHERE;
    return !j->finished && !waits && job_may_start(j, MAX(j->gang_min, 1)) && job_ready_from(j, j->next) <= j->last;
}

static void put_where(struct core *c, struct entry *e, bool ready)
{
    if (ready && e->at == HEAP_NOWHERE)
        queue_push(c, e);
    else if (!ready)
        queue_drop(c, e);
}

void queue_sync_task(struct core *c, struct task *t)
{
    if (t->job->gang != 0)
        gang_sync(c, gang_of(t->job, t->index));
    else
        put_where(c, &t->entry, task_is_ready(t));
}

void queue_sync(struct core *c, struct job *j)
{
    if (j->finished)
        return;
    uint64_t met = UINT64_MAX;
    put_where(c, &j->fresh, job_is_ready(j));
    for (uint32_t i = 0; j->max_running != 0 && i < j->tasks_count; i++)
        if (!gang_was_met(j, j->tasks[i]->index, &met))
            queue_sync_task(c, j->tasks[i]);
}

static void reorder_shape(struct shape *s)
{
    heap_rebuild(&s->ready, &entries);
    take_head(s);
}

static void rebuild_shapes(void *arg, struct tenant *t)
{
    (void)arg;
    heap_rebuild(&t->shapes, &shapes);
}

static void forget_age(void *arg, struct tenant *t)
{
    (void)arg;
    t->age_pause = (struct age_pause){0};
}

void queue_reorder(struct core *c)
{
    tenants_each(c, forget_age, NULL);
    for (size_t i = 0; i < c->shapes.size; i++)
        if (c->shapes.slots[i].object != NULL)
            ((struct shape *)c->shapes.slots[i].object)->age_pause = (struct age_pause){0};
    for (size_t i = 0; i < c->jobs_count; i++) {
        struct job *j = c->jobs[i].job;
        if (j != NULL)
            age_begin(c, j, 0);
    }
    for (size_t i = 0; i < c->shapes.size; i++)
        if (c->shapes.slots[i].object != NULL)
            reorder_shape(c->shapes.slots[i].object);
    tenants_each(c, rebuild_shapes, NULL);
}
