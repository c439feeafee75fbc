/*
 * focus_idle - what nodes offered in a billing month and nobody held, for FOCUS rows: one origin charge for each
 * resource of a class of nodes under one price, whole or split over the tenants (FOCUS: split cost allocation).
 *
 *   separate  one row each
 *   usage     a row for each tenant that was billed in the month, in proportion to that
 *   even      the same in equal parts
 *
 * Parts are cut by largest remainder: hours, cost and ratios of an origin charge add up to it. Where nobody was billed,
 * one row without a tenant is what isn't allocated.
 * Of a closed month: by the prices that were known when it was closed, so that it never changes.
 * Ownership: a row lives until the next one.
 */
#ifndef REEVE_QUOTAS_REPORTS_FOCUS_IDLE_H
#define REEVE_QUOTAS_REPORTS_FOCUS_IDLE_H

#include "quotas/reports/focus_month.h"
#include "quotas/reports/report.h"

#define FOCUS_RATIO_ALL 1000000000 /* a ratio has nine decimals */

enum focus_spread { FOCUS_IDLE_HIDDEN, FOCUS_IDLE_SEPARATE, FOCUS_IDLE_USAGE, FOCUS_IDLE_EVEN, FOCUS_SPREAD_COUNT };
extern const struct names focus_spread_names; /* "hide", "separate", "usage", "even" */

struct focus_idle_row {
    const char *class, *resource; /* class NULL: of none */
    const char *tenant;           /* NULL: nobody's part, or not split */
    int64_t from_utc_us, to_utc_us, price;
    int64_t quantity;             /* billionths of an hour of a core, GiB, unit */
    int64_t micros;
    int64_t ratio;                /* of the origin charge, in FOCUS_RATIO_ALL */
    int64_t billed_micros;        /* of the tenant: why its part is so large */
};

struct focus_idle;
int focus_idle_new(struct focus_idle **ret, const struct ask *ask, const struct focus_month *month, uint32_t spread,
                   struct err *err) MUST_USE;
void focus_idle_free(struct focus_idle *f);
/* false: there are no more. */
bool focus_idle_next(struct focus_idle *f, struct focus_idle_row *ret);

#endif
