/*
 * run - one simulated history: a workload, nodes and a policy, driven through the scheduler's own core.
 *
 * Of our own journal (workload.past), what people and nodes really did happens again at its time; the policy and the
 * nodes are as they were, or others from the first moment on. Rights aren't asked for: who was let submit, is.
 *
 * The world is the least that the core needs: a store that asks the ledger's questions and writes, agents that start
 * at once and end when the task is done, its time limit or its paid time is over. Time jumps from event to event.
 * Everything that happens is a fact and goes through its bytes, as in production; `hash` is the hash of all of them, so
 * two runs with one hash decided alike, bit for bit.
 * Ownership: run_new() borrows workload and cluster until run_free().
 */
#ifndef REEVE_SCHEDULER_SIM_RUN_H
#define REEVE_SCHEDULER_SIM_RUN_H

#include "base/policy.h"
#include "scheduler/core/core.h"
#include "scheduler/sim/measure.h"
#include "scheduler/sim/orders.h"
#include "scheduler/sim/workload.h"

/* 2026-01-01T00:00:00Z: when simulated histories begin, unless they say when they were. */
#define SIM_BEGIN_UTC_US INT64_C(1767225600000000)

struct sim_nodes {             /* so many alike: "name-0001", ... */
    char *name;
    uint32_t count;
    struct resources capacity;
    struct pairs labels;
    uint32_t max_attempts; /* 0 = any number */
};
struct cluster {
    struct list nodes;         /* struct sim_nodes */
};
extern const struct fields cluster_fields;

struct run_totals {
    uint64_t facts, turns, submitted, refused, placed, ended, renewed, decisions;
    uint64_t guessed;       /* tasks of which the past doesn't know how long they would have run */
    uint64_t not_again;     /* what people and nodes did that had no place in this history: cancelled what is over */
    uint64_t policies_not_again; /* changes of policy among that */
    uint64_t decide_ns, wall_ns; /* of this machine; not in the hash */
    uint64_t hash;
    int64_t cost_micros, written_off_micros;
    int64_t simulated_us;
};
struct run;

struct run_setup {
    const struct workload *workload; /* borrowed, as the cluster is */
    const struct cluster *cluster;   /* NULL: the nodes of the past, as they were */
    struct policy_file *policy;      /* taken over; NULL: the policy of the past, as it was */
    enum sim_order order;            /* of a past, one that knows tenants */
    struct core_limits limits;
    const struct list *zones;        /* struct zone_table that the policy may name; NULL: none */
    /* Each fact as it lies in a journal; NULL: nobody listens. */
    void (*on_fact)(void *arg, uint64_t seq, const void *bytes, size_t len);
    void *arg;
};
/* A tenant of the workload that the policy doesn't have is an error, by name, where the order knows tenants. */
int run_new(struct run **ret, const struct run_setup *setup, struct err *err) MUST_USE;
void run_free(struct run *r);
/* Some events on; false when everything has happened. */
bool run_some(struct run *r, size_t events);
/* Millionths of the workload's submissions that have come. */
uint64_t run_progress_ppm(const struct run *r);
/* After the last event. Borrowed. */
const struct measure_cell *run_measure(const struct run *r);
struct run_totals run_totals(const struct run *r);
const char *run_currency(const struct run *r);

#endif
