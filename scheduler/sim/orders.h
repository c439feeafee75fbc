/*
 * orders - who goes first in a simulated history, and who may pass whom: what Reeve does, and what it is held against.
 *
 *   reeve   as the policy says: the tenants' shares, then priority and age; several tasks are promised a node
 *   easy    first come, first served, whoever's it is; the first one that has no room is promised its earliest start
 *           and whatever doesn't delay it may pass (Lifka, "The ANL/IBM SP Scheduling System", 1995)
 *   fcfs    first come, first served: nobody passes
 *   greedy  as reeve, but nothing is promised: whatever fits passes, and what is large may wait for ever
 *
 * easy and fcfs know no tenants: all jobs are one tenant's, without weights, quotas and budgets. Prices stay.
 */
#ifndef REEVE_SCHEDULER_SIM_ORDERS_H
#define REEVE_SCHEDULER_SIM_ORDERS_H

#include "base/policy.h"
#include "scheduler/core/core.h"

#define ORDERS_ONE_TENANT "everybody"

enum sim_order { SIM_ORDER_REEVE, SIM_ORDER_EASY, SIM_ORDER_FCFS, SIM_ORDER_GREEDY, SIM_ORDER_COUNT };
extern const struct names sim_order_names;

bool order_knows_tenants(enum sim_order order);
/* What the core must be told for it; the policy loses its tenants where there are none. -ENOMEM. */
int order_apply(enum sim_order order, struct core_limits *limits, struct policy_file *policy, struct err *err) MUST_USE;

#endif
