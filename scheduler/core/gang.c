#include "scheduler/core/gang.h"

#include <errno.h>

#include "policies/retry.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"

/* ---- who is in it ------------------------------------------------------------------------------------ */

struct gang gang_of(const struct job *j, uint32_t index)
{
    uint32_t first = index - (index - j->first) % j->gang;
    return (struct gang){j, first, first + j->gang - 1};
}

uint64_t gang_member_from(struct gang g, uint64_t index)
{
    for (const struct outcome *o; index <= g.last && (o = outcomes_at(&g.job->aside->over, index)) != NULL;)
        index = (uint64_t)o->last + 1;
    return index;
}

uint32_t gang_size(struct gang g)
{
    uint32_t members = 0;
    for (uint64_t i = gang_member_from(g, g.first); i <= g.last; i = gang_member_from(g, i + 1))
        members++;
    return members;
}

uint32_t gang_taking_part(struct gang g)
{
    const struct outcomes *over = &g.job->aside->over;
    const struct outcome *o = outcomes_from(over, g.first), *end = over->v + over->count;
    uint32_t tasks = g.last - g.first + 1;
    for (; o != NULL && o < end && o->first <= g.last; o++)
        if (o->how == OUTCOME_LEFT_OUT)
            tasks -= MIN(o->last, g.last) - MAX(o->first, g.first) + 1;
    return tasks;
}

uint32_t gang_least(struct gang g)
{
    return MIN(gang_size(g), g.job->gang_min);
}

struct task *gang_record(struct gang g, uint32_t *at)
{
    const struct job *j = g.job;
    bool is_of_it = *at < j->tasks_count && j->tasks[*at]->index <= g.last;
    return is_of_it ? j->tasks[(*at)++] : NULL;
}

struct task *gang_lead(struct gang g)
{
    uint32_t at = job_record_from(g.job, g.first);
    return gang_record(g, &at);
}

/* Calls for each record of it but one (NULL: for each). */
static void each_other(struct gang g, const struct task *but, void (*fn)(struct core *c, struct task *t, uint32_t arg),
                       struct core *c, uint32_t arg)
{
    uint32_t at = job_record_from(g.job, g.first);
    for (struct task *t; (t = gang_record(g, &at)) != NULL;)
        if (t != but)
            fn(c, t, arg);
}

/* Is one of it over that hasn't succeeded? */
static bool is_over(struct gang g)
{
    const struct outcomes *over = &g.job->aside->over;
    const struct outcome *o = outcomes_from(over, g.first), *end = over->v + over->count;
    for (; o != NULL && o < end && o->first <= g.last; o++)
        if (o->how == OUTCOME_FAILURE)
            return true;
    return false;
}

bool gang_was_met(const struct job *j, uint32_t index, uint64_t *met)
{
    if (j->gang == 0)
        return false;
    uint64_t first = gang_of(j, index).first, before = *met;
    *met = first;
    return before == first;
}

/* ---- who waits --------------------------------------------------------------------------------------- */

static bool may_start(struct gang g, uint64_t index)
{
    const struct task *t = task_find(g.job, (uint32_t)index);
    bool waits = t == NULL || (t->state == TASK_QUEUED && t->timer.at == HEAP_NOWHERE);
    return waits && depend_ready(g.job, (uint32_t)index);
}

bool gang_is_ready(struct gang g)
{
    uint32_t members = 0;
    for (uint64_t i = gang_member_from(g, g.first); i <= g.last; i = gang_member_from(g, i + 1), members++)
        if (!may_start(g, i))
            return false;
    return members > 0 && job_may_start(g.job, MIN(members, g.job->gang_min)) && !is_over(g);
}

uint64_t gang_fresh_from(const struct job *j, uint64_t from)
{
    while (from <= j->last) {
        uint64_t first = job_ready_task_from(j, from), next;
        if (first > j->last)
            return first;
        struct gang g = gang_of(j, (uint32_t)first);
        if (g.first < first) { /* the rest of one that is on record, or over */
            from = (uint64_t)g.last + 1;
            continue;
        }
        for (next = first; next <= g.last && job_ready_task_from(j, next) == next;)
            next++;
        if (next > g.last)
            return first;
        from = (uint64_t)g.last + 1;
    }
    return from;
}

static void leave_queue(struct core *c, struct task *t, uint32_t arg)
{
    (void)arg;
    queue_drop(c, &t->entry);
}

void gang_sync(struct core *c, struct gang g)
{
    struct task *lead = gang_lead(g);
    if (lead == NULL)
        return;
    each_other(g, lead, leave_queue, c, 0);
    bool ready = gang_is_ready(g);
    if (ready && lead->entry.at == HEAP_NOWHERE)
        queue_push(c, &lead->entry);
    else if (!ready)
        queue_drop(c, &lead->entry);
}

