#include <errno.h>
#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/spread.h"
#include "scheduler/core/windows.h"

/* One recount of the whole state. */
struct recount {
    uint64_t states[TASK_STATE_COUNT];
    uint64_t unfinished, finished, waiting;
    int64_t held_micros;
};

static int wrong(const struct job *j, const char *what, struct err *err)
{
    return err_set(err, -EUCLEAN, "job %llu: %s", (unsigned long long)j->id, what);
}

static int verify_task(const struct core *c, const struct task *t, struct recount *r, struct err *err)
{
    const struct job *j = t->job;
    bool live = task_state_is_live(t->state);
    if (t->index < j->first || t->index > j->last)
        return wrong(j, "a task outside of its range", err);
    if (live != (t->node != NULL) || (live && t->epoch == 0))
        return wrong(j, "a live attempt without a node, or a node without one", err);
    if (task_state_is_final(t->state) || outcomes_at(&j->aside->over, t->index) != NULL)
        return wrong(j, "a final task that is still on record", err);
    if (t->paused && (!live || t->hold_micros != 0 || t->settled_us != t->paid_us))
        return wrong(j, "paused, but not all that was paid is settled", err);
    if ((t->suspends != 0 && !live) || attempt_is_suspended(t) != (t->suspended_by != NULL) || (t->rests && !t->paused))
        return wrong(j, "suspended, or resting, and it isn't there", err);
    if (t->suspended_for_io && !attempt_is_suspended(t))
        return wrong(j, "it stands still for want of I/O, and isn't suspended", err);
    if (!live && (t->hold_micros != 0 || t->accounts.count != 0))
        return wrong(j, "money held for what doesn't run", err);
    bool should_be_ready = task_is_ready(t);
    if (should_be_ready != (t->entry.at != HEAP_NOWHERE))
        return wrong(j,
                     should_be_ready ? "a ready task that is not in the queue"
                                     : "a task in the queue that isn't ready",
                     err);
    r->states[t->state]++;
    r->held_micros += t->hold_micros;
    (void)c;
    return 0;
}

static int verify_outcomes(const struct job *j, struct err *err)
{
    uint64_t over[] = {0, 0, 0};
    for (uint32_t i = 0; i < j->aside->over.count; i++) {
        const struct outcome *r = &j->aside->over.v[i], *before = i > 0 ? r - 1 : NULL;
        if (r->how > OUTCOME_LEFT_OUT || r->first < j->first || r->last > j->last || r->last < r->first ||
            (before != NULL && before->last >= r->first) ||
            (before != NULL && before->last + 1 == r->first && before->how == r->how))
            return wrong(j, "its outcomes are out of order", err);
        over[r->how] += (uint64_t)r->last - r->first + 1;
    }
    if (over[OUTCOME_SUCCESS] != j->aside->ended[0] || over[OUTCOME_FAILURE] != job_failed(j) ||
        over[OUTCOME_LEFT_OUT] != j->aside->ended[TASK_LEFT_OUT - TASK_SUCCEEDED])
        return wrong(j, "its outcomes are not those that were counted", err);
    return 0;
}

static int verify_counts(const struct job *j, uint64_t live, uint64_t held, struct err *err)
{
    uint64_t ended = 0;
    for (size_t i = 0; i < FINAL_STATES; i++)
        ended += j->aside->ended[i];
    if (live != j->live || held != j->held || ended != j->aside->ended_count)
        return wrong(j, "its counts of tasks are wrong", err);
    if (ended > job_tasks(j) || j->finished != (ended == job_tasks(j)))
        return wrong(j, "finished, or not, against its counts", err);
    if (!j->finished && job_fresh_from(j, j->first) != j->next)
        return wrong(j, "its next task is another one", err);
    if (j->max_running != 0 && live > j->max_running)
        return wrong(j, "more tasks run than its cap allows", err);
    int rc = verify_outcomes(j, err);
    rc = rc < 0 ? rc : gang_verify(j, err);
    return rc < 0 ? rc : depend_verify(j, err);
}

static int verify_job(const struct core *c, const struct job *j, struct recount *r, struct err *err)
{
    uint64_t live = 0, held = 0, paused = 0;
    for (uint32_t i = 0; i < j->tasks_count; i++) {
        const struct task *t = j->tasks[i];
        if (i > 0 && j->tasks[i - 1]->index >= t->index)
            return wrong(j, "its tasks are out of order", err);
        int rc = verify_task(c, t, r, err);
        if (rc < 0)
            return rc;
        live += task_state_is_live(t->state);
        held += t->state == TASK_HELD;
        paused += t->paused;
    }
    if (paused != j->paused)
        return wrong(j, "its count of paused attempts is wrong", err);
    if (job_is_ready(j) != (j->fresh.at != HEAP_NOWHERE))
        return wrong(j, "its fresh tasks are not where they belong", err);
    if (job_find_key(c, j->tenant, job_key(j)) == NULL)
        return wrong(j, "its key is unknown", err);
    r->unfinished += !j->finished;
    r->finished += j->finished;
    r->waiting += job_tasks(j) - j->aside->ended_count - live;
    int rc = spread_verify(c, j, err);
    return rc < 0 ? rc : verify_counts(j, live, held, err);
}

