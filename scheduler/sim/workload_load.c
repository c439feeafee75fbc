/*
 * Generated load. Arrivals are Poisson; the number of cores is a power of two, small ones likelier; run times are
 * exponential around a mean that is different for each tenant; limits are what people ask for: too much. Integers only:
 * -ln(u) comes from a table, so that a seed is the same load on every machine.
 */
#include <errno.h>
#include <stdio.h>

#include "scheduler/sim/workload.h"

#define SECOND_US UINT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)
#define LIMIT_MAX_US (UINT64_C(366) * 24 * HOUR_US)

struct draws {
    uint64_t state;
};

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators" (2016). */
static uint64_t draw(struct draws *d, uint64_t below)
{
    d->state ^= d->state >> 12;
    d->state ^= d->state << 25;
    d->state ^= d->state >> 27;
    return (d->state * UINT64_C(2685821657736338717)) % below;
}

/* -ln(u) in millionths for u = 1/1024 .. 1, by halving: ln 2 = 0.693147, and a line within each octave. */
static uint64_t exponential(struct draws *d)
{
    uint64_t u = draw(d, 1024) + 1, sum = 0;
    while (u <= 512) {
        u *= 2;
        sum += 693147;
    }
    return sum + 693147 * (1024 - u) / 512;
}

static uint64_t cores_of(struct draws *d, uint64_t most)
{
    uint64_t cores = 1;
    while (cores * 2 <= most && draw(d, 2) == 0)
        cores *= 2;
    return cores;
}

int workload_load(const struct load_options *o, struct workload *ret, struct err *err)
{
    struct workload w = {0};
    struct draws d = {o->seed * 2 + 1};
    uint64_t at_us = 0;
    for (uint64_t i = 0; i < o->tenants; i++) {
        char path[32];
        uint32_t place;
        snprintf(path, sizeof path, "t%llu", (unsigned long long)i);
        if (workload_tenant(&w, path, &place) < 0)
            goto no_memory;
    }
    for (uint64_t i = 0; i < o->jobs; i++) {
        struct sim_job *j = workload_add(&w);
        if (j == NULL)
            goto no_memory;
        at_us += exponential(&d) * (HOUR_US / o->per_hour) / 1000000;
        uint64_t tenant = draw(&d, o->tenants), cores = cores_of(&d, o->cores_max);
        uint64_t mean_us = o->mean_run_s * SECOND_US * (1 + tenant % 4) / 2;
        j->submit_us = (int64_t)at_us;
        j->tenant = (uint32_t)tenant;
        j->cpu_milli = cores * 1000;
        j->mem_bytes = cores << 30;
        j->run_us = MAX(exponential(&d) * (mean_us / 1000) / 1000, SECOND_US);
        j->limit_us = MIN(j->run_us / SECOND_US * (2 + draw(&d, 3)) * SECOND_US + 60 * SECOND_US, LIMIT_MAX_US);
        j->fails = draw(&d, 20) == 0;
    }
    *ret = w;
    return 0;
no_memory:
    workload_fini(&w);
    return err_set(err, -ENOMEM, "out of memory");
}