/* ---- ends -------------------------------------------------------------------------------------------- */

uint32_t gang_fate(const struct task *t)
{
    if (t->job->gang == 0)
        return GANG_GOES_ON;
    struct gang g = gang_of(t->job, t->index);
    if (is_over(g))
        return GANG_OVER;
    for (uint64_t i = gang_member_from(g, g.first); i <= g.last; i = gang_member_from(g, i + 1)) {
        const struct task *other = task_find(g.job, (uint32_t)i);
        if (other == NULL || !task_state_is_live(other->state))
            return GANG_AGAIN;
    }
    return GANG_GOES_ON;
}

bool gang_is_undecided(const struct task *t, const struct exit_record *record)
{
    const struct job *j = t->job;
    bool well = record->cause == END_EXIT && record->exit_code == 0;
    if (j->gang == 0 || well)
        return false;
    bool decides = gang_fate(t) == GANG_GOES_ON;
    if (decides && j->aside->ranges_in_flight > 0)
        return true;
    struct gang g = gang_of(j, t->index);
    uint32_t at = job_record_from(j, g.first);
    for (const struct task *other; (other = gang_record(g, &at)) != NULL;)
        if (other->stop_told || (decides && other->breaking))
            return true;
    return false;
}

/* Who is cancelled stays so: another order, to another of its gang, may have been on its way by then. */
static void stop(struct core *c, struct task *t, uint32_t cause)
{
    if (!task_state_is_live(t->state) || t->stopping == END_CANCELLED)
        return;
    t->missing |= t->stopping == END_NODE_LOST; /* it died before: decide() still has to end it */
    t->stopping = cause;
    t->going = false;
    reserve_node_changed(c, t->node); /* its room comes sooner */
}

/* Who is being stopped already is so for a reason of its own. */
static void stop_too(struct core *c, struct task *t, uint32_t cause)
{
    if (t->stopping == END_NONE)
        stop(c, t, cause);
}

void gang_stop(struct core *c, struct task *t, uint32_t cause)
{
    stop(c, t, cause);
    if (t->job->gang != 0)
        each_other(gang_of(t->job, t->index), t, stop, c, cause);
}

static void set_going(struct core *c, struct task *t, uint32_t going)
{
    (void)c;
    t->going = going != 0 && task_state_is_live(t->state);
}

void gang_set_going(struct core *c, struct task *t, bool going)
{
    set_going(c, t, going);
    if (t->job->gang != 0)
        each_other(gang_of(t->job, t->index), t, set_going, c, going);
}

static uint32_t cause_for_others(uint32_t cause)
{
    if (cause == END_PREEMPTED || cause == END_MAINTENANCE || cause == END_GANG_LOST)
        return cause;
    return retry_is_node_fault(cause) ? END_GANG_LOST : END_GANG;
}

static void take_over(struct core *c, struct task *t, uint32_t retries_used)
{
    (void)c;
    t->retries_used = retries_used;
}

void gang_ended(struct core *c, struct job *j, const struct fact_ended *e)
{
    struct gang g = gang_of(j, e->id.task);
    const struct task *t = task_find(j, e->id.task);
    bool well = e->next == NEXT_FINAL && e->state == TASK_SUCCEEDED;
    if (!well)
        each_other(g, t, stop_too, c, cause_for_others(e->record.cause));
    if (e->user_retry != 0)
        each_other(g, t, take_over, c, t->retries_used);
    uint32_t at = job_record_from(j, g.first);
    if (t != NULL && retry_is_node_fault(e->record.cause))
        for (struct task *other; (other = gang_record(g, &at)) != NULL;)
            other->avoid = t->avoid;
    gang_sync(c, g);
}

void core_each_taken_along(const struct core *c, const struct fact *f, void (*fn)(void *arg, struct attempt_id id),
                           void *arg)
{
    bool ended = f->kind == FACT_ATTEMPT_ENDED;
    uint32_t cause = ended ? f->ended.record.cause : (uint32_t)END_NONE;
    struct attempt_id id = ended ? f->ended.id : f->stopping.id;
    if ((!ended && f->kind != FACT_ATTEMPT_STOPPING) || cause == END_GANG || cause == END_GANG_LOST)
        return; /* who was taken along takes nobody along */
    const struct job *j = job_find(c, id.job);
    if (j == NULL || j->gang == 0 || j->finished)
        return;
    struct gang g = gang_of(j, id.task);
    uint32_t at = job_record_from(j, g.first);
    for (const struct task *t; (t = gang_record(g, &at)) != NULL;)
        if (t->index != id.task && task_state_is_live(t->state) && t->stopping != END_NONE)
            fn(arg, task_id(t));
}

