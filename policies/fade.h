/*
 * fade - use that fades: after a half-life it counts half.
 *
 * Nothing is ever made smaller for it. What is new weighs more instead, 2^((t - epoch) / half_life), so amounts of any
 * age compare as they stand, their order never changes by time alone, and fading costs nothing (forward decay: Cormode,
 * Shkapenyuk, Srivastava, Xu, "Forward decay", ICDE 2009). Before the weight has grown too far all amounts are divided
 * by it together and the epoch moves to now.
 * Unit:   an amount is 2^-10 microseconds of the whole cell at the epoch's weight: a share of the cell (as
 *         policies/order.h, 2^40 = all of it) for a time. All of a cell for ever, at a half-life of a year, is below
 *         2^57 at the epoch's weight, and below 2^63 at any.
 * Purity: pure, integers only: the same facts give the same amounts on every machine.
 */
#ifndef REEVE_POLICIES_FADE_H
#define REEVE_POLICIES_FADE_H

#include <stdbool.h>
#include <stdint.h>

#define FADE_HALF_LIFE_DEFAULT_MS (UINT64_C(7) * 86400000)
#define FADE_HALF_LIFE_MIN_MS UINT64_C(60000)
#define FADE_HALF_LIFE_MAX_MS (UINT64_C(366) * 86400000)
#define FADE_WEIGHT_ONE (UINT64_C(1) << 16)

struct fade {
    int64_t epoch_utc_us;
    uint64_t half_life_us; /* above 0 */
};

/* At an instant, FADE_WEIGHT_ONE at the epoch and before it; 2^40 at most. */
uint64_t fade_weight(const struct fade *f, int64_t utc_us);
/* The weight is so large that all amounts should move to a new epoch: fade_to() each; the epoch is utc_us then. */
bool fade_is_due(const struct fade *f, int64_t utc_us);
uint64_t fade_to(uint64_t amount, uint64_t weight);
/* So much use, a share of the cell for some time, as it counts at an instant: where the epoch is long ago, at a weight
 * of six half-lives, which is enough to be more than anything that was. Saturates. */
uint64_t fade_amount(const struct fade *f, uint64_t share, uint64_t us, int64_t utc_us);

#endif
