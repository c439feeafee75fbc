/*
 * reserve_inner - promises as they are kept: reserve.c (of one task), reserve_gang.c (of several that start together),
 * reserve_ask.c (what they leave). Nobody else's.
 */
#ifndef REEVE_SCHEDULER_CORE_RESERVE_INNER_H
#define REEVE_SCHEDULER_CORE_RESERVE_INNER_H

#include "scheduler/core/reserve.h"

#define RESERVE_CHANGED_MAX 4 /* of more nodes that changed nothing is asked */

struct reservation {
    struct shape *shape;
    struct node *node;
    int64_t start_utc_us;    /* it can start by then */
    int64_t expected_utc_us; /* or then, as ends of money are expected (forecast.h): from there on its room is kept */
    int64_t expected_at_utc_us; /* when that was found out */
    int64_t firm_utc_us;     /* from then on nobody is ahead of it */
    uint64_t confirmed_turn; /* in this turn it counts */
    struct node **victims;   /* where attempts are stopped for it (preempt.c) */
    size_t victims_count;    /* 0: nowhere */
    bool victims_cut;        /* and more are to be, by the next turn */
    struct kept *gang;       /* of a gang: where how many, by name; `node` is the first of them */
    size_t gang_count;
    int64_t searched_utc_us; /* of a gang */
};
struct reserves {
    struct reservation v[RESERVE_MAX]; /* oldest first */
    size_t count, next_node;           /* next_node: where the next search begins */
    struct node *changed[RESERVE_CHANGED_MAX];
    size_t changed_count;
    size_t asks;                       /* since asks_utc_us */
    int64_t asks_utc_us;
    bool gang_asked;                   /* likewise */
    uint64_t version;
    struct backfill profile;           /* scratch */
    uint64_t profiles;                 /* made until now: what questions cost */
};

struct reservation *reservation_of(const struct core *c, const struct shape *s);
/* Its nodes, one after the other; NULL: no more. */
struct node *reservation_node(const struct reservation *r, size_t i);
/* How many of its tasks are to start there. */
uint32_t reservation_tasks(const struct reservation *r, const struct node *n);
uint32_t reservation_all_tasks(const struct reservation *r); /* of a gang */
/* So many of its tasks take their room of a profile. */
void reservation_hold(const struct core *c, const struct reservation *r, uint32_t tasks, struct backfill *b);
/* Its start is that from now on, and when it is expected to, as was just found out. */
#define EXPECTED_BEFORE INT64_MIN /* as before */
void reservation_set_start(const struct plan *p, struct reservation *r, int64_t start_utc_us, int64_t expected_utc_us);
void reservation_count(struct core *c, struct node *n, bool more); /* a promise more there, or less */
void reservation_drop(struct core *c, struct reservation *r);
/* NULL: no place among the promises. Its nodes are not counted yet. */
struct reservation *reservation_new(struct core *c, const struct plan *p, struct shape *s, struct node *n,
                                    int64_t start_utc_us, int64_t expected_utc_us);
/* When and where so many could start together: its own nodes are asked (r NULL: none), and those whose turn it is.
 * false: enough were asked of late. */
bool reserve_ask_gang(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                      const struct reservation *r, struct gang_place *ret);

#endif
