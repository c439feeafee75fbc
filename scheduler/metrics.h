/*
 * metrics - reeved's figures as Prometheus text: one table, base units, HELP and TYPE for every row.
 */
#ifndef REEVE_SCHEDULER_METRICS_H
#define REEVE_SCHEDULER_METRICS_H

#include "scheduler/agents.h"
#include "scheduler/turn.h"

struct metrics_input {
    struct core_stats core;
    struct turn_stats turn;
    struct agents_stats agents;
    uint64_t waiters, relays, refusals_total, ready, signed_seq;
    const uint64_t *calls_total; /* by enum client_method */
};
void metrics_write(const struct metrics_input *in, struct buf *out);

#endif
