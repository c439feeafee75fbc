#include <string.h>

#include "policies/retry.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/gang.h"
#include "scheduler/core/money.h"
#include "scheduler/core/preempt.h"

#define RUN_BEYOND_PAID_US UINT64_C(86400000000) /* nobody measures a kill that takes longer */

const char *node_price_class(const struct node *n)
{
    return n != NULL ? pairs_get(&n->labels, PRICE_CLASS_LABEL) : NULL;
}

struct meter shape_meter(const struct shape *s, const char *price_class, int64_t utc_us)
{
    return (struct meter){.held = &s->resources,
                          .started_utc_us = utc_us,
                          .buyer = {s->tenant != NULL ? &s->tenant->line : NULL, price_class, s->preemptible}};
}

struct meter task_meter(const struct task *t)
{
    struct meter meter = shape_meter(t->job->shape, t->price_class, task_clock_utc_us(t));
    meter.settled_us = t->settled_us;
    meter.marks = &t->marks;
    return meter;
}

int64_t task_clock_utc_us(const struct task *t)
{
    return t->started_utc_us == 0 ? 0 : t->started_utc_us + (int64_t)t->paused_us;
}

uint64_t task_paused_us(const struct task *t, int64_t utc_us)
{
    int64_t still_us = utc_us - t->started_utc_us - (int64_t)t->paid_us;
    return t->paused && still_us > (int64_t)t->paused_us ? (uint64_t)still_us : t->paused_us;
}

static uint32_t rule_of(const struct task *t)
{
    const struct tenant *tenant = job_tenant(t->job);
    return tenant != NULL ? tenant->paid_end : PAID_END_STOP;
}

/* What its other tasks hold may come back. */
static bool job_budget_is_used_up(const struct core *c, const struct task *t)
{
    const struct job *j = t->job;
    struct meter meter = task_meter(t);
    int64_t left_micros = j->aside->budget_micros - j->aside->spent_micros - t->hold_micros;
    uint64_t next_us = t->paid_us + c->limits.slice_min_ms * 1000;
    if (meter.started_utc_us == 0) /* it is on its way */
        meter.started_utc_us = t->placed_utc_us;
    return j->aside->budget_micros != 0 && left_micros < price_due(c->prices, &meter, NULL, next_us) -
                                                     price_due(c->prices, &meter, NULL, t->paid_us);
}

uint32_t task_paid_end(const struct core *c, const struct task *t)
{
    uint32_t rule = t->rests ? PAID_END_PAUSE : rule_of(t); /* it waits for money like any that is paused */
    return rule == PAID_END_PAUSE && job_budget_is_used_up(c, t) ? PAID_END_STOP : rule;
}

bool task_stands_still(const struct core *c, const struct task *t)
{
    return t->state == TASK_RUNNING && t->run_boot_us != 0 && t->run_us >= t->paid_us &&
           task_paid_end(c, t) == PAID_END_PAUSE;
}

uint64_t task_wall_us(const struct task *t, struct core_now now)
{
    int64_t clock_utc_us = task_clock_utc_us(t);
    bool runs = clock_utc_us != 0 && now.utc_us > clock_utc_us;
    return runs ? (uint64_t)(now.utc_us - clock_utc_us) : 0;
}

uint64_t task_run_us(const struct task *t, struct core_now now)
{
    if (t->paused || (rule_of(t) == PAID_END_PAUSE && t->run_boot_us != 0 && t->run_us >= t->paid_us))
        return t->paid_us;
    if (attempt_stands(t))
        return MIN(t->run_us, t->paid_us);
    if (t->run_boot_us == 0)
        return task_wall_us(t, now);
    return t->run_us + (now.boot_us > t->run_boot_us ? now.boot_us - t->run_boot_us : 0);
}

/* How much of the run time up to run_us the hold of money pays for. */
static uint64_t money_until(const struct core *c, const struct task *t, const struct meter *meter,
                            const struct use_point *use, uint64_t run_us)
{
    if (run_us <= t->settled_us || price_due(c->prices, meter, use, run_us) <= t->hold_micros)
        return MAX(run_us, t->settled_us);
    return price_due_time(c->prices, meter, use, t->hold_micros, run_us);
}

static uint64_t paid_until(const struct core *c, const struct task *t, const struct meter *meter,
                           const struct use_point *use, uint64_t run_us)
{
    return times_last(c, t, money_until(c, t, meter, use, run_us));
}

