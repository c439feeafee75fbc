/*
 * order - who is next: the tenant with the least share of the cell for its weight, at each level of the tree.
 *
 *   share = max over resources of  used / total / weight      (dominant share, as a fixed-point integer)
 *
 * Inside a tenant: priority, then age (job id), then task. Ties between tenants go to the path that sorts first.
 * Purity: pure, integers only: the same numbers give the same order on every machine.
 */
#ifndef REEVE_POLICIES_ORDER_H
#define REEVE_POLICIES_ORDER_H

#include "policies/capacity.h"

#define ORDER_SHARE_BITS 40 /* 2^40 = all of the cell at weight 1 */

/* weight 0 counts as 1. A resource that the cell doesn't have but somebody uses (its nodes left) is a full share. */
uint64_t order_share(const struct capacity *used, const struct capacity *total, uint32_t weight);
/* < 0: (share a, path a) goes first. */
int order_compare_tenants(uint64_t share_a, const char *path_a, uint64_t share_b, const char *path_b);

struct order_rank {
    int32_t priority;
    uint64_t job;
    uint32_t task;
};
/* < 0: a goes first. */
int order_compare_tasks(struct order_rank a, struct order_rank b);

#endif
