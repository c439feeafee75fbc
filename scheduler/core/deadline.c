#include <string.h>

#include "base/parse.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/plan.h"

/*
 * Deadlines: start_by and finish_by, as the job file has them; instants from its submission on. They are never stored:
 * the same submission gives the same instants.
 *
 * Of an unstarted task start_by is asked, of everyone that waits whether its time limit still fits before finish_by:
 * who is late is cancelled by a fact and has cost nothing. What runs at finish_by is stopped as at its time limit.
 * One timer a job, due at the next of the instants; what goes back to the queue afterwards makes it due again.
 */
#define AGAIN_US INT64_C(100000) /* something about the job is on its way, or more than a turn has room for */

struct deadline {
    int64_t start_by_utc_us, start_to_finish_utc_us, finish_by_utc_us; /* NEVER_US: none */
    struct timer timer;
};

static struct deadline deadline_of(const struct job_spec *spec, int64_t submitted_utc_us)
{
    struct deadline d = {.start_by_utc_us = NEVER_US, .start_to_finish_utc_us = NEVER_US, .finish_by_utc_us = NEVER_US};
    int rc = job_spec_instant(spec->start_by, submitted_utc_us, &d.start_by_utc_us, NULL);
    if (rc == 0)
        rc = job_spec_instant(spec->finish_by, submitted_utc_us, &d.finish_by_utc_us, NULL);
    BUG(rc < 0);
    if (d.finish_by_utc_us != NEVER_US)
        d.start_to_finish_utc_us = d.finish_by_utc_us - (int64_t)spec->time_limit_ms * 1000;
    return d;
}

static bool has_one(const struct job_spec *spec)
{
    return spec->start_by != NULL || spec->finish_by != NULL;
}

/* The next of its instants that lies ahead; one that has passed is due at once while it still finds something. */
static void arm(struct core *c, struct deadline *d, int64_t from_utc_us)
{
    const int64_t instants[] = {d->start_by_utc_us, d->start_to_finish_utc_us, d->finish_by_utc_us};
    int64_t due_utc_us = NEVER_US;
    for (size_t i = 0; i < COUNT_OF(instants); i++)
        if (instants[i] > from_utc_us)
            due_utc_us = MIN(due_utc_us, instants[i]);
    if (due_utc_us != NEVER_US)
        timer_set(c, &d->timer, due_utc_us);
}

void deadline_begin(struct core *c, struct job *j, const struct job_spec *spec)
{
    if (!has_one(spec))
        return;
    struct deadline *d = job_aside(j)->deadline = core_alloc(sizeof *d);
    *d = deadline_of(spec, j->submitted_utc_us);
    d->timer = (struct timer){.job = j, .deadline = true, .at = HEAP_NOWHERE};
    arm(c, d, INT64_MIN);
}

void deadline_again(struct core *c, struct job *j)
{
    if (j->aside->deadline != NULL)
        arm(c, j->aside->deadline, INT64_MIN);
}

void deadline_fini(struct core *c, struct job *j)
{
    if (j->aside->deadline == NULL)
        return;
    timer_stop(c, &j->aside->deadline->timer);
    free(j->aside->deadline);
    job_aside(j)->deadline = NULL;
}

int64_t deadline_start_utc_us(const struct job *j, const struct task *t)
{
    const struct deadline *d = j->aside->deadline;
    if (d == NULL)
        return NEVER_US;
    return t == NULL || t->epoch == 0 ? MIN(d->start_by_utc_us, d->start_to_finish_utc_us) : d->start_to_finish_utc_us;
}

bool deadline_is_over(const struct job *j, const struct task *t, int64_t utc_us)
{
    return utc_us >= deadline_start_utc_us(j, t);
}

/* ---- what is late ----------------------------------------------------------------------------------- */

