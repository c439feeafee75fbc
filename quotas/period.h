/*
 * period - which budget period an instant belongs to. Half-open; weeks are ISO weeks. Days begin at the midnights of
 * the budget's zone, UTC when it names none.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_PERIOD_H
#define REEVE_QUOTAS_PERIOD_H

#include "base/zone.h"

#define PERIOD_NAME_MAX 32
/* In UTC: "2026-11-23", "2026-W48", "2026-11", "2026-Q4", "2026", "total". Returns out. Not for custom and fixed. */
const char *period_name(uint32_t kind, int64_t utc_us, char out[PERIOD_NAME_MAX]);
/* First instant after the period in UTC that holds utc_us; INT64_MAX for "total". */
int64_t period_end(uint32_t kind, int64_t utc_us);

struct period {
    int64_t from_utc_us, to_utc_us; /* INT64_MIN, INT64_MAX where it has no bound */
    char name[PERIOD_NAME_MAX];     /* local to the zone; custom: "2026-01-05+28d", fixed: "2026-01-05..2026-03-01" */
};
/* The period of a budget that holds an instant; where none does (custom before its first day, fixed outside of its
 * window) the nearest one. `zone` NULL = UTC. */
void period_of(const struct budget_rule *rule, const struct zone_table *zone, int64_t utc_us, struct period *ret);
bool period_holds(const struct period *p, int64_t utc_us);
/* The one that ends where this begins. false: there is none. */
bool period_before(const struct budget_rule *rule, const struct zone_table *zone, const struct period *p,
                   struct period *ret);

#endif
