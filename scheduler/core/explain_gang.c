#include <stdio.h>

#include "scheduler/core/answers.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"

/* Who of it keeps all others waiting: the first that is held, paused, or waits for another job. So many still run: what
 * they have is free when they have ended. */
static uint32_t ask_members(struct question *q, struct gang g)
{
    uint32_t live = 0;
    for (uint64_t i = gang_member_from(g, g.first); i <= g.last; i = gang_member_from(g, i + 1)) {
        const struct task *t = task_find(g.job, (uint32_t)i);
        size_t before = q->blockers->count;
        live += t != NULL && task_state_is_live(t->state);
        if (t != NULL && t->state == TASK_HELD)
            continue; /* said of the job */
        explain_dependencies(q, (uint32_t)i);
        if (t == NULL || t->state == TASK_QUEUED)
            explain_pauses(q, t);
        if (q->blockers->count > before)
            break;
    }
    if (live == 0)
        return 0;
    char where[40];
    snprintf(where, sizeof where, "job %llu", (unsigned long long)g.job->id);
    struct blocker *b = explain_add(q, "gang", where, "tasks");
    b->used = b->short_by = live;
    b->need = gang_size(g);
    b->text = text_of("gang: tasks %u to %u start together, and %u of them %s still to end", g.first, g.last, live,
                      live == 1 ? "has" : "have");
    explain_change(q, text_of("what still runs of tasks %u to %u of job %llu ends", g.first, g.last,
                              (unsigned long long)g.job->id));
    return live;
}

/* q->of: the gang. */
static void make_start(const struct question *q, int64_t utc_us, struct fact *ret)
{
    const struct gang *g = q->of;
    gang_fact(q->core, *g, gang_least(*g), NULL, likely_node(q->core, q->job->shape), utc_us, ret);
    (void)start_least_io(q->core, q->job, ret); /* with which it would start */
    (void)gang_within_job_budget(q->core, q->job, ret); /* else it holds the least that it would start with */
}

void explain_gang(struct question *q, uint32_t index)
{
    struct gang g = gang_of(q->job, index);
    const struct job *j = q->job;
    struct fact f;
    q->next = gang_lead(g);
    if (ask_members(q, g) > 0)
        return;
    q->of = &g;
    q->behind = reserve_is_for_more(q->core, j->shape, gang_least(g));
    make_start(q, q->utc_us, &f);
    explain_cap(q, gang_least(g));
    explain_limits(q, &f);
    explain_opening(q, make_start);
    explain_nodes(q, j->shape, gang_least(g), gang_size(g));
    fact_clear(&f);
}
