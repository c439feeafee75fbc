#include <string.h>

#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"

/* ---- jobs ------------------------------------------------------------------------------------------- */

/* A finished job succeeded when all its tasks did, but those that were left out; else it is called after what most
 * people ask about first. */
static const char *final_state_of(const struct job *j)
{
    static const uint32_t order[] = {TASK_FAILED,         TASK_OOM_KILLED, TASK_TIMED_OUT,
                                     TASK_BUDGET_STOPPED, TASK_LOST,       TASK_CANCELLED};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        if (j->aside->ended[order[i] - TASK_SUCCEEDED] > 0)
            return names_get(&task_state_names, order[i]);
    return names_get(&task_state_names, TASK_SUCCEEDED);
}

static uint32_t waiting_tasks(const struct job *j)
{
    return job_tasks(j) - j->aside->ended_count - j->live - j->held;
}

/* Of one all of whose attempts stand still. */
static const char *still_state_of(const struct job *j)
{
    for (uint32_t i = 0; i < j->tasks_count; i++)
        if (attempt_is_put_aside(j->tasks[i]))
            return "suspended";
    return "paused";
}

const char *job_state(const struct job *j)
{
    if (j->finished)
        return final_state_of(j);
    if (j->live > 0)
        return j->paused == j->live ? still_state_of(j) : "running";
    return j->on_hold || (waiting_tasks(j) == 0 && j->held > 0) ? "held" : "pending";
}

static int32_t exit_code_of(const struct job *j)
{
    if (!j->finished)
        return 0;
    uint32_t bad = job_failed(j);
    if (bad == 0)
        return 0;
    if (j->aside->exit_code != 0)
        return j->aside->exit_code;
    return bad == j->aside->ended[TASK_CANCELLED - TASK_SUCCEEDED] ? 130 : 1;
}

static char *nodes_of(const struct job *j)
{
    const struct node *one = NULL;
    uint32_t others = 0;
    for (uint32_t i = 0; i < j->tasks_count && others < 64; i++) {
        const struct node *n = j->tasks[i]->node;
        bool known = n == NULL || n == one;
        for (uint32_t k = 0; !known && k < i; k++)
            known = j->tasks[k]->node == n;
        if (!known && one == NULL)
            one = n;
        else if (!known)
            others++;
    }
    if (one == NULL)
        return NULL;
    return others == 0 ? core_text(one->name)
                       : text_of("%u%s nodes", others + 1, others >= 64 ? " or more" : "");
}

/* What runs and doesn't run yet, or any more; of a job with one task. NULL: its command does. */
static char *staging_of(const struct job *j)
{
    const struct stage_view *s = j->live == 1 && job_tasks(j) == 1 ? j->tasks[0]->staging : NULL;
    if (s == NULL)
        return NULL;
    const char *which = s->out ? "outputs" : "inputs";
    if (s->bytes_all == 0)
        return text_of("its %s", which);
    return text_of("its %s, %u %%", which, (unsigned)(MIN(s->bytes, s->bytes_all) * 100 / s->bytes_all));
}

static void fill_row(const struct core *c, const struct job *j, const struct job_spec *spec, int64_t utc_us,
                     uint32_t *estimates, struct job_row *ret)
{
    *ret = (struct job_row){
        .job = j->id,
        .name = core_text(spec->name),
        .tenant = core_text(j->tenant),
        .user = core_text(j->user),
        .state = core_text(job_state(j)),
        .tasks = job_tasks(j),
        .queued = waiting_tasks(j),
        .live = j->live,
        .done = j->aside->ended_count,
        .failed = job_failed(j),
        .left_out = j->aside->ended[TASK_LEFT_OUT - TASK_SUCCEEDED],
        .nodes = nodes_of(j),
        .cpu_milli = j->live * spec->resources.cpu_milli,
        .mem_bytes = j->live * spec->resources.mem_bytes,
        .cost_micros = j->aside->spent_micros,
        .quote_micros = quote_of(c, tenant_find(c, j->tenant), spec, j->submitted_utc_us),
        .submitted_utc_us = j->submitted_utc_us,
        .ended_utc_us = j->aside->ended_utc_us,
        .reason = core_text(j->aside->end_reason),
    };
    if (waiting_tasks(j) > 0 || j->held > 0 || j->paused > 0)
        explain_row(c, j, utc_us, estimates, ret);
    else
        ret->waiting_for = staging_of(j);
}

bool job_row_of(const struct core *c, uint64_t job, int64_t utc_us, uint32_t *estimates, struct job_row *ret)
{
    const struct job *j = job_find(c, job);
    if (j == NULL)
        return false;
    struct job_spec spec;
    job_spec_of(j, &spec);
    fill_row(c, j, &spec, utc_us, estimates, ret);
    fields_clear(&job_spec_fields, &spec);
    return true;
}

