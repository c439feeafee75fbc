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
#define IDLE_BY_PRICE (UINT32_MAX - 1) /* no period, but a row for each version of the prices */

struct idle_row {
    char period[PERIOD_NAME_MAX];                 /* "" = all of the span */
    char class[RESOURCE_NAME_MAX + 1];            /* "" = of no class */
    char resource[RESOURCE_NAME_MAX + 1];
    int64_t capacity, allocated, idle;            /* millionths of an hour of a core, GiB, unit */
    int64_t capacity_micros, idle_micros;
    int64_t from_utc_us, to_utc_us, price;        /* price: the last one of that time */
};

/* By period, class, resource, time. `kind`: PERIOD_DAY, WEEK, MONTH, or one of those above. Prices as the journal entry
 * ask->as_of has them. -E2BIG: too many periods. */
int idle_read(const struct ask *ask, const struct span *span, uint32_t kind, struct list *ret,
              struct err *err) MUST_USE;

#endif
