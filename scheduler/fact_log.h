/*
 * fact_log - one line in the log per durable fact: what an operator reads at 3 a.m.
 */
#ifndef REEVE_SCHEDULER_FACT_LOG_H
#define REEVE_SCHEDULER_FACT_LOG_H

#include "scheduler/core/core.h"

void fact_log(const struct core *core, uint64_t seq, const struct fact *fact);

#endif
