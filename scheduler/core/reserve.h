/*
 * reserve - which node is kept for whom, from when on.
 *
 * What can't start for want of room alone (not of quota, money or rate) is promised the earliest start that the
 * profiles of nodes know (policies/backfill.h). A turn asks in fair order: who is asked confirms the promise, and from
 * then on in this turn nothing is placed that would run into it. So a promised start is moved later by those who are
 * ahead in the fair order, by an attempt that runs on beyond its expected end, or by a node that goes; never by who is
 * let past. Who has waited twice as long as was promised first is firm: asked before all others, the oldest first, so
 * it starts within one longest limit from then on, whatever the order. It is soft state: a scheduler
 * that recovers promises anew.
 * Where money may end before a limit does, a promise has an expected start, too (forecast.h): asked once a second, and
 * from there on its room is kept.
 *
 * Each tenant has one promise, for its first task that finds no room; there are core_limits.reserve_max in all, those
 * of whom the turn asks first. Their nodes leave the ordinary index and are looked at one by one, so a decision costs
 * the depth of the index and so many nodes. A search, for a new promise or one that is delayed, asks SEARCH_MAX nodes,
 * each time the next ones; what makes a promise earlier is a change of some node, and only those are asked. In a tenth
 * of a second ASKS_MAX nodes are asked in all: promises come or improve that much later in a cell where much happens,
 * and hold as they are until then.
 * A gang is promised several nodes, and on each so many of its tasks, from one start on (reserve_gang.c). Such a search
 * asks GANG_NODES_MAX nodes; there is one in a tenth of a second, and for a gang that has a promise one a second:
 * between two of them its promise holds as it is. Where somebody is stopped for a gang it stays, as long as that goes
 * on: what they leave on all these nodes is the gang's.
 * Purity: pure; internal to scheduler/core.
 */
#ifndef REEVE_SCHEDULER_CORE_RESERVE_H
#define REEVE_SCHEDULER_CORE_RESERVE_H

#include "scheduler/core/state.h"

struct backfill;
/* So many tasks of a gang start on a node. */
struct kept {
    struct node *node;
    uint32_t tasks;
};
/* Where all of a gang start together, and when; INT64_MAX: never, as far as is known. */
struct gang_place {
    int64_t start_utc_us;
    struct kept *v; /* by name; the holder frees it */
    size_t count;
};
/* What this shape finds on a node: valid until the next question. */
const struct backfill *reserve_profile(const struct core *c, const struct plan *p, struct node *n,
                                       const struct shape *s);
/* The same as reserve_blocked(), for a gang of so many. */
void reserve_blocked_gang(struct core *c, struct plan *p, struct shape *s, uint32_t tasks);
/* From when on gangs are asked for a promise again. */
int64_t reserve_gangs_utc_us(const struct core *c);
/* A gang is tried: what is promised to it stands in nobody's way, until it is confirmed again. */
void reserve_lift(struct core *c, struct shape *s);
/* Has what promises say changed since? A number that grows. */
uint64_t reserve_version(const struct core *c);
/* Is its promise due? */
bool reserve_is_due(const struct core *c, const struct shape *s, int64_t utc_us);

void reserve_init(struct core *c);
void reserve_fini(struct core *c);
/* Before and after a turn places. */
void reserve_turn_begin(struct core *c, struct plan *p);
void reserve_turn_end(struct core *c);
/* Could anything be promised to it in what is left of this turn? */
bool reserve_is_open(const struct core *c, const struct shape *s);
/* Is what is kept for this shape kept for a gang of more than so many? */
bool reserve_is_for_more(const struct core *c, const struct shape *s, uint32_t tasks);
/* Would a promise to it be new or need to be confirmed? */
bool reserve_wanted(const struct core *c, const struct shape *s);
/* It is wanted, and nothing but room keeps the shape's first task from starting: it is promised a node and a start, or
 * what was promised to it is confirmed. */
void reserve_blocked(struct core *c, struct plan *p, struct shape *s);
/* The node kept for this shape, when it can start there now; NULL: not yet, or none. */
struct node *reserve_due(const struct core *c, const struct plan *p, const struct shape *s);
/* A node that is reserved, where a task of this shape can start now and delays nobody. */
struct node *reserve_beside(const struct core *c, const struct plan *p, const struct job *j, const struct shape *s,
                            const struct node *avoid);
/* Can a task of this shape start there now beside what is kept there? */
bool reserve_starts_now(const struct core *c, const struct plan *p, const struct shape *s, struct node *n);
/* The plan, whose log has it already, places a task of this shape there: what was promised to it is kept. */
void reserve_placed(struct core *c, const struct plan *p, struct shape *s, struct node *n);
/* The same for one that is only tried there, promised or not; and it isn't any more. */
void reserve_take(struct core *c, const struct plan *p, const struct shape *s, struct node *n);
void reserve_give_back(struct node *n);
void reserve_forget(struct core *c, struct shape *s);
/* When it could start, of the nodes that a search asks, and whether that one is kept for it; sooner: what runs ends as
 * early as others did. INT64_MAX and NULL: never, as far as is known. */
int64_t reserve_earliest(const struct core *c, const struct shape *s, int64_t utc_us, bool sooner,
                         const struct node **ret_node, bool *ret_kept);
/* Could it start about as soon as whoever was stopped now would be gone? */
bool reserve_is_soon(const struct core *c, const struct plan *p, const struct shape *s);
/* The nodes on which attempts are stopped for what has a promise, borrowed until that is set anew. 0: nobody is. */
size_t reserve_victims(const struct core *c, const struct shape *s, struct node *const **ret);
/* cut: not all of them are stopped yet, a turn doesn't take so many. */
void reserve_set_victims(struct core *c, const struct shape *s, struct node *const *nodes, size_t count, bool cut);
bool reserve_is_cut(const struct core *c, const struct shape *s);
uint32_t reserve_tasks(const struct core *c, const struct shape *s); /* that are to start together; it has a promise */
/* The shapes for which there are such, oldest promise first; at most RESERVE_MAX. */
size_t reserve_waiting_for_victims(const struct core *c, struct shape **ret);
/* What has a promise starts there, when what is stopped there now will be gone. */
void reserve_at(struct core *c, const struct plan *p, const struct shape *s, struct node *n);
/* The same for a gang, with a promise or without: so many of it on these nodes, by name. false: there is no place among
 * the promises. */
bool reserve_gang_at(struct core *c, const struct plan *p, struct shape *s, const struct kept *v, size_t count);
/* Where what has a promise is to start, one after the other; NULL: no more. */
struct node *reserve_place(const struct core *c, const struct shape *s, size_t i);
/* What promises to others that count in this turn will take of a node. */
void reserve_kept(const struct core *c, const struct node *n, const struct shape *s, struct capacity *ret);
/* When the last closes of the nodes that are kept for somebody, are of the pool (NULL: any), and have so much free now;
 * INT64_MIN: none has. */
int64_t reserve_longest_us(const struct core *c, const struct capacity *need, const struct pool *pool);
/* The most that any such node has free of a resource. */
uint64_t reserve_most(const struct core *c, size_t dim);
/* Of those that suit it and could hold it when empty, one that has room now, else the one with the most free cpu. */
const struct node *reserve_freest(const struct core *c, const struct shape *s, const struct capacity *need);
void reserve_node_changed(struct core *c, struct node *n);
/* What is promised to it; false: nothing. */
bool reserve_promised(const struct core *c, const struct shape *s, int64_t *ret_start_utc_us,
                      const struct node **ret_node);
int reserve_verify(const struct core *c, struct err *err) MUST_USE;

#endif
