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

struct retry_rule retry_rule_of(const struct job_retry *r)
{
    int64_t first_us = r->pause_ms != 0 ? (int64_t)r->pause_ms * 1000 : RETRY_PAUSE_FIRST_US;
    int64_t max_us = r->pause_max_ms != 0 ? (int64_t)r->pause_max_ms * 1000 : RETRY_PAUSE_MAX_US;
    return (struct retry_rule){.causes = job_retry_causes(r),
                               .codes = job_retry_codes(r),
                               .pause_first_us = first_us,
                               .pause_max_us = MAX(first_us, max_us)};
}

/* A failure of the job's own making after which it wants another attempt. */
static bool is_retried(const struct retry_case *c)
{
    const struct exit_record *record = c->record;
    uint32_t causes = c->rule != NULL ? c->rule->causes : job_retry_causes(NULL);
    if (record->cause >= END_CAUSE_COUNT || (causes >> record->cause & 1) == 0)
        return false;
    if (record->cause == END_TIME_LIMIT)
        return !c->late;
    if (record->cause != END_EXIT)
        return true;
    return record->exit_code != 0 && (c->rule == NULL || exit_codes_have(&c->rule->codes, record->exit_code));
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
    if (c->retries_used < c->retries && is_retried(c))
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

int64_t retry_pause_us(const struct retry_rule *rule, uint32_t cause, uint32_t retries_used, uint32_t node_faults)
{
    uint32_t count = retry_is_node_fault(cause) ? node_faults : retries_used;
    int64_t pause = rule != NULL ? rule->pause_first_us : RETRY_PAUSE_FIRST_US;
    int64_t largest = rule != NULL ? rule->pause_max_us : RETRY_PAUSE_MAX_US;
    for (uint32_t i = 1; i < count && pause < largest; i++)
        pause *= 2;
    return MIN(pause, largest);
}
