/*
 * plan - one turn of decide(): what it proposes, and where a task goes. Internal to scheduler/core; the
 * records are state.h's.
 */
#ifndef REEVE_SCHEDULER_CORE_PLAN_H
#define REEVE_SCHEDULER_CORE_PLAN_H

#include "scheduler/core/gang.h"
#include "scheduler/core/money.h"

/* ---- one turn of decide() ---------------------------------------------------------------------------------- */
struct placement {
    const struct job *job;
    struct shape *shape;
    struct node *node;
    uint64_t ahead; /* counted of its tenant's use that fades */
};
/* What a plan is written into: empty, it is the core's until the next turn. Long rows that came and went in each one
 * had the allocator put its small pieces together and apart again each time: a third of a decision. */
struct plan_rows {
    struct placement *log;     /* what to undo when the turn is over */
    struct task **resumed;     /* their cores are taken, until the turn is over */
    struct entry **skipped;    /* entries to put back */
    struct shape **parked;
    struct tenant **rested;    /* tenants whose turn is over */
    size_t log_size, resumed_size, skipped_size, parked_size, rested_size;
};
struct plan {
    struct core_now now;       /* utc_us never below the last fact's */
    struct fact *facts;
    size_t count, max;
    uint64_t next_boot_us;     /* the next turn is no later than either */
    int64_t next_utc_us;
    struct plan_rows rows;
    size_t log_count, resumed_count, skipped_count, parked_count, rested_count;
    bool stalled;              /* who is first can't start, and nobody may pass (core_limits.in_order) */
    struct openings openings;  /* of the hold that is being thought about */
    bool full;                 /* no node has room for anything that waits */
    bool behind;               /* a question, of a gang for whose shape room is kept: for a larger one before it */
    uint32_t victim_searches;  /* preempt.c */
    struct kept_use { struct shape *shape; uint32_t tasks; } kept[RESERVE_MAX]; /* for whom somebody goes: in the ledger
                                                                                   as if they had started */
    size_t kept_count;
    uint32_t full_tries;       /* while it was full */
};
void plan_rows_fini(struct core *c);
struct fact *plan_add(struct plan *p, uint32_t kind); /* NULL: full */
void plan_wake_at(struct plan *p, int64_t utc_us);    /* the next turn is no later; INT64_MAX: whenever */
/* Its cores are in use for the rest of the turn. */
void plan_resume(struct core *c, struct plan *p, struct task *t);
void plan_resume_undo(struct core *c, struct plan *p);
/* Takes a placement or a renewal; there is room. */
void plan_hold(struct core *c, struct plan *p, const struct fact *f);
void decide_crossings(struct core *c, struct plan *p);
void decide_nodes(struct core *c, struct plan *p);
void decide_billing(struct core *c, struct plan *p);
void decide_closing(struct core *c, struct plan *p);
/* An account's period ends then; also: ask again at that time. */
void closing_expect(struct core *c, int64_t to_utc_us);
/* false: there is nothing to say again. */
bool decide_suspension(struct core *c, struct plan *p, struct task *t);
/* It may move nothing more, so it stands still; or it does, and waits for money from now on. */
void decide_io_wish(struct core *c, struct plan *p, struct task *t, bool suspended);
void decide_renewal(struct core *c, struct plan *p, struct task *t);
/* The least that a paused attempt needs to go on, as a fact. The caller clears it. */
void resume_fact(const struct core *c, const struct task *t, int64_t utc_us, struct fact *f);

/* ---- decide_place.c, decide_gang.c ------------------------------------------------------------------------- */
/* The turn's memory, until decide_place_undo(): an entry steps aside, a shape does, an attempt is thought of there. */
void plan_skip(struct core *c, struct plan *p, struct entry *e);
void plan_park(struct core *c, struct plan *p, struct shape *s);
void plan_log(const struct core *c, struct plan *p, struct placement what);
void plan_job(struct core *c, struct job *j); /* j's scratch is this turn's */
bool plan_is_capped(const struct job *j, uint32_t tasks);
void plan_no_room(struct core *c, struct plan *p, struct entry *e, bool full);
/* Is it tried behind a gang of its shape that waits for room? What is kept for the shape is kept for that one. */
bool plan_passes(const struct core *c, const struct shape *s);