/* Of a range of waiting tasks the first part that never started. */
static bool first_unstarted(const struct job *j, uint32_t *first, uint32_t *count)
{
    uint32_t end = *first + *count;
    for (uint32_t i = 0; i < j->tasks_count; i++) {
        const struct task *t = j->tasks[i];
        if (t->index < *first || t->index >= end || t->epoch == 0)
            continue;
        if (t->index > *first) {
            *count = t->index - *first;
            return true;
        }
        ++*first;
    }
    *count = end - *first;
    return *first < end;
}

int64_t deadline_finish_utc_us(const struct job *j)
{
    return j->aside->deadline != NULL ? j->aside->deadline->finish_by_utc_us : NEVER_US;
}

static void cancel(struct core *c, struct plan *p, struct job *j, uint32_t first, uint32_t count, bool start)
{
    const struct deadline *d = j->aside->deadline;
    char when[PARSE_TEXT_MAX];
    struct fact *f = plan_add(p, FACT_TASKS_CANCELLED);
    char *reason =
        start ? text_of("not started by %s", format_second(d->start_by_utc_us, when))
              : text_of("can't finish by %s any more", format_second(d->finish_by_utc_us, when));
    cancel_range(c, j, first, count, "deadline", reason, p->now.utc_us, f);
}

static void cancel_late(struct core *c, struct plan *p, struct job *j)
{
    const struct deadline *d = j->aside->deadline;
    bool all = p->now.utc_us >= d->start_to_finish_utc_us;
    uint32_t first, count;
    if (!all && p->now.utc_us < d->start_by_utc_us)
        return;
    for (uint64_t from = j->first; p->count < p->max && job_waiting_range(j, from, &first, &count);
         from = (uint64_t)first + count)
        if (all || first_unstarted(j, &first, &count))
            cancel(c, p, j, first, count, !all);
}

static void stop_late(struct core *c, struct plan *p, struct job *j)
{
    uint64_t met = UINT64_MAX;
    for (uint32_t i = 0; i < j->tasks_count && p->count < p->max; i++) {
        const struct task *t = j->tasks[i];
        if (!task_state_is_live(t->state) || t->stopping != END_NONE || t->in_flight ||
            gang_was_met(j, t->index, &met))
            continue;
        struct fact *f = plan_add(p, FACT_ATTEMPT_STOPPING);
        f->stopping = (struct fact_stopping){task_id(t), END_TIME_LIMIT, core_text("finish_by")};
        flight_begin(c, f);
    }
}

void decide_deadline(struct core *c, struct plan *p, struct job *j)
{
    size_t before = p->count;
    bool busy = j->aside->in_flight > 0;
    if (!busy)
        cancel_late(c, p, j);
    if (!busy && p->now.utc_us >= j->aside->deadline->finish_by_utc_us)
        stop_late(c, p, j);
    if (busy || p->count > before || p->count == p->max)
        timer_set(c, &j->aside->deadline->timer, p->now.utc_us + AGAIN_US);
    else
        arm(c, j->aside->deadline, p->now.utc_us);
}

/* ---- submission ------------------------------------------------------------------------------------- */

bool deadline_admits(const struct job_spec *spec, int64_t utc_us, struct refusal *refusal)
{
    struct deadline d = deadline_of(spec, utc_us);
    char when[PARSE_TEXT_MAX], limit[PARSE_TEXT_MAX];
    if (d.start_by_utc_us <= utc_us)
        refusal_from(refusal, "never_fits", "start_by", NULL, "start_by %s has passed",
                     format_second(d.start_by_utc_us, when));
    else if (d.finish_by_utc_us <= utc_us)
        refusal_from(refusal, "never_fits", "finish_by", NULL, "finish_by %s has passed",
                     format_second(d.finish_by_utc_us, when));
    else if (d.start_to_finish_utc_us <= utc_us) /* no turn comes before now */
        refusal_from(refusal, "never_fits", "finish_by", "a later finish_by, or a shorter time_limit",
                     "a time limit of %s doesn't fit before %s", format_duration(spec->time_limit_ms, limit),
                     format_second(d.finish_by_utc_us, when));
    else
        return true;
    return false;
}
