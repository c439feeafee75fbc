/*
 * answers - questions of people about jobs, and why one doesn't start. Internal to scheduler/core; the records are
 * state.h's.
 */
#ifndef REEVE_SCHEDULER_CORE_ANSWERS_H
#define REEVE_SCHEDULER_CORE_ANSWERS_H

#include "scheduler/core/state.h"

/* ---- cancel.c, change.c ------------------------------------------------------------------------------------- */
/* The job of a call, or a refusal. */
struct job *job_of_call(const struct core *c, const struct job_call *call, struct refusal *refusal);
/* The same, unfinished, and nothing is on its way about it: CORE_FACT; else CORE_LATER or CORE_REFUSED. */
int job_to_change(struct core *c, const struct job_call *call, struct job **ret, struct refusal *refusal);
/* Waiting tasks (queued or held) without a gap, from `from` on. false: none. */
bool job_waiting_range(const struct job *j, uint64_t from, uint32_t *ret_first, uint32_t *ret_count);
/* The fact that cancels such a range, in flight from now on. Takes the reason. */
void cancel_range(struct core *c, const struct job *j, uint32_t first, uint32_t count, const char *who, char *reason,
                  int64_t utc_us, struct fact *f);

/* ---- explain.c, views.c ------------------------------------------------------------------------------------ */
/* The first thing that keeps the job's next task from starting, in one line; NULL: nothing. Caller frees. */
char *explain_first(const struct core *c, const struct job *j, int64_t utc_us);
/* The same into a row, and when it could start; *estimates: for so many rows that is still asked, one less by then. */
void explain_row(const struct core *c, const struct job *j, int64_t utc_us, uint32_t *estimates, struct job_row *ret);
/* The same for a job that is not there yet, with when it could start, if few have asked of late; "now" when nothing
 * blocks. */
char *explain_new(struct core *c, struct tenant *t, const struct job_spec *spec, int64_t utc_us);
/* The same for one that waits for other jobs: struct fact_after. */
char *explain_waits(const struct core *c, const struct list *after);
/* A row of a list, as explain_row() has it. false: no such job. */
bool job_row_of(const struct core *c, uint64_t job, int64_t utc_us, uint32_t *estimates, struct job_row *ret);
const char *job_state(const struct job *j); /* "pending", "running", "paused", "suspended", "held", or a final state */

#endif
