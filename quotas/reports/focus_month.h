/*
 * focus_month - a billing month as a reader finds it in the books.
 *
 * Invoices: one for each billing account of a closed month, "<cell>/<month>/<account>": made of names that never
 *           change, so the same for ever, and none before the month is closed.
 */
#ifndef REEVE_QUOTAS_REPORTS_FOCUS_MONTH_H
#define REEVE_QUOTAS_REPORTS_FOCUS_MONTH_H

#include "quotas/billing.h"
#include "quotas/reports/db.h"

struct focus_month {
    struct billing_month month;
    int64_t row;                      /* 0: nothing was ever billed in it */
    int64_t first_charge, last_charge, created_utc_us, closed_utc_us;
    uint64_t closed_seq;              /* 0: open */
    uint32_t layout;
    char issuer[256];
    char invoice[96];                 /* what ids of its invoices begin with; "" = it has none (yet) */
};
/* Also a month that isn't in the books: it has no lines. false: `name` is no month, *ret untouched. */
int focus_month_find(sqlite3 *db, const char *name, struct focus_month *ret, bool *ret_named, struct err *err) MUST_USE;

/* The policy's, as the books have it; the caller clears it with billing_rule_fields. */
int focus_rule_read(sqlite3 *db, struct billing_rule *ret, struct err *err) MUST_USE;

#endif
