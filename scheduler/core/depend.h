/*
 * depend - what a job waits for before its tasks may start: other jobs, or single tasks of theirs.
 *
 * A dependency points to a job that was accepted before, so its number is smaller and no cycle can come about; the one
 * way to name a job that isn't there yet is the key that the new job itself gets, and that is refused.
 * Whom an end may wake is on a list of the job that ended: an end costs as much as has waited for it, whoever else
 * waits for what. Nothing is held, no money and no quota but a place in the queue, while a job waits.
 *
 *   waits --the other job, or its task, ended as wished--> met: forgotten
 *         --it ended otherwise--> never: decide() cancels what waits for it, unless the job keeps it (if_unmet)
 *
 * Of a dependency by tasks (AFTER_SAME) each task has its own answer: the outcomes of the other job say it, as long as
 * that lives, and a copy of them afterwards.
 * Ownership: a job owns its dependencies; a job that ends leaves every list.
 */
#ifndef REEVE_SCHEDULER_CORE_DEPEND_H
#define REEVE_SCHEDULER_CORE_DEPEND_H

#include "base/fact.h"
#include "scheduler/core/outcomes.h"

struct core;
struct job;
struct plan;

enum depend_state { DEPEND_WAITS, DEPEND_MET, DEPEND_NEVER };

struct dependency {
    struct job *job;              /* who waits */
    struct job *of;               /* for whom; NULL: that is over, or matters no more */
    struct dependency *prev, *next; /* the others that wait for it */
    uint64_t id;                  /* its number */
    uint32_t on, tasks;           /* enum after_on, enum after_tasks */
    struct measure task;
    enum depend_state state;      /* AFTER_SAME: waits until all its tasks have their answer */
    struct outcomes kept;         /* AFTER_SAME: of a job that is over */
};
struct depends {
    struct dependency *v;
    uint32_t count;
    uint32_t whole;               /* that wait for all of the job or one task, and aren't met */
    bool keep;                    /* if_unmet: keep */
    bool doomed;                  /* in core.doomed: some of its tasks can't start any more */
    struct job *doomed_next;
};

/* A job with what the fact says that it waits for. */
int depend_check(const struct core *c, const struct fact_submitted *f, struct err *err) MUST_USE;
void depend_begin(struct core *c, struct job *j, const struct fact_submitted *f);
void depend_fini(struct core *c, struct job *j); /* no-op when it depends on nothing; who waits for it forgets it */
/* Is this the end (enum outcome_how) that was waited for? Who was left out has ended, and nothing else. */
bool depend_wished(uint32_t on, uint32_t how);
/* May a task start, as far as others are concerned? */
bool depend_ready(const struct job *j, uint32_t index);
/* The first task from there on that may; beyond the last: none. */
uint64_t depend_next(const struct job *j, uint64_t from);
/* Tasks of this job are over, or all of it is (after all its tasks): whoever waits for that hears of it. */
void depend_on_ended(struct core *c, struct job *j, uint32_t first, uint32_t count, uint32_t how);
void depend_on_finished(struct core *c, struct job *j);
/* Tasks that can't start any more are cancelled, as facts. */
void decide_depend(struct core *c, struct plan *p);
/* What it waits for, as facts, for snapshots; and the hash of it. */
void depend_list(const struct job *j, struct list *ret);
uint64_t depend_hash(const struct job *j, uint64_t hash);
int depend_verify(const struct job *j, struct err *err) MUST_USE;

/* A dependency in words: "job 12 must succeed; it runs, 3 of 20 tasks done". Caller frees. */
char *depend_words(const struct core *c, const struct fact_after *a);
/* The same of what keeps a job's task from starting, from number *i on, which moves; *ret_never: it can't be met any
 * more. NULL: there are no more. */
char *depend_words_of(const struct core *c, const struct job *j, uint32_t index, uint32_t *i,
                      const struct dependency **ret, bool *ret_never);

struct submit_call;
struct refusal;
struct tenant;
/* What a submission waits for, as it stands now: spec.after without what is met already. enum core_answer. */
int depend_resolve(const struct core *c, const struct tenant *t, const struct submit_call *call,
                   const struct job_spec *spec, uint32_t uid, const char *user, struct list *ret,
                   struct refusal *refusal);

#endif
