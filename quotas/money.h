/*
 * money - exact costs: integers only, one rounding, on the cumulative amount.
 *
 *   cost(resource, t) = round_half_even( sum over price segments of  amount * us * micros_per_hour / unit )
 *   unit = 1000 milli-cores * 3.6e9 us (cpu), 2^30 bytes * 3.6e9 us (memory, scratch), 3.6e9 us (generic)
 *
 * What is posted is always a difference of two cumulative costs, so slices never add up to more or less than the
 * whole. Each resource is rounded by itself: rows per resource add up to the attempt's cost to the micro-unit.
 * Purity: pure. Products are 128 bits wide; the bounds in base/resources.h and base/policy.h keep them inside.
 */
#ifndef REEVE_QUOTAS_MONEY_H
#define REEVE_QUOTAS_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

/* numerator / denominator, rounded half to even; saturates at MONEY_MICROS_MAX. denominator > 0, numerator >= 0. */
__extension__ typedef unsigned __int128 money_wide; /* gcc and clang */
int64_t money_round(money_wide numerator, money_wide denominator);
/* a + b; false and *ret untouched when it would leave int64. */
bool money_add(int64_t a, int64_t b, int64_t *ret) MUST_USE;

#endif
