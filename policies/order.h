/*
 * order - who is next. At each level of the tree the claims compete: each child with all that is below it, and a
 * tenant's own jobs beside its children.
 *
 *   within     what stays within its guarantee goes before what borrows
 *   share      the least dominant share:  max over resources of  used / total / weight   (Ghodsi et al., NSDI 2011)
 *   past       the least faded use for its weight (policies/fade.h)
 *   path       which sorts first
 *
 * ORDER_BY_SHARE asks in that order; ORDER_BY_FAIR_TREE asks the past before the share, so that decayed history rules:
 * every job of an account that had less goes before every job of one that had more (Slurm's fair tree).
 *
 * Of a tenant that has children, resources of which nobody who waits can get any more don't count (Bhattacharya et al.,
 * "Hierarchical scheduling for diverse datacenter workloads", SoCC 2013): a child that filled up all gpus would else
 * keep its sibling from the cpus for as long as it holds them. Their rescaling of children to the least of them isn't
 * made: with few tasks a child, the least is often nothing, and the parent of many small children would take up to
 * twice its part.
 *
 * Inside a tenant: priority, then the older job, then the task. With an age, waiting that long is worth one point of
 * priority: as all wait alike that is one number fixed at submission, submitted - priority * age. Time over a limit
 * doesn't count (scheduler/core/age.h).
 *
 * Purity: pure, integers only: the same numbers give the same order on every machine.
 */
#ifndef REEVE_POLICIES_ORDER_H
#define REEVE_POLICIES_ORDER_H

#include "policies/capacity.h"

#define ORDER_SHARE_BITS 40 /* 2^40 = all of the cell at weight 1 */

/* By resource, as a capacity has them; 0 counts as 1. */
struct order_weights {
    uint32_t v[CAPACITY_DIMS];
};
extern const struct order_weights order_unweighted; /* 1 each */

/* Resources whose bit is in `spent` don't count. A resource that the cell doesn't have but somebody uses (its nodes
 * left) is a full share. */
uint64_t order_share(const struct capacity *used, const struct capacity *total, const struct order_weights *weights,
                     uint32_t spent);

struct order_claim {
    bool within;
    uint64_t first, second; /* share and past, or the other way round */
    const char *path;
};
/* < 0: a goes first. */
int order_compare_claims(const struct order_claim *a, const struct order_claim *b);

struct order_rank {
    int64_t urgency;        /* order_urgency(): the least first */
    uint64_t job;
    uint32_t task;
};
/* age_us 0: no wait is worth any priority. */
int64_t order_urgency(int32_t priority, int64_t submitted_utc_us, uint64_t age_us);
/* < 0: a goes first. */
int order_compare_tasks(struct order_rank a, struct order_rank b);

#endif
