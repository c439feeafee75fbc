/*
 * workload - what people would submit, and how long it would run: the input of a simulation, whatever it was read from.
 *
 *   workload_swf()     the Standard Workload Format of the Parallel Workloads Archive (version 2.2): jobs that ran,
 *                      one a line; a processor is a core, memory per processor when the log has it
 *   workload_events()  the event lists of the Slurm simulator: "-dt 49 -e submit_batch_job | -J ... -A account ..."
 *   past_read()        our own journal (past.h)
 *   workload_load()    generated: Poisson arrivals, sizes and run times with a long tail, from a seed
 *
 * Times are microseconds since the first job could come. Jobs are sorted by submission, ties as read.
 * Jobs that never ran (cancelled while they waited, no run time on record) are left out and counted.
 * Ownership: the workload owns its texts; workload_fini().
 */
#ifndef REEVE_SCHEDULER_SIM_WORKLOAD_H
#define REEVE_SCHEDULER_SIM_WORKLOAD_H

#include "base/fields.h"

struct sim_job {
    int64_t submit_us;
    uint64_t run_us;   /* how long each task runs when nothing stops it; > 0 */
    uint64_t limit_us; /* its time limit; 0 = none */
    uint64_t cpu_milli, mem_bytes;
    uint32_t tasks;    /* > 0 */
    uint32_t tenant;   /* place in workload.tenants */
    int32_t priority;
    bool fails;        /* exits with 1 */
    uint64_t past_job; /* its number in the journal; then its run times are there, and run_us is 0 */
};
struct past;
struct workload {
    struct sim_job *jobs;
    size_t count, size;
    struct strs tenants;   /* paths, by first appearance */
    size_t left_out;
    uint64_t processors;   /* what the log says the cluster had; 0 = it doesn't say */
    struct past *past;     /* what else happened (past.h), of our own journal; NULL: nothing, then jobs are submitted */
};

/* Which column names the tenant. */
enum tenant_by { TENANT_BY_USER, TENANT_BY_GROUP, TENANT_BY_QUEUE, TENANT_BY_COUNT };
extern const struct names tenant_by_names;

struct load_options {
    uint64_t seed, jobs, tenants;
    uint64_t per_hour;     /* submissions */
    uint64_t mean_run_s;
    uint64_t cores_max;    /* the largest job */
};

/* -EINVAL: "line 17: ..." */
int workload_swf(const char *text, size_t len, enum tenant_by by, struct workload *ret, struct err *err) MUST_USE;
int workload_events(const char *text, size_t len, enum tenant_by by, struct workload *ret, struct err *err) MUST_USE;
int workload_load(const struct load_options *o, struct workload *ret, struct err *err) MUST_USE;
void workload_fini(struct workload *w);

/* ---- for those who read one ---- */
struct sim_job *workload_add(struct workload *w); /* zeroed; NULL: out of memory */
int workload_tenant(struct workload *w, const char *path, uint32_t *ret) MUST_USE; /* its place; -ENOMEM */
void workload_sort(struct workload *w);

#endif
