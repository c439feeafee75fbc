/*
 * spread - tasks of a job over the values that nodes have of a label: zones, rooms, racks. Internal to scheduler/core.
 *
 * A task whose job says `spread: zone` starts in the zone where the fewest of the job's tasks are, of those that have a
 * node for it now. It is a wish: nobody waits for it. Nodes without the label come last.
 *
 *   a shape has     a pool (pool.h) for each value; they are found by text, so shapes that ask alike share them
 *   a job has       how many of its tasks live in each, what the turn is thinking of included
 *
 * Cost: of a decision the number of values, and the depth of a pool's index for each that is asked: mostly one.
 * Bounds: SPREAD_VALUES_MAX values; of a cell that has come to have more, the first by name: all others come last, too.
 *         A value that only lost nodes have isn't one.
 * Soft: made of nodes and tasks, when a turn first asks for it and again when a node has joined since.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_SPREAD_H
#define REEVE_SCHEDULER_CORE_SPREAD_H

#include "scheduler/core/plan.h"

#define SPREAD_VALUES_MAX 64

struct spread {
    struct topology *groups; /* of the label */
    uint64_t made;           /* of nodes as they were at c->joins */
    struct pool **pools;     /* of the first groups, in their order */
    size_t count;
};
struct spread_counts {
    uint64_t made;           /* of nodes as they were then */
    uint32_t live[];         /* of each of them */
};

/* How many values of a label there are among the nodes that suit the shape. */
size_t spread_values(const struct core *c, const struct shape *s, const char *label);
struct spread *spread_new(const char *label);
void spread_free(struct core *c, struct spread *s); /* NULL: no-op */
/* A turn is about to ask for nodes for this job. No-op when its tasks aren't to be spread. */
void spread_begin(struct core *c, struct job *j);
/* An attempt of the job, or the thought of one, is there, or isn't any more. */
void spread_note(const struct core *c, const struct job *j, const struct node *n, bool more);

/* The pools of a job's shape, fewest of its tasks first; of as many, by value. {0} begins; NULL: no more, or the tasks
 * aren't to be spread. */
struct spread_walk {
    bool began;
    uint32_t live;
    size_t at;
};
struct pool *spread_next(const struct core *c, const struct job *j, struct spread_walk *w);

int spread_verify(const struct core *c, const struct job *j, struct err *err) MUST_USE;

#endif
