#include "scheduler/core/answers.h"
#include "scheduler/core/depend.h"
#include "scheduler/core/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/core/state.h"

bool depend_wished(uint32_t on, uint32_t how)
{
    return on == AFTER_END || how == (on == AFTER_FAILURE ? OUTCOME_FAILURE : OUTCOME_SUCCESS);
}

/* ---- a dependency's state --------------------------------------------------------------------------- */

static const struct outcomes *outcomes_of(const struct dependency *d)
{
    return d->of != NULL ? &d->of->aside->over : &d->kept;
}

static void leave_list(struct dependency *d)
{
    if (d->of == NULL)
        return;
    if (d->prev != NULL)
        d->prev->next = d->next;
    else
        job_aside(d->of)->dependents = d->next;
    if (d->next != NULL)
        d->next->prev = d->prev;
    d->of = NULL;
    d->prev = d->next = NULL;
}

static void join_list(struct dependency *d, struct job *of)
{
    d->of = of;
    d->next = of->aside->dependents;
    if (d->next != NULL)
        d->next->prev = d;
    job_aside(of)->dependents = d;
}

static void doom(struct core *c, struct job *j)
{
    struct depends *all = j->aside->after;
    if (all->doomed || all->keep)
        return;
    all->doomed = true;
    all->doomed_next = c->doomed;
    c->doomed = j;
}

/* These tasks may start now, if nothing else keeps them. */
static void sync(struct core *c, struct job *j, uint32_t first, uint32_t count)
{
    struct task *one = count == 1 ? task_find(j, first) : NULL;
    if (one != NULL)
        queue_sync_task(c, one);
    for (uint32_t i = 0; count > 1 && i < j->tasks_count; i++)
        queue_sync_task(c, j->tasks[i]);
    queue_sync(c, j);
}

static void answer(struct core *c, struct dependency *d, bool met)
{
    struct depends *all = d->job->aside->after;
    leave_list(d);
    d->state = met ? DEPEND_MET : DEPEND_NEVER;
    d->job->change++;
    if (!met)
        doom(c, d->job);
    else if (--all->whole == 0)
        sync(c, d->job, d->job->first, job_tasks(d->job));
}

/* What a job's own range is of the other's outcomes: whether all of it is there, and none unlike the wish. */
static void count_same(const struct dependency *d, const struct outcomes *o, uint64_t *ret_over, uint64_t *ret_bad)
{
    const struct job *j = d->job;
    *ret_over = *ret_bad = 0;
    for (uint32_t i = 0; i < o->count; i++) {
        uint64_t first = MAX(o->v[i].first, j->first), last = MIN(o->v[i].last, j->last);
        if (first > last)
            continue;
        *ret_over += last - first + 1;
        *ret_bad += depend_wished(d->on, o->v[i].how) ? 0 : last - first + 1;
    }
}

/* ---- which tasks may start -------------------------------------------------------------------------- */

bool depend_ready(const struct job *j, uint32_t index)
{
    const struct depends *all = j->aside->after;
    if (all == NULL)
        return true;
    for (uint32_t i = 0; all->whole == 0 && i < all->count; i++) {
        const struct dependency *d = &all->v[i];
        const struct outcome *o = d->tasks == AFTER_SAME ? outcomes_at(outcomes_of(d), index) : NULL;
        if (d->tasks == AFTER_SAME && d->state != DEPEND_MET && (o == NULL || !depend_wished(d->on, o->how)))
            return false;
    }
    return all->whole == 0;
}

static uint64_t next_wished(const struct dependency *d, uint64_t from)
{
    const struct outcomes *o = outcomes_of(d);
    const struct outcome *r = outcomes_from(o, from), *end = o->v + o->count;
    while (r != NULL && r < end && !depend_wished(d->on, r->how))
        r++;
    return r == NULL || r == end ? UINT64_MAX : MAX(from, r->first);
}

