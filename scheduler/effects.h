/*
 * effects - what leaves reeved because a fact became durable: a log line, a message to the node, answers to who waits.
 * The one list of them; the turn calls it, in the order of seq.
 */
#ifndef REEVE_SCHEDULER_EFFECTS_H
#define REEVE_SCHEDULER_EFFECTS_H

#include "scheduler/agents.h"
#include "scheduler/waiters.h"

struct effect_targets {
    struct core *core;
    struct agents *agents;
    struct waiters *waiters;
};
void effects_release(const struct effect_targets *to, uint64_t seq, const struct fact *fact);
/* The job a fact is about; 0 = none. */
uint64_t fact_job(const struct fact *fact);

#endif
