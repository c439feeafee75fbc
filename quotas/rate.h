/*
 * rate - a token bucket that counts in whole numbers: so many a minute, and at most a minute's worth at once.
 *
 * Units:     a token is RATE_TOKEN parts; in a microsecond `per_minute` parts flow in, so nothing is ever rounded.
 * Bounds:    per_minute is at most RATE_MAX: a full bucket and what flows into it in a minute stay below 2^53 together,
 *            where Lua's numbers are exact (functions/reeve.lua counts the same).
 * Time:      the fact's own. A time before the last one is the last one.
 * Replay:    what is final is taken whether it is there or not: parts may fall below zero.
 * Undo:      takes of one instant may be given back; with the last of them the bucket is what it was before the first.
 * Purity:    pure.
 */
#ifndef REEVE_QUOTAS_RATE_H
#define REEVE_QUOTAS_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_TOKEN INT64_C(60000000) /* a minute in microseconds */

struct rate {
    uint32_t per_minute;           /* 0 = no limit: the rest is 0 then */
    int64_t parts, at_utc_us;      /* what was in it then */
    int64_t before_parts, before_at_utc_us; /* before the first of `taken`, all of them taken at at_utc_us */
    uint64_t taken;
};

/* Another limit. A bucket that begins is full; one that goes on keeps what is in it, at most what it can hold. */
void rate_set(struct rate *r, uint32_t per_minute, int64_t at_utc_us);
/* What is in it at a time. */
int64_t rate_parts(const struct rate *r, int64_t at_utc_us);
bool rate_has(const struct rate *r, uint64_t tokens, int64_t at_utc_us);
/* From when on it has so many; INT64_MAX = it never holds so many. */
int64_t rate_when(const struct rate *r, uint64_t tokens, int64_t at_utc_us);
void rate_take(struct rate *r, uint64_t tokens, int64_t at_utc_us);
void rate_give_back(struct rate *r, uint64_t tokens);

#endif
