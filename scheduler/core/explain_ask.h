/*
 * explain_ask - what is put to whom when a job is explained: internal to the files explain*.c.
 *
 *   explain_limits.c   the ledger: quotas, what is borrowed, budgets, rates
 *   explain_opening.c  from when on its budgets pay again
 *   explain_nodes.c    the nodes: none that could, or the one that comes nearest; of a gang, for how many there is room
 *   explain_lacks.c    one node: no room, kept for others, closes, has enough of the job, drained, quarantined, silent
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
    bool sooner;    /* enough is held by others: it may come back before */
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
    const struct task *next; /* whose start is asked about; NULL: one that never started */
    bool behind;           /* room is kept for a larger gang of its shape, before it */
    bool capped;           /* its job has as many as it may have at once */
    uint32_t ending;       /* so many of its tasks have to end first: what they have is free then */
    int64_t until_utc_us;  /* it may start no sooner */
    uint64_t limit_ms;     /* with a time limit of so much it could; 0: that isn't it */
};

struct blocker *explain_add(struct question *q, const char *kind, const char *where, const char *resource);
/* One more thing that would have to be otherwise; all of them together admit it. Takes the text. */
void explain_change(struct question *q, char *text);
/* The same of time: it starts no sooner; with a shorter time limit. */
void explain_until(struct question *q, int64_t utc_us);
void explain_limit(struct question *q, uint64_t limit_ms);
/* For what asks a turn's questions: nothing is planned yet. */
struct plan explain_plan(const struct question *q);
int64_t explain_at(const struct question *q); /* when it may start at the soonest, as far as was asked yet */
/* Each adds what blocks there. */
void explain_rates(struct question *q, const struct fact *f); /* before the nodes are asked: when it may start */
void explain_ledger(struct question *q, const struct fact *f); /* all else that the ledger says */
void explain_limits(struct question *q, const struct fact *f); /* one after the other */
bool explain_waits_for_money(const struct list *blockers); /* among other things */
/* Once the ledger was asked; make: the same start as it would be at another instant. */
void explain_opening(struct question *q, void (*make)(const struct question *q, int64_t utc_us, struct fact *ret));
/* Of a gang with how few it may begin, and with how many; 1 and 1: a task alone. */
void explain_nodes(struct question *q, const struct shape *s, uint32_t members, uint32_t most);
/* Where one of its own has to end first, as per_node allows no more; after rates, before all else of the ledger. */
void explain_per_node(struct question *q, const struct shape *s);
void explain_job(struct question *q);
/* All that keeps the gang of this task from starting. */
void explain_gang(struct question *q, uint32_t index);
void explain_dependencies(struct question *q, uint32_t index);
void explain_pauses(struct question *q, const struct task *t);
void explain_cap(struct question *q, uint32_t tasks); /* before the ledger and the nodes are asked */
/* A person has suspended it; of a job: one of its tasks, which it gives. NULL: nobody has. */
const struct task *explain_suspended(struct question *q, const struct task *t);
/* What one that is paused waits for; nothing when it goes on as soon as it is looked for. */
void explain_paused(struct question *q, const struct task *t);
/* A person has to release it. */
void explain_held(struct question *q);
/* What a node lacks for a task of a shape: all that would have to be otherwise there. */
struct node_lacks {
    const struct node *node;
    bool silent;           /* nothing is heard of it */
    bool out;              /* drained, or in quarantine */
    bool lacks_room, kept; /* for jobs that go first: what may run so long would be in their way */
    bool closes;           /* for maintenance, before this is sure to be over */
    bool capped;           /* it has as many of the job as that allows */
    struct capacity room;  /* so much more must be free there; of kept: for all of its run */
    uint64_t wanted_milli; /* cores that go first to what was paused there */
    int64_t beside_us;     /* of kept: so long it could run */
};
void explain_lacks(struct question *q, const struct shape *s, struct node *n, struct node_lacks *ret);
/* The time limit with which it would be over when a window begins, as people write one; 0: there is none. */
uint64_t explain_limit_before(const struct question *q, int64_t begin_utc_us);
/* "closes at ... until ... for: firmware (window 2)" */
void explain_window_words(const struct fact_window *w, int64_t utc_us, char *out, size_t size);
/* Another limit is another submission: not of a job of which something runs. */
bool explain_may_limit(const struct question *q, uint64_t limit_ms);
/* 0: it would start there. The less the sooner it can be cured by whoever waits. */
uint32_t explain_lacks_rank(const struct node_lacks *l);
void explain_lacks_say(struct question *q, const struct shape *s, const struct node_lacks *l);
/* The first of its tasks that waits to start again. NULL: none. */
const struct task *explain_first_waiting(const struct job *j);

#endif
