/*
 * pool - the nodes that a job's `where` matches, indexed on their own, so that a decision about such a job costs the
 * depth of that index however many nodes the cell has. Shapes with the same text share one. Of these nodes, or of all,
 * those with one value of a label may be a pool, too: a part (spread.h). Internal to scheduler/core.
 *
 *   node joins, with other labels   pools_enter(): asked of each pool once
 *   node is used, opened, closed    pools_touch(): noted, some nanoseconds for each pool that it is in
 *   a decision                      pool_search(): what was noted is caught up with, then searched
 *
 * So a pool that nobody asks costs next to nothing, and one that is asked pays for what changed in it.
 * Soft:      made of nodes and shapes, never in a fact or a snapshot; the same whenever it is made.
 * Bounds:    POOLS_MAX pools that hold POOL_NODES_MAX nodes together (some 650 bytes each); a submission that would
 *            need more is refused. What a committed job needs is there all the same.
 * Ownership: the core owns pools, a shape a reference to one. POOLS_IDLE_MAX that nobody needs stay for who comes next.
 */
#ifndef REEVE_SCHEDULER_CORE_POOL_H
#define REEVE_SCHEDULER_CORE_POOL_H

#include "base/where.h"
#include "policies/place.h"
#include "scheduler/core/table.h"

#define POOLS_MAX 1024
#define POOL_NODES_MAX ((size_t)1 << 20)
#define POOLS_IDLE_MAX 16

struct core;
struct node;

struct pool_node {
    struct place_item open;       /* as its node's, when it was caught up with */
    struct node *node;
    struct pool *pool;
    struct pool_node *next;       /* of the same node */
    bool stale;
    struct pool_node *stale_next;
};
struct pool {
    char *text;                   /* what it is found by: its `where`; of a part the label, the value and that */
    char *label, *value;          /* of a part; NULL: it is none */
    bool any;                     /* no `where` */
    struct where parsed;
    uint64_t hash;
    uint32_t refs;                /* shapes */
    struct place_index open;      /* of its nodes those that take new work */
    struct pool_node *stale;
    struct node **nodes;          /* by name */
    size_t count, size;
    struct pool *prev, *next;     /* of core.pools */
};
struct pools {
    struct pool *first;
    size_t count, idle, nodes;
    struct table by_text;
};

/* One reference more to the pool of that text, which parses. */
struct pool *pool_get(struct core *c, const char *where);
/* The same of its nodes with that value of a label; where NULL: of all nodes. */
struct pool *pool_get_part(struct core *c, const char *where, const char *label, const char *value);
void pool_put(struct core *c, struct pool *p);
/* NULL: no pool has been made for it. */
struct pool *pool_find(const struct core *c, const char *where);
/* Is there room for it, or for so many more? Questions. */
bool pool_fits(const struct core *c, const char *where);
bool pools_fit(const struct core *c, size_t more);
/* As place_search(), of its nodes; `avoid` in place of the query's. */
struct node *pool_search(struct pool *p, struct place_query q, const struct node *avoid);
int64_t pool_longest_us(struct pool *p, const struct capacity *need); /* as place_longest_us(), of its nodes */
struct node *pool_node_of(const struct place_item *item); /* whose item in a pool it is */
bool pool_has(const struct pool *p, const struct node *n);

void pools_enter(struct core *c, struct node *n);  /* its labels are known, or others */
void pools_leave(struct core *c, struct node *n);  /* before they change */
void pools_touch(struct node *n);
void pools_fini(struct core *c);
/* Does each hold what it should, as the nodes are? -EUCLEAN. */
int pools_verify(const struct core *c, struct err *err) MUST_USE;

#endif
