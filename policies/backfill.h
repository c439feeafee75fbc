/*
 * backfill - what a node has free from now on, as far as is known, and when a demand fits there.
 *
 * The profile is a row of steps, each with what is free from then until the next one: live attempts give back what
 * they use at their expected ends, demands that were promised a place take it for their time, closed stretches
 * (maintenance) admit nothing. A demand may begin when it fits at every instant of its run: so whatever is put beside
 * a promise, the promise holds, unless an attempt runs on beyond its expected end. (Backfill with reservations: Lifka,
 * "The ANL/IBM SP Scheduling System", 1995; the profile: Mu'alem & Feitelson, "Utilization, Predictability, Workloads,
 * and User Runtime Estimates in Scheduling the IBM SP2 with Backfilling", 2001.)
 *
 * Units:     microseconds of any one clock; INT64_MAX = for ever, never.
 * Ownership: the caller owns the profile; {0} is empty, backfill_fini() frees. Lack of memory aborts.
 * Purity:    pure.
 */
#ifndef REEVE_POLICIES_BACKFILL_H
#define REEVE_POLICIES_BACKFILL_H

#include "policies/capacity.h"

struct backfill_step {
    int64_t from_us;
    struct capacity free;
    bool closed;
};
struct backfill {
    struct backfill_step *v; /* rising; the first one begins now */
    size_t count, size;
};
/* What something that lives uses, and until when. */
struct backfill_end {
    int64_t at_us;
    struct capacity need;
};
struct backfill_ask {
    struct capacity need;
    int64_t run_us;   /* so long it may need it */
    int64_t clear_us; /* so long it must not meet a closed stretch: run_us, or less when no end is known */
};

/* Of `total`, `used` is in use now and given back at `ends`, which are sorted here; an end before now is now. */
void backfill_begin(struct backfill *b, int64_t now_us, const struct capacity *total, const struct capacity *used,
                    struct backfill_end *ends, size_t count);
void backfill_fini(struct backfill *b);
/* From one instant until another so much less is free. */
void backfill_hold(struct backfill *b, int64_t from_us, int64_t to_us, const struct capacity *need);
void backfill_close(struct backfill *b, int64_t from_us, int64_t to_us);

/* Could it begin at that instant, not before now, and run beside all that is known? */
bool backfill_fits(const struct backfill *b, const struct backfill_ask *ask, int64_t at_us);
/* The first instant from `from_us` on at which it could; INT64_MAX: never. */
int64_t backfill_earliest(const struct backfill *b, const struct backfill_ask *ask, int64_t from_us);

/* Their sum, INT64_MAX when it lies beyond. */
int64_t backfill_after(int64_t at_us, int64_t length_us);

#endif
