/*
 * explain_ask - what is put to whom when a job is explained: internal to the files explain*.c.
 *
 *   explain_limits.c   the ledger: quotas, what is borrowed, budgets, rates
 *   explain_opening.c  from when on its budgets pay again
 *   explain_nodes.c    the nodes: none that could, none with room, one that is kept for others, one that closes
 *   explain_job.c      the job itself: what it waits for, its pause, its cap, its own budget; one that is paused
 *   explain.c          all of it, in order: for a row, for why, for a job that isn't there yet
 *
 * Explain asks what decide() asks: the same fact, put to the same ledger and the same placement index.
 */
#ifndef REEVE_SCHEDULER_CORE_EXPLAIN_ASK_H
#define REEVE_SCHEDULER_CORE_EXPLAIN_ASK_H

#include "scheduler/core/state.h"

/* A budget's next period, with which what waits for money would be admitted: "acme's budget of 2026-12 begins". */
struct opening {
    int64_t utc_us; /* 0: there is none, as far as budgets and prices are known */
    char *words;
    bool asked;     /* something waits for money: it was looked for */
};
/* What is to be explained: the next task of a job, or of one not yet submitted. */
struct question {
    const struct core *core;
    const struct job *job;
    const struct task *task; /* NULL: the next of the job */
    bool has_index;          /* that one, which never started */
    uint32_t index;
    int64_t utc_us;
    struct list *blockers; /* struct blocker */
    char *change;
    struct opening *opening; /* NULL: not asked for */
    const void *of;          /* of whoever asks for it */
};

struct blocker *explain_add(struct question *q, const char *kind, const char *where, const char *resource);
/* One more thing that would have to be otherwise; all of them together admit it. Takes the text. */
void explain_change(struct question *q, char *text);
/* Each adds what blocks there. */
void explain_ledger(struct question *q, const struct fact *f);
bool explain_waits_for_money(const struct list *blockers); /* among other things */
/* Once the ledger was asked; make: the same start as it would be at another instant. */
void explain_opening(struct question *q, void (*make)(const struct question *q, int64_t utc_us, struct fact *ret));
void explain_nodes(struct question *q, const struct shape *s, uint32_t members); /* of a gang; 1: a task alone */
void explain_job(struct question *q);
/* All that keeps the gang of this task from starting. */
void explain_gang(struct question *q, uint32_t index);
void explain_dependencies(struct question *q, uint32_t index);
void explain_pauses(struct question *q, const struct task *t);
void explain_cap(struct question *q, uint32_t tasks);
/* A person has suspended it; of a job: one of its tasks. */
bool explain_suspended(struct question *q, const struct task *t);
/* What one that is paused waits for; nothing when it goes on as soon as it is looked for. */
void explain_paused(struct question *q, const struct task *t);
/* A person has to release it. */
void explain_held(struct question *q);
/* The first of its tasks that waits to start again. NULL: none. */
const struct task *explain_first_waiting(const struct job *j);

#endif
