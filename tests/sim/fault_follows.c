/* What has to follow from an end, and who is of one gang: from the books alone. */
#include "tests/sim/books_state.h"

/* The first of a task's gang; *ret_end: the first behind it. */
uint32_t books_gang(const struct book_job *j, uint32_t task, uint32_t *ret_end)
{
    uint32_t size = MAX(j->gang, 1), first = task - task % size;
    *ret_end = first + size;
    return first;
}

/* Of the others of its gang: does one wait; is one over that neither succeeded nor was left out? */
bool books_others(const struct book_job *j, uint32_t task, bool over)
{
    uint32_t end, i = books_gang(j, task, &end);
    for (; j->gang != 0 && i < end; i++) {
        const struct book_task *t = &j->tasks[i];
        if (i != task && (over ? t->final && !t->succeeded && !t->left_out : !t->final && !t->live))
            return true;
    }
    return false;
}

uint32_t books_tasks_on(const struct book_job *j, size_t node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < j->count; i++)
        count += j->tasks[i].live && j->tasks[i].node == node;
    return count;
}

bool books_node_fault(uint32_t cause)
{
    return cause == END_LEASE || cause == END_LAUNCH_FAILED || cause == END_KEEPER_LOST || cause == END_NODE_LOST;
}

/* What has to follow: policies/retry.h's table, once more. */
struct follows books_follows(const struct book_job *j, const struct book_task *t, const struct exit_record *r,
                             int64_t at_utc_us)
{
    bool success = r->cause == END_EXIT && r->exit_code == 0;
    if (t->cancelled || r->cause == END_CANCELLED)
        return (struct follows){NEXT_FINAL, success ? TASK_SUCCEEDED : TASK_CANCELLED, 0};
    if (!success && books_others(j, (uint32_t)(t - j->tasks), true)) {
        struct exit_record record = *r;
        return (struct follows){NEXT_FINAL, task_state_of_end(&record), 0};
    }
    if (!success && books_others(j, (uint32_t)(t - j->tasks), false))
        return (struct follows){NEXT_QUEUED, 0, 0};
    if ((t->requeued && !success) || r->cause == END_REQUEUED)
        return (struct follows){NEXT_QUEUED, 0, 0};
    if (books_node_fault(r->cause)) {
        if (r->cause != END_LAUNCH_FAILED && j->loss == NODE_LOSS_FAIL)
            return (struct follows){NEXT_FINAL, TASK_LOST, 0};
        bool held = (r->cause != END_LAUNCH_FAILED && j->loss == NODE_LOSS_HOLD) || t->faults + 1 >= 20;
        return (struct follows){held ? NEXT_HELD : NEXT_QUEUED, 0, 0};
    }
    switch ((enum end_cause)r->cause) {
    case END_TIME_LIMIT:
        if (j->picky && at_utc_us < j->finish_by_utc_us && t->failures < j->retries)
            return (struct follows){NEXT_QUEUED, 0, 1};
        return (struct follows){NEXT_FINAL, TASK_TIMED_OUT, 0};
    case END_BUDGET:
    case END_IO_BUDGET: return (struct follows){NEXT_FINAL, TASK_BUDGET_STOPPED, 0};
    case END_MAINTENANCE:
    case END_PREEMPTED: return (struct follows){NEXT_QUEUED, 0, 0};
    case END_GANG:
    case END_GANG_LOST: return (struct follows){NEXT_QUEUED, 0, 0};
    case END_EXIT:
    case END_SIGNAL:
    case END_OOM:
    case END_NONE:
    case END_CANCELLED:
    case END_LEASE:
    case END_LAUNCH_FAILED:
    case END_KEEPER_LOST:
    case END_NODE_LOST:
    case END_REQUEUED:
    case END_INPUTS:
    case END_OUTPUTS:
    case END_IO_LIMIT:
    case END_CAUSE_COUNT:
        break;
    }
    if (success)
        return (struct follows){NEXT_FINAL, TASK_SUCCEEDED, 0};
    bool wanted = !j->picky || (r->cause == END_EXIT && r->exit_code != 1);
    if (wanted && t->failures < j->retries)
        return (struct follows){NEXT_QUEUED, 0, 1};
    return (struct follows){NEXT_FINAL, r->cause == END_OOM ? TASK_OOM_KILLED : TASK_FAILED, 0};
}

int64_t books_pause_us(uint32_t times, bool picky)
{
    int64_t us = picky ? 2000000 : 1000000, most = picky ? 5000000 : 60000000;
    for (; times > 1 && us < most; times--)
        us *= 2;
    return MIN(us, most);
}

int64_t books_start_until(const struct book_job *j, const struct book_task *t)
{
    int64_t until_utc_us = t->epoch == 0 ? j->start_by_utc_us : INT64_MAX;
    if (j->finish_by_utc_us != INT64_MAX)
        until_utc_us = MIN(until_utc_us, j->finish_by_utc_us - (int64_t)j->limit_us);
    return until_utc_us;
}
