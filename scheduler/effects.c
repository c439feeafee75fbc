#include "scheduler/effects.h"

#include "scheduler/fact_log.h"

uint64_t fact_job(const struct fact *f)
{
    switch ((enum fact_kind)f->kind) {
    case FACT_JOB_SUBMITTED:
        return f->submitted.job;
    case FACT_TASKS_CANCELLED:
        return f->cancelled.job;
    case FACT_TASK_HELD:
        return f->held.job;
    case FACT_TASK_RELEASED:
        return f->released.job;
    case FACT_JOB_CHANGED:
        return f->job_changed.job;
    case FACT_ATTEMPT_PLACED:
        return f->placed.id.job;
    case FACT_GANG_PLACED:
        return f->gang_placed.job;
    case FACT_ATTEMPT_RUNNING:
        return f->running.id.job;
    case FACT_HOLD_RENEWED:
        return f->renewed.id.job;
    case FACT_ATTEMPT_STOPPING:
        return f->stopping.id.job;
    case FACT_ATTEMPT_SUSPENDED:
        return f->suspended.id.job;
    case FACT_ATTEMPT_UNREACHABLE:
        return f->unreachable.id.job;
    case FACT_ATTEMPT_REACHED:
        return f->reached.id.job;
    case FACT_ATTEMPT_ENDED:
        return f->ended.id.job;
    case FACT_NONE: case FACT_TERM_TAKEN: case FACT_POLICY_SET: case FACT_NODE_JOINED: case FACT_NODE_LOST:
    case FACT_NODE_DRAINED: case FACT_SNAPSHOT_JOB: case FACT_SNAPSHOT_CELL:
    case FACT_BUDGET_OPENED: case FACT_BUDGET_CROSSED: case FACT_LEDGER_ADJUSTED: case FACT_PERIOD_CLOSED:
    case FACT_POLICY_PROPOSED: case FACT_POLICY_DROPPED: case FACT_TENANT_MOVED: case FACT_ACCOUNTS_CLOSED:
    case FACT_WINDOW_SET: case FACT_WINDOW_DROPPED: case FACT_NODE_QUARANTINED:
    case FACT_KIND_COUNT:
        break;
    }
    return 0;
}

void effects_release(const struct effect_targets *to, uint64_t seq, const struct fact *fact)
{
    fact_log(to->core, seq, fact);
    agents_on_fact(to->agents, fact);
    uint64_t job = fact_job(fact);
    if (job != 0)
        waiters_wake(to->waiters, job);
}
