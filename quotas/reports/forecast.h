/*
 * forecast - where budgets lead, for whoever shows it: each day as the days before (trend.h), of the tenant and all
 * below it, up to FORECAST_DAYS whole days before today in the budget's zone.
 */
#ifndef REEVE_QUOTAS_REPORTS_FORECAST_H
#define REEVE_QUOTAS_REPORTS_FORECAST_H

#include "quotas/reports/report.h"
#include "quotas/reports/trend.h"

#define FORECAST_DAYS 28

struct forecast_row {
    const struct budget_row *budget; /* borrowed */
    char resource[RESOURCE_NAME_MAX + 1]; /* "" = money; else all amounts are millionths of hours of it */
    int64_t end_utc_us;              /* of its period; INT64_MAX = none */
    struct trend trend;              /* micro-units a day */
    struct range at_end;             /* spent by then; not known when the period has no end or there is no history */
    struct range runs_out;           /* days from now until the limit is reached; unlimited: HUGE_VAL */
    bool has_trend;
};

/* One for each current budget of `rows` (budgets_rows()), in that order. The caller frees ret->v. */
int forecast_rows(const struct ask *ask, const struct list *rows, struct list *ret, struct err *err) MUST_USE;

#endif
