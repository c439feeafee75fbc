/*
 * deadline - jobs that have to start, or to end, by some time. Internal to scheduler/core; deadline.c says how.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_DEADLINE_H
#define REEVE_SCHEDULER_CORE_DEADLINE_H

#include "scheduler/core/state.h"

void deadline_begin(struct core *c, struct job *j, const struct job_spec *spec);
void deadline_again(struct core *c, struct job *j); /* a task of it went back to the queue */
void deadline_fini(struct core *c, struct job *j);
/* Is it too late to start this task (NULL: one that never did)? */
bool deadline_is_over(const struct job *j, const struct task *t, int64_t utc_us);
/* From when on it is; INT64_MAX: never. */
int64_t deadline_start_utc_us(const struct job *j, const struct task *t);
/* Its finish_by; INT64_MAX: none. */
int64_t deadline_finish_utc_us(const struct job *j);
void decide_deadline(struct core *c, struct plan *p, struct job *j); /* its timer is due */
/* Can it be started, and ended, in time at all? Fills *refusal when not. */
bool deadline_admits(const struct job_spec *spec, int64_t utc_us, struct refusal *refusal);

#endif
