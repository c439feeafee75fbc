#include "quotas/rate.h"

#include "base/macros.h"

static int64_t room(const struct rate *r)
{
    return (int64_t)r->per_minute * RATE_TOKEN;
}

int64_t rate_parts(const struct rate *r, int64_t at_utc_us)
{
    if (at_utc_us <= r->at_utc_us) {
        return r->parts;
    }
    /* A minute fills it from zero; what lies below zero is what a replay took too much. */
    uint64_t passed = (uint64_t)at_utc_us - (uint64_t)r->at_utc_us;
    int64_t flows = (int64_t)MIN(passed, (uint64_t)RATE_TOKEN) * r->per_minute;
    return MIN(room(r), r->parts + flows);
}

bool rate_has(const struct rate *r, uint64_t tokens, int64_t at_utc_us)
{
    return r->per_minute == 0 ||
           (tokens <= r->per_minute && rate_parts(r, at_utc_us) >= (int64_t)tokens * RATE_TOKEN);
}

int64_t rate_when(const struct rate *r, uint64_t tokens, int64_t at_utc_us)
{
    if (rate_has(r, tokens, at_utc_us)) {
        return at_utc_us;
    }
    if (tokens > r->per_minute) {
        return INT64_MAX;
    }
    int64_t lacks = (int64_t)tokens * RATE_TOKEN - rate_parts(r, at_utc_us);
    int64_t wait = (lacks + r->per_minute - 1) / r->per_minute;
    return MAX(at_utc_us, r->at_utc_us) + wait;
}

void rate_take(struct rate *r, uint64_t tokens, int64_t at_utc_us)
{
    if (r->per_minute == 0) {
        return;
    }
    int64_t at = MAX(at_utc_us, r->at_utc_us);
    if (r->taken == 0 || at != r->at_utc_us) {
        int64_t parts = rate_parts(r, at);
        r->before_parts = r->parts;
        r->before_at_utc_us = r->at_utc_us;
        r->parts = parts;
        r->at_utc_us = at;
        r->taken = 0;
    }
    r->parts -= (int64_t)tokens * RATE_TOKEN;
    r->taken += tokens;
}

void rate_give_back(struct rate *r, uint64_t tokens)
{
    if (r->per_minute == 0) {
        return;
    }
    r->parts = MIN(room(r), r->parts + (int64_t)tokens * RATE_TOKEN);
    r->taken -= MIN(tokens, r->taken);
    if (r->taken == 0) {
        r->parts = r->before_parts;
        r->at_utc_us = r->before_at_utc_us;
    }
}

void rate_set(struct rate *r, uint32_t per_minute, int64_t at_utc_us)
{
    if (per_minute == r->per_minute) {
        return;
    }
    if (per_minute == 0) {
        *r = (struct rate){0};
        return;
    }
    struct rate after = {.per_minute = per_minute, .at_utc_us = at_utc_us};
    after.parts = room(&after);
    if (r->per_minute != 0) {
        after.at_utc_us = MAX(at_utc_us, r->at_utc_us);
        after.parts = MIN(after.parts, rate_parts(r, at_utc_us));
    }
    *r = after;
}
