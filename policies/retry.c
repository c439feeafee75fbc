#include "policies/retry.h"

static struct retry_answer final(uint32_t state)
{
    return (struct retry_answer){.next = NEXT_FINAL, .state = state};
}

static struct retry_answer after_node_loss(const struct retry_case *c)
{
    switch ((enum node_loss)c->on_node_loss) {
    case NODE_LOSS_HOLD: return (struct retry_answer){.next = NEXT_HELD};
    case NODE_LOSS_FAIL: return final(TASK_LOST);
    case NODE_LOSS_RERUN:
    case NODE_LOSS_COUNT: break;
    }
    return (struct retry_answer){.next = NEXT_QUEUED};
}

static struct retry_answer after_node_fault(const struct retry_case *c)
{
    struct retry_answer answer = {.next = NEXT_QUEUED};
    if (c->record->cause != END_LAUNCH_FAILED)
        answer = after_node_loss(c);
    if (answer.next == NEXT_QUEUED && c->node_faults + 1 >= RETRY_FAULTS_MAX)
        answer.next = NEXT_HELD;
    return answer;
}

/* Who asked a task to stop wanted it over; only what had already succeeded stays so. */
static uint32_t state_when_cancelled(const struct exit_record *record)
{
    return record->cause == END_EXIT && record->exit_code == 0 ? TASK_SUCCEEDED : TASK_CANCELLED;
}

static bool is_users_failure(const struct exit_record *record)
{
    bool staging = record->cause == END_INPUTS || record->cause == END_OUTPUTS;
    return (record->cause == END_EXIT && record->exit_code != 0) || record->cause == END_SIGNAL || staging ||
           record->cause == END_OOM;
}

static struct retry_answer after(const struct retry_case *c)
{
    if (c->cancelled || c->record->cause == END_CANCELLED)
        return final(state_when_cancelled(c->record));
    bool succeeded = c->record->cause == END_EXIT && c->record->exit_code == 0;
    if (c->gang == GANG_OVER && !succeeded)
        return final(task_state_of_end(c->record));
    if (c->gang == GANG_AGAIN && !succeeded)
        return (struct retry_answer){.next = NEXT_QUEUED};
    if ((c->requeued && !succeeded) || c->record->cause == END_REQUEUED)
        return (struct retry_answer){.next = NEXT_QUEUED};
    if (retry_is_node_fault(c->record->cause))
        return after_node_fault(c);
    if (c->record->cause == END_PREEMPTED || c->record->cause == END_MAINTENANCE || c->record->cause == END_GANG ||
        c->record->cause == END_GANG_LOST)
        return (struct retry_answer){.next = NEXT_QUEUED};
    if (is_users_failure(c->record) && c->retries_used < c->retries)
        return (struct retry_answer){.next = NEXT_QUEUED, .user_retry = 1};
    return final(task_state_of_end(c->record));
}

struct retry_answer retry_after(const struct retry_case *c)
{
    struct retry_answer answer = after(c);
    if (c->suspended && answer.next == NEXT_QUEUED)
        answer.next = NEXT_HELD;
    return answer;
}

bool retry_is_node_fault(uint32_t cause)
{
    return cause < END_CAUSE_COUNT && end_causes[cause].node_fault;
}

int64_t retry_pause_us(uint32_t cause, uint32_t retries_used, uint32_t node_faults)
{
    uint32_t count = retry_is_node_fault(cause) ? node_faults : retries_used;
    int64_t pause = RETRY_PAUSE_FIRST_US;
    for (uint32_t i = 1; i < count && pause < RETRY_PAUSE_MAX_US; i++)
        pause *= 2;
    return MIN(pause, RETRY_PAUSE_MAX_US);
}
