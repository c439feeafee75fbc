#include <string.h>

#include "scheduler/core/gang.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"

static bool waits(uint32_t state)
{
    return state == TASK_QUEUED || state == TASK_HELD;
}

/* The first record from an index on; NULL when there is none. */
static const struct task *record_from(const struct job *j, uint64_t from)
{
    uint32_t at = from <= j->last ? job_record_from(j, (uint32_t)from) : j->tasks_count;
    return at < j->tasks_count ? j->tasks[at] : NULL;
}

/* Is this task waiting? One without a record is, unless it is over. */
static bool task_waits(const struct job *j, uint64_t index)
{
    const struct task *t = record_from(j, index);
    return t != NULL && t->index == index ? waits(t->state) : outcomes_at(&j->aside->over, index) == NULL;
}

/* The first that waits no more, from one on that does. */
static uint64_t waiting_until(const struct job *j, uint64_t from)
{
    const struct outcome *over = outcomes_from(&j->aside->over, from);
    uint64_t end = over != NULL ? over->first : (uint64_t)j->last + 1;
    for (const struct task *t; (t = record_from(j, from)) != NULL && t->index < end; from = (uint64_t)t->index + 1)
        if (!waits(t->state))
            return t->index;
    return end;
}

bool job_waiting_range(const struct job *j, uint64_t from, uint32_t *ret_first, uint32_t *ret_count)
{
    uint64_t first = outcomes_beyond(&j->aside->over, MAX(from, j->first));
    while (first <= j->last && !task_waits(j, first))
        first = outcomes_beyond(&j->aside->over, first + 1);
    if (j->finished || first > j->last)
        return false;
    *ret_first = (uint32_t)first;
    *ret_count = (uint32_t)(waiting_until(j, first) - first);
    return true;
}

void cancel_range(struct core *c, const struct job *j, uint32_t first, uint32_t count, const char *who, char *reason,
                  int64_t utc_us, struct fact *f)
{
    uint32_t over = j->aside->ended_count + j->aside->ending_in_flight;
    *f = (struct fact){.kind = FACT_TASKS_CANCELLED, .at_utc_us = utc_us};
    f->cancelled = (struct fact_tasks){.job = j->id,
                                       .first = first,
                                       .count = count,
                                       .who = core_text(who),
                                       .reason = reason,
                                       .job_done = over + count == job_tasks(j)};
    core_copy_strs(&job_tenant(j)->line, &f->cancelled.path);
    flight_begin(c, f);
}

struct job *job_of_call(const struct core *c, const struct job_call *call, struct refusal *refusal)
{
    struct job *j = job_find(c, call->job);
    if (j == NULL)
        refusal_from(refusal, "not_found", "job", NULL, "there is no job %llu", (unsigned long long)call->job);
    else if (call->has_task && !job_has_task(j, call->task))
        refusal_from(refusal, "not_found", "task", NULL, "job %llu has tasks %u to %u",
                     (unsigned long long)call->job, j->first, j->last);
    else
        return j;
    return NULL;
}

struct cancelling {
    struct core *core;
    const struct job *job;
    const char *who;
    int64_t utc_us;
    struct fact *facts;
    size_t count, max;
    struct cancel_reply *reply;
    uint64_t met; /* the gang that was told last */
};

static void cancel_waiting(struct cancelling *k, uint32_t first, uint32_t count)
{
    cancel_range(k->core, k->job, first, count, k->who, core_text("cancelled"), k->utc_us, &k->facts[k->count++]);
    k->reply->cancelled += count;
}

static void stop_live(struct cancelling *k, const struct task *t)
{
    if (!task_state_is_live(t->state) || t->stopping == END_CANCELLED)
        return;
    k->reply->stopping++;
    if (gang_was_met(k->job, t->index, &k->met))
        return; /* it is told with the first of them */
    struct fact *f = &k->facts[k->count++];
    *f = (struct fact){.kind = FACT_ATTEMPT_STOPPING, .at_utc_us = k->utc_us};
    f->stopping = (struct fact_stopping){task_id(t), END_CANCELLED, core_text(k->who)};
    flight_begin(k->core, f);
}

