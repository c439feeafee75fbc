/*
 * span - from when to when a report goes, and whose midnights its days have.
 *
 *   from, to   a date (midnight in tz), an RFC 3339 instant, or epoch milliseconds; half-open; absent = unbounded
 *   tz         an IANA name; default UTC
 *
 * Ownership: span_fini().
 */
#ifndef REEVE_QUOTAS_REPORTS_SPAN_H
#define REEVE_QUOTAS_REPORTS_SPAN_H

#include "base/zone.h"
#include "quotas/period.h"
#include "quotas/reports/params.h"

#define SPAN_NAMES "from", "to", "tz" /* its parameters, for params_only() */

struct span {
    bool has_from, has_to;
    int64_t from_utc_us, to_utc_us; /* INT64_MIN / INT64_MAX when absent */
    struct zone_table zone;         /* name NULL = UTC */
};

int span_parse(const struct params *params, struct span *ret, struct problem *problem) MUST_USE;
void span_fini(struct span *s);
const char *span_tz(const struct span *s);
/* "2026-11-01" (midnight there; NULL = UTC), "2026-11-01T00:00:00Z" or epoch milliseconds. */
int span_time(const char *text, const struct zone_table *zone, int64_t *ret_utc_us) MUST_USE;
/* The end of the day, week or month (enum period_kind) that holds an instant there, and its name. */
int64_t span_period_end(const struct span *s, uint32_t kind, int64_t utc_us);
const char *span_period_name(const struct span *s, uint32_t kind, int64_t utc_us, char out[PERIOD_NAME_MAX]);
/* "from":...,"to":...,"tz":..., with a comma behind. */
void span_json(const struct span *s, struct buf *out);

#endif