static uint32_t live_of(const struct node *n, const struct job *j)
{
    uint32_t count = 0;
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next)
        count += t->job == j;
    return count;
}

static int verify_node(struct core *c, const struct node *n, struct err *err)
{
    struct capacity used = {0};
    uint32_t live = 0;
    for (const struct task *t = n->tasks; t != NULL; t = t->node_next) {
        struct shape *s = t->job->shape;
        shape_refresh(c, s);
        struct capacity uses = attempt_uses(t);
        capacity_add(&used, &uses);
        live++;
        if (s->per_node != 0 && live_of(n, t->job) > s->per_node)
            return err_set(err, -EUCLEAN, "node %s: more tasks of job %llu than it may have on one", n->name,
                           (unsigned long long)t->job->id);
        if (t->node != n)
            return err_set(err, -EUCLEAN, "node %s: has an attempt of another node", n->name);
    }
    if (live != n->live || memcmp(&used, &n->used, sizeof used) != 0)
        return err_set(err, -EUCLEAN, "node %s: its use is not the sum of its attempts", n->name);
    bool open = node_is_usable(n) && n->reserved == 0;
    struct capacity free = n->total;
    capacity_take(&free, &n->used);
    if (open != n->open.in_index || memcmp(&free, &n->open.free, sizeof free) != 0)
        return err_set(err, -EUCLEAN, "node %s: the placement index knows it otherwise", n->name);
    return 0;
}

struct tenant_sum {
    const struct core *core;
    struct err *err;
    int rc;
};

static void verify_tenant(void *arg, struct tenant *t)
{
    struct tenant_sum *s = arg;
    struct tenant_view v;
    if (s->rc < 0)
        return;
    if (!ledger_tenant(s->core->ledger, t->path, s->core->fact_utc_us, &v) ||
        v.used.cpu_milli != t->whole.used.v[CAPACITY_CPU] ||
        v.used.mem_bytes + v.used.scratch_bytes != t->whole.used.v[CAPACITY_MEM])
        s->rc = err_set(s->err, -EUCLEAN, "tenant %s: its use differs from the ledger's", t->path);
    else if (t->place.node != ledger_place(s->core->ledger, t->path).node)
        s->rc = err_set(s->err, -EUCLEAN, "tenant %s: it stands elsewhere in the ledger", t->path);
    else if ((t->shapes.count > 0) != (t->own.at != HEAP_NOWHERE) ||
             (t->parent != NULL && (t->claims.count > 0 && !t->stopped) != (t->whole.at != HEAP_NOWHERE)))
        s->rc = err_set(s->err, -EUCLEAN, "tenant %s: ready tasks and its place in the order differ", t->path);
}

int core_verify(const struct core *c, struct err *err)
{
    struct recount r = {0};
    int rc = ledger_verify(c->ledger, err);
    for (size_t i = 0; rc == 0 && i < c->jobs_count; i++)
        if (c->jobs[i].job != NULL)
            rc = verify_job(c, c->jobs[i].job, &r, err);
    for (size_t i = 0; rc == 0 && i < c->nodes_count; i++)
        rc = verify_node((struct core *)(uintptr_t)c, c->nodes[i], err); /* refreshes caches only */
    if (rc == 0)
        rc = windows_verify(c, err);
    if (rc == 0)
        rc = reserve_verify(c, err);
    struct tenant_sum sum = {c, err, 0};
    if (rc == 0)
        rc = pools_verify(c, err);
    if (rc == 0)
        tenants_each(c, verify_tenant, &sum);
    rc = rc < 0 ? rc : sum.rc;
    rc = rc < 0 ? rc : past_use_verify(c, err);
    rc = rc < 0 ? rc : demands_verify(c, err);
    rc = rc < 0 ? rc : shapes_verify(c, err);
    if (rc < 0)
        return rc;
    if (r.unfinished != c->unfinished || r.finished != c->finished)
        return err_set(err, -EUCLEAN, "jobs: %llu unfinished counted, %llu known",
                       (unsigned long long)r.unfinished, (unsigned long long)c->unfinished);
    for (uint32_t i = 0; i < TASK_STATE_COUNT; i++)
        if (r.states[i] != c->count[i])
            return err_set(err, -EUCLEAN, "tasks: %llu are %s, %llu were counted",
                           (unsigned long long)r.states[i], names_get(&task_state_names, i),
                           (unsigned long long)c->count[i]);
    struct tenant_view root;
    if (!ledger_tenant(c->ledger, TENANT_ROOT, c->fact_utc_us, &root) || root.queued != r.waiting)
        return err_set(err, -EUCLEAN, "tasks: %llu wait, the ledger says %llu", (unsigned long long)r.waiting,
                       (unsigned long long)root.queued);
    return 0;
}
