#include "agent/fairio/cost.h"

#include "base/macros.h"

#define BLOCK UINT64_C(4096)
#define PS_PER_NS 1000

bool io_cost_is_valid(const struct io_cost *c)
{
    for (int d = 0; d < IO_DIR_COUNT; d++)
        if (c->of[d].sequential_ns <= 0 || c->of[d].sequential_ns > IO_BASE_NS_MAX || c->of[d].random_ns <= 0 ||
            c->of[d].random_ns > IO_BASE_NS_MAX || c->of[d].per_byte_ps < 0 || c->of[d].per_byte_ps > IO_BYTE_PS_MAX)
            return false;
    return true;
}

int64_t io_cost_of(const struct io_cost *c, enum io_dir dir, bool random, uint64_t bytes)
{
    assert(bytes <= IO_BYTES_MAX); /* 2^40 * 10^6 stays inside 63 bits */
    int64_t slope = c->of[dir].per_byte_ps * (int64_t)bytes;
    return (random ? c->of[dir].random_ns : c->of[dir].sequential_ns) + (slope + PS_PER_NS - 1) / PS_PER_NS;
}

int64_t io_cost_of_many(const struct io_cost *c, enum io_dir dir, bool random, uint64_t ops, uint64_t bytes)
{
    fq_wide cost = (fq_wide)ops * (random ? c->of[dir].random_ns : c->of[dir].sequential_ns) +
                   (fq_wide)bytes * c->of[dir].per_byte_ps / PS_PER_NS;
    return cost > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)cost;
}

uint64_t io_cost_bytes_in(const struct io_cost *c, enum io_dir dir, int64_t ns)
{
    int64_t room = ns - c->of[dir].sequential_ns, slope = c->of[dir].per_byte_ps;
    if (room <= 0)
        return BLOCK;
    if (slope == 0 || room / slope >= (int64_t)(IO_BYTES_MAX / PS_PER_NS))
        return IO_BYTES_MAX;
    uint64_t bytes = (uint64_t)(room * PS_PER_NS / slope) / BLOCK * BLOCK;
    return bytes < BLOCK ? BLOCK : bytes;
}
