/*
 * trend - what a series of days says: what is usual, and where it leads. Estimates, so doubles are fine; money that
 * somebody pays never comes from here.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_REPORTS_TREND_H
#define REEVE_QUOTAS_REPORTS_TREND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what is usual: the median, and 1.4826 x the median distance from it, which for normal noise is its standard
 * deviation, but which a few odd days don't move. At least a twentieth of the median: a tenant that pays the same each
 * day to the cent isn't odd for a cent more. */
struct usual {
    int64_t median, spread;
};
struct usual usual_of(int64_t *days, size_t count); /* sorts them; count > 0 */

/* ---- where it leads: each day as the ones before, on average, with their scatter; days are taken as independent, so
 * scatter grows with the square root of time. Intervals hold four times of five (1.2816 deviations). */
struct trend {
    size_t days;            /* 0: nothing is known but the rate */
    double rate, deviation; /* of one day */
};
struct range {
    bool known;             /* low and high are */
    double low, middle, high;
};
struct trend trend_of(const int64_t *days, size_t count);
/* What comes together in so many days. Never below nothing. */
struct range trend_in(const struct trend *t, double days);
/* In how many days `left` is used up; HUGE_VAL = never. `low` is the soonest. */
struct range trend_until(const struct trend *t, double left);

#endif