bool core_job_row(const struct core *c, uint64_t job, struct core_now now, struct job_row *ret)
{
    uint32_t estimates = 1;
    return job_row_of(c, job, core_utc(c, now), &estimates, ret);
}

/* ---- attempts --------------------------------------------------------------------------------------- */

struct collect {
    struct list *to;
    const struct job_call *call;
};

static void collect_past(void *arg, struct attempt_view *view)
{
    struct collect *k = arg;
    if (k->call->has_task && view->task != k->call->task)
        return;
    struct attempt_view *to = list_add(k->to, sizeof *to);
    BUG(to == NULL);
    *to = *view;
    *view = (struct attempt_view){0}; /* taken over */
}

static const char *live_state(const struct task *t)
{
    if (t->stopping != END_NONE && t->stopping != END_NODE_LOST)
        return "stopping";
    if (attempt_is_put_aside(t))
        return "suspended";
    if (t->staging != NULL && !t->paused && t->state == TASK_RUNNING)
        return t->staging->out ? "staging out" : "staging in";
    return t->paused ? "paused" : names_get(&task_state_names, t->state);
}

static void add_live(const struct task *t, int64_t utc_us, struct list *to)
{
    struct attempt_view *v = list_add(to, sizeof *v);
    BUG(v == NULL);
    *v = (struct attempt_view){
        .task = t->index,
        .epoch = t->epoch,
        .state = core_text(live_state(t)),
        .node = core_text(t->node->name),
        .placed_utc_us = t->placed_utc_us,
        .started_utc_us = t->started_utc_us,
        .spent_micros = t->spent_micros,
        .hold_micros = t->hold_micros,
        .paid_us = t->paid_us,
        .io_paid_bytes = t->io_paid,
        .settled_us = t->settled_us,
        .paused_us = task_paused_us(t, utc_us),
    };
    v->record.run_us = t->run_us;
    if (t->told != NULL)
        v->record.usage = *t->told;
    if (t->staging != NULL)
        v->staging = *t->staging;
    charges_join(&v->charges, &t->charges);
}

/* How one task is; the attempts of those that are over say more, as long as they are known. */
static const char *task_state_of(const struct job *j, uint32_t index)
{
    static const char *const over[] = {[OUTCOME_SUCCESS] = "succeeded", [OUTCOME_FAILURE] = "unsuccessful",
                                       [OUTCOME_LEFT_OUT] = "left_out"};
    const struct outcome *o = outcomes_at(&j->aside->over, index);
    if (o != NULL)
        return over[o->how];
    uint32_t at = job_record_from(j, index);
    const struct task *t = at < j->tasks_count && j->tasks[at]->index == index ? j->tasks[at] : NULL;
    if (t == NULL)
        return names_get(&task_state_names, j->on_hold ? TASK_HELD : TASK_QUEUED);
    return task_state_is_live(t->state) ? live_state(t) : names_get(&task_state_names, t->state);
}

bool core_job_view(const struct core *c, const struct job_call *call, struct core_now now, struct job_view *ret)
{
    const struct job *j = job_find(c, call->job);
    if (j == NULL || (call->has_task && !job_has_task(j, call->task)))
        return false;
    *ret = (struct job_view){.key = core_text(job_key(j)),
                             .currency = core_text(c->currency),
                             .change = j->change,
                             .exit_code = exit_code_of(j),
                             .task = core_text(call->has_task ? task_state_of(j, call->task) : NULL)};
    job_spec_of(j, &ret->spec);
    uint32_t estimates = 1;
    fill_row(c, j, &ret->spec, core_utc(c, now), &estimates, &ret->row);
    struct collect k = {&ret->attempts, call};
    history_each(j->aside->history, collect_past, &k);
    for (uint32_t i = 0; i < j->tasks_count && ret->attempts.count < FIELD_LIST_MAX_DEFAULT; i++)
        if (task_state_is_live(j->tasks[i]->state) && (!call->has_task || j->tasks[i]->index == call->task))
            add_live(j->tasks[i], core_utc(c, now), &ret->attempts);
    return true;
}

bool core_wait_view(const struct core *c, uint64_t job, struct core_now now, struct wait_reply *ret)
{
    const struct job *j = job_find(c, job);
    if (j == NULL)
        return false;
    *ret = (struct wait_reply){.change = j->change, .exit_code = exit_code_of(j), .final = j->finished};
    return core_job_row(c, job, now, &ret->row);
}

bool core_has_task(const struct core *c, uint64_t job, uint32_t task)
{
    const struct job *j = job_find(c, job);
    return j != NULL && job_has_task(j, task);
}

bool core_job_owner(const struct core *c, uint64_t job, const char **ret_tenant, uint32_t *ret_uid)
{
    const struct job *j = job_find(c, job);
    if (j == NULL)
        return false;
    *ret_tenant = j->tenant;
    *ret_uid = j->uid;
    return true;
}
