/*
 * idle - what nodes offered and nobody held, by class of node and resource, and what it would have cost.
 *
 *   idle = capacity - allocated, never below nothing; both at the list price of that class at that time
 *
 * Allocated is what attempts held from their placing to their end, used or not (what of it wasn't used is waste, and
 * was charged). Cut at periods and at changes of prices; what is not over yet ends with the journal's newest entry.
 */
#ifndef REEVE_QUOTAS_REPORTS_IDLE_H
#define REEVE_QUOTAS_REPORTS_IDLE_H

#include "quotas/reports/report.h"
#include "quotas/reports/span.h"

#define IDLE_PERIODS_MAX 1500
#define IDLE_NO_PERIOD UINT32_MAX

struct idle_row {
    char period[PERIOD_NAME_MAX];                 /* "" = all of the span */
    char class[RESOURCE_NAME_MAX + 1];            /* "" = of no class */
    char resource[RESOURCE_NAME_MAX + 1];
    int64_t capacity, allocated, idle;            /* millionths of an hour of a core, GiB, unit */
    int64_t capacity_micros, idle_micros;
};

/* By period, class, resource. `kind`: PERIOD_DAY, WEEK, MONTH, or IDLE_NO_PERIOD. -E2BIG: too many periods. */
int idle_read(const struct ask *ask, const struct span *span, uint32_t kind, struct list *ret,
              struct err *err) MUST_USE;

#endif