/* ---- what can't start any more ----------------------------------------------------------------------- */

static void note(struct core *c, const struct job *j, uint32_t index)
{
    c->gangs_over = core_room(c->gangs_over, c->gangs_over_count, &c->gangs_over_size, 16, sizeof c->gangs_over[0]);
    c->gangs_over[c->gangs_over_count++] = (struct gang_over){j->id, index};
}

/* Of those between the first and the last of them all tasks are over. */
void gang_doom(struct core *c, const struct job *j, uint32_t first, uint32_t last)
{
    note(c, j, first);
    if (gang_of(j, first).first != gang_of(j, last).first)
        note(c, j, last);
}

/* true: nothing of it waits any more. */
static bool cancel_rest(struct core *c, struct plan *p, const struct job *j, struct gang g)
{
    uint32_t first, count;
    bool any = false;
    for (uint64_t from = g.first; job_waiting_range(j, from, &first, &count) && first <= g.last;
         from = (uint64_t)first + count) {
        struct fact *f = plan_add(p, FACT_TASKS_CANCELLED);
        if (f == NULL)
            return false;
        count = MIN(count, g.last - first + 1);
        any = true;
        cancel_range(c, j, first, count, "gang", core_text("another task of its gang is over and hasn't succeeded"),
                     p->now.utc_us, f);
    }
    return !any;
}

void decide_gangs(struct core *c, struct plan *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->gangs_over_count; i++) {
        struct gang_over o = c->gangs_over[i];
        const struct job *j = job_find(c, o.job);
        bool done = j == NULL || j->finished || (j->aside->in_flight == 0 && cancel_rest(c, p, j, gang_of(j, o.task)));
        if (!done)
            c->gangs_over[kept++] = o;
    }
    c->gangs_over_count = kept;
}

/* ---- facts, recount ---------------------------------------------------------------------------------- */

static int contradicts(const struct job *j, const char *what, struct err *err)
{
    return err_set(err, -EPROTO, "gang.placed: job %llu: %s", (unsigned long long)j->id, what);
}

/* Its members are all that the gang has, in order, but the last, which are left out. What is true of each alone is
 * rule_placed's to ask. */
int gang_placed_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_gang *p = &f->gang_placed;
    const struct job *j = job_find(c, p->job);
    const struct gang_member *v = p->members.v;
    if (j == NULL || j->finished || j->gang == 0)
        return err_set(err, -EPROTO, "gang.placed: no job %llu with gangs", (unsigned long long)p->job);
    if (p->members.count == 0 || !job_has_task(j, v[0].task))
        return contradicts(j, "a gang without members", err);
    struct gang g = gang_of(j, v[0].task);
    uint64_t want = gang_member_from(g, g.first);
    for (size_t i = 0; i < p->members.count; i++, want = gang_member_from(g, want + 1))
        if (want > g.last || v[i].task != want)
            return contradicts(j, "a task that is no member, or one is left out", err);
    uint64_t left = 0;
    for (; want <= g.last; want = gang_member_from(g, want + 1), left++) {
        const struct task *t = task_find(j, (uint32_t)want);
        if (t != NULL && task_state_next(t->state, TASK_EV_LEFT_OUT, 0) < 0)
            return contradicts(j, "a task is left out that doesn't wait", err);
    }
    if (left != p->left_out || (left > 0 && p->members.count < j->gang_min) || is_over(g))
        return contradicts(j, "a part of a gang", err);
    return 0;
}

void gang_leave_out(struct core *c, struct job *j, const struct fact_gang *f)
{
    struct gang g = gang_of(j, ((const struct gang_member *)f->members.v)[0].task);
    uint64_t behind = (uint64_t)((const struct gang_member *)f->members.v)[f->members.count - 1].task + 1;
    for (uint64_t i = behind; f->left_out > 0 && (i = gang_member_from(g, i)) <= g.last; i++) {
        struct task *t = task_find(j, (uint32_t)i);
        if (t != NULL)
            task_drop(c, t);
        job_count_ended(c, j, TASK_LEFT_OUT, (uint32_t)i, 1);
    }
    job_advance(j);
}

int gang_verify(const struct job *j, struct err *err)
{
    for (uint32_t i = 0; j->gang != 0 && i < j->tasks_count; i++) {
        const struct task *t = j->tasks[i];
        if (task_state_is_live(t->state) && t->stopping == END_NONE && gang_fate(t) != GANG_GOES_ON)
            return err_set(err, -EUCLEAN, "job %llu: task %u runs, and not all of its gang does",
                           (unsigned long long)j->id, t->index);
    }
    return 0;
}
