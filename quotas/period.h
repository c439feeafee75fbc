/*
 * period - which budget period an instant belongs to. UTC, half-open; weeks are ISO weeks.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_PERIOD_H
#define REEVE_QUOTAS_PERIOD_H

#include "base/policy.h"

#define PERIOD_NAME_MAX 16
/* "2026-11-23", "2026-W48", "2026-11", "2026-Q4", "2026", "total". Returns out. */
const char *period_name(uint32_t kind, int64_t utc_us, char out[PERIOD_NAME_MAX]);
/* First instant after the period that holds utc_us; INT64_MAX for "total". */
int64_t period_end(uint32_t kind, int64_t utc_us);

#endif
