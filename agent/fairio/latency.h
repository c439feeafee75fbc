/*
 * latency - how long operations took: counts in buckets that double, from 64 us to 17 s, and what is above.
 * Units:  ns. Purity: pure.
 */
#ifndef REEVE_AGENT_FAIRIO_LATENCY_H
#define REEVE_AGENT_FAIRIO_LATENCY_H

#include <stdint.h>

#define LATENCY_LEAST_NS INT64_C(64000)
#define LATENCY_BUCKETS 20 /* the last: everything above the others' bounds */

struct latency {
    uint64_t counts[LATENCY_BUCKETS];
    uint64_t sum_ns;
};

void latency_add(struct latency *l, int64_t ns);
/* What a bucket holds at most; INT64_MAX for the last. */
int64_t latency_bound_ns(unsigned bucket);
/* Of what was added between two states of one; the part is 1..1000 of a thousand. 0: nothing was added. Within a bucket
 * it is as if they lay evenly. */
int64_t latency_quantile_ns(const struct latency *before, const struct latency *now, uint32_t per_mille);

#endif