void settle_until(const struct core *c, const struct task *t, const struct meter *meter, const struct use_point *use,
                  uint64_t run_us, struct settlement *ret)
{
    run_us = MIN(run_us, t->paid_us + RUN_BEYOND_PAID_US);
    *ret = (struct settlement){.spent_micros = t->spent_micros};
    struct use_point owed = {0};
    if (use != NULL) {
        owed = io_owed(t, meter, use);
        ret->use = io_within(c, t, meter, use);
    }
    const struct use_point *paid = use != NULL ? &ret->use : NULL;
    uint64_t until = ret->settled_us = paid_until(c, t, meter, paid, run_us);
    int rc = price_charges(c->prices, meter, paid, until, &ret->charges);
    BUG(rc < 0);
    for (size_t i = 0; i < ret->charges.count; i++)
        ret->spent_micros += ((const struct charge *)ret->charges.v)[i].micros;
    times_settle(c, t, until, &ret->times);
    if (run_us > until || measured(owed.io_bytes) > measured(ret->use.io_bytes))
        ret->written_off_micros = price_due(c->prices, meter, use != NULL ? &owed : NULL, MAX(run_us, until)) -
                                  (ret->spent_micros - t->spent_micros);
}

void settle_fault(const struct core *c, const struct task *t, const struct meter *meter, const struct use_point *use,
                  uint64_t run_us, struct settlement *ret)
{
    run_us = MAX(MIN(run_us, t->paid_us + RUN_BEYOND_PAID_US), t->settled_us);
    *ret = (struct settlement){.spent_micros = t->spent_micros, .settled_us = t->settled_us};
    times_settle(c, t, t->settled_us, &ret->times);
    struct use_point owed = io_owed(t, meter, use);
    ret->written_off_micros = price_due(c->prices, meter, &owed, run_us);
}

/* Of I/O what was heard of it while it ran, when its record says less: counts don't fall. */
static struct use_point use_at_end(const struct task *t, const struct exit_record *record)
{
    struct use_point use = {.run_us = MIN(record->run_us, t->paid_us + RUN_BEYOND_PAID_US),
                            .cpu_us = record->usage.cpu_us,
                            .mem_peak_bytes = record->usage.mem_peak_bytes,
                            .io_bytes = record->usage.io_bytes};
    use.io_bytes = io_believed(&use);
    if (measured(use.io_bytes) < measured(t->use.io_bytes))
        use.io_bytes = t->use.io_bytes;
    return use;
}

void settle_end(const struct core *c, struct task *t, struct exit_record *record, int64_t at_utc_us,
                struct fact *f)
{
    struct job *j = t->job;
    struct meter meter = task_meter(t);
    if (meter.started_utc_us == 0) /* its "running" was never heard of */
        meter.started_utc_us = record->started_utc_us != 0
                                   ? MIN(MAX(record->started_utc_us, t->placed_utc_us), at_utc_us)
                                   : t->placed_utc_us;
    struct settlement s;
    struct use_point use = use_at_end(t, record);
    if (preempt_is_refunded(t, record->cause))
        settle_fault(c, t, &meter, &use, record->run_us, &s);
    else
        settle_until(c, t, &meter, &use, record->run_us, &s);
    struct retry_case end = {.record = record,
                             .rule = j->ask->retry,
                             .retries = j->retries,
                             .retries_used = t->retries_used,
                             .node_faults = t->node_faults,
                             .on_node_loss = j->on_node_loss,
                             .cancelled = t->stopping == END_CANCELLED,
                             .requeued = t->stopping == END_REQUEUED,
                             .gang = gang_fate(t),
                             .suspended = attempt_is_put_aside(t),
                             .late = at_utc_us >= deadline_finish_utc_us(j)};
    struct retry_answer answer = retry_after(&end);
    *f = (struct fact){.kind = FACT_ATTEMPT_ENDED, .at_utc_us = at_utc_us};
    f->ended = (struct fact_ended){
        .id = task_id(t),
        .node = core_text(t->node->name),
        .record = *record,
        .next = answer.next,
        .state = answer.state,
        .user_retry = answer.user_retry,
        .spent_micros = s.spent_micros,
        .written_off_micros = s.written_off_micros,
        .charges = s.charges,
        .times_settled = s.times,
        .paused_us = t->paused_us,
        .job_done = answer.next == NEXT_FINAL && j->aside->ended_count + j->aside->ending_in_flight + 1 == job_tasks(j),
    };
    record->detail = NULL; /* the fact has them now */
    record->staged = (struct list){0};
}
