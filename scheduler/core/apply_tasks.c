#include <errno.h>

#include "scheduler/core/apply.h"

/* ---- job.submitted ---------------------------------------------------------------------------------- */

static int submitted_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_submitted *s = &f->submitted;
    if (s->job == 0 || job_find(c, s->job) != NULL)
        return err_set(err, -EPROTO, "job.submitted: job %llu is there already", (unsigned long long)s->job);
    const struct tenant *t = s->key != NULL ? tenant_find(c, s->tenant) : NULL;
    if (t == NULL)
        return err_set(err, -EPROTO, "job.submitted: job %llu has no tenant or no key",
                       (unsigned long long)s->job);
    if (!path_is_of(&s->path, t))
        return err_set(err, -EPROTO, "job.submitted: job %llu: its path is not its tenant's",
                       (unsigned long long)s->job);
    if (s->spec.array.present && s->spec.array.last < s->spec.array.first)
        return err_set(err, -EPROTO, "job.submitted: job %llu has no tasks", (unsigned long long)s->job);
    struct where where;
    if (s->spec.where != NULL && where_parse(s->spec.where, &where, err) < 0)
        return err_wrap(err, -EPROTO, "job.submitted: job %llu: where", (unsigned long long)s->job);
    return depend_check(c, s, err);
}

static void submitted_apply(struct core *c, const struct fact *f)
{
    ledger_apply(c->ledger, f);
    struct job *j = job_add(c, &f->submitted, f->at_utc_us);
    c->submitted_total++;
    queue_sync(c, j);
}
const struct fact_rule rule_submitted = {submitted_check, submitted_apply};

/* ---- ranges of waiting tasks ------------------------------------------------------------------------ */

static struct job *job_of_range(const struct core *c, const struct fact_tasks *r, const char *what,
                                struct err *err)
{
    struct job *j = job_find(c, r->job);
    if (j == NULL || j->finished) {
        err_set(err, -EPROTO, "%s: no unfinished job %llu", what, (unsigned long long)r->job);
        return NULL;
    }
    if (!path_is_of(&r->path, job_tenant(j))) {
        err_set(err, -EPROTO, "%s: job %llu: the path is not its tenant's", what, (unsigned long long)r->job);
        return NULL;
    }
    if (r->count == 0 || r->first < j->first || r->first > j->last || r->count - 1 > j->last - r->first) {
        err_set(err, -EPROTO, "%s: job %llu has no tasks %u + %u", what, (unsigned long long)r->job, r->first,
                r->count);
        return NULL;
    }
    return j;
}

static uint32_t last_of(const struct fact_tasks *r)
{
    return r->first + r->count - 1;
}

/* Every task of the range must take the event; those without a record never started. */
static int range_check(const struct core *c, const struct fact_tasks *r, uint32_t event, struct err *err)
{
    const char *what = names_get(&task_event_names, event);
    struct job *j = job_of_range(c, r, what, err);
    if (j == NULL)
        return -EPROTO;
    uint64_t known = 0;
    for (uint32_t i = 0; i < j->tasks_count; i++) {
        const struct task *t = j->tasks[i];
        if (t->index < r->first || t->index > last_of(r))
            continue;
        known++;
        if (task_state_next(t->state, event, 0) < 0)
            return err_set(err, -EPROTO, "%s: task %llu.%u is %s", what, (unsigned long long)r->job, t->index,
                           names_get(&task_state_names, t->state));
    }
    if (outcomes_touch(&j->aside->over, r->first, last_of(r)))
        return err_set(err, -EPROTO, "%s: job %llu: some of its tasks are final", what,
                       (unsigned long long)r->job);
    if (event == TASK_EV_RELEASED && known != r->count)
        return err_set(err, -EPROTO, "%s: job %llu: a task never started isn't held", what,
                       (unsigned long long)r->job);
    return 0;
}

static int cancelled_check(const struct core *c, const struct fact *f, struct err *err)
{
    int rc = range_check(c, &f->cancelled, TASK_EV_CANCELLED, err);
    if (rc < 0)
        return rc;
    const struct job *j = job_find(c, f->cancelled.job);
    if (f->cancelled.job_done && j->aside->ended_count + f->cancelled.count != job_tasks(j))
        return err_set(err, -EPROTO, "cancelled: job %llu isn't done", (unsigned long long)j->id);
    return 0;
}

static void cancelled_apply(struct core *c, const struct fact *f)
{
    const struct fact_tasks *r = &f->cancelled;
    struct job *j = job_find(c, r->job);
    ledger_apply(c->ledger, f);
    for (uint32_t at = j->tasks_count; at-- > 0;) /* from behind: records leave */
        if (j->tasks[at]->index >= r->first && j->tasks[at]->index <= last_of(r))
            task_drop(c, j->tasks[at]);
    job_count_ended(c, j, TASK_CANCELLED, r->first, r->count);
    job_advance(j);
    free(j->aside->end_reason);
    job_aside(j)->end_reason = core_text(r->reason);
    j->change++;
    queue_sync(c, j);
    job_finish_if_done(c, j, f->at_utc_us);
}
const struct fact_rule rule_cancelled = {cancelled_check, cancelled_apply};

static int held_check(const struct core *c, const struct fact *f, struct err *err)
{
    return range_check(c, &f->held, TASK_EV_HELD, err);
}

static void held_apply(struct core *c, const struct fact *f)
{
    struct job *j = job_find(c, f->held.job);
    ledger_apply(c->ledger, f);
    for (uint64_t i = f->held.first; i <= last_of(&f->held); i++) {
        struct task *t = task_find(j, (uint32_t)i);
        if (t == NULL)
            t = task_add(c, j, (uint32_t)i, TASK_QUEUED);
        timer_stop(c, &t->timer);
        queue_drop(c, &t->entry);
        task_set_state(c, t, TASK_HELD);
    }
    job_advance(j);
    j->change++;
    queue_sync(c, j);
}
const struct fact_rule rule_held = {held_check, held_apply};

static int released_check(const struct core *c, const struct fact *f, struct err *err)
{
    return range_check(c, &f->released, TASK_EV_RELEASED, err);
}

static void released_apply(struct core *c, const struct fact *f)
{
    struct job *j = job_find(c, f->released.job);
    ledger_apply(c->ledger, f);
    for (uint64_t i = f->released.first; i <= last_of(&f->released); i++) {
        struct task *t = task_find(j, (uint32_t)i);
        t->eligible_utc_us = 0;
        t->node_faults = 0; /* a person has looked at it: counting begins anew */
        task_set_state(c, t, TASK_QUEUED);
        queue_sync_task(c, t);
    }
    j->change++;
    queue_sync(c, j);
}
const struct fact_rule rule_released = {released_check, released_apply};
