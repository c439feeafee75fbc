/*
 * quarantine - a node that fails what others can run is left alone for a while.
 *
 * A fault here is an attempt that could not be launched, or whose keeper died. (A node that is lost or reboots has
 * its own rules.) Of a node those of the last QUARANTINE_WINDOW_US count, one for each job, while nothing went well
 * there since: what began to run takes back faults of launches, what ended otherwise than by a fault takes back all.
 * It is out when
 *
 *   proven    QUARANTINE_PROVEN jobs, of two tenants at least, or twice as many of one, failed there and have begun to
 *             run elsewhere since; or
 *   likely    QUARANTINE_LIKELY jobs of QUARANTINE_TENANTS tenants failed there, QUARANTINE_DOUBT_US ago at least, and
 *             nowhere else since, though by then they were tried elsewhere if there was room
 *
 * A task that failed on two nodes fails by itself: it counts for neither. A quarter of the nodes at most is out, and
 * never the last one that could be used: whatever somebody submits, a cell is not emptied by it.
 *
 * That a node is out, until when and why is a fact, node.quarantined, as somebody may have to answer for it; the
 * counts that lead to it are soft: a scheduler that recovers counts anew. When its time is over it gets one attempt,
 * and no second one before that has begun to run: then it is back. When that fails it is out for twice as long: one
 * minute at first, an hour at most. An admin may take it back (undrain).
 * Purity:    pure; internal to scheduler/core.
 */
#ifndef REEVE_SCHEDULER_CORE_QUARANTINE_H
#define REEVE_SCHEDULER_CORE_QUARANTINE_H

#include "scheduler/core/plan.h"

#define QUARANTINE_PROVEN 3
#define QUARANTINE_LIKELY 6
#define QUARANTINE_TENANTS 3
#define QUARANTINE_DOUBT_US INT64_C(30000000)
#define QUARANTINE_WINDOW_US INT64_C(600000000)
#define QUARANTINE_FIRST_US INT64_C(60000000)
#define QUARANTINE_MAX_US INT64_C(3600000000)

/* Facts happen there: a task has begun to run, an attempt has ended (before the task is queued again). */
void quarantine_note_running(struct core *c, const struct task *t);
void quarantine_note_end(struct core *c, const struct task *t, struct node *n, uint32_t cause, int64_t at_utc_us);
/* Something is put there, in thought too, or taken from there: it may be the one attempt that it gets. */
void quarantine_probe(struct core *c, struct node *n, bool more);
/* Does it take nothing new for that? */
bool quarantine_keeps_out(const struct node *n);
void quarantine_set(struct core *c, struct node *n, const struct fact_quarantined *q); /* as the fact says */
void quarantine_refused(struct core *c, struct node *n);
void quarantine_free(struct node *n);
void decide_quarantine(struct core *c, struct plan *p);
/* As it is, and as an admin takes it back. */
void quarantine_fact(const struct node *n, bool out, const char *who, int64_t utc_us, struct fact *ret);

#endif
