/*
 * task_state - the states of a task and the one table that says which event leads where.
 * Every job has at least one task; a job that is no array has exactly one. Blank in the table = refused by name.
 *
 *   submitted is an event, not a state: with the commit of job.submitted a task is `queued`.
 *
 *   queued --placed--> starting --running--> running --ended--> succeeded failed cancelled timed_out
 *     ^ |                 |  |                 |  ^                oom_killed budget_stopped lost
 *     | +--held--> held   |  +--silent--> unreachable
 *     +----requeued-------+---------------------+            final states absorb: every event is refused
 *
 *   A gang that may begin with fewer leaves out whom there is no room for: queued --left_out--> left_out. Such a task
 *   is over, and has neither succeeded nor failed.
 * Purity: pure.
 */
#ifndef REEVE_BASE_TASK_STATE_H
#define REEVE_BASE_TASK_STATE_H

#include "base/attempt.h"

enum task_state {
    TASK_QUEUED,
    TASK_HELD,
    TASK_STARTING,
    TASK_RUNNING,
    TASK_UNREACHABLE,
    TASK_SUCCEEDED, /* from here on final */
    TASK_FAILED,
    TASK_CANCELLED,
    TASK_TIMED_OUT,
    TASK_OOM_KILLED,
    TASK_BUDGET_STOPPED,
    TASK_LOST,
    TASK_LEFT_OUT,
    TASK_STATE_COUNT
};

enum task_event {
    TASK_EV_PLACED,
    TASK_EV_RUNNING,
    TASK_EV_SILENT,
    TASK_EV_REACHED,
    TASK_EV_REQUEUED, /* the attempt is over, another may follow */
    TASK_EV_ENDED,    /* the attempt is over and the task with it: the final state comes with the event */
    TASK_EV_HELD,
    TASK_EV_RELEASED,
    TASK_EV_CANCELLED, /* before it started */
    TASK_EV_LEFT_OUT,  /* its gang starts without it */
    TASK_EVENT_COUNT
};

extern const struct names task_state_names, task_event_names;

bool task_state_is_final(uint32_t state);
bool task_state_is_live(uint32_t state); /* starting, running, unreachable: an attempt may exist somewhere */
/* The state after `event`, or -EPROTO when the pair is blank. TASK_EV_ENDED leads to `final` (a final state). */
int task_state_next(uint32_t state, uint32_t event, uint32_t final);
/* The final state that an attempt's end means for its task when nothing follows: cause and exit code decide. */
uint32_t task_state_of_end(const struct exit_record *record);

#endif
