#include "agent/fairio/latency.h"

#include "agent/fairio/cost.h"

int64_t latency_bound_ns(unsigned bucket)
{
    return bucket + 1 < LATENCY_BUCKETS ? LATENCY_LEAST_NS << bucket : INT64_MAX;
}

void latency_add(struct latency *l, int64_t ns)
{
    unsigned bucket = 0;
    ns = ns < 0 ? 0 : ns;
    while (ns > latency_bound_ns(bucket))
        bucket++;
    l->counts[bucket]++;
    l->sum_ns += (uint64_t)ns;
}

static int64_t within(unsigned bucket, uint64_t rank, uint64_t count)
{
    int64_t low = bucket == 0 ? 0 : latency_bound_ns(bucket - 1);
    if (bucket + 1 == LATENCY_BUCKETS)
        return low; /* at least that */
    return low + (int64_t)((fq_wide)(latency_bound_ns(bucket) - low) * (int64_t)rank / (int64_t)count);
}

int64_t latency_quantile_ns(const struct latency *before, const struct latency *now, uint32_t per_mille)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        all += now->counts[i] - before->counts[i];
    uint64_t rank = (all * per_mille + 999) / 1000; /* the smallest that so many are not above */
    for (unsigned i = 0; i < LATENCY_BUCKETS && all > 0; i++) {
        uint64_t here = now->counts[i] - before->counts[i];
        if (seen + here >= rank)
            return within(i, rank - seen, here);
        seen += here;
    }
    return 0;
}