uint64_t depend_next(const struct job *j, uint64_t from)
{
    const struct depends *all = j->aside->after;
    if (all == NULL)
        return from;
    if (all->whole > 0)
        return UINT64_MAX;
    for (uint32_t i = 0; i < all->count && from <= j->last;) {
        const struct dependency *d = &all->v[i];
        uint64_t next = d->tasks == AFTER_SAME && d->state != DEPEND_MET ? next_wished(d, from) : from;
        i = next == from ? i + 1 : 0;
        from = next;
    }
    return from;
}

/* ---- ends ------------------------------------------------------------------------------------------- */

void depend_on_ended(struct core *c, struct job *j, uint32_t first, uint32_t count, uint32_t how)
{
    for (struct dependency *d = j->aside->dependents, *next; d != NULL; d = next) {
        next = d->next;
        if (d->tasks == AFTER_SAME) {
            if (!depend_wished(d->on, how))
                doom(c, d->job);
            else if (d->job->aside->after->whole == 0)
                sync(c, d->job, first, count);
        } else if (is_measured(d->task)) {
            if (measured(d->task) >= first && measured(d->task) - first < count)
                answer(c, d, depend_wished(d->on, how));
        } else if (how == OUTCOME_FAILURE && d->on == AFTER_SUCCESS) {
            answer(c, d, false); /* whatever the others come to */
        }
    }
}

static void finish_same(struct dependency *d)
{
    struct outcomes kept;
    uint64_t over, bad;
    outcomes_copy(&d->of->aside->over, &kept);
    leave_list(d);
    d->kept = kept;
    count_same(d, &kept, &over, &bad);
    d->job->change++;
    if (bad > 0)
        return;
    d->state = DEPEND_MET;
    outcomes_fini(&d->kept);
}

void depend_on_finished(struct core *c, struct job *j)
{
    uint32_t how = job_failed(j) > 0 ? OUTCOME_FAILURE : OUTCOME_SUCCESS;
    for (struct dependency *d = j->aside->dependents, *next; d != NULL; d = next) {
        next = d->next;
        if (d->tasks == AFTER_SAME)
            finish_same(d);
        else
            answer(c, d, depend_wished(d->on, how));
    }
}

/* ---- beginning and end of a job that waits ---------------------------------------------------------- */

int depend_check(const struct core *c, const struct fact_submitted *f, struct err *err)
{
    const struct fact_after *v = f->after.v;
    for (size_t i = 0; i < f->after.count; i++) {
        const struct job *of = job_find(c, v[i].job);
        bool gone = v[i].over || v[i].never;
        bool answered = v[i].over && !v[i].never && v[i].tasks != AFTER_SAME;
        if (v[i].job >= f->job || answered || (!gone && (of == NULL || of->finished)) || v[i].on >= AFTER_ON_COUNT)
            return err_set(err, -EPROTO, "job.submitted: job %llu waits for job %llu, which isn't there",
                           (unsigned long long)f->job, (unsigned long long)v[i].job);
        uint64_t from = 0;
        const struct fact_outcome *o = v[i].outcomes.v;
        for (size_t k = 0; k < v[i].outcomes.count; k++) {
            if (o[k].count == 0 || o[k].first < from || (uint64_t)o[k].first + o[k].count > UINT32_MAX)
                return err_set(err, -EPROTO, "job.submitted: job %llu: outcomes of job %llu are out of order",
                               (unsigned long long)f->job, (unsigned long long)v[i].job);
            from = (uint64_t)o[k].first + o[k].count;
        }
    }
    return 0;
}

