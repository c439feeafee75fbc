/*
 * windows - maintenance: when nodes are closed, and what that means for what starts and runs there.
 *
 * A window closes nodes by name, by `where` (whatever suits it, now or later) or all of them, from one instant until
 * another. It is a fact until it is taken back or over; the scheduler itself says that it is over.
 *
 *   starts    Nothing is placed that could still run when its node closes: with a time limit, until limit, grace and
 *             kill time are over; without one for core_limits.horizon_ms, but what may be preempted and has no limit is
 *             placed when it gets its minimum run time before it is stopped. So promises and estimates know windows,
 *             too: they are closed stretches of the profiles (policies/backfill.h).
 *   begins    What may be preempted is stopped, so early that it is gone by then; all else as well when the window says
 *             `stop`, and runs on when it says `leave`. Cause END_MAINTENANCE: queued again, costs no retry, avoids no
 *             node; refunded like a preemption. Left alone is what ends at its own limit by then.
 *   ends      The node is as it was. Windows may overlap; drains stay apart from them.
 *
 * What comes late (an order that its node hears much later, a pause at the paid end) may meet a window all the same:
 * then it is as at the begin.
 * Ownership: the core owns windows; a node's row of them borrows.
 * Purity:    pure; internal to scheduler/core.
 * Invariant: a node's windows are those that close it, by (begin, number); its place in the index says when the first
 *            one begins (place_item.until_us).
 */
#ifndef REEVE_SCHEDULER_CORE_WINDOWS_H
#define REEVE_SCHEDULER_CORE_WINDOWS_H

#include "base/where.h"
#include "scheduler/core/plan.h"

struct window {
    struct fact_window as;
    struct where where;   /* of as.where */
    bool told;            /* soft: whoever has to stop for it knows */
};

void windows_fini(struct core *c);
struct window *window_find(const struct core *c, uint64_t number); /* NULL: there is none, or it is over */
/* parsed: of w->where, if it has one. */
bool window_closes(const struct fact_window *w, const struct where *parsed, const struct node *n);
/* It is new, or has other labels: which windows close it. node_refresh() is up to the caller. */
void windows_of_node(struct core *c, struct node *n);
/* When it closes first; INT64_MAX: it doesn't. In the past while it is closed. */
int64_t windows_close_utc_us(const struct node *n);
/* Closes the stretches of its profile. */
void windows_close(const struct node *n, struct backfill *b);
/* When this attempt is stopped for a window of its node; INT64_MAX: for none. */
int64_t windows_stop_utc_us(const struct node *n, const struct task *t);
void decide_windows(struct core *c, struct plan *p);

/* Where a task of this shape would find room now, were it sure to end before its node closes: of such nodes the one
 * that closes last. NULL: there is none. */
const struct node *windows_block(const struct core *c, const struct shape *s, int64_t utc_us);
/* What the first window of a node, it has one, leaves to a task of this shape. */
struct window_block {
    const struct node *node;
    const struct fact_window *window;
    uint64_t left_ms;     /* a time limit of so much would be over by then; 0: none, it is closed or about to be */
    uint64_t needs_ms;    /* as things are */
};
struct window_block windows_block_of(const struct core *c, const struct shape *s, const struct node *n, int64_t utc_us);

void windows_snapshot(const struct core *c, struct fact_snapshot_cell *to);
int windows_check_snapshot(const struct fact_snapshot_cell *from, struct err *err) MUST_USE;
void windows_restore(struct core *c, const struct fact_snapshot_cell *from); /* its nodes are there */
uint64_t windows_hash(const struct core *c, uint64_t hash);
int windows_verify(const struct core *c, struct err *err) MUST_USE;

#endif
