/*
 * How fast a world lives: cluster hours a second of one core, with the real core, ledger, facts in bytes and all rules
 * of the worlds, where nothing fails. 200 nodes, 64 tenants, 2 submissions a second, beats every 5 s, a full recount
 * every 65,536 events. Once as half of the drawn worlds read facts, a sixteenth of the time from their bytes, and once
 * as the other half, always.
 */
#include <stdio.h>
#include <time.h>

#include "tests/sim/fault_world.h"

#define HOURS 1
#define SUBMITS_PER_S 2

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of so many readings of a fact one is of its bytes. */
static bool live(const char *name, uint64_t decode_every)
{
    static struct world w;
    struct scene scene = {.seconds = HOURS * 3600, .nodes = 200, .tenants = 64, .beat_us = 5 * SECOND,
                          .jobs = HOURS * 3600 * SUBMITS_PER_S, .gap_us = 2 * SECOND / SUBMITS_PER_S,
                          .recount_every = 65536, .decode_every = decode_every, .quiet = true};
    struct choices c;
    choices_seed(&c, 1);
    c.unkept = true;
    double begin = cpu_s();
    bool whole = world_live(&w, &c, &scene);
    double took = cpu_s() - begin, hours = (double)w.now_us / 3.6e9;
    if (whole)
        printf("%s %.2f hours/s\n%s_events %.0f /s\n%s_events_an_hour %.0f 1\n%s_placements_an_hour %.0f 1\n", name,
               hours / took, name, (double)w.events / took, name, (double)w.events / hours, name,
               (double)w.placed / hours);
    else
        fprintf(stderr, "bench_faults: %s\n", w.broken);
    world_free(&w);
    choices_fini(&c);
    return whole;
}

int main(void)
{
    return live("fault_worlds", 16) && live("fault_worlds_decoded", 1) ? 0 : 1;
}
