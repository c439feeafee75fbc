/*
 * focus_rows - the lines of one billing month, one by one, as FOCUS rows: memory doesn't grow with their number.
 * Order: as they were posted. So an open month's export only ever grows at its end, and a closed one stays as it is.
 */
#ifndef REEVE_QUOTAS_REPORTS_FOCUS_ROWS_H
#define REEVE_QUOTAS_REPORTS_FOCUS_ROWS_H

#include "quotas/billing.h"
#include "quotas/reports/focus.h"
#include "quotas/reports/report.h"

/* A billing month as the books have it. */
struct focus_month {
    struct billing_month month;
    int64_t row;                      /* 0: nothing was ever billed in it */
    int64_t first_charge, last_charge, created_utc_us, closed_utc_us;
    uint64_t closed_seq;              /* 0: open */
    uint32_t layout;
    char issuer[256];
};
/* Also a month that isn't in the books: it has no lines. false: `name` is no month, *ret untouched. */
int focus_month_find(sqlite3 *db, const char *name, struct focus_month *ret, bool *ret_named, struct err *err) MUST_USE;

/* The policy's, as the books have it; the caller clears it with billing_rule_fields. */
int focus_rule_read(sqlite3 *db, struct billing_rule *ret, struct err *err) MUST_USE;

struct focus_wish {
    struct focus_month month;
    uint32_t version, format;
    const char *tenant;               /* only this subtree; NULL = all */
};
/* Takes the ask's connection (ask->db, ask->clock) when it succeeds. */
int focus_rows_new(struct rows **ret, struct ask *ask, const struct focus_wish *wish, struct err *err) MUST_USE;

#endif
