/*
 * gang - tasks of a job that start together or not at all. Internal to scheduler/core.
 *
 * A job with gang = n is cut into gangs by index: its first n tasks, the next n, ... Members are those of the n tasks
 * that haven't succeeded, nor were left out; who has succeeded is done, whatever becomes of the others.
 *
 *   waits    all members wait; the gang is ready when each of them could start. It stands in its shape's queue once:
 *            among the job's fresh tasks as long as nothing is on record of it, then as the first task on record.
 *   lives    one fact, gang.placed, starts all members: epochs, resources and money of all or of none. With gang_min
 *            it may leave out the last of them: as many start as can now, but gang_min, or all where they are fewer.
 *            Who is left out is over by the same fact, and no member any more
 *   breaks   who ends otherwise than well decides for all, by policies/retry.h: the very fact of its end tells those
 *            that live to stop (END_GANG, or END_GANG_LOST when a node is at fault, which the platform pays). They wait
 *            again with it, or are over. Whom somebody stops (cancelled, run again, preempted, finish_by) takes the
 *            others along, by the same cause and in the same fact.
 *   is over  a task of it is over otherwise: the gang can't start any more, whoever still waits is cancelled
 *
 * Retries and the node to avoid are the gang's: each record has the same. So that one decides, the end of another is
 * put off (CORE_LATER) while it is in flight.
 * Invariant: beside a member that waits, or is over and hasn't succeeded, nobody lives who isn't being stopped. It
 *            holds after every fact: nothing about a gang is soft but whom decide() has still to cancel.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_GANG_H
#define REEVE_SCHEDULER_CORE_GANG_H

#include "scheduler/core/state.h"

struct plan;

struct gang {
    const struct job *job;
    uint32_t first, last; /* tasks */
};
/* Of a job that has gangs. */
struct gang gang_of(const struct job *j, uint32_t index);
/* Its tasks on record, one after the other; NULL: no more. *at begins as job_record_from() its first. */
struct task *gang_record(struct gang g, uint32_t *at);
/* Its first task on record; NULL: none is. */
struct task *gang_lead(struct gang g);
/* The first member from a task on; beyond g.last: none. */
uint64_t gang_member_from(struct gang g, uint64_t index);
uint32_t gang_size(struct gang g); /* members */
/* Tasks that weren't left out: as many as before, however many have succeeded. */
uint32_t gang_taking_part(struct gang g);
/* With how few members it may begin. */
uint32_t gang_least(struct gang g);
/* Could all of it start, as far as people, pauses, its job's cap and other jobs are concerned? */
bool gang_is_ready(struct gang g);
/* The first task of the first gang from a task on that is ready and of which nothing is on record or over; beyond the
 * last: none. The cap isn't asked. */
uint64_t gang_fresh_from(const struct job *j, uint64_t from);
/* Puts it into the queue or out of it. */
void gang_sync(struct core *c, struct gang g);

/* What an end of this member means beside what others have come to: enum gang_fate. */
uint32_t gang_fate(const struct task *t);
/* Would this end decide for the gang, and does something in flight decide already? Or is an order to stop it, which
 * names but one of it, in flight: what this end means depends on who stops it. */
bool gang_is_undecided(const struct task *t, const struct exit_record *record);
/* Somebody stops t: so all. */
void gang_stop(struct core *c, struct task *t, uint32_t cause);
/* Its stop for another is planned, or isn't any more: of t, and of all of its gang that live. */
void gang_set_going(struct core *c, struct task *t, bool going);
/* A member has ended, as the fact says; its record is as it is now, or gone. */
void gang_ended(struct core *c, struct job *j, const struct fact_ended *e);
/* Tasks are over and haven't succeeded: who still waits of their gangs is to be cancelled. */
void gang_doom(struct core *c, const struct job *j, uint32_t first, uint32_t last);
void decide_gangs(struct core *c, struct plan *p);
/* In a walk over the tasks of a job in order: was somebody of the same gang met before? For a job without gangs: no. */
bool gang_was_met(const struct job *j, uint32_t index, uint64_t *met);

/* Who is left out by a gang.placed whose members have started is over. */
void gang_leave_out(struct core *c, struct job *j, const struct fact_gang *f);
int gang_placed_check(const struct core *c, const struct fact *f, struct err *err) MUST_USE;
int gang_verify(const struct job *j, struct err *err) MUST_USE;

#endif