static void begin_one(struct core *c, struct dependency *d, const struct fact_after *a)
{
    d->id = a->job;
    d->on = a->on;
    d->tasks = a->tasks;
    d->task = a->task;
    const struct fact_outcome *o = a->outcomes.v;
    for (size_t i = 0; i < a->outcomes.count; i++)
        outcomes_add(&d->kept, o[i].first, o[i].first + o[i].count - 1, outcome_of_fact(&o[i]));
    if (a->never)
        d->state = DEPEND_NEVER;
    else if (!a->over)
        join_list(d, job_find(c, a->job));
    if (a->tasks != AFTER_SAME)
        d->job->aside->after->whole++;
    uint64_t over = 0, bad = 0;
    if (a->tasks == AFTER_SAME)
        count_same(d, outcomes_of(d), &over, &bad);
    if (a->never || bad > 0)
        doom(c, d->job);
}

void depend_begin(struct core *c, struct job *j, const struct fact_submitted *f)
{
    if (f->after.count == 0)
        return;
    struct depends *all = job_aside(j)->after = core_alloc(sizeof *all);
    all->v = core_alloc(f->after.count * sizeof all->v[0]);
    all->keep = f->spec.if_unmet == UNMET_KEEP;
    for (; all->count < f->after.count; all->count++) {
        all->v[all->count].job = j;
        begin_one(c, &all->v[all->count], &((const struct fact_after *)f->after.v)[all->count]);
    }
}

static void leave_doomed(struct core *c, struct job *j)
{
    struct job **at = &c->doomed;
    while (*at != NULL && *at != j)
        at = &(*at)->aside->after->doomed_next;
    if (*at == j)
        *at = j->aside->after->doomed_next;
    j->aside->after->doomed = false;
}

void depend_fini(struct core *c, struct job *j)
{
    while (j->aside->dependents != NULL)
        leave_list(j->aside->dependents);
    if (j->aside->after == NULL)
        return;
    if (j->aside->after->doomed)
        leave_doomed(c, j);
    for (uint32_t i = 0; i < j->aside->after->count; i++) {
        leave_list(&j->aside->after->v[i]);
        outcomes_fini(&j->aside->after->v[i].kept);
    }
    free(j->aside->after->v);
    free(j->aside->after);
    job_aside(j)->after = NULL;
}

/* ---- what can't start any more ---------------------------------------------------------------------- */

static void cancel(struct core *c, struct plan *p, struct job *j, const struct dependency *d, uint32_t first,
                   uint32_t count)
{
    static const char *const ends[] = {
        [AFTER_SUCCESS] = "didn't succeed", [AFTER_END] = "didn't end", [AFTER_FAILURE] = "didn't fail"};
    char what[48] = "";
    if (is_measured(d->task))
        snprintf(what, sizeof what, "task %llu of ", (unsigned long long)measured(d->task));
    else if (d->tasks == AFTER_SAME)
        snprintf(what, sizeof what, "the same task of ");
    struct fact *f = plan_add(p, FACT_TASKS_CANCELLED);
    cancel_range(c, j, first, count, "dependency",
                 text_of("dependency failed: %sjob %llu %s", what, (unsigned long long)d->id, ends[d->on]),
                 p->now.utc_us, f);
}

/* The first waiting tasks that a dependency by tasks keeps from starting for ever. */
static bool lost_range(const struct dependency *d, uint64_t from, uint32_t *ret_first, uint32_t *ret_count)
{
    const struct outcomes *o = outcomes_of(d);
    uint32_t first, count;
    for (; job_waiting_range(d->job, from, &first, &count); from = (uint64_t)first + count) {
        const struct outcome *r = outcomes_from(o, first), *end = o->v + o->count;
        uint32_t last = first + count - 1;
        while (r != NULL && r < end && r->first <= last && depend_wished(d->on, r->how))
            r++;
        if (r == NULL || r == end || r->first > last)
            continue;
        *ret_first = MAX(first, r->first);
        *ret_count = MIN(last, r->last) - *ret_first + 1;
        return true;
    }
    return false;
}

