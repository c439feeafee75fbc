#include <errno.h>
#include <string.h>

#include "scheduler/core/gang.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"

/*
 * What a person changes about a job that is there: nothing of it starts (hold) or starts again (release), another
 * priority among its tenant's jobs, another attempt instead of the present one (requeue).
 */

/* ---- job.changed ------------------------------------------------------------------------------------ */

static int changed_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_job_changed *k = &f->job_changed;
    const struct job *j = job_find(c, k->job);
    if (j == NULL || j->finished)
        return err_set(err, -EPROTO, "job.changed: no unfinished job %llu", (unsigned long long)k->job);
    if (k->set_priority && (k->priority < -JOB_PRIORITY_MAX || k->priority > JOB_PRIORITY_MAX))
        return err_set(err, -EPROTO, "job.changed: job %llu can't have the priority %d", (unsigned long long)k->job,
                       k->priority);
    return 0;
}

static void changed_apply(struct core *c, const struct fact *f)
{
    const struct fact_job_changed *k = &f->job_changed;
    struct job *j = job_find(c, k->job);
    queue_drop(c, &j->fresh); /* the queue is in order of what changes */
    for (uint32_t i = 0; i < j->tasks_count; i++)
        queue_drop(c, &j->tasks[i]->entry);
    if (k->set_priority)
        job_set_priority(c, j, k->priority);
    if (k->set_hold)
        j->on_hold = k->hold;
    for (uint32_t i = 0; i < j->tasks_count; i++)
        queue_sync_task(c, j->tasks[i]);
    queue_sync(c, j);
    j->change++;
}
const struct fact_rule rule_changed = {changed_check, changed_apply};

/* ---- questions -------------------------------------------------------------------------------------- */

int job_to_change(struct core *c, const struct job_call *call, struct job **ret, struct refusal *refusal)
{
    *ret = job_of_call(c, call, refusal);
    if (*ret == NULL)
        return CORE_REFUSED;
    if ((*ret)->aside->in_flight > 0 || c->moves_in_flight > 0)
        return CORE_LATER;
    if (!(*ret)->finished)
        return CORE_FACT;
    refusal_from(refusal, "state", "job", NULL, "job %llu is over", (unsigned long long)(*ret)->id);
    return CORE_REFUSED;
}

static void change(struct core *c, const struct job *j, const char *who, struct core_now now, struct fact *ret)
{
    *ret = (struct fact){.kind = FACT_JOB_CHANGED, .at_utc_us = core_utc(c, now)};
    ret->job_changed = (struct fact_job_changed){.job = j->id, .who = core_text(who)};
}

/* A task that waits is held by itself; a job as a whole costs no record for its tasks. */
static int hold_task(struct core *c, const struct job *j, uint32_t index, const char *who, struct core_now now,
                     struct fact *ret, struct refusal *refusal)
{
    uint32_t first, count;
    const struct task *t = task_find(j, index);
    if (t != NULL && t->state == TASK_HELD)
        return CORE_FACT;
    if (!job_waiting_range(j, index, &first, &count) || first != index) {
        refusal_from(refusal, "state", "task", NULL, "task %llu.%u doesn't wait: only what waits can be held",
                     (unsigned long long)j->id, index);
        return CORE_REFUSED;
    }
    *ret = (struct fact){.kind = FACT_TASK_HELD, .at_utc_us = core_utc(c, now)};
    ret->held = (struct fact_tasks){
        .job = j->id, .first = index, .count = 1, .who = core_text(who), .reason = core_text("held")};
    core_copy_strs(&job_tenant(j)->line, &ret->held.path);
    flight_begin(c, ret);
    return CORE_FACT;
}

int core_check_hold(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                    struct fact *ret, struct refusal *refusal)
{
    struct job *j;
    *ret = (struct fact){0};
    int rc = job_to_change(c, call, &j, refusal);
    if (rc != CORE_FACT || (j->on_hold && !call->has_task))
        return rc;
    if (call->has_task)
        return hold_task(c, j, call->task, who, now, ret, refusal);
    change(c, j, who, now, ret);
    ret->job_changed.set_hold = ret->job_changed.hold = true;
    flight_begin(c, ret);
    return CORE_FACT;
}

int core_check_priority(struct core *c, const struct priority_call *call, const char *who, struct core_now now,
                        struct fact *ret, struct refusal *refusal)
{
    struct job *j;
    *ret = (struct fact){0};
    int rc = job_to_change(c, &(struct job_call){.job = call->job}, &j, refusal);
    if (rc != CORE_FACT || j->priority == call->priority)
        return rc;
    change(c, j, who, now, ret);
    ret->job_changed.set_priority = true;
    ret->job_changed.priority = call->priority;
    flight_begin(c, ret);
    return CORE_FACT;
}

int core_check_requeue(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                       struct fact *ret, size_t max, size_t *ret_count, struct cancel_reply *reply,
                       struct refusal *refusal)
{
    struct job *j;
    *ret_count = 0;
    *reply = (struct cancel_reply){0};
    int rc = job_to_change(c, call, &j, refusal);
    if (rc != CORE_FACT)
        return rc;
    uint64_t met = UINT64_MAX;
    for (uint32_t i = 0; i < j->tasks_count && *ret_count < max; i++) {
        const struct task *t = j->tasks[i];
        if (!task_state_is_live(t->state) || t->stopping != END_NONE || (call->has_task && t->index != call->task))
            continue;
        reply->stopping++;
        if (gang_was_met(j, t->index, &met))
            continue; /* it is told with the first of them */
        struct fact *f = &ret[(*ret_count)++];
        *f = (struct fact){.kind = FACT_ATTEMPT_STOPPING, .at_utc_us = core_utc(c, now)};
        f->stopping = (struct fact_stopping){task_id(t), END_REQUEUED, core_text(who)};
        flight_begin(c, f);
    }
    if (*ret_count > 0)
        return CORE_FACT;
    refusal_from(refusal, "state", call->has_task ? "task" : "job", NULL,
                 "nothing of it runs that isn't stopping already");
    return CORE_REFUSED;
}
