/*
 * focus_rows - the lines of one billing month, one by one, as FOCUS rows: memory doesn't grow with their number.
 * Order: as they were posted. So an open month's export only ever grows at its end, and a closed one stays as it is but
 * for its invoices, which come with the closing. What is idle comes last, when it is asked for.
 */
#ifndef REEVE_QUOTAS_REPORTS_FOCUS_ROWS_H
#define REEVE_QUOTAS_REPORTS_FOCUS_ROWS_H

#include "quotas/reports/focus.h"
#include "quotas/reports/focus_idle.h"
#include "quotas/reports/report.h"

struct focus_wish {
    struct focus_month month;
    uint32_t version, format;
    uint32_t idle;                    /* enum focus_spread: rows of idle capacity at the end */
    const char *tenant;               /* only this subtree; NULL = all */
};
/* Takes the ask's connection (ask->db, ask->clock) when it succeeds. */
int focus_rows_new(struct rows **ret, struct ask *ask, const struct focus_wish *wish, struct err *err) MUST_USE;

#endif