/* false: nothing of it is lost that still waits. */
static bool cancel_lost(struct core *c, struct plan *p, struct job *j)
{
    uint32_t first, count;
    for (uint32_t i = 0; i < j->aside->after->count; i++) {
        const struct dependency *d = &j->aside->after->v[i];
        bool any = false;
        if (d->tasks != AFTER_SAME && d->state != DEPEND_NEVER)
            continue;
        for (uint64_t from = j->first; p->count < p->max; from = (uint64_t)first + count, any = true) {
            if (d->tasks == AFTER_SAME ? !lost_range(d, from, &first, &count)
                                       : !job_waiting_range(j, from, &first, &count))
                break;
            cancel(c, p, j, d, first, count);
        }
        if (any) /* another may keep the same ones: it is asked when these are gone */
            return true;
    }
    return p->count == p->max;
}

void decide_depend(struct core *c, struct plan *p)
{
    for (struct job *j = c->doomed, *next; j != NULL && p->count < p->max; j = next) {
        next = j->aside->after->doomed_next;
        if (j->aside->in_flight == 0 && !cancel_lost(c, p, j))
            leave_doomed(c, j);
    }
}

/* ---- snapshots, hash, recount ----------------------------------------------------------------------- */

void depend_list(const struct job *j, struct list *ret)
{
    for (uint32_t i = 0; j->aside->after != NULL && i < j->aside->after->count; i++) {
        const struct dependency *d = &j->aside->after->v[i];
        if (d->state == DEPEND_MET)
            continue;
        struct fact_after *a = list_add(ret, sizeof *a);
        BUG(a == NULL);
        *a = (struct fact_after){.job = d->id,
                                 .on = d->on,
                                 .tasks = d->tasks,
                                 .task = d->task,
                                 .over = d->of == NULL,
                                 .never = d->state == DEPEND_NEVER};
        for (uint32_t k = 0; k < d->kept.count; k++) {
            struct fact_outcome *o = list_add(&a->outcomes, sizeof *o);
            BUG(o == NULL);
            *o = outcome_fact(&d->kept.v[k]);
        }
    }
}

uint64_t depend_hash(const struct job *j, uint64_t hash)
{
    for (uint32_t i = 0; j->aside->after != NULL && i < j->aside->after->count; i++) {
        const struct dependency *d = &j->aside->after->v[i];
        if (d->state == DEPEND_MET)
            continue;
        hash = hash_u64(hash_u64(hash_u64(hash_u64(hash, d->id), d->on), d->tasks), d->task.plus_one);
        hash = hash_u64(hash_u64(hash, d->of != NULL), (uint64_t)d->state);
        for (uint32_t k = 0; k < d->kept.count; k++)
            hash = hash_u64(hash_u64(hash_u64(hash, d->kept.v[k].first), d->kept.v[k].last), d->kept.v[k].how);
    }
    return hash;
}

static bool is_listed(const struct dependency *d)
{
    const struct dependency *at = d->of->aside->dependents;
    while (at != NULL && at != d)
        at = at->next;
    return at == d;
}

int depend_verify(const struct job *j, struct err *err)
{
    uint32_t whole = 0;
    for (uint32_t i = 0; j->aside->after != NULL && i < j->aside->after->count; i++) {
        const struct dependency *d = &j->aside->after->v[i];
        whole += d->tasks != AFTER_SAME && d->state != DEPEND_MET;
        bool listed = d->of == NULL || (!d->of->finished && d->of->id == d->id && is_listed(d));
        bool settled = d->of != NULL || d->state != DEPEND_WAITS || d->tasks == AFTER_SAME;
        if (d->job != j || !listed || !settled || (d->of != NULL && d->kept.count > 0))
            return err_set(err, -EUCLEAN, "job %llu: its dependency on job %llu is not where it belongs",
                           (unsigned long long)j->id, (unsigned long long)d->id);
    }
    if (j->aside->after != NULL && whole != j->aside->after->whole)
        return err_set(err, -EUCLEAN, "job %llu: its count of dependencies is wrong", (unsigned long long)j->id);
    return 0;
}
