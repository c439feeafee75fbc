#include "scheduler/core/apply.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/money.h"

static void fill_run(const struct core *c, const struct task *t, struct run_call *run)
{
    *run = (struct run_call){
        .id = task_id(t), .term = c->term, .tenant = core_text(t->job->tenant), .paid_us = t->paid_us,
        .io_paid_bytes = t->io_paid};
    if (t->job->gang != 0)
        run->gang = gang_taking_part(gang_of(t->job, t->index));
    run->at_paid_end = task_paid_end(c, t);
    job_spec_of(t->job, &run->spec);
}

struct paid_call core_paid(const struct core *c, struct attempt_id id, uint64_t paid_us, bool final)
{
    const struct task *t = task_of(c, id);
    uint64_t lead_us = c->limits.checkpoint_ms * 1000;
    uint32_t end = t != NULL ? task_paid_end(c, t) : PAID_END_STOP;
    struct paid_call call = {.id = id, .paid_us = paid_us, .at_paid_end = end, .suspends = t != NULL ? t->suspends : 0};
    if (final && call.at_paid_end == PAID_END_CHECKPOINT)
        call.signal_us = paid_us > lead_us ? paid_us - lead_us : 1;
    if (t == NULL)
        return call;
    call.io_paid_bytes = t->io_paid;
    if (t->io_final && call.at_paid_end == PAID_END_CHECKPOINT)
        call.signal_us = 1; /* nobody knows when its bytes are used up: now */
    return call;
}

bool core_is_final(const struct core *c, struct attempt_id id)
{
    const struct task *t = task_of(c, id);
    return t != NULL && t->final;
}

uint32_t core_stop_grace_ms(const struct core *c, uint32_t cause)
{
    if (cause == END_IO_BUDGET)
        return 0; /* what it would move until then nobody pays */
    bool own = (cause == END_PREEMPTED || cause == END_MAINTENANCE) && c->preempt.grace_ms != 0;
    return (uint32_t)(own ? c->preempt.grace_ms : c->limits.grace_ms);
}

enum agent_duty core_duty(const struct core *c, struct attempt_id id, bool agent_has_it, struct run_call *run,
                          uint64_t *ret_paid_us, uint32_t *ret_stop_cause)
{
    const struct task *t = task_of(c, id);
    *ret_paid_us = 0;
    *ret_stop_cause = END_NONE;
    /* What died with its node's boot, or can't be found there, will not be started again under this epoch. */
    if (t == NULL || !task_state_is_live(t->state) || t->stopping == END_NODE_LOST ||
        (t->missing && !agent_has_it))
        return DUTY_FORGET;
    *ret_paid_us = t->paid_us;
    /* The order to stop follows the order to run: nobody stops what he hasn't heard of. */
    if (t->stopping != END_NONE && (agent_has_it || t->started_utc_us != 0)) {
        *ret_stop_cause = t->stopping;
        return DUTY_STOP;
    }
    if (agent_has_it)
        return DUTY_PAID;
    fill_run(c, t, run);
    return DUTY_RUN;
}

void core_each_attempt(const struct core *c, const char *node, void (*fn)(void *arg, struct attempt_id id),
                       void *arg)
{
    const struct node *n = node_find(c, node);
    for (const struct task *t = n != NULL ? n->tasks : NULL; t != NULL; t = t->node_next)
        fn(arg, task_id(t));
}

static const char *past_node(const struct job *j, struct attempt_id *id)
{
    const struct past_attempt *p = history_find(j->aside->history, *id);
    if (p == NULL)
        return NULL;
    id->epoch = p->id.epoch;
    return p->node->name;
}

const char *core_attempt_node(const struct core *c, struct attempt_id *id, bool *ret_ended)
{
    const struct job *j = job_find(c, id->job);
    if (j == NULL)
        return NULL;
    const struct task *t = task_find(j, id->task);
    if (t != NULL && t->node != NULL && (id->epoch == 0 || id->epoch == t->epoch)) {
        id->epoch = t->epoch;
        *ret_ended = false;
        return t->node->name;
    }
    *ret_ended = true;
    return past_node(j, id);
}

bool core_attempt_is_past(const struct core *c, struct attempt_id id)
{
    const struct job *j = job_find(c, id.job);
    const struct task *t = j != NULL ? task_find(j, id.task) : NULL;
    if (t != NULL)
        return id.epoch == 0 ? t->node == NULL && t->epoch > 0 : id.epoch < t->epoch;
    if (j == NULL || outcomes_at(&j->aside->over, id.task) == NULL)
        return false;
    const struct past_attempt *newest = history_find(j->aside->history, (struct attempt_id){id.job, id.task, 0});
    return id.epoch == 0 || newest == NULL || id.epoch < newest->id.epoch;
}

bool core_log_is_empty(const struct core *c, struct attempt_id id, enum log_stream which)
{
    const struct job *j = job_find(c, id.job);
    const struct past_attempt *p = j == NULL ? NULL : history_find(j->aside->history, id);
    struct attempt_view view = {0};
    if (p == NULL || !history_read(p, &view))
        return false;
    bool empty = log_is_empty(&view.record, which);
    fields_clear(&attempt_view_fields, &view);
    return empty;
}