/* A start as a thought: its fact, with the accounts that it opens, and what the ledger says to it. */
struct start {
    struct fact f;
    bool affordable;  /* the job's own budget buys something of it */
    bool whole;       /* it lowers nothing of it: the ledger would answer alike to any of this shape */
    bool fits;
    struct ledger_blocker blocker;
};
/* Holds, of a start as a fact, no more I/O than is worth it: what a budget can't buy need not keep it from starting.
 * false: it is no more. */
bool start_least_io(const struct core *c, const struct job *j, struct fact *f);
bool gang_least_io(const struct core *c, const struct job *j, struct fact *f);
void start_forget(struct core *c, struct plan *p, struct start *s);
/* It found no room. Would it start, were there some? Then a node is kept for it, for a gang several, and where that is
 * worth it somebody is stopped. */
void start_wait_for_room(struct core *c, struct plan *p, const struct entry *e, struct start *s);
/* It doesn't fit, or the turn has no room for it: forgotten; it waits where whatever keeps it from starting is. */
void start_put_off(struct core *c, struct plan *p, struct entry *e, struct start *start);
/* Tries a gang, as whatever else is tried. */
bool decide_gang(struct core *c, struct plan *p, struct entry *e);
/* The start of so many members of a gang as a fact; the others are left out. On these nodes, a row of one for each;
 * NULL: all on one like `like`. The caller clears it. */
void gang_fact(const struct core *c, struct gang g, uint32_t members, struct node *const *nodes,
               const struct node *like, int64_t utc_us, struct fact *f);
/* Lowers its holds to what the job's own budget has left. false: that doesn't buy slice_min for all, the holds are what
 * does. */
bool gang_within_job_budget(const struct core *c, const struct job *j, struct fact *f);
/* How many of so many members find room now, if they started together? Within one group: in the one that has most. A
 * question. */
struct gang_found {
    uint32_t tasks;
    const struct group *group; /* NULL: wherever, or there is none */
};
struct gang_found gang_would_find(const struct core *c, int64_t utc_us, const struct job *j, const struct shape *s,
                                  uint32_t members);
void decide_place(struct core *c, struct plan *p);
void decide_place_undo(struct core *c, struct plan *p);
/* The placement of a task on a node as a fact, holding a slice at that node's prices. NULL: on none yet, whose class
 * has no name. The caller clears it. */
void placed_fact(const struct core *c, const struct job *j, struct attempt_id id, const struct node *n, int64_t utc_us,
                 struct fact *f);

/* ---- choose.c ---------------------------------------------------------------------------------------------- */
/* Where a task of this shape starts now: where its room is kept, or where it delays nobody whose room is kept; not
 * where it failed by the node's fault (`avoid`), unless there is no other; j: whose it is, NULL: nobody's yet. NULL:
 * nowhere. */
struct node *choose_node(const struct core *c, const struct plan *p, const struct job *j, const struct shape *s,
                         const struct node *avoid);
/* Can it start there now? */
bool node_starts(const struct core *c, const struct plan *p, const struct job *j, const struct shape *s,
                 struct node *n);
/* May one more of the job be there, as far as the job's own cap allows? j NULL: it has none there. */
bool node_may_take(const struct plan *p, const struct job *j, const struct shape *s, const struct node *n);
/* How many more. */
uint32_t node_may_take_so_many(const struct plan *p, const struct job *j, const struct shape *s, const struct node *n);
struct node *open_node(const struct place_item *open); /* whose item in c->open it is */
/* Where it would if that node were empty. NULL: nowhere. */
const struct node *sufficient_node(const struct core *c, const struct shape *s);
/* For how many of so many tasks there would be room if all nodes were empty. */
uint64_t sufficient_room(const struct core *c, const struct shape *s, uint64_t tasks);
/* Where a task of this shape would go now; when it fits nowhere now, where it would if that were empty. NULL: nowhere.
 * */
const struct node *likely_node(const struct core *c, const struct shape *s);

/* ---- submit.c ---------------------------------------------------------------------------------------------- */
/* Could any node, when empty, take a task of this shape, or all of them together a gang? Fills *ret when not. */
struct admit_answer;
bool nodes_admit(const struct core *c, const struct shape *s, struct admit_answer *ret);

#endif