/* What isn't whole any more can't start: a task of a gang takes all of it along. */
static void cancel_gang(struct cancelling *k, struct gang g)
{
    uint32_t first, count;
    for (uint64_t from = g.first;
         k->count < k->max && job_waiting_range(k->job, from, &first, &count) && first <= g.last;
         from = (uint64_t)first + count)
        cancel_waiting(k, first, MIN(count, g.last - first + 1));
    uint32_t at = job_record_from(k->job, g.first);
    for (const struct task *t; k->count < k->max && (t = gang_record(g, &at)) != NULL;)
        stop_live(k, t);
}

static void cancel_task(struct cancelling *k, uint32_t index)
{
    const struct task *t = task_find(k->job, index);
    if (outcomes_at(&k->job->aside->over, index) != NULL)
        return;
    if (k->job->gang != 0) {
        cancel_gang(k, gang_of(k->job, index));
        return;
    }
    if (task_waits(k->job, index))
        cancel_waiting(k, index, 1);
    else if (t != NULL)
        stop_live(k, t);
}

static void cancel_job(struct cancelling *k)
{
    uint32_t first, count;
    for (uint64_t from = k->job->first; k->count < k->max && job_waiting_range(k->job, from, &first, &count);
         from = (uint64_t)first + count)
        cancel_waiting(k, first, count);
    for (uint32_t i = 0; i < k->job->tasks_count && k->count < k->max; i++)
        stop_live(k, k->job->tasks[i]);
}

int core_check_cancel(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                      struct fact *ret, size_t max, size_t *ret_count, struct cancel_reply *reply,
                      struct refusal *refusal)
{
    *ret_count = 0;
    *reply = (struct cancel_reply){0};
    const struct job *j = job_of_call(c, call, refusal);
    if (j == NULL)
        return CORE_REFUSED;
    if (j->aside->in_flight > 0 || c->moves_in_flight > 0)
        return CORE_LATER;
    struct cancelling k = {
        .core = c, .job = j, .who = who, .utc_us = core_utc(c, now), .facts = ret, .max = max, .reply = reply,
        .met = UINT64_MAX};
    if (j->finished || max == 0)
        return CORE_FACT; /* nothing waits, nothing runs: it is as they wish */
    if (call->has_task)
        cancel_task(&k, call->task);
    else
        cancel_job(&k);
    *ret_count = k.count;
    return CORE_FACT;
}

/* The first run of held tasks in what was asked for; the rest takes another question. */
static uint32_t held_range(const struct job *j, const struct job_call *call, uint32_t *ret_first)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < j->tasks_count; i++) {
        const struct task *t = j->tasks[i];
        if (t->state != TASK_HELD || (call->has_task && t->index != call->task))
            continue;
        if (count > 0 && t->index != *ret_first + count)
            break;
        if (count == 0)
            *ret_first = t->index;
        count++;
    }
    return count;
}

int core_check_release(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                       struct fact *ret, struct refusal *refusal)
{
    *ret = (struct fact){0};
    const struct job *j = job_of_call(c, call, refusal);
    if (j == NULL)
        return CORE_REFUSED;
    if (j->aside->in_flight > 0 || c->moves_in_flight > 0)
        return CORE_LATER;
    if (j->on_hold && !j->finished && !call->has_task) {
        *ret = (struct fact){.kind = FACT_JOB_CHANGED, .at_utc_us = core_utc(c, now)};
        ret->job_changed = (struct fact_job_changed){.job = j->id, .who = core_text(who), .set_hold = true};
        flight_begin(c, ret);
        return CORE_FACT;
    }
    uint32_t first = 0, count = held_range(j, call, &first);
    if (count == 0) {
        refusal_from(refusal, "state", "job", NULL, "nothing of job %llu is held", (unsigned long long)j->id);
        return CORE_REFUSED;
    }
    *ret = (struct fact){.kind = FACT_TASK_RELEASED, .at_utc_us = core_utc(c, now)};
    ret->released = (struct fact_tasks){
        .job = j->id, .first = first, .count = count, .who = core_text(who), .reason = core_text("released")};
    core_copy_strs(&job_tenant(j)->line, &ret->released.path);
    flight_begin(c, ret);
    return CORE_FACT;
}
