/*
 * billing - the months that costs are closed by: calendar months in one time zone, half-open, without gap or overlap.
 *
 *   open --end--> closing (late usage is still taken) --end + grace--> closed (FACT_PERIOD_CLOSED)
 *
 * A line belongs to the month that its charge begins in; when that one was closed at an earlier journal entry, to the
 * first that isn't, as a correction. Nothing is ever added to a closed month.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_BILLING_H
#define REEVE_QUOTAS_BILLING_H

#include "base/zone.h"
#include "quotas/period.h"

struct billing_month {
    char name[PERIOD_NAME_MAX]; /* "2026-11", by the zone's calendar */
    int64_t from_utc_us, to_utc_us;
};

/* zone: NULL = UTC. */
struct billing_month billing_month_at(const struct zone_table *zone, int64_t utc_us);
/* "2026-11". false: not the name of a month in the years 1970 to 9998. */
bool billing_month_named(const struct zone_table *zone, const char *name, struct billing_month *ret);
/* When the month that ends at `to_utc_us` is closed. */
int64_t billing_closes_at(const struct billing_rule *rule, int64_t to_utc_us);

#endif
