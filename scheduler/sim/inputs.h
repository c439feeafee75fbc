/*
 * inputs - what reeve-sim was told to read, read: the workload, clusters, policies.
 */
#ifndef REEVE_SCHEDULER_SIM_INPUTS_H
#define REEVE_SCHEDULER_SIM_INPUTS_H

#include "scheduler/sim/options.h"
#include "scheduler/sim/run.h"

int inputs_workload(const struct sim_options *o, struct workload *ret, struct err *err) MUST_USE;
/* Of --nodes, or what the log says. The caller clears it with cluster_fields. */
int inputs_nodes(const struct sim_options *o, const struct workload *w, struct cluster *ret, struct err *err) MUST_USE;
int inputs_cluster(const char *path, struct cluster *ret, struct err *err) MUST_USE;
/* NULL: all tenants of the workload alike. */
int inputs_policy(const struct workload *w, const char *path, struct policy_file *ret, struct err *err) MUST_USE;
/* The time zones that a policy names, as this machine knows them (struct zone_table); the caller clears them. */
int inputs_zones(const struct policy_file *policy, struct list *ret, struct err *err) MUST_USE;
void inputs_zones_clear(struct list *zones);

#endif
