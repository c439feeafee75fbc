#include "base/task_state.h"

#include <errno.h>

static const char *const state_names[] = {
    [TASK_QUEUED] = "queued",
    [TASK_HELD] = "held",
    [TASK_STARTING] = "starting",
    [TASK_RUNNING] = "running",
    [TASK_UNREACHABLE] = "unreachable",
    [TASK_SUCCEEDED] = "succeeded",
    [TASK_FAILED] = "failed",
    [TASK_CANCELLED] = "cancelled",
    [TASK_TIMED_OUT] = "timed_out",
    [TASK_OOM_KILLED] = "oom_killed",
    [TASK_BUDGET_STOPPED] = "budget_stopped",
    [TASK_LOST] = "lost",
    [TASK_LEFT_OUT] = "left_out",
};
_Static_assert(COUNT_OF(state_names) == TASK_STATE_COUNT, "a name for each state");
const struct names task_state_names = {state_names, COUNT_OF(state_names)};

static const char *const event_names[] = {
    [TASK_EV_PLACED] = "placed",
    [TASK_EV_RUNNING] = "running",
    [TASK_EV_SILENT] = "silent",
    [TASK_EV_REACHED] = "reached",
    [TASK_EV_REQUEUED] = "requeued",
    [TASK_EV_ENDED] = "ended",
    [TASK_EV_HELD] = "held",
    [TASK_EV_RELEASED] = "released",
    [TASK_EV_CANCELLED] = "cancelled",
    [TASK_EV_LEFT_OUT] = "left_out",
};
_Static_assert(COUNT_OF(event_names) == TASK_EVENT_COUNT, "a name for each event");
const struct names task_event_names = {event_names, COUNT_OF(event_names)};

#define TO(state) ((state) + 1) /* 0 = refused */
#define FINAL 255               /* the state comes with the event */

/* An attempt that was unreachable is told apart when it is heard of again: "reached" if it runs, "ended" if not.
 * "running" of a running task is no event: agents repeat themselves, the core drops what it knows. */
static const uint8_t next_state[TASK_STATE_COUNT][TASK_EVENT_COUNT] = {
    [TASK_QUEUED] = {[TASK_EV_PLACED] = TO(TASK_STARTING),
                     [TASK_EV_HELD] = TO(TASK_HELD),
                     [TASK_EV_CANCELLED] = TO(TASK_CANCELLED),
                     [TASK_EV_LEFT_OUT] = TO(TASK_LEFT_OUT)},
    [TASK_HELD] = {[TASK_EV_RELEASED] = TO(TASK_QUEUED), [TASK_EV_CANCELLED] = TO(TASK_CANCELLED)},
    [TASK_STARTING] = {[TASK_EV_RUNNING] = TO(TASK_RUNNING),
                       [TASK_EV_SILENT] = TO(TASK_UNREACHABLE),
                       [TASK_EV_REQUEUED] = TO(TASK_QUEUED),
                       [TASK_EV_HELD] = TO(TASK_HELD),
                       [TASK_EV_ENDED] = FINAL},
    [TASK_RUNNING] = {[TASK_EV_SILENT] = TO(TASK_UNREACHABLE),
                      [TASK_EV_REQUEUED] = TO(TASK_QUEUED),
                      [TASK_EV_HELD] = TO(TASK_HELD),
                      [TASK_EV_ENDED] = FINAL},
    [TASK_UNREACHABLE] = {[TASK_EV_RUNNING] = TO(TASK_RUNNING),
                          [TASK_EV_REACHED] = TO(TASK_RUNNING),
                          [TASK_EV_REQUEUED] = TO(TASK_QUEUED),
                          [TASK_EV_HELD] = TO(TASK_HELD),
                          [TASK_EV_ENDED] = FINAL},
};

bool task_state_is_final(uint32_t state)
{
    return state >= TASK_SUCCEEDED && state < TASK_STATE_COUNT;
}

bool task_state_is_live(uint32_t state)
{
    return state == TASK_STARTING || state == TASK_RUNNING || state == TASK_UNREACHABLE;
}

int task_state_next(uint32_t state, uint32_t event, uint32_t final)
{
    if (state >= TASK_STATE_COUNT || event >= TASK_EVENT_COUNT)
        return -EPROTO;
    uint8_t to = next_state[state][event];
    if (to == 0)
        return -EPROTO;
    if (to != FINAL)
        return to - 1;
    return task_state_is_final(final) ? (int)final : -EPROTO;
}

uint32_t task_state_of_end(const struct exit_record *record)
{
    switch ((enum end_cause)record->cause) {
    case END_EXIT:
        return record->exit_code == 0 ? TASK_SUCCEEDED : TASK_FAILED;
    case END_OOM:
        return TASK_OOM_KILLED;
    case END_TIME_LIMIT:
        return TASK_TIMED_OUT;
    case END_BUDGET:
    case END_IO_BUDGET:
        return TASK_BUDGET_STOPPED;
    case END_CANCELLED:
    case END_REQUEUED:
    case END_PREEMPTED: /* of the attempt; its task goes on */
    case END_MAINTENANCE:
    case END_GANG:
    case END_GANG_LOST:
        return TASK_CANCELLED;
    case END_LEASE:
    case END_KEEPER_LOST:
    case END_NODE_LOST:
        return TASK_LOST;
    case END_NONE:
    case END_SIGNAL:
    case END_LAUNCH_FAILED:
    case END_INPUTS:
    case END_OUTPUTS:
    case END_IO_LIMIT:
    case END_CAUSE_COUNT:
        break;
    }
    return TASK_FAILED;
}
