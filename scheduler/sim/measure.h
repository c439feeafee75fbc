/*
 * measure - what a simulated history was like, for the whole cell and for each tenant.
 *
 *   wait       from submission to the first start of a task
 *   slowdown   bounded: max(1, (wait + run) / max(run, 10 s)), in thousandths
 *              (Feitelson & Rudolph, "Metrics and Benchmarking for Parallel Job Scheduling", 1998)
 *   use        core-time of a tenant, and of the cell as parts of what its nodes had while anything waited or ran
 *   fairness   Jain's index of use/weight over the tenants that waited or ran, for each stretch of time, in millionths
 *              (Jain, Chiu & Hawe, "A Quantitative Measure of Fairness", 1984): 1,000,000 = all alike
 *
 * Integers only: the same history gives the same figures on every machine.
 */
#ifndef REEVE_SCHEDULER_SIM_MEASURE_H
#define REEVE_SCHEDULER_SIM_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define MEASURE_STRETCHES 120      /* points of every curve, at most */
#define MEASURE_LEAST_RUN_US 10000000

struct series {                    /* numbers for percentiles */
    uint64_t *v;
    size_t count, size;
};
struct tenant_measure {
    const char *path;              /* borrowed */
    uint32_t weight;
    uint64_t submitted, refused, started, succeeded, failed, over_limit, over_budget, preempted;
    struct series wait_us, slowdown; /* sorted by measure_end() */
    uint64_t core_us;              /* milli-core-microseconds / 1000 */
    int64_t cost_micros;
    /* running */
    uint64_t cpu_milli, waiting, running;
    int64_t since_us;
    uint64_t stretch[MEASURE_STRETCHES]; /* core-us in each */
    bool there[MEASURE_STRETCHES];       /* waited or ran in it */
};
struct measure_cell {
    struct tenant_measure *tenants;
    size_t tenants_count;
    uint64_t cpu_milli;            /* of all nodes that are there */
    int64_t room_since_us;
    uint64_t room[MEASURE_STRETCHES]; /* core-us that nodes had, in each */
    int64_t end_us;
    int64_t stretch_us;            /* doubles when the history outgrows the curves */
    size_t stretches;              /* in use; by measure_end() */
    uint64_t waiting[MEASURE_STRETCHES]; /* tasks that wait, at the end of each */
    /* by measure_end() */
    uint64_t core_us;
    uint64_t used_ppm, fair_ppm, slowdown_fair_ppm; /* used; mean Jain of use; Jain of the tenants' mean slowdowns */
    uint64_t speed_fair_ppm;       /* Jain of the tenants' mean speeds, 1 / slowdown: what they get */
    uint64_t stretch_fair_ppm[MEASURE_STRETCHES], stretch_used_ppm[MEASURE_STRETCHES];
};

int measure_init(struct measure_cell *m, size_t tenants, int64_t end_us) MUST_USE; /* -ENOMEM */
void measure_fini(struct measure_cell *m);
/* Something about this tenant is about to change at `now_us`: its use until then is booked. */
void measure_touch(struct measure_cell *m, struct tenant_measure *t, int64_t now_us);
/* From now on the nodes have so much. */
void measure_room(struct measure_cell *m, uint64_t cpu_milli, int64_t now_us);
void measure_wait(struct tenant_measure *t, uint64_t wait_us, uint64_t run_us);
void measure_end(struct measure_cell *m, int64_t now_us);

void series_add(struct series *s, uint64_t value); /* lack of memory aborts */
void series_sort(struct series *s);
uint64_t series_mean(const struct series *s);
uint64_t series_at(const struct series *s, uint32_t percent); /* of a sorted one; 0 when empty */
/* Jain's index of n numbers, in millionths; 1,000,000 for none. */
uint64_t jain_ppm(const uint64_t *x, size_t n);

#endif
