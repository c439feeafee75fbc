/*
 * book_billing - which billing month a line belongs to, and the months themselves (quotas/billing.h).
 *
 * Months before the first fact count as closed: nothing was ever billed there. A month's row knows where its first and
 * last line lie, so that an export reads that stretch of the charges and no index is needed.
 * Only book*.c include it.
 */
#ifndef REEVE_QUOTAS_REPORTS_BOOK_BILLING_H
#define REEVE_QUOTAS_REPORTS_BOOK_BILLING_H

#include "quotas/billing.h"

struct book;

struct book_billing {
    struct billing_rule rule;
    struct zone_table zone;
    bool begun;                 /* there was a fact */
    int64_t until_utc_us;       /* what begins before it belongs to a closed month */
    int64_t now_utc_us;         /* of the fact being applied */
    /* the month last looked at */
    int64_t row;                /* 0 = none */
    int64_t from_utc_us, to_utc_us;
    int64_t first_charge, last_charge; /* 0 = no line yet */
    bool dirty;
};

/* As the tables have it: after opening, and after a rollback. */
int book_billing_load(struct book *b, struct err *err) MUST_USE;
void book_billing_fini(struct book *b);
/* Each fact passes here first: the very first one begins the first month. */
int book_billing_begin(struct book *b, int64_t at_utc_us, struct err *err) MUST_USE;
/* The month for a line whose charge begins then; *ret_correction: its own was closed. */
int book_billing_of(struct book *b, int64_t from_utc_us, int64_t *ret_row, bool *ret_correction,
                    struct err *err) MUST_USE;
/* A line was added to the month that book_billing_of() gave last. */
void book_billing_added(struct book *b, int64_t charge);
/* Writes what is still in memory; before a commit. */
int book_billing_save(struct book *b, struct err *err) MUST_USE;
int book_billing_policy(struct book *b, const struct policy_change *change, struct err *err) MUST_USE;

#endif
